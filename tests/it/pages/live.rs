//! Live: the last events with their effects, and the stream of rows that continues the page.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::time::Duration;

use super::{html, links, text, visit};
use crate::support::{App, Request, assert_problem, delivered, failed, sent, sid, status};

/// One message whose `sent` came late and twice, and one that a carrier filtered.
fn app() -> App {
    let app = App::start();
    app.receive(delivered(&sid(1)));
    app.receive(sent(&sid(1)));
    app.receive(sent(&sid(1)));
    app.receive(failed(&sid(2), "30007").with("To", "+442079460018"));
    app.caught_up();
    app
}

/// The rows within the table, as HTML.
#[track_caller]
fn rows(html: &str) -> &str {
    let (_, rows) = html.split_once("<tbody id=\"live-rows\">").expect("the table");
    rows.split("</tbody>").next().unwrap().trim()
}

/// The positions of rows, in their order.
fn positions(rows: &str) -> Vec<u64> {
    let positions = rows.split("<tr data-position=\"").skip(1);
    positions.map(|row| row.split('"').next().unwrap().parse().unwrap()).collect()
}

#[test]
fn the_last_events_are_shown_newest_first_with_their_effects() {
    let app = app();
    let page = html(&app, "/live");
    assert_eq!(positions(rows(&page)), [4, 3, 2, 1]);
    let shown = text(&page);
    assert!(shown.starts_with("4 callbacks in the last 10 minutes The last events,"), "{shown}");
    for (position, expected) in [
        (1, "delivered +15558675310 advanced +15558675310 +15017250604 1"),
        (2, "sent +15558675310 late late +15558675310 +15017250604 2"),
        (3, "sent +15558675310 duplicate duplicate +15558675310 +15017250604 3"),
        (4, "failed +442079460018 · 30007 advanced +442079460018 +15017250604 30007 4"),
    ] {
        let row = rows(&page).split("<tr data-position=").nth(5 - position).unwrap();
        let row = text(&format!("<main>{row}</main>"));
        assert!(row.ends_with(expected), "{row}");
    }
}

#[test]
fn a_row_leads_to_its_message_and_to_the_bytes_of_its_event() {
    let app = app();
    let page = html(&app, "/live");
    let target = &links(&page, "+442079460018")[0];
    assert_eq!(*target, format!("/messages/{}", sid(2)));
    assert!(text(&html(&app, target)).contains("Failed to +442079460018"));

    let bytes = rows(&page).split("href=\"").find(|link| link.contains("open=2#p2")).unwrap();
    let bytes = bytes.split("#p2").next().unwrap();
    let message = html(&app, bytes);
    assert!(message.contains("id=\"p2\"><details open>"), "{message}");
}

#[test]
fn filters_are_on_the_event_its_effect_and_either_address() {
    let app = app();
    for (query, expected) in [
        ("status=failed", &[4][..]),
        ("status=failure", &[4]),
        ("status=sent", &[3, 2]),
        ("effect=late", &[2]),
        ("effect=duplicate&status=sent", &[3]),
        ("q=*0018", &[4]),
        ("q=%2B15017250604", &[4, 3, 2, 1]),
        ("q=%2815558675310%29", &[3, 2, 1]),
        ("error_code=30007", &[4]),
        ("status=&effect=&q=&error_code=", &[4, 3, 2, 1]),
        ("effect=conflict", &[]),
    ] {
        let page = html(&app, &format!("/live?{query}"));
        assert_eq!(positions(rows(&page)), expected, "{query}");
    }
    let none = text(&html(&app, "/live?effect=conflict"));
    assert!(none.contains("No matching event among the 4 up to position 4. Show all"), "{none}");
    for (query, expected) in [
        ("effect=strange", "Effect `strange` is not one of late, duplicate,"),
        ("colour=red", "There is no parameter `colour` here; there are status, effect, q,"),
        ("paused=9", "Paused: position `9` is beyond the head, 4"),
    ] {
        let page = visit(&app, &format!("/live?{query}"));
        let shown = text(&String::from_utf8(page.body).unwrap());
        assert!(shown.to_lowercase().contains(&expected.to_lowercase()), "{query}: {shown}");
        assert_eq!(page.code / 100, 4, "{query}");
    }
}

#[test]
fn older_events_are_on_pages_of_earlier_positions() {
    let app = App::start();
    (1..=120).for_each(|number| drop(app.receive(sent(&sid(number)))));
    app.caught_up();
    let (mut target, mut seen) = ("/live?status=sent".to_owned(), Vec::new());
    loop {
        let page = html(&app, &target);
        seen.extend(positions(rows(&page)));
        match links(&page, "Older").first() {
            Some(older) => target.clone_from(older),
            None => break,
        }
    }
    assert_eq!(seen, (1..=120).rev().collect::<Vec<u64>>());

    let paused = html(&app, "/live?paused=100");
    let shown = text(&paused);
    assert!(shown.starts_with("Paused at 100 The events up to this position, newest first. 20 "));
    assert_eq!(positions(rows(&paused))[0], 100);
    assert!(!paused.contains("data-stream"), "it does not continue");
}

#[test]
fn the_script_that_continues_the_page_is_a_file_of_this_server() {
    let app = app();
    let page = html(&app, "/live");
    let script = page.split("<script src=\"").find(|script| script.contains("live.")).unwrap();
    let script = app.get(script.split('"').next().unwrap());
    assert_eq!((script.code, script.header("content-type")), (200, Some("text/javascript")));
    assert!(!html(&app, "/messages").contains("/assets/live."), "other pages do not load it");
}

#[test]
fn an_empty_ledger_shows_the_first_steps() {
    assert!(text(&html(&App::start(), "/live")).starts_with("No callbacks yet"));
}

#[test]
fn the_stream_continues_the_page_with_the_same_rows() {
    let app = app();
    let page = html(&app, "/live");
    let mut whole = Stream::open(&app, "?after=0", &[]);
    let (id, streamed) = whole.rows();
    assert_eq!((id, streamed.trim()), (4, rows(&page)), "as the page shows them");

    let mut stream = Stream::open(&app, "?after=4", &[]);
    app.receive(status(&sid(2), "delivered"));
    let (id, streamed) = stream.rows();
    assert_eq!((id, positions(&streamed)), (5, vec![5]));
    assert!(streamed.contains("#e-conflict"), "{streamed}");
}

#[test]
fn a_browser_that_reconnects_gets_what_it_has_missed_and_nothing_else() {
    let mut app = app();
    let mut stream = Stream::open(&app, "?after=4", &[]);
    app.receive(sent(&sid(3)));
    let (id, _) = stream.rows();
    assert_eq!(id, 5);
    app.kill();
    assert_eq!(stream.next(), None, "it ends with the server");
    app.restart();
    app.receive(delivered(&sid(3)));
    app.receive(sent(&sid(4)));

    let mut resumed = Stream::open(&app, "?after=4", &[("Last-Event-ID", "5")]);
    let mut seen = Vec::new();
    while seen.len() < 2 {
        let (_, rows) = resumed.rows();
        let mut page = positions(&rows);
        page.append(&mut seen);
        seen = page;
    }
    assert_eq!(seen, [7, 6]);

    let answer = app.get("/live/stream?after=99");
    assert_problem(&answer, 409, "after `99` is beyond the head, 7; is it of another ledger?");
}

#[test]
fn a_filter_holds_for_the_stream_too_and_its_position_moves_all_the_same() {
    let app = app();
    let mut stream = Stream::open(&app, "?after=0&effect=late", &[]);
    let (id, rows) = stream.rows();
    assert_eq!((id, positions(&rows)), (4, vec![2]));
    app.receive(sent(&sid(5)));
    let (id, rows) = stream.rows();
    assert_eq!((id, rows.trim()), (5, ""));
}

#[test]
fn a_page_that_is_far_behind_gets_the_newest_rows_and_is_told_how_many_it_does_not_get() {
    let app = App::start();
    (1..=620).for_each(|number| drop(app.receive(sent(&sid(number)))));
    app.caught_up();
    let mut stream = Stream::open(&app, "?after=10", &[]);
    let (name, _, skipped) = stream.next().unwrap();
    assert_eq!((name.as_str(), skipped.trim()), ("skipped", "110"));
    let mut seen = Vec::new();
    while seen.last() != Some(&620) {
        let (_, rows) = stream.rows();
        seen.extend(positions(&rows).into_iter().rev());
    }
    assert_eq!(seen, (121..=620).collect::<Vec<u64>>());
}

#[test]
fn text_of_callbacks_stays_text() {
    let hostile = "<script>x</script>\u{1b}[31m\u{202e}";
    let app = app();
    app.receive(status(&sid(7), hostile).with("To", hostile).with("From", hostile));
    app.caught_up();
    let (_, streamed) = Stream::open(&app, "?after=4", &[]).rows();
    for shown in [&html(&app, "/live"), &streamed] {
        assert!(!shown.contains("<script>x"), "{shown}");
        assert!(!shown.contains(['\u{1b}', '\u{202e}']), "{shown}");
        assert!(shown.contains("&#60;script&#62;x&#60;/script&#62;\\u{1b}[31m"), "{shown}");
    }
}

#[test]
fn with_masked_addresses_neither_page_nor_stream_has_a_number() {
    let mut app = App::not_started(&[]);
    app.use_token_with_scope("read:masked");
    app.restart();
    app.receive(delivered(&sid(1)));
    app.caught_up();
    let (_, streamed) = Stream::open(&app, "?after=0", &[]).rows();
    for shown in [&html(&app, "/live"), &streamed] {
        assert!(shown.contains("∗∗∗∗5310"), "{shown}");
        assert!(!shown.contains("867531") && !shown.contains("501725"), "{shown}");
    }
    assert_eq!(positions(rows(&html(&app, "/live?q=*5310"))), [1]);
    assert_eq!(visit(&app, "/live?q=%2B15558675310").code, 403);
    assert_eq!(app.get("/live/stream?q=%2B15558675310").code, 403);
}

#[test]
fn a_stream_ends_with_the_access_of_its_client() {
    let mut app = App::not_started(&[]);
    app.use_token_with_scope("read");
    app.restart();
    app.receive(delivered(&sid(1)));
    let mut stream = Stream::open(&app, "?after=0", &[]);
    assert_eq!(stream.rows().0, 1);
    std::fs::write(app.folder().join("asking"), "another-token-0123456789").unwrap();
    app.signal(rustix::process::Signal::HUP);
    app.eventually("the token is replaced", || app.get("/live").code != 200);
    app.receive(sent(&sid(2)));
    assert_eq!(stream.next(), None);
}

/// A browser that follows the page.
struct Stream(BufReader<TcpStream>);

impl Stream {
    fn open(app: &App, query: &str, headers: &[(&str, &str)]) -> Self {
        let mut stream = TcpStream::connect(app.admin()).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let request = Request::new("GET", &format!("/live/stream{query}"));
        let request =
            headers.iter().fold(request, |request, (name, value)| request.header(name, value));
        stream.write_all(&app.with_token(request).bytes(app.admin())).unwrap();
        let (mut reader, mut head) = (BufReader::new(stream), String::new());
        while !head.ends_with("\r\n\r\n") {
            assert_ne!(reader.read_line(&mut head).unwrap(), 0);
        }
        assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
        Self(reader)
    }

    /// The id and the HTML of the next rows.
    #[track_caller]
    fn rows(&mut self) -> (u64, String) {
        let (name, id, data) = self.next().expect("rows");
        assert_eq!(name, "rows");
        (id.expect("a position"), data)
    }

    /// The name, id and data of the next event; `None` at the end of the stream.
    fn next(&mut self) -> Option<(String, Option<u64>, String)> {
        let (mut name, mut id, mut data) = (String::new(), None, String::new());
        loop {
            let mut line = String::new();
            if !matches!(self.0.read_line(&mut line), Ok(count) if count > 0) {
                return None;
            }
            let line = line.trim_end_matches(['\r', '\n']);
            if let Some(value) = line.strip_prefix("event: ") {
                value.clone_into(&mut name);
            } else if let Some(value) = line.strip_prefix("id: ") {
                id = Some(value.parse().unwrap());
            } else if let Some(value) = line.strip_prefix("data: ") {
                data.push_str(value);
                data.push('\n');
            } else if line.is_empty() && !name.is_empty() {
                return Some((name, id, data));
            }
        }
    }
}

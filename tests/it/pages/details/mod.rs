//! What the pages show of a message besides its status: both clocks, clicks, feedback, segments, price, carrier.

mod report;

use delivery_ledger::store::{self, Access, Database};

use super::{html, text};
use crate::support::whole_story::{LINK, whole_story};
use crate::support::{App, delivered, sid};

/// A server whose log has [`whole_story`], for a token with this scope, or for everybody.
fn app(scope: Option<&str>) -> App {
    let mut app = App::not_started(&[]);
    let database = Database::Sqlite(app.folder().join("ledger.db"));
    store::open(&database, Access::Create).unwrap().append(&whole_story()).unwrap();
    if let Some(scope) = scope {
        app.use_token_with_scope(scope);
    }
    app.restart();
    app.caught_up();
    app
}

fn page(app: &App, number: u32, query: &str) -> String {
    html(app, &format!("/messages/{}{query}", sid(number)))
}

/// The words of each row of a timeline that is closed.
fn rows(html: &str) -> Vec<String> {
    let timeline = html.split_once("<div class=\"tl\">").expect("a timeline").1;
    let rows =
        timeline.split("<summary ").skip(1).map(|row| row.split("</summary>").next().unwrap());
    rows.map(|row| text(&format!("<main><p {row}</main>"))).collect()
}

#[test]
fn the_timeline_has_both_clocks_clicks_and_feedback() {
    let app = app(None);
    let link = LINK.replace('&', "&#38;");
    let shown = rows(&page(&app, 1, ""));
    let shown: Vec<_> = shown.iter().map(|row| row.replace(&link, "LINK")).collect();
    let expected = [
        "1 03:04:05.000 first sent first event; sent 1",
        "2 03:04:06.000 +1.0 s happened, by the clock of Twilio 03:04:04.500 delivered decides sent → delivered 2",
        "3 03:04:07.000 +2.0 s delivered confirmed stays delivered 3",
        "4 03:04:08.000 +3.0 s happened, by the clock of Twilio 03:04:01.000 click, likely preview a click on a \
         link; stays delivered; probably a program that follows links, and no person LINK 4",
        "5 03:04:09.000 +4.0 s happened, by the clock of Twilio 03:04:08.250 click a click on a link; stays \
         delivered LINK 5",
        "6 03:04:10.000 +5.0 s happened, by the clock of Twilio 03:04:08.250 click duplicate the same as \
         position 5; stays delivered LINK 6",
        "7 03:04:11.000 +6.0 s feedback: confirmed the sender confirmed that the message served its purpose; \
         stays delivered 7",
    ];
    assert_eq!(shown, expected);
}

#[test]
fn clicks_and_feedback_are_neither_lanes_nor_nodes_of_the_graph() {
    let html = page(&app(None), 1, "");
    assert!(!html.contains(">other</span>"), "{html}");
    let with_node =
        html.split("<span class=\"nodes").skip(1).filter(|row| row.starts_with("\"><svg"));
    assert_eq!(with_node.count(), 3, "{html}");
}

#[test]
fn as_it_happened_clicks_and_feedback_follow_the_statuses() {
    let shown = rows(&page(&app(None), 1, "?order=happened"));
    let numbers: Vec<_> = shown.iter().map(|row| row.split(' ').next().unwrap()).collect();
    assert_eq!(numbers, ["1", "2", "3", "4", "5", "6", "7"]);
    let only_click = rows(&page(&app(None), 2, "?order=happened"));
    assert_eq!(only_click.len(), 1);
}

#[test]
fn the_facts_have_what_is_known_besides_the_status() {
    let shown = text(&page(&app(None), 1, ""));
    for part in [
        "The second event said delivered",
        "Began 2 Jan 03:04:04 UTC by Twilio’s clock",
        "Segments 2 Price −0.0158\u{a0}USD",
        "Carrier T-Mobile MCC\u{a0}310, MNC\u{a0}260",
        "Clicks 1 first 2 Jan 03:04:08 UTC; 1\u{a0}likely preview",
        "Feedback confirmed by the sender",
        "delivered 03:04:06.000 Twilio 03:04:04.500 2, 3",
    ] {
        let part = part.replace('\u{a0}', " ");
        assert!(shown.replace('\u{a0}', " ").contains(&part), "{part}: {shown}");
    }
}

#[test]
fn a_message_with_clicks_alone_has_a_page() {
    let app = app(None);
    let shown = text(&page(&app, 2, ""));
    for part in [
        "No known status was received; clicks and feedback are none.",
        "Final no status was received",
        "happened, by the clock of Twilio 1 Jan 23:59:59.000 click",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
}

#[test]
fn the_list_has_columns_for_what_its_messages_have() {
    let app = app(None);
    let shown = text(&html(&app, "/messages?since=2026-01-01"));
    for part in ["Clicks Seg. Price", "sms T-Mobile 1 +1 preview 2 −0.0158\u{a0}USD"] {
        let part = part.replace('\u{a0}', " ");
        assert!(shown.replace('\u{a0}', " ").contains(&part), "{part}: {shown}");
    }
    assert!(!shown.contains("open over 2 h open over 2 h"), "only a click is known: {shown}");
}

#[test]
fn live_shows_clicks_and_feedback_and_finds_them() {
    let app = app(None);
    let shown = text(&html(&app, "/live?effect=click"));
    assert!(shown.contains("click, likely preview") && !shown.contains("no status"), "{shown}");
    assert!(!shown.contains("feedback: confirmed"), "{shown}");
    let shown = text(&html(&app, "/live?effect=feedback"));
    assert!(shown.contains("feedback: confirmed"), "{shown}");
}

#[test]
fn a_ledger_without_such_facts_has_no_columns_for_them() {
    let app = App::start();
    app.receive(delivered(&sid(1)));
    app.caught_up();
    let list = html(&app, "/messages");
    for column in ["Clicks", "Seg.", "Price"] {
        assert!(!list.contains(column), "{column}: {list}");
    }
    let message = page(&app, 1, "");
    for fact in ["Clicks", "Segments", "Price", "Carrier", "Feedback", "Twilio"] {
        assert!(!text(&message).contains(fact), "{fact}: {message}");
    }
}

#[test]
fn with_masked_addresses_no_click_shows_a_number() {
    let app = app(Some("read:masked"));
    for target in ["/messages?since=2026-01-01", "/live"] {
        let shown = html(&app, target);
        assert!(!shown.contains("55586753"), "{target}: {shown}");
    }
    for number in [1, 2] {
        for shown in [page(&app, number, "?open=5"), app.message(&sid(number)).to_string()] {
            assert!(shown.contains("shop.example"), "{shown}");
            for hidden in ["8675310", "5558675", "%35558", "5017250", "%31%35"] {
                assert!(!shown.contains(hidden), "{hidden}: {shown}");
            }
        }
    }
}

//! The list of messages: filters, tabs, rows and pages.

use super::{html, links, text};
use crate::support::{App, delivered, failed, sent, sid};

/// Messages 1 to 5: sent, delivered, failed, sent twice, delivered and failed.
fn app() -> App {
    let app = App::start();
    app.receive(sent(&sid(1)));
    app.receive(delivered(&sid(2)).with("To", "+15550002671"));
    app.receive(failed(&sid(3), "30003").with("To", "whatsapp:+15550002671"));
    app.receive_at("/message-status?order=17", sent(&sid(4)));
    app.receive_at("/message-status?order=17", sent(&sid(4)));
    app.receive(delivered(&sid(5)));
    app.receive(failed(&sid(5), "30005"));
    app.caught_up();
    app
}

#[test]
fn a_row_shows_what_somebody_on_the_telephone_asks_for() {
    let app = app();
    let shown = text(&html(&app, "/messages?to=whatsapp:%2B15550002671"));
    assert!(shown.contains("failed whatsapp:+15550002671"), "{shown}");
    assert!(
        shown.contains("30003 Unreachable destination handset +15017250604 whatsapp"),
        "{shown}"
    );
}

#[test]
fn unusual_messages_carry_marks() {
    let app = app();
    let rows = html(&app, "/messages");
    let rows: Vec<_> = rows.split("<tr>").skip(2).collect();
    assert_eq!(rows.len(), 5);
    for (row, mark) in [(0, "in conflict"), (1, "duplicate")] {
        assert!(rows[row].contains(mark), "{}", rows[row]);
    }
    assert!(!rows[2].contains("class=\"mk"), "{}", rows[2]);
}

#[test]
fn tabs_count_each_status_and_lead_to_its_messages() {
    let app = app();
    let page = html(&app, "/messages");
    let shown = text(&page);
    assert!(shown.contains("All 5 Delivered 1 Read 0 Undelivered 0 Failed 2"), "{shown}");
    let failed = &links(&page, "Failed")[0];
    let shown = text(&html(&app, failed));
    assert!(shown.contains("All 5 Delivered 1"), "the counts stay: {shown}");
    assert!(shown.contains("1 to 2 of 2"), "{shown}");
}

#[test]
fn counts_of_other_filters_are_those_of_their_messages() {
    let app = app();
    for (query, expected) in [
        ("duplicate=true", "All 1 Delivered 0"),
        ("to=*2671", "All 2 Delivered 1 Read 0 Undelivered 0 Failed 1"),
        ("tag.order=17", "All 1 Delivered 0"),
    ] {
        let shown = text(&html(&app, &format!("/messages?{query}")));
        assert!(shown.contains(expected), "{query}: {shown}");
    }
}

#[test]
fn pages_follow_each_other_without_missing_a_message() {
    let app = app();
    let first = html(&app, "/messages?limit=2");
    assert!(text(&first).contains("1 to 2 of 5"), "{}", text(&first));
    let (mut target, mut seen) = (links(&first, "Older")[0].clone(), links(&first, "+1"));
    for _ in 0..2 {
        let page = html(&app, &target);
        seen.extend(links(&page, "+1"));
        target = links(&page, "Older").first().cloned().unwrap_or_default();
    }
    let all: Vec<_> = [5, 4, 3, 2, 1].map(|number| format!("/messages/{}", sid(number))).into();
    assert_eq!((seen, target.as_str()), (all, ""));
}

#[test]
fn an_empty_list_says_what_there_is_without_each_filter() {
    let app = app();
    let page = html(&app, "/messages?status=delivered&error_code=30003&since=");
    let shown = text(&page);
    assert!(shown.contains("No matching messages. Without one of these there are:"), "{shown}");
    assert!(shown.contains("error code 30003 × remove 0 → 1"), "{shown}");
    assert!(shown.contains("status delivered × remove 0 → 1"), "{shown}");
    let without = &links(&page, "error code 30003")[0];
    assert!(text(&html(&app, without)).contains("1 to 1 of 1"));
}

#[test]
fn optional_columns_are_chosen_by_the_form() {
    let app = app();
    let short = format!("title=\"{}\"", sid(5));
    assert!(!html(&app, "/messages").contains(&short));
    let page = html(&app, "/messages?columns=none&columns=sid");
    assert!(page.contains(&short) && !page.contains("class=\"tag\""), "{page}");
}

#[test]
fn text_of_callbacks_stays_text() {
    let app = App::start();
    let hostile = "\"><script>alert(1)</script>\u{1b}[31m\u{202e}";
    app.receive(delivered(&sid(1)).with("To", hostile).with("From", hostile));
    app.caught_up();
    let page = html(&app, "/messages");
    assert!(!page.contains("<script>") && page.contains("&#60;script&#62;"), "{page}");
    assert!(!page.contains(['\u{1b}', '\u{202e}']) && page.contains("\\u{202e}"), "{page}");
}

#[test]
fn a_masked_token_sees_only_the_ends_of_numbers() {
    let mut app = App::not_started(&[]);
    app.use_token_with_scope("read:masked");
    app.restart();
    app.receive_at("/message-status?phone=%2B15558675310", delivered(&sid(1)));
    app.caught_up();
    let page = html(&app, "/messages");
    assert!(page.contains("<span class=\"vh\">masked, ends in 5310</span>"), "{page}");
    for hidden in ["5558675", "8675310", "5017250"] {
        assert!(!page.contains(hidden), "{hidden}: {page}");
    }
}

#[test]
fn an_empty_ledger_says_what_to_do_next() {
    let app = App::start();
    for target in ["/", "/messages"] {
        let shown = text(&html(&app, target));
        assert!(shown.starts_with("No callbacks yet"), "{target}: {shown}");
        let url = app.url("/message-status");
        assert!(shown.contains(&format!("signed for {url} .")), "{target}: {shown}");
        assert!(shown.contains("Seen so far Callbacks 0 Rejected 0 Listening since "), "{shown}");
    }
}

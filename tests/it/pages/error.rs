//! Requests of pages that fail: a page with the reason for browsers, problem details for programs.

use delivery_ledger::projection::message_query::TAIL_EVENTS_MAX;
use delivery_ledger::store::{self, Access, Database};
use rusqlite::Connection;

use super::{html, links, text, visit};
use crate::support::events::event;
use crate::support::{App, OTHER_ACCOUNT, delivered, sent, sid};

#[test]
fn a_browser_gets_a_page_and_a_program_a_problem() {
    let app = App::start();
    let page = visit(&app, "/nothing");
    assert_eq!(page.code, 404);
    assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
    let request_id = page.header("x-request-id").unwrap().to_owned();
    let html = String::from_utf8(page.body).unwrap();
    assert!(
        text(&html)
            .starts_with("404, not found There is no such page There is nothing at this path."),
        "{html}"
    );
    assert!(html.contains(&request_id), "{html}");

    assert_eq!(app.get("/nothing").header("content-type"), Some("application/problem+json"));
    let api = visit(&app, "/v1/nothing");
    assert_eq!(api.header("content-type"), Some("application/problem+json"), "also for a browser");
}

#[test]
fn pages_that_need_the_views_say_how_far_they_have_been_rebuilt() {
    let mut app = App::start();
    assert_eq!(app.receive(delivered(&sid(1))).code, 200);
    app.caught_up();
    app.stop();
    // More than a page would read from the log itself.
    let further = 2..TAIL_EVENTS_MAX as u32 + 10;
    let further: Vec<_> = further.map(|number| event(delivered(&sid(number)))).collect();
    let store = store::open(&Database::Sqlite(app.log_file()), Access::Write).unwrap();
    for events in further.chunks(1_000) {
        store.append(events).unwrap();
    }
    drop(store);
    let views = Connection::open(app.folder().join("ledger.views.db")).unwrap();
    views.execute_batch("BEGIN IMMEDIATE").unwrap();
    app.restart();

    let one_message = format!("/messages/{}", sid(1));
    let targets = ["/", "/messages", "/errors", "/reports", "/live", "/ledger", &one_message];
    std::thread::scope(|scope| {
        for target in targets {
            let app = &app;
            scope.spawn(move || {
                let response = visit(app, target);
                assert_eq!(
                    (response.code, response.header("refresh")),
                    (503, Some("2")),
                    "{target}"
                );
                let shown = text(&String::from_utf8(response.body).unwrap());
                assert!(shown.contains("The views are being rebuilt"), "{target}: {shown}");
                assert!(shown.contains("1 of 32,777 events"), "{target}: {shown}");
            });
        }
    });
    views.execute_batch("ROLLBACK").unwrap();
    app.caught_up();
    assert!(text(&html(&app, "/?since=2026-01-01&until=2026-02-01")).contains("Messages 32,776"));
}

#[test]
fn a_filter_that_is_not_valid_is_named_with_what_is_expected() {
    let app = App::start();
    assert_eq!(app.receive(delivered(&sid(1))).code, 200);
    for (target, expected) in [
        ("/messages?since=24", "Since `24` is not a time, such as"),
        ("/messages?colour=red", "There is no parameter `colour` here; there are status,"),
        ("/messages?tag=order", "Tag `order` is not a name and a value, such as order=17."),
        ("/messages?columns=price", "Columns `price` is not tags, events or sid."),
        ("/messages?after=x", "After `x` is not the next_cursor of an earlier page."),
        ("/messages?status=sent&status=failed", "Parameter `status` is given twice."),
    ] {
        let page = visit(&app, target);
        assert_eq!(page.code, 400, "{target}");
        let shown = text(&String::from_utf8(page.body).unwrap());
        assert!(shown.contains(expected), "{target}: {shown}");
    }
}

#[test]
fn what_a_client_wrote_stays_text() {
    let app = App::start();
    assert_eq!(app.receive(delivered(&sid(1))).code, 200);
    let page = visit(&app, "/messages?%3Cscript%3Ealert(1)%3C/script%3E=1");
    let html = String::from_utf8(page.body).unwrap();
    assert!(!html.contains("<script>") && html.contains("&#60;script&#62;"), "{html}");
}

#[test]
fn a_masked_token_gets_no_number_back() {
    let mut app = App::not_started(&[]);
    app.use_token_with_scope("read:masked");
    app.restart();
    assert_eq!(app.receive(delivered(&sid(1))).code, 200);
    for target in [
        "/messages?since=%2B15558675310",
        "/messages?to=%2B15558675310",
        "/messages?q=5558675310",
        "/messages/%2B15558675310",
        "/messages/5558675310",
        "/live?q=5558675310",
        "/exports?to=%2B15558675310",
        "/exports?5558675310=1",
        "/errors?side=5558675310",
        "/5558675310",
    ] {
        let page = visit(&app, target);
        assert!([400, 403, 404, 409].contains(&page.code), "{target}: {}", page.code);
        let html = String::from_utf8(page.body).unwrap();
        assert!(!html.contains("555867"), "{target}: {html}");
    }
}

#[test]
fn a_message_of_several_accounts_lists_them_to_choose_from() {
    let app = App::start();
    assert_eq!(app.receive(delivered(&sid(1))).code, 200);
    assert_eq!(app.receive_of_other_account(sent(&sid(1))).code, 200);
    app.caught_up();

    let response = visit(&app, &format!("/messages/{}", sid(1)));

    assert_eq!(response.code, 409);
    let page = String::from_utf8(response.body).unwrap();
    assert!(text(&page).contains("Several accounts have this message"), "{page}");
    let theirs = html(&app, &links(&page, OTHER_ACCOUNT)[0]);
    assert!(text(&theirs).contains("sent"), "{theirs}");
}

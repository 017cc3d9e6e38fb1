//! The exports page: the form, what is running, and what can be downloaded.

use super::{html, links, text, visit};
use crate::support::{App, Request, delivered, sent, sid};

/// A server with two messages.
fn app() -> App {
    let app = App::start();
    for body in [sent(&sid(1)), delivered(&sid(1)), sent(&sid(2))] {
        assert_eq!(app.receive(body).code, 200);
    }
    app.caught_up();
    app
}

/// Fills in the form and sends it, with the hidden fields of the page.
fn send(app: &App, fields: &str) -> crate::support::Response {
    let page = html(app, "/exports");
    let body = format!("{}{fields}", super::hidden_fields(&page, "/exports"));
    let form = Request::new("POST", "/exports").header("Accept", "text/html");
    app.ask(form.header("Content-Type", "application/x-www-form-urlencoded").body(body))
}

/// Makes an export, which must be possible, and returns the page that shows it.
fn exported(app: &App, fields: &str) -> String {
    let sent = send(app, fields);
    assert_eq!((sent.code, sent.header("location")), (303, Some("/exports")));
    app.eventually("the export is done", || {
        let jobs = app.get("/v1/jobs?kind=export").json();
        jobs["data"].as_array().unwrap().iter().all(|job| job["state"] == "done")
    });
    html(app, "/exports")
}

#[test]
fn an_export_is_made_by_the_form_and_downloaded_by_a_link() {
    let app = app();
    let page = exported(&app, "content=messages&format=csv&status=delivered");
    let job = &app.get("/v1/jobs").json()["data"][0];
    let shown = text(&page);
    assert!(shown.contains("Messages CSV status delivered"), "{shown}");
    assert!(shown.contains(job["sha256"].as_str().unwrap()), "{shown}");
    let download = &links(&page, "Download")[0];
    assert_eq!(*download, format!("/v1/jobs/{}/file", job["id"].as_str().unwrap()));
    let file = app.get(download).body;
    assert!(file == app.get("/v1/exports/messages?format=csv&status=delivered").body);
    assert_eq!(app.get(&links(&page, "manifest")[0]).json()["as_of_position"], 3);
    assert!(!page.contains("hx-trigger"), "nothing is running, so nothing is polled");
}

#[test]
fn a_query_that_no_export_can_have_is_shown_with_the_reason() {
    let app = app();
    for (query, code, reason) in [
        ("status=nosuch", 409, "status `nosuch` is not "),
        ("nosuch=1", 409, "there is no parameter `nosuch` here"),
        ("content=all", 400, "content `all` is not messages or events"),
        ("as_of_position=99", 409, "99"),
        ("status=sent&status=failed", 400, "`status` is given twice"),
    ] {
        let page = super::visit(&app, &format!("/exports?{query}"));
        let shown = text(std::str::from_utf8(&page.body).unwrap());
        assert_eq!(page.code, code, "{query}: {shown}");
        assert!(shown.contains(reason), "{query}: {shown}");
    }
}

#[test]
fn tags_become_columns_of_their_own() {
    let app = App::start();
    app.receive_at("/message-status?campaign=spring&order=17", delivered(&sid(1)));
    app.caught_up();
    let page = exported(&app, "content=messages&format=csv&tag_columns=campaign%2C+order");
    let file = app.get(&links(&page, "Download")[0]).body;
    let header = String::from_utf8(file).unwrap().lines().next().unwrap().to_owned();
    assert!(header.ends_with("tag.campaign,tag.order"), "{header}");
}

#[test]
fn the_form_says_how_much_there_is() {
    let shown = text(&html(&app(), "/exports"));
    assert!(shown.contains("The ledger has 2 messages and 3 events."), "{shown}");
}

#[test]
fn an_empty_list_says_how_to_make_an_export() {
    let app = app();
    assert!(text(&html(&app, "/exports")).contains("No exports yet. The form makes one"));
}

#[test]
fn a_link_with_filters_fills_in_the_form() {
    let app = app();
    let link =
        links(&html(&app, "/messages?status=undelivered&since=7d"), "Export these").remove(0);
    let page = html(&app, &format!("{link}&format=parquet"));
    assert!(page.contains("name=\"status\" value=\"undelivered\""), "{page}");
    assert!(page.contains("name=\"since\" value=\"7d\""), "{page}");
    assert!(page.contains("value=\"parquet\" checked"), "{page}");
}

#[test]
fn an_impossible_export_shows_the_reason_next_to_its_field() {
    let app = app();
    let refused = send(&app, "content=messages&format=csv&since=soon&as_of_position=2");
    let page = String::from_utf8(refused.body).unwrap();
    assert_eq!(refused.code, 409, "{page}");
    assert!(page.contains("id=\"xs-e\">since `soon` is not a time"), "{page}");
    assert!(page.contains("name=\"since\" value=\"soon\""), "the fields keep their values: {page}");
    assert!(page.contains("name=\"as_of_position\" value=\"2\""), "{page}");

    let beyond = send(&app, "content=events&as_of_position=99");
    assert_eq!(beyond.code, 409);
    let refused = send(&app, "content=messages&statsu=sent");
    let page = String::from_utf8(refused.body).unwrap();
    assert!(page.contains("there is no parameter `statsu` here"), "{page}");
    assert_eq!(app.get("/v1/jobs").json()["data"].as_array().unwrap().len(), 0);
}

#[test]
fn an_export_is_removed_by_its_button() {
    let app = app();
    let page = exported(&app, "content=events&format=ndjson");
    let id = app.get("/v1/jobs").json()["data"][0]["id"].as_str().unwrap().to_owned();
    let action = format!("/jobs/{id}/remove");
    let body = super::hidden_fields(&page, &action);
    let form = Request::new("POST", &action);
    let form = form.header("Content-Type", "application/x-www-form-urlencoded").body(body);
    let removed = app.ask(form);
    assert_eq!((removed.code, removed.header("location")), (303, Some("/exports")));
    assert!(text(&html(&app, "/exports")).contains("No exports yet"));
}

#[test]
fn text_from_a_filter_stays_text() {
    let app = app();
    let page = exported(&app, "content=messages&channel=%3Cscript%3Ealert(1)%3C/script%3E");
    assert!(!page.contains("<script>alert"), "{page}");
    assert!(text(&page).contains("channel"), "{page}");
}

#[test]
fn a_masked_token_cannot_leave_out_the_mask() {
    let mut app = App::not_started(&[]);
    app.use_token_with_scope("read:masked");
    app.restart();
    assert_eq!(app.receive(sent(&sid(1))).code, 200);
    app.caught_up();
    let page = exported(&app, "content=messages&format=ndjson");
    assert!(page.contains("name=\"mask\" value=\"true\" checked disabled"), "{page}");
    let file = app.get(&links(&page, "Download")[0]);
    let file = String::from_utf8(file.body).unwrap();
    assert!(file.contains("5310") && !file.contains("5558675310"), "{file}");
    let refused = visit(&app, "/exports?to=%2B15558675310");
    let page = String::from_utf8(refused.body).unwrap();
    assert_eq!(refused.code, 409, "{page}");
    assert!(page.contains("not possible") && !page.contains("5558675310"), "{page}");
}

//! Tags: names and values in the query of the callback URL, as a message shows them.

use serde_json::{Value, json};

use crate::support::{App, delivered, sent, sid};

fn receive(app: &App, query: &str, body: impl Into<Vec<u8>>) {
    assert_eq!(app.receive_at(&format!("/message-status?{query}"), body).code, 200, "{query}");
}

fn tags(app: &App, sid: &str) -> Value {
    app.message(sid)["tags"].take()
}

#[test]
fn the_query_of_the_callback_url_is_shown_as_tags() {
    let app = App::start();
    receive(&app, "campaign=spring%20sale&order=17&urgent", sent(&sid(1)));

    let message = app.message(&sid(1));
    assert_eq!(
        message["tags"],
        json!({ "campaign": ["spring sale"], "order": ["17"], "urgent": [""] })
    );
    assert_eq!(message["tags_dropped"], false);
}

#[test]
fn a_message_has_the_tags_of_all_its_callbacks() {
    let app = App::start();
    receive(&app, "order=17", sent(&sid(1)));
    receive(&app, "order=17", delivered(&sid(1)));
    receive(&app, "attempt=2&order=18", delivered(&sid(1)));

    assert_eq!(tags(&app, &sid(1)), json!({ "attempt": ["2"], "order": ["17", "18"] }));
}

#[test]
fn of_more_tags_than_are_kept_the_first_in_byte_order_are_shown() {
    let app = App::start();
    let names = |names: std::ops::RangeInclusive<char>| {
        names.map(|name| format!("{name}=1")).collect::<Vec<_>>().join("&")
    };
    receive(&app, &names('f'..='l'), delivered(&sid(1)));
    receive(&app, &names('a'..='e'), sent(&sid(1)));

    let message = app.message(&sid(1));
    let shown: Vec<_> = message["tags"].as_object().unwrap().keys().cloned().collect();
    assert_eq!(shown.concat(), "abcdefghij");
    assert_eq!(message["tags_dropped"], true);
}

#[test]
fn tags_are_the_same_in_lists_and_exports() {
    let app = App::start();
    receive(&app, "campaign=spring&order=17", sent(&sid(1)));
    receive(&app, "order=18", delivered(&sid(1)));
    app.caught_up();

    let expected = json!({ "campaign": ["spring"], "order": ["17", "18"] });
    assert_eq!(app.get("/v1/messages").json()["data"][0]["tags"], expected);
    let exported = app.get("/v1/exports/messages?format=ndjson");
    let exported: Value = serde_json::from_slice(&exported.body).unwrap();
    assert_eq!(exported["tags"], expected);
    let csv = String::from_utf8(app.get("/v1/exports/messages?format=csv").body).unwrap();
    let cell = r#""{""campaign"":[""spring""],""order"":[""17"",""18""]}""#;
    assert!(csv.contains(cell), "{csv}");
}

#[test]
fn audit_shows_tags() {
    let mut app = App::start();
    receive(&app, "campaign=spring&order=17", sent(&sid(1)));
    app.stop();

    let shown = app.run(&["audit", &sid(1)]);
    let shown = String::from_utf8(shown.stdout).unwrap();
    assert!(shown.contains("tags     campaign=spring order=17\n"), "{shown}");
}

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

#[test]
fn chosen_tags_are_columns_of_csv() {
    let mut app = App::start();
    receive(&app, "campaign=spring&order=17", sent(&sid(1)));
    receive(&app, "order=18", delivered(&sid(1)));
    receive(&app, "campaign=autumn", delivered(&sid(2)));
    app.caught_up();
    let over_http = app.get("/v1/exports/messages?format=csv&tag_columns=order,campaign").body;
    app.stop();
    let export =
        |names: &str| app.run(&["export", "messages", "--format", "csv", "--tag-columns", names]);

    let rows = String::from_utf8(export("order,campaign").stdout).unwrap();

    let ends: Vec<_> =
        rows.lines().map(|row| row.rsplit_once("_at,").unwrap_or(("", row)).1).collect();
    assert_eq!(ends[0], "tag.order,tag.campaign");
    assert!(ends[1].ends_with(",17 18,spring"), "{rows}");
    assert!(ends[2].ends_with(",,autumn"), "{rows}");
    assert_eq!(over_http, rows.into_bytes());
    let refused = export("ordre");
    let error = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(2));
    assert_eq!(error, "error: --tag-columns: no message has a tag `ordre`; similar: order\n");
}

// Filters.

/// Messages 1 to 3: order 17 of spring, order 18 of spring, order 17 of autumn.
fn with_orders(app: &App) {
    receive(app, "campaign=spring&order=17", delivered(&sid(1)));
    receive(app, "campaign=spring&order=18", delivered(&sid(2)));
    receive(app, "campaign=autumn&order=17", sent(&sid(3)));
    app.caught_up();
}

fn found(app: &App, query: &str) -> Vec<u32> {
    let answer = app.get(&format!("/v1/messages?{query}"));
    assert_eq!(answer.code, 200, "{query}: {}", answer.json());
    let number = |row: &Value| row["message_sid"].as_str().unwrap()[2..].parse().unwrap();
    answer.json()["data"].as_array().unwrap().iter().map(number).collect()
}

fn refused(app: &App, query: &str, code: u16) -> String {
    let answer = app.get(&format!("/v1/messages?{query}"));
    assert_eq!(answer.code, code, "{query}: {}", answer.json());
    answer.json()["detail"].as_str().unwrap().to_owned()
}

#[test]
fn a_filter_by_tags_selects_the_messages_that_have_all_of_them() {
    let app = App::start();
    with_orders(&app);
    for (query, expected) in [
        ("tag.order=17", &[3, 1][..]),
        ("tag.order=17&tag.campaign=spring", &[1]),
        ("tag.order=17&status=sent", &[3]),
        ("tag.campaign=spring&limit=1", &[2]),
        ("tag.order=99", &[]),
        ("tag.order=", &[]),
    ] {
        assert_eq!(found(&app, query), expected, "{query}");
    }
    let exported = app.get("/v1/exports/messages?format=ndjson&tag.campaign=autumn").body;
    assert_eq!(serde_json::from_slice::<Value>(&exported).unwrap()["message_sid"], sid(3));
    let report = app.get("/v1/reports/delivery?by=channel&tag.order=17").json();
    assert_eq!(report["total"]["messages"], 2, "{report}");
}

#[test]
fn a_tag_of_a_later_callback_is_found_too() {
    let app = App::start();
    receive(&app, "order=17", sent(&sid(1)));
    app.caught_up();
    receive(&app, "attempt=2", delivered(&sid(1)));
    app.caught_up();

    assert_eq!(found(&app, "tag.attempt=2&tag.order=17"), [1]);
}

#[test]
fn an_unknown_tag_is_an_error_with_the_similar_ones() {
    let app = App::start();
    assert_eq!(
        refused(&app, "tag.order=17", 409),
        "no message has a tag `order` yet; parameters in the query of a callback's URL are its tags"
    );
    with_orders(&app);
    assert_eq!(refused(&app, "tag.ordre=17", 409), "no message has a tag `ordre`; similar: order");
    assert_eq!(
        refused(&app, "tag.x=1", 409),
        "no message has a tag `x`; there are campaign, order"
    );
    assert_eq!(
        refused(&app, "tag.=1", 400),
        "tag `=1` is not a tag, whose name has 1 to 128 bytes"
    );
    let unknown = refused(&app, "tags.order=17", 400);
    assert!(
        unknown.starts_with("there is no parameter `tags.order` here; there are "),
        "{unknown}"
    );
}

#[test]
fn only_the_configured_tags_are_indexed() {
    let mut app = App::start();
    with_orders(&app);
    app.stop();
    app.configure("[tags]\nnames = [\"order\"]\n");
    app.restart();
    app.caught_up();

    assert_eq!(found(&app, "tag.order=17"), [3, 1]);
    assert_eq!(
        refused(&app, "tag.campaign=spring", 409),
        "the tag `campaign` is not indexed, so that lists cannot find messages by it; add it to `names` \
         in [tags] of the configuration, or export messages with this filter, which reads all of them"
    );
    let exported = app.get("/v1/exports/messages?format=ndjson&tag.campaign=autumn").body;
    assert_eq!(serde_json::from_slice::<Value>(&exported).unwrap()["message_sid"], sid(3));
}

#[test]
fn replay_indexes_the_tags_again() {
    let mut app = App::start();
    with_orders(&app);
    app.stop();
    assert!(app.run(&["replay"]).status.success());
    app.restart();
    app.caught_up();

    assert_eq!(found(&app, "tag.order=17"), [3, 1]);
    assert_eq!(found(&app, "tag.campaign=spring"), [2, 1]);
}

#[test]
fn commands_filter_by_tag() {
    let mut app = App::start();
    with_orders(&app);
    app.stop();

    let export = |tags: &[&str]| {
        let output = app.run(&[&["export", "messages", "--format", "csv"], tags].concat());
        (output.status.code(), String::from_utf8([output.stdout, output.stderr].concat()).unwrap())
    };
    let (code, rows) = export(&["--tag", "order=17", "--tag", "campaign=spring"]);
    assert_eq!((code, rows.lines().count()), (Some(0), 2), "{rows}");
    assert!(rows.contains(&sid(1)), "{rows}");
    for (tags, expected) in [
        (
            &["--tag", "ordre=17"][..],
            "error: --tag: no message has a tag `ordre`; similar: order\n",
        ),
        (
            &["--tag", "order=1", "--tag", "order=2"],
            "error: --tag: the tag `order` is given twice\n",
        ),
    ] {
        assert_eq!(export(tags), (Some(2), expected.to_owned()));
    }
    let (code, error) = export(&["--tag", "order"]);
    assert_eq!(code, Some(2));
    assert!(error.contains("it is not a name and a value, such as order=17"), "{error}");
}

// What a masked token sees.

#[test]
fn a_masked_token_sees_no_address_in_tags_and_cannot_filter_by_one() {
    let mut app = App::not_started(&[]);
    app.use_token_with_scope("read:masked");
    app.restart();
    receive(&app, "customer=%2B15558675310&order=17", delivered(&sid(1)));
    app.caught_up();
    let get = |target: &str| app.ask(crate::support::Request::new("GET", target));

    let shown = get("/v1/messages?tag.order=17").json()["data"][0]["tags"].take();
    assert_eq!(shown, json!({ "customer": ["+*******5310"], "order": ["17"] }));
    let refused = get("/v1/messages?tag.customer=%2B15558675310");
    assert_eq!(refused.code, 403, "{}", refused.json());
    assert_eq!(get("/v1/exports/messages?tag.customer=15558675310").code, 403);
}

#[test]
fn a_masked_token_cannot_ask_whether_a_number_is_the_name_of_a_tag() {
    let mut app = App::not_started(&[]);
    app.use_token_with_scope("read:masked");
    app.restart();
    receive(&app, "%2B15558675310=x&8675310=x&order=17", delivered(&sid(1)));
    app.caught_up();
    let get = |target: &str| app.ask(crate::support::Request::new("GET", target));

    // With or without such a tag, the answer is the same.
    for name in ["%2B15558675310", "%2B15558675311", "8675310"] {
        for target in [
            format!("/v1/messages?tag.{name}=x"),
            format!("/v1/events?tag.{name}=x"),
            format!("/v1/exports/messages?tag.{name}=x"),
            format!("/v1/exports/messages?format=csv&tag_columns={name}"),
            format!("/v1/reports/delivery?by=tag:{name}"),
            format!("/v1/reports/delivery?by=day&tag.{name}=x"),
        ] {
            assert_eq!(get(&target).code, 403, "{target}");
        }
    }
    let suggested = get("/v1/messages?tag.x=1").json()["detail"].take();
    assert_eq!(suggested, "no message has a tag `x`; there are order");
}

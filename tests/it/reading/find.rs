//! Finding the messages of a whole number, also with masked addresses: which token may, and how often.

use serde_json::{Value, json};

use crate::support::{App, Request, Response, assert_problem, delivered, sent, sid};

const AGENT: &str = "0123456789abcdef-agent";
const SUPPORT: &str = "0123456789abcdef-support";
const AUDIT: &str = "0123456789abcdef-audit";
const NUMBER: &str = "+4915112345678";

/// A server with three tokens, and four messages, three of which went to the number or came from it.
fn app() -> App {
    let mut app = App::not_started(&[]);
    for (name, token, scope) in [
        ("agent", AGENT, "read:masked find"),
        ("support", SUPPORT, "read:masked"),
        ("audit", AUDIT, "read"),
    ] {
        app.configure(&format!(
            "[api_tokens.{name}]\ntoken_file = \"{name}\"\nscope = \"{scope}\"\n"
        ));
        std::fs::write(app.folder().join(name), token).unwrap();
    }
    app.restart();
    let whatsapp = format!("whatsapp:{NUMBER}");
    for body in [
        sent(&sid(1)).with("To", NUMBER),
        sent(&sid(2)),
        sent(&sid(3)).with("To", &whatsapp).with("From", "whatsapp:+15017250604"),
        sent(&sid(4)).with("From", NUMBER),
        delivered(&sid(1)).with("To", NUMBER),
    ] {
        assert_eq!(app.receive(body).code, 200);
    }
    app.caught_up();
    app
}

fn post(app: &App, token: &str, body: &Value) -> Response {
    request(token).body(body.to_string()).send(app.admin())
}

fn request(token: &str) -> Request {
    Request::new("POST", "/v1/messages/find")
        .header("Authorization", &format!("Bearer {token}"))
        .header("Content-Type", "application/json")
}

fn get(app: &App, token: &str, path: &str) -> Response {
    let request = Request::new("GET", path).header("Authorization", &format!("Bearer {token}"));
    request.send(app.admin())
}

fn sids(answer: &Response) -> Vec<String> {
    let found = answer.json();
    let data = found["data"].as_array().unwrap_or_else(|| panic!("{found}")).iter();
    data.map(|message| message["message_sid"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_masked_token_with_find_finds_the_messages_of_a_number_in_any_spelling() {
    let app = app();
    for spelled in [NUMBER, "+49 151 1234-5678", "004915112345678", "4915112345678"] {
        let found = post(&app, AGENT, &json!({ "number": spelled }));
        assert_eq!(sids(&found), [sid(4), sid(3), sid(1)], "newest first: {spelled}");
    }
    let on_whatsapp = post(&app, AGENT, &json!({ "number": format!("whatsapp:{NUMBER}") }));
    assert_eq!(sids(&on_whatsapp), [sid(3)]);
}

#[test]
fn what_is_found_is_masked_as_in_a_list() {
    let app = app();
    let found = post(&app, AGENT, &json!({ "number": NUMBER }));
    let text = String::from_utf8(found.body.clone()).unwrap();
    for hidden in ["151123", "1123456", "5017250", "7250604"] {
        assert!(!text.contains(hidden), "{text}");
    }
    assert_eq!(found.header("cache-control"), Some("no-store"));
    let listed = get(&app, AGENT, "/v1/messages").json();
    let listed: Vec<_> = listed["data"].as_array().unwrap().iter().collect();
    let found = found.json();
    assert_eq!(
        found,
        json!({ "data": [listed[0], listed[1], listed[3]], "more": false, "as_of_position": 5 })
    );
    assert_eq!(found["data"][2]["to"], "+*********5678");

    let open = post(&app, AUDIT, &json!({ "number": NUMBER })).json();
    assert_eq!(open["data"][2]["to"], NUMBER, "a token that sees everything");
}

#[test]
fn a_number_without_messages_is_answered_with_what_was_searched_for() {
    let app = app();
    let none = |number: &str| json!({ "number": number });
    assert_eq!(
        post(&app, AGENT, &none("+4915199999999")).json(),
        json!({
            "data": [], "more": false, "as_of_position": 5, "searched_for": ["+*********9999"],
        })
    );
    assert_eq!(
        post(&app, AUDIT, &none("0151 99999999")).json(),
        json!({
            "data": [], "more": false, "as_of_position": 5,
            "searched_for": ["015199999999", "0151 99999999"],
            "hint": "the number has no calling code: begin it with + and that of its country, or \
                     have default_country set",
        })
    );
}

#[test]
fn a_limit_keeps_the_newest() {
    let app = app();
    let found = |limit: u64| post(&app, AGENT, &json!({ "number": NUMBER, "limit": limit }));
    assert_eq!(
        (sids(&found(2)), found(2).json()["more"].clone()),
        (vec![sid(4), sid(3)], json!(true))
    );
    assert_eq!((sids(&found(3)).len(), found(3).json()["more"].clone()), (3, json!(false)));
    let written = r#"{"number":"+4915112345678","limit":1.0}"#;
    assert_eq!(sids(&request(AGENT).body(written).send(app.admin())), [sid(4)]);
    for limit in [0, 101] {
        let detail = format!("limit `{limit}` is not a number from 1 to 100");
        assert_problem(&found(limit), 400, &detail);
    }
}

#[test]
fn a_masked_token_without_find_finds_no_number_and_with_it_only_here() {
    let app = app();
    let refused = "this token shows addresses masked (read:masked); finding the messages of a whole \
                   number takes one that has `find` in its scope, too";
    assert_problem(&post(&app, SUPPORT, &json!({ "number": NUMBER })), 403, refused);
    assert_eq!(post(&app, "0123456789abcdef-other", &json!({ "number": NUMBER })).code, 401);
    for path in
        ["/v1/messages?to=", "/v1/exports/messages?to=", "/v1/reports/delivery?by=day&from="]
    {
        let path = format!("{path}%2B4915112345678");
        assert_eq!(get(&app, AGENT, &path).code, 403, "{path}");
    }
    assert_eq!(get(&app, AGENT, "/v1/events/1/body").code, 403);
}

#[test]
fn without_tokens_anybody_on_the_machine_may_find() {
    let app = App::start();
    assert_eq!(app.receive(sent(&sid(1)).with("To", NUMBER)).code, 200);
    app.caught_up();
    assert_eq!(sids(&post(&app, "none", &json!({ "number": NUMBER }))), [sid(1)]);
}

#[test]
fn a_request_that_is_not_one_whole_number_is_rejected() {
    let app = app();
    let long = "1".repeat(101);
    for (body, code, detail) in [
        (
            r#"{"number": "*5678"}"#,
            400,
            "number contains `*`: only a whole number can be found here; for its last digits, use `to` of GET /v1/messages",
        ),
        // Regression: the beginning of a number found all numbers that begin so.
        (
            r#"{"number": "+4915*"}"#,
            400,
            "number contains `*`: only a whole number can be found here; for its last digits, use `to` of GET /v1/messages",
        ),
        (r#"{"number": ""}"#, 400, "number is empty"),
        (&*format!(r#"{{"number": "{long}"}}"#), 400, "number is longer than 100 characters"),
        ("{}", 400, "the body is no such request: missing field `number` at line 1 column 2"),
        (
            r#"{"number": "+1", "to": "+2"}"#,
            400,
            "the body is no such request: unknown field `to`, expected `number` or `limit` at line 1 column 21",
        ),
        // The error repeats the value, and is masked.
        (
            r#"{"number": 4915112345678}"#,
            400,
            "the body is no such request: invalid type: integer `*********5678`, expected a string at line 1 column 24",
        ),
        ("", 400, "the body is no such request: EOF while parsing a value at line 1 column 0"),
    ] {
        assert_problem(&request(AGENT).body(body).send(app.admin()), code, detail);
    }
    let authorization = format!("Bearer {AGENT}");
    let form = Request::new("POST", "/v1/messages/find").header("Authorization", &authorization);
    let form = form.header("Content-Type", "text/plain").body(r#"{"number": "+1"}"#);
    assert_problem(&form.send(app.admin()), 415, "the Content-Type has to be application/json");
    let large = request(AGENT).body(vec![b' '; 70_000]).send(app.admin());
    assert_eq!(large.code, 413);
    let got = get(&app, AGENT, "/v1/messages/find");
    assert_eq!((got.code, got.header("allow")), (405, Some("POST")));
    let in_url = request(AGENT).body(r#"{"number": "+1"}"#).send(app.admin());
    assert_eq!(in_url.code, 200, "a short one is a number too");
}

#[test]
fn each_masked_token_has_a_limit_of_lookups() {
    let app = app();
    let look_up = |token: &str| post(&app, token, &json!({ "number": NUMBER }));
    // What is rejected looks nothing up, and is not counted.
    assert_eq!(post(&app, AGENT, &json!({ "number": "" })).code, 400);
    let first: Vec<_> = (0..40).map(|_| look_up(AGENT)).collect();
    let refused: Vec<_> = first.iter().filter(|answer| answer.code == 429).collect();
    assert!((5..=10).contains(&refused.len()), "30 at once, and some for the time passed");
    assert!(first[..30].iter().all(|answer| answer.code == 200));
    assert_problem(refused[0], 429, "this token has looked up too many numbers; wait 2 s");
    assert_eq!(refused[0].header("retry-after"), Some("2"));

    assert_eq!(get(&app, AGENT, "/v1/messages?to=*5678").code, 200, "everything else goes on");
    assert!((0..40).all(|_| look_up(AUDIT).code == 200), "it may list everything anyway");
}

#[test]
fn each_lookup_is_recorded_without_its_number() {
    let app = app();
    assert_eq!(post(&app, AGENT, &json!({ "number": NUMBER, "limit": 2 })).code, 200);
    assert_eq!(post(&app, SUPPORT, &json!({ "number": NUMBER })).code, 403);
    let read = || std::fs::read_to_string(app.folder().join("ledger.access.jsonl")).unwrap();
    app.eventually("both are recorded", || read().lines().count() == 2);
    let text = read();
    assert!(!text.contains("12345678"), "{text}");
    let records: Vec<Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let told = |record: &Value| {
        ["token", "scope", "method", "route", "filters", "status_code", "rows"]
            .map(|name| record[name].clone())
    };
    let route = "/v1/messages/find";
    assert_eq!(
        records.iter().map(told).collect::<Vec<_>>(),
        [
            [
                json!("agent"),
                json!("read:masked find"),
                json!("POST"),
                json!(route),
                json!(["limit", "number"]),
                json!(200),
                json!(2),
            ],
            [
                json!("support"),
                json!("read:masked"),
                json!("POST"),
                json!(route),
                json!([]),
                json!(403),
                json!(0),
            ],
        ]
    );
}

#[test]
fn a_token_with_find_and_no_access_records_cause_a_warning() {
    const WARNING: &str =
        "API token agent may look up numbers (scope find), and access records are";
    let recorded = app();
    recorded.eventually("it has started", || recorded.stderr().contains("keeping the log in"));
    assert!(!recorded.stderr().contains(WARNING));
    let mut app = App::not_started(&[("DELIVERY_LEDGER_ACCESS_LOG", "off")]);
    let scope = "scope = \"read:masked find\"";
    app.configure(&format!("[api_tokens.agent]\ntoken_file = \"agent\"\n{scope}\n"));
    std::fs::write(app.folder().join("agent"), AGENT).unwrap();
    app.restart();
    app.eventually("it warns", || app.stderr().contains(WARNING));
}

//! The log over HTTP: pages of events, one event, and an event's raw body.

use serde_json::{Value, json};

use crate::support::{ACCOUNT, App, Request, assert_problem, delivered, failed, sent, sid};

#[test]
fn pages_return_every_event_in_order() {
    let app = App::start();
    for number in 1..=7 {
        assert_eq!(app.receive(sent(&sid(number))).code, 200);
    }

    let (mut cursor, mut seen) = (Some("0".to_owned()), Vec::new());
    while let Some(after) = cursor {
        let page = app.get(&format!("/v1/events?after={after}&limit=3")).json();
        assert_eq!(page["as_of_position"], 7);
        seen.extend(page["data"].as_array().unwrap().clone());
        cursor = page["next_cursor"].as_str().map(str::to_owned);
    }

    assert_eq!(seen, app.events(), "the same as `export events` gives");
    assert_eq!(positions(&json!({ "data": seen })), [1, 2, 3, 4, 5, 6, 7]);
}

#[test]
fn a_page_has_the_position_of_the_next_page_or_null() {
    let app = App::start();
    let empty = app.get("/v1/events");
    assert_eq!(empty.header("content-type"), Some("application/json"));
    assert_eq!(
        String::from_utf8(empty.body).unwrap(),
        "{\"data\":[],\"next_cursor\":null,\"as_of_position\":0}\n"
    );
    for number in 1..=101 {
        assert_eq!(app.receive(sent(&sid(number))).code, 200);
    }
    let page = |query: &str| app.get(&format!("/v1/events{query}")).json();

    let usual = page("");
    assert_eq!((positions(&usual).len(), &usual["next_cursor"]), (100, &json!("100")));
    assert_eq!(page("?after=100")["next_cursor"], Value::Null);
    assert_eq!(positions(&page("?after=100")), [101]);
    assert_eq!(page("?limit=1000")["next_cursor"], Value::Null);
    assert_eq!(positions(&page("?after=3&limit=2")), [4, 5]);
    // A page beyond the head is empty.
    assert_eq!(
        page("?after=9223372036854775807"),
        json!({"data": [], "next_cursor": null, "as_of_position": 101})
    );
}

#[test]
fn an_event_has_the_same_json_as_in_the_export() {
    let app = App::start();
    assert_eq!(app.receive_at("/message-status?order=17", delivered(&sid(1))).code, 200);

    let event = app.get("/v1/events/1").json();

    assert_eq!(event, app.events()[0]);
    assert_eq!(event["url"], app.url("/message-status?order=17"));
    assert_eq!((&event["account_sid"], &event["message_sid"]), (&json!(ACCOUNT), &json!(sid(1))));
    for nothing in ["0", "2", "9223372036854775807"] {
        let answer = app.get(&format!("/v1/events/{nothing}"));
        assert_problem(&answer, 404, &format!("there is no event at position {nothing}"));
    }
}

#[test]
fn a_body_is_returned_byte_for_byte_and_never_rendered_by_a_browser() {
    let app = App::start();
    let body = [&delivered(&sid(1)).bytes()[..], b"&odd=\xff\x00<script>"].concat();
    assert_eq!(app.receive(body.clone()).code, 200);

    let answer = app.get("/v1/events/1/body");

    assert_eq!((answer.code, &answer.body), (200, &body));
    assert_eq!(answer.header("content-type"), Some("application/octet-stream"));
    assert_eq!(answer.header("content-disposition"), Some("attachment; filename=\"event-1.bin\""));
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(app.get("/v1/events/2/body").code, 404);
}

#[test]
fn invalid_parameters_get_400_with_the_reason() {
    let app = App::start();
    assert_eq!(app.receive(delivered(&sid(1))).code, 200);
    for (target, named) in [
        ("/v1/events?foo=1", "there is no parameter `foo` here"),
        ("/v1/events?after=1&after=2", "parameter `after` is given twice"),
        ("/v1/events?after=abc", "after `abc` is not a position, such as 42"),
        ("/v1/events?after=-1", "after `-1` is not a position"),
        ("/v1/events?after=+1", "after ` 1` is not a position"),
        ("/v1/events?after=1.5", "after `1.5` is not a position"),
        ("/v1/events?after=", "after `` is not a position"),
        ("/v1/events?after=99999999999999999999", "after `99999999999999999999`"),
        ("/v1/events?limit=0", "limit `0` is not a number from 1 to 1000"),
        ("/v1/events?limit=1001", "limit `1001` is not a number from 1 to 1000"),
        ("/v1/events?limit=ten", "limit `ten` is not a number"),
        ("/v1/events/1?after=1", "there is no parameter `after` here"),
        ("/v1/events/1/body?x", "there is no parameter `x` here"),
        ("/v1/events/first", "position `first` is not a position, such as 42"),
        ("/v1/events/%0A", "position `\\n` is not a position"),
        ("/v1/events/stream?limit=1", "there is no parameter `limit` here"),
        ("/v1/events/stream?after=x", "after `x` is not a position"),
    ] {
        let answer = app.get(target);
        assert_eq!(answer.code, 400, "{target}");
        assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{target}");
        let detail = answer.json()["detail"].as_str().unwrap().to_owned();
        assert!(detail.contains(named), "{target}: {detail}");
    }
}

#[test]
fn every_error_is_a_problem_document() {
    let app = App::start();
    let send = |method: &str, target: &str| Request::new(method, target).send(app.admin());
    for path in ["/v1/events", "/v1/events/1", "/v1/events/1/body", "/v1/events/stream"] {
        let answer = send("POST", path);
        assert_problem(&answer, 405, "this path takes only GET, HEAD");
        assert_eq!(answer.header("allow"), Some("GET, HEAD"), "{path}");
    }
    for path in ["/v1", "/v1/events/", "/v1/events/1/", "/v1/events/1/bodies", "/v1/events/%FF"] {
        let answer = send("GET", path);
        assert!([400, 404].contains(&answer.code), "{path}: {}", answer.code);
        assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{path}");
    }
}

#[test]
fn head_gets_the_response_of_get_without_its_body() {
    let app = App::start();
    assert_eq!(app.receive(delivered(&sid(1))).code, 200);
    for path in [
        "/healthz",
        "/readyz",
        &format!("/v1/messages/{}", sid(1)),
        "/v1/events",
        "/v1/events/1",
        "/v1/events/1/body",
    ] {
        let get = app.get(path);
        let head = Request::new("HEAD", path).send(app.admin());
        assert_eq!((head.code, head.body.len()), (200, 0), "{path}");
        assert_eq!(head.header("content-type"), get.header("content-type"), "{path}");
        let lengths = [&head, &get].map(|answer| answer.header("content-length"));
        // The length of the lag in digits varies between requests.
        match path {
            "/readyz" => assert!(lengths.iter().all(Option::is_some), "{path}"),
            _ => assert_eq!(lengths[0], lengths[1], "{path}"),
        }
    }
    let stream = Request::new("HEAD", "/v1/events/stream").send(app.admin());
    assert_eq!((stream.code, stream.body.len()), (200, 0));
    assert_eq!(stream.header("content-type"), Some("text/event-stream"));
    assert_eq!(Request::new("HEAD", "/v1/events/2").send(app.admin()).code, 404);
}

fn positions(page: &Value) -> Vec<u64> {
    let events = page["data"].as_array().unwrap().iter();
    events.map(|event| event["position"].as_u64().unwrap()).collect()
}

#[test]
fn a_page_has_only_the_events_that_match_the_filter() {
    let app = App::start();
    assert_eq!(app.receive_at("/message-status?order=17", sent(&sid(1))).code, 200);
    assert_eq!(app.receive(failed(&sid(2), "30003")).code, 200);
    assert_eq!(app.receive(delivered(&sid(1))).code, 200);
    for (query, expected) in [
        ("status=FAILED", &[2][..]),
        ("error_code=30003", &[2]),
        ("tag.order=17", &[1]),
        (&format!("message_sid={}", sid(1)), &[1, 3]),
        ("source=send", &[]),
        ("to=0015558675310", &[1, 2, 3]),
        ("since=1h&until=now", &[1, 2, 3]),
        ("status=failed&after=2", &[]),
    ] {
        let page = app.get(&format!("/v1/events?{query}")).json();
        assert_eq!(positions(&page), expected, "{query}: {page}");
        assert_eq!(page["next_cursor"], Value::Null, "{query}");
    }
    let first = app.get("/v1/events?limit=1&to=*5310").json();
    assert_eq!((positions(&first), &first["next_cursor"]), (vec![1], &json!("1")));
}

#[test]
fn a_masked_token_cannot_filter_events_by_a_number() {
    let mut app = App::not_started(&[]);
    app.use_token_with_scope("read:masked");
    app.restart();
    assert_eq!(app.receive(delivered(&sid(1))).code, 200);
    let get = |query: &str| app.ask(Request::new("GET", &format!("/v1/events?{query}")));
    assert_eq!(get("to=*5310").code, 200);
    for refused in
        ["to=%2B15558675310", "from=%2B1501*", "tag.to=15558675310", "status=15558675310"]
    {
        assert_eq!(get(refused).code, 403, "{refused}");
        let export = app.ask(Request::new("GET", &format!("/v1/exports/events?{refused}")));
        assert_eq!(export.code, 403, "{refused}");
    }
}

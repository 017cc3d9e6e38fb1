//! The admin listener: a message as JSON, access, and the probes.

use std::io::Write;
use std::net::TcpStream;

use serde_json::{Value, json};

use crate::support::{
    ACCOUNT, App, OTHER_ACCOUNT, Request, Response, assert_problem, delivered, failed, sent, sid,
};

const API_TOKEN: &str = "an operator's token";

// One message.

#[test]
fn a_message_has_the_documented_json() {
    let app = App::start();
    assert_eq!(app.receive(delivered(&sid(1))).code, 200);
    assert_eq!(app.receive(sent(&sid(1))).code, 200);
    let ids: Vec<_> = app.events().iter().map(|event| event["event_id"].clone()).collect();
    let times: Vec<_> = app.events().iter().map(|event| event["received_at"].clone()).collect();
    let text = |body: Vec<u8>| String::from_utf8(body).unwrap();

    let answer = app.get(&format!("/v1/messages/{}", sid(1)));

    assert_eq!(answer.header("content-type"), Some("application/json"));
    let expected = json!({
        "message_sid": sid(1),
        "status": "delivered",
        "terminal": true,
        "settled": true,
        "conflict": false,
        "rule": "failure-terminal",
        "account_sid": ACCOUNT,
        "messaging_service_sid": null,
        "from": "+15017250604",
        "to": "+15558675310",
        "channel": "sms",
        "error_code": null,
        "error_title": null,
        "error_codes": [],
        "raw_dlr_done_date": "2511160837",
        "first_received_at": times[0],
        "last_received_at": times[1],
        "status_times": { "sent": times[1], "delivered": times[0] },
        "events": 2,
        "duplicates": 0,
        "late": 1,
        "unrecognised": 0,
        "as_of_position": 2,
        "labels": [],
        "tags": {},
        "tags_dropped": false,
        "country": null,
        "time_to_sent_ms": null,
        "sent_to_delivered_ms": null,
        "occurred_times": {}, "occurred_at": null, "segments": null, "price": null, "currency": null,
        "mcc": null, "mnc": null, "carrier": null, "clicks": 0, "first_clicked_at": null,
        "previews": 0, "feedback": null,
        "why": "It is delivered because no reported status ranks higher; the order of arrival does not matter (position 1).",
        "error_message": null,
        "channel_status_message": null,
        "links": {
            "self": format!("/v1/messages/{}?account_sid={ACCOUNT}", sid(1)),
            "events": format!("/v1/events?account_sid={ACCOUNT}&message_sid={}", sid(1)),
        },
        "timeline": [
            {
                "position": 1,
                "event_id": ids[0],
                "received_at": times[0],
                "occurred_at": null,
                "source": "callback",
                "status": "delivered",
                "effect": "advanced",
                "duplicate_of": null,
                "error_code": null,
                "error_message": null,
                "channel_status_message": null,
                "explanation": "first event; delivered",
                "url": "https://hooks.example.com/message-status",
                "verified_by": "primary",
                "body": text(delivered(&sid(1)).bytes()),
                "links": { "event": "/v1/events/1", "body": "/v1/events/1/body" },
            },
            {
                "position": 2,
                "event_id": ids[1],
                "received_at": times[1],
                "occurred_at": null,
                "source": "callback",
                "status": "sent",
                "effect": "late",
                "duplicate_of": null,
                "error_code": null,
                "error_message": null,
                "channel_status_message": null,
                "explanation": "ranks below the status already reported; stays delivered",
                "url": "https://hooks.example.com/message-status",
                "verified_by": "primary",
                "body": text(sent(&sid(1)).bytes()),
                "links": { "event": "/v1/events/2", "body": "/v1/events/2/body" },
            },
        ],
    });
    // Compared as text, because the order of the keys matters.
    assert_eq!(text(answer.body), format!("{expected}\n"));
}

#[test]
fn the_links_of_a_message_lead_to_it_and_to_its_events() {
    let app = App::start();
    assert_eq!(app.receive(sent(&sid(1))).code, 200);
    assert_eq!(app.receive(sent(&sid(2))).code, 200);
    assert_eq!(app.receive(delivered("../SM 1?/#%2F&é")).code, 200);
    assert_eq!(app.receive(sent("SM1").without("AccountSid")).code, 200);
    app.caught_up();
    for (sid, target, positions) in [
        (&*sid(2), format!("/v1/messages/{}", sid(2)), &[2][..]),
        ("../SM 1?/#%2F&é", "/v1/messages/..%2FSM%201%3F%2F%23%252F%26%C3%A9".to_owned(), &[3]),
        ("SM1", "/v1/messages/SM1".to_owned(), &[4]),
    ] {
        let message = app.get(&target).json();
        let link = |value: &Value| app.get(value.as_str().expect("a link"));
        assert_eq!(message["message_sid"], sid);
        assert_eq!(link(&message["links"]["self"]).json(), message);
        let page = link(&message["links"]["events"]).json();
        let events = page["data"].as_array().unwrap();
        let found: Vec<_> =
            events.iter().map(|event| event["position"].as_u64().unwrap()).collect();
        assert_eq!(found, positions);
        let entry = &message["timeline"][0];
        assert_eq!(link(&entry["links"]["event"]).json(), events[0]);
        let body = link(&entry["links"]["body"]).body;
        assert_eq!(body, entry["body"].as_str().unwrap().as_bytes());
    }
    let listed = app.get("/v1/messages").json();
    assert_eq!(listed["data"][0].get("links"), None);
}

#[test]
fn a_timeline_distinguishes_failure_duplicate_and_conflict() {
    let app = App::start();
    let failure = failed(&sid(1), "30007").with("MessagingServiceSid", "MG1");
    assert_eq!(app.receive(failure.clone()).code, 200);
    assert_eq!(app.receive(failure).code, 200);
    assert_eq!(app.receive(delivered(&sid(1))).code, 200);

    let message = app.message(&sid(1));

    assert_eq!(message["status"], "failed");
    assert_eq!(message["terminal"], true);
    assert_eq!(message["conflict"], true);
    assert_eq!(message["messaging_service_sid"], "MG1");
    assert_eq!(message["error_code"], 30007);
    assert_eq!(message["error_codes"], json!([30007]));
    assert!(message["error_title"].is_string(), "{message}");
    assert_eq!(message["duplicates"], 1);
    assert_eq!(effects(&message), ["advanced", "duplicate", "conflict"]);
    assert_eq!(message["timeline"][1]["duplicate_of"], 1);
    assert_eq!(message["timeline"][0]["error_code"], 30007);
}

#[test]
fn a_message_includes_every_acknowledged_callback() {
    let app = App::start();
    for number in 1..=50 {
        assert_eq!(app.receive(sent(&sid(number))).code, 200);
        assert_eq!(app.message(&sid(number))["as_of_position"], number);
    }
}

#[test]
fn a_message_can_be_requested_as_of_a_position() {
    let app = App::start();
    assert_eq!(app.receive(sent(&sid(1))).code, 200);
    assert_eq!(app.receive(sent(&sid(2))).code, 200);
    assert_eq!(app.receive(delivered(&sid(1))).code, 200);
    app.caught_up();
    let as_of =
        |position: &str| app.get(&format!("/v1/messages/{}?as_of_position={position}", sid(1)));

    assert_eq!(as_of("0").code, 404);
    let message = as_of("1").json();
    assert_eq!((&message["status"], &message["as_of_position"]), (&json!("sent"), &json!(1)));
    assert_eq!(message["status_times"].as_object().unwrap().len(), 1);
    let message = as_of("2").json();
    assert_eq!((&message["status"], &message["as_of_position"]), (&json!("sent"), &json!(2)));
    let message = as_of("3").json();
    assert_eq!((&message["status"], &message["as_of_position"]), (&json!("delivered"), &json!(3)));
    // Regression: a position beyond the head returned the message as of the head.
    let beyond = as_of("4");
    assert_eq!(beyond.code, 409);
    assert_eq!(beyond.json()["detail"], "as_of_position `4` is beyond the head, 3");
    // A time in the future is accepted, because clocks differ.
    let message = app.get(&format!("/v1/messages/{}?as_of=2999-01-01T00:00:00Z", sid(1))).json();
    assert_eq!((&message["status"], &message["as_of_position"]), (&json!("delivered"), &json!(3)));
}

#[test]
fn a_message_can_be_requested_as_of_a_time() {
    let app = App::start();
    assert_eq!(app.receive(sent(&sid(1))).code, 200);
    assert_eq!(app.receive(delivered(&sid(1))).code, 200);
    let as_of = |time: &str| app.get(&format!("/v1/messages/{}?as_of={time}", sid(1)));
    let first = app.events()[0]["received_at"].as_str().unwrap().to_owned();

    // Inclusive: an event at exactly this time counts.
    assert_eq!(as_of(&first).json()["status"], "sent");
    assert_eq!(as_of("2999-12-31T23:59:59Z").json()["status"], "delivered");
    assert_eq!(as_of("2999-12-31T23:59:59-01:00").json()["status"], "delivered");
    assert_eq!(as_of("1999-12-31T23:59:59Z").code, 404);
}

#[test]
fn a_sid_in_several_accounts_needs_an_account() {
    let app = App::start();
    assert_eq!(app.receive(delivered(&sid(1))).code, 200);
    assert_eq!(app.receive_of_other_account(sent(&sid(1))).code, 200);
    assert_eq!(app.receive(failed(&sid(1), "1").without("AccountSid")).code, 200);
    let get = |query: &str| app.get(&format!("/v1/messages/{}{query}", sid(1)));

    assert_problem(
        &get(""),
        409,
        &format!(
            "several accounts have this message SID; add account_sid, one of: \
             {ACCOUNT}, {OTHER_ACCOUNT}"
        ),
    );
    assert_eq!(get(&format!("?account_sid={ACCOUNT}")).json()["status"], "delivered");
    assert_eq!(get(&format!("?account_sid={OTHER_ACCOUNT}")).json()["status"], "sent");
    // An empty account selects the message that was received without one.
    assert_eq!(get("?account_sid=").json()["status"], "failed");
    assert_eq!(get("?account_sid=AC00").code, 404);
    // At that position only one account had the SID.
    assert_eq!(get("?as_of_position=1").json()["account_sid"], ACCOUNT);
}

#[test]
fn an_unknown_message_is_404() {
    let app = App::start();
    let answer = app.get("/v1/messages/SM%00%0Ax");
    assert_problem(&answer, 404, "no event of message `SM\\0\\nx` is in the log");
    assert_eq!(app.get("/v1/messages/").code, 404);
    assert_eq!(app.get("/v1/message").code, 404);
}

#[test]
fn invalid_parameters_get_400_with_the_reason() {
    let app = App::start();
    assert_eq!(app.receive(delivered(&sid(1))).code, 200);
    for (query, named) in [
        ("foo=1", "there is no parameter `foo` here; there are account_sid, as_of_position, as_of"),
        ("as_of_positio=1", "there is no parameter `as_of_positio` here"),
        ("as_of_position=abc", "as_of_position `abc` is not a position, such as 42"),
        ("as_of_position=-1", "as_of_position `-1` is not a position"),
        ("as_of_position=1.5", "as_of_position `1.5` is not a position"),
        ("as_of_position=", "as_of_position `` is not a position"),
        ("as_of_position=99999999999999999999", "as_of_position `99999999999999999999`"),
        ("as_of=tomorrow", "as_of `tomorrow` is not a time, such as"),
        ("as_of=2026-02-31", "as_of `2026-02-31` is not a time, such as"),
        ("as_of=2026-01-31T25:00", "as_of `2026-01-31T25:00` is not a time, such as"),
        ("account_sid=AC1&account_sid=AC2", "parameter `account_sid` is given twice"),
    ] {
        let answer = app.get(&format!("/v1/messages/{}?{query}", sid(1)));
        assert_eq!(answer.code, 400, "{query}");
        assert_eq!(answer.header("content-type"), Some("application/problem+json"));
        let detail = answer.json()["detail"].as_str().unwrap().to_owned();
        assert!(detail.contains(named), "{query}: {detail}");
    }
}

#[test]
fn as_of_and_as_of_position_exclude_each_other() {
    let app = App::start();
    let both = "as_of=2026-01-31T12:00:00Z&as_of_position=1";
    let answer = app.get(&format!("/v1/messages/{}?{both}", sid(1)));
    assert_problem(&answer, 409, "as_of_position and as_of exclude each other; give one");
}

#[test]
fn unknown_methods_get_405_and_unknown_paths_404() {
    let app = App::start();
    let send = |method: &str, target: &str| Request::new(method, target).send(app.admin());

    let answer = send("POST", "/v1/messages/SM1");
    assert_problem(&answer, 405, "this path takes only GET, HEAD");
    assert_eq!(answer.header("allow"), Some("GET, HEAD"));
    assert_eq!(send("DELETE", "/readyz").header("allow"), Some("GET, HEAD"));
    assert_problem(&send("GET", "/nothing"), 404, "there is nothing at this path");
    // The admin listener accepts no callbacks.
    assert_eq!(send("POST", "/message-status").code, 404);
}

// Hosts and tokens.

#[test]
fn an_unknown_host_header_is_rejected() {
    let app = App::start();
    let get = |host: &str| Request::new("GET", "/v1/messages/SM1").header("Host", host);
    let code = |host: &str| get(host).send(app.admin()).code;

    for host in [
        "localhost",
        "localhost:8081",
        "LocalHost:1",
        "127.0.0.1",
        "127.0.0.1:8081",
        "127.1.2.3",
        "[::1]",
        "[::1]:8081",
    ] {
        assert_eq!(code(host), 404, "{host}"); // the host is accepted; the message does not exist
    }
    for host in [
        "",
        "evil.example.com",
        "evil.example.com:8081",
        "localhost.evil.example.com",
        "127.0.0.1.evil.example.com",
        "[::1].evil.example.com",
        "evil.example.com:8081@localhost",
        "localhost@evil.example.com",
        "0.0.0.0:8081",
        "10.0.0.1",
        "[2001:db8::1]:8081",
        "[::]",
    ] {
        assert_eq!(code(host), 403, "{host}");
    }
    assert_problem(
        &get("evil.example.com").send(app.admin()),
        403,
        "the Host of this request is neither a loopback name nor one of admin_hosts",
    );
    let nameless = ask(&app, "GET /v1/messages/SM1 HTTP/1.0\r\n\r\n");
    assert_eq!(nameless.code, 403);
}

#[test]
fn configured_and_loopback_hosts_are_accepted() {
    let hosts = "ledger.example.com, Ops.example.com:8443,[2001:db8::1]";
    let app = App::start_with_env(&[("DELIVERY_LEDGER_ADMIN_HOSTS", hosts)], &[]);
    let code = |host: &str| {
        Request::new("GET", "/v1/messages/SM1").header("Host", host).send(app.admin()).code
    };

    for host in
        ["ledger.example.com", "LEDGER.example.com:80", "ops.example.com", "[2001:db8::1]:8081"]
    {
        assert_eq!(code(host), 404, "{host}");
    }
    assert_eq!(code("localhost:8081"), 404);
    assert_eq!(code("x.ledger.example.com"), 403);
    assert_eq!(code("example.com"), 403);
    assert_eq!(code("[2001:db8::2]"), 403);
}

#[test]
fn a_configured_token_is_always_required() {
    let app = App::start_with_env(&[("DELIVERY_LEDGER_API_TOKEN", API_TOKEN)], &[]);
    assert_token_required(&app);
    assert!(!app.stderr().contains(API_TOKEN), "{}", app.stderr());
}

#[test]
fn the_token_may_be_read_from_a_file() {
    let folder = tempfile::TempDir::new().unwrap();
    let file = folder.path().join("api-token");
    std::fs::write(&file, format!("{API_TOKEN}\n")).unwrap();
    let app =
        App::start_with_env(&[("DELIVERY_LEDGER_API_TOKEN_FILE", file.to_str().unwrap())], &[]);
    assert_token_required(&app);
}

fn assert_token_required(app: &App) {
    let get = |authorization: &str| {
        let request = Request::new("GET", "/v1/messages/SM1");
        request.header("Authorization", authorization).send(app.admin())
    };

    let without = app.get("/v1/messages/SM1");
    assert_problem(&without, 401, "this listener needs `Authorization: Bearer TOKEN`");
    assert_eq!(without.header("www-authenticate"), Some("Bearer"));
    let page = app.get("/nothing");
    assert_eq!((page.code, page.header("location")), (303, Some("/login?next=%2Fnothing")));
    assert_eq!(get(&format!("Bearer {API_TOKEN}")).code, 404);
    assert_eq!(get(&format!("bearer {API_TOKEN}")).code, 404);
    for wrong in [
        "",
        "Bearer",
        "Bearer ",
        "Bearer another",
        &format!("Bearer {API_TOKEN}x"),
        &format!("Bearer {}", &API_TOKEN[..5]),
        &format!("Bearer {}", API_TOKEN.to_uppercase()),
        &format!("Basic {API_TOKEN}"),
        API_TOKEN,
    ] {
        assert_eq!(get(wrong).code, 401, "{wrong:?}");
    }
    let in_the_query = format!("/v1/messages/SM1?token={}", API_TOKEN.replace(' ', "+"));
    assert_eq!(app.get(&in_the_query).code, 401);
}

#[test]
fn probes_need_neither_token_nor_host() {
    let app = App::start_with_env(&[("DELIVERY_LEDGER_API_TOKEN", API_TOKEN)], &[]);
    let probe = |path: &str| Request::new("GET", path).header("Host", "10.1.2.3").send(app.admin());

    assert_eq!(probe("/healthz").code, 200);
    assert_eq!(probe("/readyz").code, 200);
    // Only exactly these paths are exempt.
    assert_eq!(probe("/readyz/").code, 403);
    assert_eq!(probe("//readyz").code, 403);
    assert_eq!(probe("/v1/messages/healthz").code, 403);
}

#[test]
fn with_a_token_the_admin_listener_may_use_a_public_address() {
    let token = ("DELIVERY_LEDGER_API_TOKEN", API_TOKEN);
    let app = App::start_with_env(&[token], &["--admin-listen", "0.0.0.0:0"]);
    let get = |host: &str| {
        let request = Request::new("GET", "/v1/messages/SM1").header("Host", host);
        request.header("Authorization", &format!("Bearer {API_TOKEN}")).send(app.admin()).code
    };

    assert_eq!(get("localhost"), 404);
    assert_eq!(get("ledger.example.com"), 403);
}

// Probes.

#[test]
fn readyz_reports_head_checkpoint_and_lag() {
    let app = App::start();
    assert_eq!(app.receive(delivered(&sid(1))).code, 200);
    app.caught_up();

    let answer = app.get("/readyz");

    assert_eq!(answer.code, 200);
    assert_eq!(
        answer.json(),
        json!({"ready": true, "head": 1, "checkpoint": 1, "lag_seconds": 0.0})
    );
    assert_eq!(app.get("/healthz").body, b"ok\n");
}

// Helpers.

fn effects(message: &Value) -> Vec<&str> {
    let timeline = message["timeline"].as_array().unwrap();
    timeline.iter().map(|entry| entry["effect"].as_str().unwrap()).collect()
}

/// Sends exactly this request text.
fn ask(app: &App, request: &str) -> Response {
    let mut stream = TcpStream::connect(app.admin()).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    Response::read(&mut stream)
}

#[test]
fn audit_succeeds_if_its_output_pipe_is_closed() {
    let app = App::start();
    app.receive(delivered(&sid(1)));
    for format in ["table", "json"] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = app.command(&["audit", &sid(1), "--format", format]).stdout(writer).output();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!((output.status.code(), &*stderr), (Some(0), ""), "{format}");
    }
}

//! Body limits (1 MiB for JSON, 64 KiB for forms), and the format of JSON responses.

use serde_json::json;
use sha2::{Digest, Sha256};

use crate::support::{
    ACCOUNT, App, Request, Response, TOKEN, assert_problem, delivered, json_signature, sid,
};

const JSON_BYTES_MAX: usize = 1 << 20;

#[test]
fn a_json_body_over_1_mib_gets_413() {
    let app = App::start();
    let of = |bytes: usize| format!("{{\"a\":\"{}\"}}", "x".repeat(bytes - 8)).into_bytes();
    assert_eq!(of(100).len(), 100);

    assert_eq!(receive(&app, "application/json", &of(JSON_BYTES_MAX)).code, 200);
    let too_long = receive(&app, "application/json", &of(JSON_BYTES_MAX + 1));
    assert_problem(&too_long, 413, "the body is longer than 1048576 bytes");
    assert_eq!(receive(&app, "application/cloudevents-batch+json", &of(300_000)).code, 200);

    let events = app.events();
    assert_eq!(events.len(), 2);
    assert_eq!(events[0]["body"].as_str().unwrap().as_bytes(), of(JSON_BYTES_MAX));
    app.caught_up();
    assert_eq!(app.run(&["verify"]).status.code(), Some(0));
}

/// Event Streams send batches; each is stored as one event that belongs to no message.
#[test]
fn a_batch_of_130_cloud_events_reports_on_130_messages() {
    let app = App::start();
    let event = |number: u32| {
        json!({
            "specversion": "1.0",
            "type": "com.twilio.messaging.message.delivered",
            "id": format!("EZ{number:032}"),
            "data": {
                "accountSid": ACCOUNT,
                "messageSid": sid(number),
                "messageStatus": "DELIVERED",
                "body": "x".repeat(300),
            },
        })
    };
    let batch = json!((0..130).map(event).collect::<Vec<_>>()).to_string();
    assert!(batch.len() > 65_536);

    assert_eq!(receive(&app, "application/json", batch.as_bytes()).code, 200);

    assert_eq!(app.events().len(), 130);
    app.caught_up();
    let messages = app.messages();
    assert_eq!(messages.len(), 130);
    assert!(messages.iter().all(|message| message["status"] == "delivered"));
}

/// JSON beyond the memory limit gets 503, and every body that got 200 is stored.
#[test]
fn long_bodies_use_bounded_memory_and_do_not_block_normal_callbacks() {
    let app = App::start();
    let before = app.peak_memory_kib();
    let body = format!("{{\"a\":\"{}\"}}", "x".repeat(JSON_BYTES_MAX - 8)).into_bytes();
    let head = |body: &[u8]| {
        let target = format!("/message-status?bodySHA256={}", sha256(body));
        let request = Request::new("POST", &target).header("Content-Type", "application/json");
        let signature = json_signature(TOKEN, &app.url(&target));
        request.header("X-Twilio-Signature", &signature).body(body).bytes(app.callbacks())
    };
    let bytes = head(&body);
    // All but the last byte, so that each stays where it is.
    let waiting: Vec<_> = (0..80)
        .map(|_| {
            use std::io::Write;
            let mut stream = std::net::TcpStream::connect(app.callbacks()).unwrap();
            let _refused_early = stream.write_all(&bytes[..bytes.len() - 1]);
            stream
        })
        .collect();
    assert_eq!(app.receive(delivered(&sid(1))).code, 200, "a usual one finds room");
    let answers: Vec<_> = waiting
        .into_iter()
        .map(|mut stream| {
            use std::io::Write;
            let _refused_early = stream.write_all(&bytes[bytes.len() - 1..]);
            Response::read(&mut stream)
        })
        .collect();

    let kept = answers.iter().filter(|answer| answer.code == 200).count();
    let full = answers.iter().filter(|answer| answer.code == 503).count();
    // On a busy machine some take longer than a body may.
    let slow = answers.iter().filter(|answer| answer.code == 408).count();
    assert_eq!(kept + full + slow, 80);
    assert!(full > 0, "{kept} kept, {full} refused, {slow} too slow");
    let refused = answers.iter().find(|answer| answer.code == 503).unwrap();
    assert_problem(
        refused,
        503,
        "the bodies that are being read take 64 MiB already, and may take no more",
    );
    assert_eq!(refused.header("retry-after"), Some("1"));
    assert_eq!(app.events().len(), kept + 1);
    let grown = app.peak_memory_kib() - before;
    assert!(grown < 400 * 1024, "{grown} KiB");
}

#[test]
fn every_json_response_ends_with_a_line_feed() {
    let app = App::start();
    assert_eq!(app.receive(delivered(&sid(1))).code, 200);
    app.caught_up();
    for target in [
        "/readyz",
        "/openapi.json",
        "/v1/messages",
        &format!("/v1/messages/{}", sid(1)),
        "/v1/events",
        "/v1/events/1",
        "/v1/reports/delivery?by=day",
        "/v1/messages/nobody",
        "/v1/messages?limit=x",
        "/nowhere",
    ] {
        let answer = app.get(target);
        assert!(answer.header("content-type").unwrap().ends_with("json"), "{target}");
        assert!(answer.body.ends_with(b"}\n"), "{target}");
        assert!(!answer.body.ends_with(b"\n\n"), "{target}");
        let length = answer.header("content-length").unwrap().parse::<usize>().unwrap();
        assert_eq!(length, answer.body.len(), "{target}");
    }
    let refused = app.form("/message-status").send(app.callbacks());
    assert!(refused.body.ends_with(b"}\n"));
}

#[test]
fn the_api_description_needs_no_token_but_an_allowed_host() {
    let app =
        App::start_with_env(&[("DELIVERY_LEDGER_API_TOKEN", "long enough to be a token")], &[]);
    for target in ["/openapi.json", "/docs/", "/docs/index.html", "/docs/swagger-ui.css"] {
        assert_eq!(app.get(target).code, 200, "{target}");
    }
    assert_eq!(app.get("/docs").code, 308);
    for target in ["/v1/messages", "/metrics"] {
        assert_eq!(app.get(target).code, 401, "{target}");
    }
    for target in ["/docsx", "/nowhere", "/docs%2f..%2fmetrics"] {
        assert_eq!(app.get(target).code, 303, "{target} leads to the login");
    }
    let foreign = Request::new("GET", "/openapi.json").header("Host", "elsewhere.example.com");
    assert_eq!(foreign.send(app.admin()).code, 403);
}

fn receive(app: &App, media_type: &str, body: &[u8]) -> Response {
    let target = format!("/message-status?bodySHA256={}", sha256(body));
    let request = Request::new("POST", &target).header("Content-Type", media_type);
    let signature = json_signature(TOKEN, &app.url(&target));
    request.header("X-Twilio-Signature", &signature).body(body).send(app.callbacks())
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

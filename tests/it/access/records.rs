//! Access records: one for each request that reads, never with an address, and never in the way of one.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::support::{ACCOUNT, App, Request, Response, delivered, sent, sid};

const AUDIT: &str = "0123456789abcdef-audit";
const AGENT: &str = "0123456789abcdef-agent";
const SUPPORT: &str = "0123456789abcdef-support";

/// The recipient of every message, and the runs of its digits that would reveal it.
const NUMBER: &str = "15558675310";
const REVEALING: [&str; 3] = ["1555867", "5558675", "8675310"];

fn file(app: &App) -> PathBuf {
    app.folder().join("ledger.access.jsonl")
}

/// The records, once there are this many.
fn records(app: &App, count: usize) -> Vec<Value> {
    let read = || std::fs::read_to_string(file(app)).unwrap();
    app.eventually("the records are written", || read().lines().count() >= count);
    let lines: Vec<_> = read().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), count, "{lines:#?}");
    lines
}

fn with_tokens() -> App {
    let mut app = App::not_started(&[]);
    for (name, token, scope) in [
        ("audit", AUDIT, "read"),
        ("support", SUPPORT, "read:masked"),
        ("agent", AGENT, "read:masked find send"),
    ] {
        app.configure(&format!(
            "[api_tokens.{name}]\ntoken_file = \"{name}\"\nscope = \"{scope}\"\n"
        ));
        std::fs::write(app.folder().join(name), token).unwrap();
    }
    app.restart();
    app
}

fn with(token: &str, request: Request) -> Request {
    request.header("Authorization", &format!("Bearer {token}"))
}

fn get(app: &App, token: &str, path: &str) -> Response {
    with(token, Request::new("GET", path)).send(app.admin())
}

/// What a record says, without what differs from run to run.
fn told(record: &Value) -> Value {
    let mut record = record.clone();
    for varying in ["time", "request_id", "duration_ms"] {
        record.as_object_mut().unwrap().remove(varying).unwrap();
    }
    record
}

#[test]
fn a_record_says_who_read_what_and_how_much() {
    let app = with_tokens();
    for number in 1..=3 {
        assert_eq!(app.receive(sent(&sid(number))).code, 200);
    }
    assert_eq!(app.receive(delivered(&sid(1))).code, 200);
    let ready = || app.get("/readyz").json();
    app.eventually("the views have caught up", || ready()["checkpoint"] == ready()["head"]);
    let message = format!("/v1/messages/{}", sid(1));
    for (path, code, expected) in [
        (
            "/v1/messages?to=%2B15558675310&status=sent&limit=10",
            200,
            json!({ "route": "/v1/messages", "filters": ["limit", "status", "to"], "rows": 2 }),
        ),
        (
            &*message,
            200,
            json!({ "route": "/v1/messages/{sid}", "message_sid": sid(1), "filters": [], "rows": 1 }),
        ),
        (
            "/v1/events?after=1",
            200,
            json!({ "route": "/v1/events", "filters": ["after"], "rows": 3 }),
        ),
        (
            "/v1/events/2",
            200,
            json!({ "route": "/v1/events/{position}", "position": 2, "filters": [], "rows": 1 }),
        ),
        (
            "/v1/events/2/body",
            200,
            json!({ "route": "/v1/events/{position}/body", "position": 2, "filters": [], "rows": 1 }),
        ),
        (
            "/v1/events/999",
            404,
            json!({ "route": "/v1/events/{position}", "filters": [], "rows": 0 }),
        ),
        (
            "/v1/reports/delivery?by=channel",
            200,
            json!({ "route": "/v1/reports/delivery", "filters": ["by"], "rows": 1 }),
        ),
        (
            "/v1/exports/messages?format=csv",
            200,
            json!({ "route": "/v1/exports/messages", "filters": ["format"], "rows": 3 }),
        ),
        (
            "/v1/exports/events",
            200,
            json!({ "route": "/v1/exports/events", "filters": [], "rows": 4 }),
        ),
    ] {
        let answer = get(&app, AUDIT, path);
        assert_eq!(answer.code, code, "{path}");
        let id = answer.header("x-request-id").expect("an id").to_owned();
        let read = || std::fs::read_to_string(file(&app)).unwrap();
        app.eventually("the record is written", || read().contains(&id));
        let record: Value = serde_json::from_str(read().lines().last().unwrap()).unwrap();
        let mut expected = expected;
        for (name, value) in [
            ("token", json!("audit")),
            ("scope", json!("read")),
            ("method", json!("GET")),
            ("status_code", json!(code)),
        ] {
            expected[name] = value;
        }
        assert_eq!(told(&record), expected, "{path}");
    }
    let last = records(&app, 9).pop().unwrap();
    let names: Vec<_> = last.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(
        names,
        [
            "time",
            "request_id",
            "token",
            "scope",
            "method",
            "route",
            "filters",
            "status_code",
            "rows",
            "duration_ms"
        ]
    );
    assert_eq!(file(&app).metadata().unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn an_error_has_the_request_id_of_its_record() {
    let app = with_tokens();
    let unknown = get(&app, SUPPORT, "/v1/messages/SM1");
    assert_eq!(unknown.code, 404);
    let record = records(&app, 1).pop().unwrap();
    assert_eq!(record["request_id"], unknown.json()["request_id"]);
    assert_eq!(unknown.header("x-request-id"), record["request_id"].as_str());
    assert_eq!((&record["token"], &record["scope"]), (&json!("support"), &json!("read:masked")));
}

#[test]
fn a_response_without_a_body_returns_no_rows() {
    let app = with_tokens();
    assert_eq!(app.receive(sent(&sid(1))).code, 200);
    let path = format!("/v1/messages/{}", sid(1));
    assert_eq!(with(AUDIT, Request::new("HEAD", &path)).send(app.admin()).code, 200);
    let known = with(AUDIT, Request::new("GET", &path)).header("If-None-Match", "*");
    assert_eq!(known.send(app.admin()).code, 304);
    for record in records(&app, 2) {
        assert_eq!(record["rows"], 0, "{record}");
    }
}

#[test]
fn nothing_is_recorded_of_requests_that_read_nothing_about_anybody() {
    let app = with_tokens();
    for path in ["/healthz", "/readyz", "/openapi.json", "/docs/", "/metrics", "/nothing"] {
        get(&app, AUDIT, path);
    }
    let other = with(AUDIT, Request::new("GET", "/v1/events")).header("Host", "evil.example");
    assert_eq!(other.send(app.admin()).code, 403, "before any token is looked at");
    assert_eq!(get(&app, AUDIT, "/v1/events").code, 200);
    assert_eq!(records(&app, 1)[0]["route"], "/v1/events");
}

#[test]
fn a_rejected_token_is_recorded_without_its_name() {
    let app = with_tokens();
    assert_eq!(get(&app, "0123456789abcdef-other", "/v1/messages?to=*5310").code, 401);
    assert_eq!(app.get("/metrics").code, 401);
    let rejected = |route| {
        json!({
            "token": null, "scope": null, "method": "GET", "route": route,
            "filters": [], "status_code": 401, "rows": 0,
        })
    };
    let found: Vec<_> = records(&app, 2).iter().map(told).collect();
    assert_eq!(found, [rejected("/v1/messages"), rejected("/metrics")]);
}

#[test]
fn a_flood_of_rejected_tokens_does_not_fill_the_disk() {
    const ATTEMPTS: usize = 1500;
    let app = with_tokens();
    let mut stream = TcpStream::connect(app.admin()).unwrap();
    let request = Request::new("GET", "/v1/events").header("Connection", "keep-alive");
    for _ in 0..ATTEMPTS {
        stream.write_all(&request.bytes(app.admin())).unwrap();
        assert!([401, 429].contains(&Response::read(&mut stream).code));
    }
    // Every attempt is counted, in a record of its own or in a later one.
    let attempts = |text: &str| {
        let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        lines.map(|line| 1 + line["unrecorded"].as_u64().unwrap_or(0)).sum::<u64>()
    };
    let read = || std::fs::read_to_string(file(&app)).unwrap();
    let mut more = 0;
    app.eventually("a record counts the others", || {
        assert!([401, 429].contains(&request.send(app.admin()).code));
        more += 1;
        attempts(&read()) >= ATTEMPTS as u64
    });
    let lines = read().lines().count();
    assert!((400..ATTEMPTS + more).contains(&lines), "{lines} records of {}", ATTEMPTS + more);
}

#[test]
fn without_tokens_everybody_is_anonymous() {
    let app = App::start();
    assert_eq!(app.get("/v1/events").code, 200);
    let record = &records(&app, 1)[0];
    assert_eq!((&record["token"], &record["scope"]), (&json!("anonymous"), &json!("read")));
}

#[test]
fn a_stream_is_recorded_at_its_end_with_its_events() {
    let app = App::start();
    let mut stream = TcpStream::connect(app.admin()).unwrap();
    let request = Request::new("GET", "/v1/events/stream?after=0");
    stream.write_all(&request.bytes(app.admin())).unwrap();
    let mut lines = BufReader::new(stream).lines().map(Result::unwrap);
    for number in 1..=5 {
        assert_eq!(app.receive(sent(&sid(number))).code, 200);
        assert!(lines.any(|line| line.starts_with("data: ")));
    }
    assert_eq!(std::fs::read(file(&app)).unwrap(), b"", "it has not ended");

    drop(lines);
    // A disconnected reader is noticed when something is sent to it.
    let ended = || !std::fs::read(file(&app)).unwrap().is_empty();
    app.eventually("the stream has ended", || app.receive(sent(&sid(6))).code == 200 && ended());

    let record = &records(&app, 1)[0];
    assert_eq!(
        (&record["route"], &record["filters"]),
        (&json!("/v1/events/stream"), &json!(["after"]))
    );
    assert!(record["rows"].as_u64() >= Some(5), "{record}");
}

#[test]
fn a_stream_that_the_server_ends_is_recorded_too() {
    let mut app = App::start();
    let mut stream = TcpStream::connect(app.admin()).unwrap();
    let request = Request::new("GET", "/v1/events/stream?after=0");
    stream.write_all(&request.bytes(app.admin())).unwrap();
    assert_eq!(app.receive(sent(&sid(1))).code, 200);
    let mut lines = BufReader::new(stream).lines().map(Result::unwrap);
    assert!(lines.any(|line| line.starts_with("data: ")));

    app.stop();

    let text = std::fs::read_to_string(file(&app)).unwrap();
    let record: Value = serde_json::from_str(text.trim_end()).unwrap();
    assert_eq!((&record["route"], &record["rows"]), (&json!("/v1/events/stream"), &json!(1)));
}

/// The number in every place that a client chooses: values and names of parameters, paths, methods, headers,
/// bodies. Requests are accepted, rejected, unknown and unreadable.
#[test]
fn no_record_contains_an_address() {
    let app = with_tokens();
    let target = format!("/message-status?to={NUMBER}");
    assert_eq!(app.receive_at(&target, delivered(NUMBER)).code, 200);
    assert_eq!(app.receive(delivered(&sid(1))).code, 200);
    let spelled = [
        NUMBER.to_owned(),
        format!("%2B{NUMBER}"),
        format!("whatsapp:%2B{NUMBER}"),
        NUMBER.bytes().map(|digit| format!("%{digit:02X}")).collect(),
    ];
    let templates = [
        "/v1/messages?to=N",
        "/v1/messages?from=N",
        "/v1/messages?N=1",
        "/v1/messages?N",
        "/v1/messages?tag.N=1",
        "/v1/messages?tag.order=N",
        "/v1/messages?to.N=1",
        "/v1/messages?account_sid=N",
        "/v1/messages?messaging_service_sid=N",
        "/v1/messages?channel=N",
        "/v1/messages?after=N",
        "/v1/messages?since=N",
        "/v1/messages/N",
        "/v1/messages/SMN",
        "/v1/messages/N?account_sid=ACN",
        "/v1/messages/SM1?account_sid=N&as_of_position=N",
        "/v1/events?after=N",
        "/v1/events/N",
        "/v1/events/N/body",
        "/v1/events/stream?after=N",
        "/v1/exports/events?message_sid=N",
        "/v1/exports/messages?to=N",
        "/v1/exports/N",
        "/v1/reports/delivery?by=from&to=N",
        "/v1/reports/delivery?by=N",
        "/v1/N",
        "/N",
    ];
    let mut asked = 0;
    let mut ask = |request: Request| {
        request.send(app.admin());
        asked += 1;
    };
    for template in templates {
        for number in &spelled {
            let target = template.replace('N', number);
            for token in [AUDIT, SUPPORT, NUMBER] {
                ask(with(token, Request::new("HEAD", &target)));
            }
        }
        for body in [r#"{"number":"N"}"#, r#"{"number":N}"#, r#"{"N":1}"#, "N", r#"{"to":"N"}"#] {
            let body = body.replace('N', NUMBER);
            for target in
                ["/v1/messages/find", "/v1/messages", &format!("/v1/messages/find?{NUMBER}")]
            {
                let request = with(AGENT, Request::new("POST", target)).body(body.clone());
                ask(request.header("Content-Type", "application/json"));
            }
        }
        let target = template.replace('N', NUMBER);
        for method in ["GET", "POST", "PUT", "DELETE", NUMBER] {
            let request = with(SUPPORT, Request::new(method, &target)).body(NUMBER);
            if !target.starts_with("/v1/events/stream") {
                ask(request.header("Idempotency-Key", NUMBER).header("User-Agent", NUMBER));
            }
        }
    }

    ask(with(AUDIT, Request::new("GET", &format!("/v1/messages/{}", sid(1)))));
    let read = || std::fs::read_to_string(file(&app)).unwrap();
    app.eventually("everything is recorded", || read().contains(&format!("\"{}\"", sid(1))));

    let text = read();
    assert!(text.lines().count() > asked / 2, "{} of {asked}", text.lines().count());
    for line in text.lines() {
        // A time and an id are made by the server.
        let mut record: Value = serde_json::from_str(line).unwrap();
        for ours in ["time", "request_id"] {
            record.as_object_mut().unwrap().remove(ours);
        }
        let record = record.to_string();
        for digits in REVEALING {
            assert!(!record.contains(digits), "{record}");
        }
        assert!(!record.contains('%') && !record.contains('?'), "{record}");
    }
    assert!(!text.contains(ACCOUNT));
    for used in [
        "\"filters\":[\"to\"]",
        "\"route\":\"/v1/messages/{sid}\"",
        "\"method\":\"other\"",
        "\"filters\":[\"number\"]",
    ] {
        assert!(text.contains(used), "{used}");
    }
}

#[test]
fn records_survive_rotation_and_a_restart() {
    let mut app = App::start();
    assert_eq!(app.get("/v1/events").code, 200);
    records(&app, 1);
    let rotated = app.folder().join("rotated");
    std::fs::rename(file(&app), &rotated).unwrap();

    assert_eq!(app.get("/v1/events").code, 200);
    app.eventually("a new file appears", || file(&app).exists());
    records(&app, 1);
    assert_eq!(std::fs::read_to_string(&rotated).unwrap().lines().count(), 1);
    assert_eq!(file(&app).metadata().unwrap().permissions().mode() & 0o777, 0o600);

    app.stop();
    app.restart();
    assert_eq!(app.get("/v1/events").code, 200);
    records(&app, 2);
}

#[test]
fn a_full_disk_fails_no_request_and_is_counted_and_logged() {
    let app = App::start_with_env(&[("DELIVERY_LEDGER_ACCESS_LOG", "/dev/full")], &[]);
    assert_eq!(app.receive(sent(&sid(1))).code, 200);
    assert_eq!(app.get("/v1/events").code, 200);
    app.eventually("it is counted", || {
        let metrics = String::from_utf8(app.get("/metrics").body).unwrap();
        metrics.contains("delivery_ledger_access_records_lost_total{reason=\"disk\"} 1")
            && metrics.contains("delivery_ledger_access_records_total 0")
    });
    assert_eq!(app.get("/v1/events").code, 200);
    let trouble = "access records cannot be written to /dev/full: No space left on device";
    app.eventually("it is logged", || app.stderr().contains(trouble));
    assert_eq!(app.stderr().matches(trouble).count(), 1);
}

#[test]
fn records_go_to_the_configured_file_or_nowhere() {
    let mut app = App::not_started(&[]);
    app.configure_first("access_log = \"kept/who.jsonl\"\n");
    std::fs::create_dir(app.folder().join("kept")).unwrap();
    app.restart();
    assert_eq!(app.get("/v1/events").code, 200);
    let kept = app.folder().join("kept/who.jsonl");
    let read = || std::fs::read_to_string(&kept).unwrap();
    app.eventually("it is recorded", || read().lines().count() == 1);
    assert!(!file(&app).exists());

    let off = App::start_with_env(&[("DELIVERY_LEDGER_ACCESS_LOG", "off")], &[]);
    assert_eq!(off.get("/v1/events").code, 200);
    assert!(!file(&off).exists());
    let metrics = String::from_utf8(off.get("/metrics").body).unwrap();
    assert!(!metrics.contains("access_records"), "nothing could be counted");
}

#[test]
fn a_file_that_cannot_be_written_is_noticed_at_the_start() {
    let app = App::not_started(&[("DELIVERY_LEDGER_ACCESS_LOG", "none/who.jsonl")]);
    let output = app.run(&["serve", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(
        stderr.contains(
            "access records cannot be written to none/who.jsonl; name another file, or switch them \
             off, with access_log or DELIVERY_LEDGER_ACCESS_LOG: No such file or directory"
        ),
        "{stderr}"
    );
}

#[test]
fn records_go_to_stdout_if_asked() {
    let app = App::not_started(&[("DELIVERY_LEDGER_ACCESS_LOG", "stdout")]);
    let out = app.folder().join("out");
    let serve = app.command(&["serve", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]);
    let mut server = serve.stdout(std::fs::File::create(&out).unwrap()).spawn();
    let stderr = BufReader::new(server.stderr.take().unwrap());
    let address = stderr.lines().map(Result::unwrap).find_map(|line| {
        let (_, address) = line.split_once("answering questions on http://")?;
        address.split('"').next()?.parse().ok()
    });

    assert_eq!(Request::new("GET", "/v1/events").send(address.unwrap()).code, 200);
    rustix::process::kill_process(
        rustix::process::Pid::from_child(&server),
        rustix::process::Signal::TERM,
    )
    .unwrap();
    server.wait().unwrap();

    let record: Value = serde_json::from_slice(&std::fs::read(&out).unwrap()).unwrap();
    assert_eq!(record["route"], "/v1/events");
}

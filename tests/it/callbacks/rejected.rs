//! A signed request that the callback listener rejects leaves a trace: it is counted by reason, logged on
//! stderr, reported by `doctor`, and kept if it was a POST, so that it is accepted once that is possible.

use std::io::Write;
use std::net::{Shutdown, TcpStream};

use serde_json::{Value, json};

use crate::support::{
    App, Request, Response, TOKEN, assert_problem, delivered, json_signature, sent, sid, signature,
};

const PUBLIC_URL: &str = "https://hooks.example.com";

#[test]
fn a_callback_to_an_unknown_path_is_accepted_once_the_path_is_configured() {
    let mut app = App::start();
    for number in 0..12 {
        let answer = app.receive_at("/message-status/?n=1", delivered(&sid(number)));
        assert_problem(
            &answer,
            404,
            "there is nothing at this path: `/message-status/` is no callback path; the URL at Twilio \
             has to end with one that is configured (--callback-path)",
        );
    }
    assert_eq!(app.receive_at("/twilio/status", sent(&sid(50))).code, 404);

    assert_eq!(app.refusals("path"), 13.0);
    assert_eq!(app.metric("callbacks_total{outcome=\"refused\",status=\"unverified\"}"), 13.0);
    app.eventually("it is logged", || {
        app.stderr().contains("callback refused: signed, but its path is not a callback path")
    });
    app.kept(13);
    let report = |app: &App, arguments: &[&str]| misdirected(app, arguments);
    let with_a_server = report(&app, &["--admin-listen", &app.admin().to_string()]);
    app.stop();
    for page in [with_a_server, report(&app, &[])] {
        assert_eq!(
            page,
            [
                "12 signed callbacks arrived at /message-status/, which is not a callback path",
                "1 signed callback arrived at /twilio/status, which is not a callback path"
            ]
        );
    }

    let recheck = |more: &[&str]| {
        let recheck = ["quarantine", "recheck", "--public-url", PUBLIC_URL];
        app.printed(&[&recheck[..], more].concat())
    };
    assert_eq!(recheck(&[]), "13 rechecked: 0 appended, 13 still refused\n");
    let configured = ["--callback-path", "/message-status", "--callback-path", "/message-status/"];
    assert_eq!(recheck(&configured), "13 rechecked: 12 appended, 1 still refused\n");
    let events = app.events();
    assert_eq!(events.len(), 12);
    assert_eq!(events[0]["url"], format!("{PUBLIC_URL}/message-status/?n=1"));
    assert_eq!(events[0]["notes"]["quarantine"], "path");
    assert_eq!(
        recheck(&["--callback-path", "/twilio/*"]),
        "1 rechecked: 1 appended, 0 still refused\n"
    );
}

#[test]
fn a_stored_request_shows_what_would_make_it_acceptable() {
    let app = App::start();
    app.receive_at("/elsewhere", sent(&sid(1)));
    app.kept(1);

    let kept = &app.list()[0];
    assert_eq!((&kept["reason"], &kept["recognised"]), (&json!("path"), &json!(true)));
    assert_eq!(kept["cause"], "signed by the account, as it is");
    let id = kept["id"].as_str().unwrap();
    let show = ["quarantine", "show", id, "--public-url", PUBLIC_URL];
    let shown = app.printed(&show);
    assert!(
        shown.contains(
            "now          not accepted: `/elsewhere` is not a callback path; configured: /message-status, \
             /event-streams (--callback-path)\n"
        ),
        "{shown}"
    );
    let shown = app.json(&[&show[..], &["--format", "json"]].concat());
    assert_eq!(shown["now"]["reason"], "path");
    let shown = app.printed(&[&show[..], &["--callback-path", "/elsewhere"]].concat());
    assert!(
        shown.contains("now          valid over https://hooks.example.com/elsewhere; "),
        "{shown}"
    );
}

#[test]
fn a_signed_request_with_another_method_is_counted_with_its_method() {
    let app = App::start();
    for method in ["GET", "GET", "PUT"] {
        let url = app.url("/message-status?MessageSid=SM1&MessageStatus=sent");
        let request = Request::new(method, "/message-status?MessageSid=SM1&MessageStatus=sent");
        let request = request.header("X-Twilio-Signature", &signature(TOKEN, &url, b""));
        assert_problem(&request.send(app.callbacks()), 405, "this path takes only POST");
    }
    let health = app.form("/healthz").header("X-Twilio-Signature", "AAAA").send(app.callbacks());
    assert_eq!((health.code, health.header("allow")), (405, Some("GET, HEAD")));

    assert_eq!(app.refusals("method"), 4.0);
    assert_eq!(
        misdirected(&app, &["--admin-listen", &app.admin().to_string()]),
        [
            "1 signed callback arrived at /healthz, which is not a callback path",
            "2 signed callbacks arrived at /message-status by GET instead of POST",
            "1 signed callback arrived at /message-status by PUT instead of POST",
        ]
    );
    app.kept(1);
}

#[test]
fn arbitrary_paths_use_bounded_memory_and_reveal_no_address() {
    let app = App::start();
    for number in 0..40 {
        let target = format!("/x{number}x/%2B15558675310/{{}}\"");
        assert_eq!(app.receive_at(&target, sent(&sid(1))).code, 404);
    }
    let metrics = app.get("/metrics");
    let text = String::from_utf8(metrics.body).unwrap();
    let named: Vec<_> =
        text.lines().filter(|line| line.contains("misdirected_callbacks_total{")).collect();
    assert_eq!(named.len(), 33, "{text}");
    assert!(!text.contains("5558675310"), "{text}");
    assert_eq!(
        app.metric("misdirected_callbacks_total{method=\"(others)\",path=\"(others)\"}"),
        8.0
    );
}

#[test]
fn unsigned_requests_to_any_path_leave_no_trace() {
    let app = App::start();
    assert_problem(
        &app.form("/elsewhere").send(app.callbacks()),
        404,
        "there is nothing at this path",
    );
    assert_eq!(Request::new("GET", "/message-status").send(app.callbacks()).code, 405);
    assert_eq!((app.refusals("path"), app.refusals("method")), (0.0, 0.0));
    assert!(!app.stderr().contains("callback refused"));
    assert_eq!(app.list(), [Value::Null; 0]);
}

// HTTP.

#[test]
fn a_target_with_unescaped_characters_gets_400_and_is_stored_unchanged() {
    for target in
        ["/message-status?name=\"a\"", "/message-status?a=<b>", "/message-status?a=1#part"]
    {
        let app = App::start();
        let answer = app.receive_at(target, delivered(&sid(1)));
        let detail = match target.contains('#') {
            true => "the request's target has a fragment (#…), which clients must not send",
            false => {
                "the request's target has characters that have to be percent-encoded, such as \", <, > \
                 or `"
            }
        };
        assert_problem(&answer, 400, detail);
        assert_eq!(app.refusals("request"), 1.0);
        app.kept(1);
        assert_eq!(app.list()[0]["reason"], "request");

        // It is signed exactly as it is.
        let recheck = ["quarantine", "recheck", "--public-url", PUBLIC_URL];
        assert_eq!(app.printed(&recheck), "1 rechecked: 1 appended, 0 still refused\n");
        assert_eq!(app.events()[0]["url"], app.url(target));
    }
}

/// What is signed without its fragment is not signed as it is.
#[test]
fn an_unsigned_fragment_is_never_dropped() {
    let app = App::start();
    let body = delivered(&sid(1)).bytes();
    let without = signature(TOKEN, &app.url("/message-status"), &body);
    let request = app.form("/message-status#x").header("X-Twilio-Signature", &without).body(body);
    assert_eq!(request.send(app.callbacks()).code, 400);
    app.kept(1);
    let recheck = ["quarantine", "recheck", "--public-url", PUBLIC_URL];
    assert_eq!(app.printed(&recheck), "1 rechecked: 0 appended, 1 still refused\n");
}

#[test]
fn a_bare_line_feed_does_not_end_a_header_line() {
    let app = App::start();
    let body = delivered(&sid(1)).bytes();
    let signature = signature(TOKEN, &app.url("/message-status"), &body);
    let request = app.form("/message-status").header("X-Twilio-Signature", &signature).body(body);
    let well = request.bytes(app.callbacks());
    assert_eq!(app.answers(&well), [200]);
    let head_end = well.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
    let ends: Vec<_> = (0..head_end + 4).filter(|at| well[*at] == b'\r').collect();
    assert!(ends.len() > 4);
    for at in &ends {
        let mut bytes = well.clone();
        bytes.remove(*at);
        assert_eq!(app.answers(&bytes), [400], "without the CR at {at}");
    }
    assert_eq!(app.refusals("request"), ends.len() as f64);
    assert_eq!(app.answers(b"GET /healthz HTTP/1.1\nHost: h\nConnection: close\n\n"), [400]);
    assert_eq!(app.events().len(), 1);
}

/// A body may have line feeds, and what follows it on the connection is read as well.
#[test]
fn heads_and_bodies_are_separated_on_one_connection() {
    let app = App::start();
    let request = |number: u32| {
        let body = delivered(&sid(number)).with("Body", "x").bytes();
        let body = [&body[..], b"\n\nGET / HTTP/1.1\nX: y\n\n"].concat();
        let signature = signature(TOKEN, &app.url("/message-status"), &body);
        let request = app.form("/message-status").header("X-Twilio-Signature", &signature);
        request.header("Connection", "keep-alive").body(body).bytes(app.callbacks())
    };
    let bare = b"GET /healthz HTTP/1.1\r\nHost: h\nConnection: close\r\n\r\n";
    let all = [request(1), request(2), bare.to_vec()].concat();
    assert_eq!(app.answers(&all), [200, 200, 400]);
    assert_eq!(app.events().len(), 2);
}

#[test]
fn a_signed_malformed_request_is_counted() {
    let app = App::start();
    let signed = "X-Twilio-Signature: AAAA\r\n";
    let wrong = [
        format!("POST /message-status HTTP/1.1\r\n{signed}Content-Length: 0\r\n\r\n"), // no Host
        format!("POST /a b HTTP/1.1\r\nHost: h\r\n{signed}\r\n"),
        format!("POST / HTTP/1.1\r\nHost: h\r\nA b: c\r\n{signed}\r\n"),
        format!(
            "POST / HTTP/1.1\r\nHost: h\r\n{signed}Content-Length: 1\r\nContent-Length: 1\r\n\r\na"
        ),
    ];
    for text in &wrong {
        assert_eq!(app.answers(text.as_bytes()), [400], "{text}");
    }
    // It ends before its head does.
    app.answers(format!("POST / HTTP/1.1\r\nHost: h\r\n{signed}").as_bytes());
    // Unsigned requests are not reported.
    app.answers(b"POST / HTTP/1.1\r\n\r\n");
    app.eventually("all are counted", || app.refusals("request") == 5.0);
    assert!(app.stderr().contains(
        "callback refused: signed, but its head is malformed HTTP, or did not arrive completely"
    ));
}

// Bodies.

#[test]
fn an_oversized_form_is_stored_up_to_1_mib_and_beyond_that_only_its_head() {
    let app = App::start();
    let long = delivered(&sid(1)).with("Extra", &"x".repeat(200_000));
    assert_problem(&app.receive(long), 413, "the body is longer than 65536 bytes");
    app.receive(delivered(&sid(2)).with("Extra", &"x".repeat(1 << 20)));
    assert_eq!(app.refusals("body_too_large"), 2.0);
    app.kept(2);

    let list = app.list();
    assert_eq!((&list[0]["whole"], &list[0]["body_bytes"]), (&json!(false), &json!(0)));
    assert_eq!((&list[1]["whole"], &list[1]["recognised"]), (&json!(true), &json!(true)));
    let id = list[0]["id"].as_str().unwrap();
    let shown = app.printed(&["quarantine", "show", id, "--public-url", PUBLIC_URL]);
    assert!(
        shown.contains(
            "not accepted: the stored body is incomplete, so the signature cannot be verified"
        ),
        "{shown}"
    );
    let recheck = ["quarantine", "recheck", "--public-url", PUBLIC_URL];
    assert_eq!(app.printed(&recheck), "2 rechecked: 1 appended, 1 still refused\n");
    app.caught_up_to(1);
    assert_eq!(app.message(&sid(1))["status"], "delivered");
}

#[test]
fn an_unsupported_media_type_is_stored_and_stays_rejected() {
    let app = App::start();
    let body = delivered(&sid(1)).bytes();
    let signature = signature(TOKEN, &app.url("/message-status"), &body);
    let request = Request::new("POST", "/message-status").header("Content-Type", "text/plain");
    let request = request.header("X-Twilio-Signature", &signature).body(body);
    assert_eq!(request.send(app.callbacks()).code, 415);
    app.kept(1);
    assert_eq!(app.list()[0]["reason"], "media_type");
    let recheck = ["quarantine", "recheck", "--public-url", PUBLIC_URL];
    assert_eq!(app.printed(&recheck), "1 rechecked: 0 appended, 1 still refused\n");
}

/// Of JSON only the URL is signed, so a cut body must not pass for the whole one.
#[test]
fn an_incomplete_body_is_counted_and_never_verifies() {
    let app = App::start();
    let url = app.url("/message-status?bodySHA256=e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    let target = url.strip_prefix(PUBLIC_URL).unwrap();
    let head = format!(
        "POST {target} HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nContent-Length: 400\r\n\
         X-Twilio-Signature: {}\r\n\r\n{{\"a\":",
        json_signature(TOKEN, &url)
    );
    // Once the other end still listens, once it is gone.
    let mut stream = TcpStream::connect(app.callbacks()).unwrap();
    stream.write_all(head.as_bytes()).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    assert_eq!(Response::read(&mut stream).code, 400);
    let mut stream = TcpStream::connect(app.callbacks()).unwrap();
    stream.write_all(head.as_bytes()).unwrap();
    std::thread::sleep(std::time::Duration::from_millis(200));
    socket2::SockRef::from(&stream).set_linger(Some(std::time::Duration::ZERO)).unwrap();
    drop(stream);

    app.eventually("both are counted", || app.refusals("body_broken") == 2.0);
    app.kept(2);
    assert!(app.list().iter().all(|one| one["whole"] == false && one["reason"] == "body_broken"));
    let recheck = ["quarantine", "recheck", "--public-url", PUBLIC_URL];
    assert_eq!(app.printed(&recheck), "2 rechecked: 0 appended, 2 still refused\n");
}

// Helpers.

/// What `doctor` says of requests that came to other paths or by other methods.
fn misdirected(app: &App, arguments: &[&str]) -> Vec<String> {
    let doctor = [&["doctor", "--format", "json"], arguments].concat();
    let page: Value = serde_json::from_slice(&app.run(&doctor).stdout).unwrap();
    let checks = page["checks"].as_array().unwrap().iter();
    let misdirected = checks.filter(|check| check["name"] == "misdirected");
    misdirected.map(|check| check["detail"].as_str().unwrap().to_owned()).collect()
}

impl App {
    fn refusals(&self, reason: &str) -> f64 {
        self.metric(&format!("refusals_total{{reason=\"{reason}\"}}"))
    }

    #[track_caller]
    fn metric(&self, series: &str) -> f64 {
        let text = String::from_utf8(self.get("/metrics").body).unwrap();
        let series = format!("delivery_ledger_{series} ");
        let line = text.lines().find_map(|line| line.strip_prefix(&series));
        line.unwrap_or_else(|| panic!("no {series} in\n{text}")).parse().unwrap()
    }

    /// The codes of all answers to these bytes, until the server ends the connection.
    fn answers(&self, bytes: &[u8]) -> Vec<u16> {
        use std::io::Read;
        let mut stream = TcpStream::connect(self.callbacks()).unwrap();
        stream.write_all(bytes).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let mut answers = Vec::new();
        let _reset = stream.read_to_end(&mut answers);
        let answers = String::from_utf8_lossy(&answers).into_owned();
        let codes = answers.match_indices("HTTP/1.1 ");
        codes.map(|(at, _)| answers[at + 9..at + 12].parse().unwrap()).collect()
    }

    fn printed(&self, arguments: &[&str]) -> String {
        String::from_utf8(self.run(arguments).stdout).unwrap()
    }
}

//! The callback listener's responses, and the log lines of rejected requests.

use std::io::Write;
use std::net::{Shutdown, TcpStream};
use std::time::Instant;

use serde_json::json;

use crate::support::{
    ACCOUNT, App, OTHER_ACCOUNT, OTHER_TOKEN, Request, Response, TOKEN, delivered, json_signature,
    sent, sid, signature,
};

const BODY_BYTES_MAX: usize = 64 * 1024;

// 200.

#[test]
fn a_stored_callback_gets_an_empty_200() {
    let app = App::start();

    let answer = app.receive(delivered(&sid(1)));

    assert_eq!(answer.code, 200);
    assert_eq!(answer.header("content-type"), Some("text/plain"));
    assert_eq!(answer.body, b"");
    assert_eq!(app.events().len(), 1);
}

#[test]
fn the_same_callback_twice_is_stored_twice() {
    let app = App::start();

    assert_eq!(app.receive(delivered(&sid(1))).code, 200);
    assert_eq!(app.receive(delivered(&sid(1))).code, 200);

    assert_eq!(app.events().len(), 2);
    assert_eq!(app.message(&sid(1))["duplicates"], 1);
}

#[test]
fn one_connection_can_carry_several_callbacks() {
    let app = App::start();
    let mut stream = TcpStream::connect(app.callbacks()).unwrap();

    for number in 1..=3 {
        let body = delivered(&sid(number)).bytes();
        let request = signed(&app, &body).header("Connection", "keep-alive").body(body);
        stream.write_all(&request.bytes(app.callbacks())).unwrap();
        assert_eq!(Response::read(&mut stream).code, 200);
    }

    assert_eq!(app.events().len(), 3);
}

#[test]
fn configured_callback_paths_replace_the_default() {
    let app = App::start_with(&["--callback-path", "/sms", "--callback-path", "/whatsapp/status"]);

    assert_eq!(app.receive_at("/sms", sent(&sid(1))).code, 200);
    assert_eq!(app.receive_at("/whatsapp/status?a=1", sent(&sid(2))).code, 200);
    assert_eq!(app.receive_at("/message-status", sent(&sid(3))).code, 404);
}

#[test]
fn the_path_of_event_streams_receives_what_a_callback_path_does() {
    let app = App::start();

    assert_eq!(app.receive_at("/event-streams", sent(&sid(1))).code, 200);
    assert_eq!(Request::new("GET", "/event-streams").send(app.callbacks()).code, 405);
    assert!(app.stderr().contains("receiving Event Streams on http://"));
}

#[test]
fn a_configured_path_of_event_streams_replaces_the_default() {
    let app = App::start_with(&["--event-streams-path", "/sink"]);

    assert_eq!(app.receive_at("/sink", sent(&sid(1))).code, 200);
    assert_eq!(app.receive_at("/message-status", sent(&sid(2))).code, 200);
    assert_eq!(app.receive_at("/event-streams", sent(&sid(3))).code, 404);
}

/// Regression: callback URLs with the user's own ID in their path got 404 whatever was configured.
#[test]
fn a_callback_path_may_end_with_a_wildcard() {
    let app = App::start_with(&["--callback-path", "/v1/sms/*", "--callback-path", "/own"]);

    for (number, target) in ["/v1/sms/52/377", "/v1/sms/x?a=1", "/v1/sms/", "/v1/%73ms/x", "/own"]
        .into_iter()
        .enumerate()
    {
        let received = app.receive_at(target, sent(&sid(number as u32)));
        assert_eq!(received.code, 200, "{target}");
    }
    for target in ["/v1/sms", "/v1/smsx", "/own/x", "/message-status"] {
        assert_eq!(app.receive_at(target, sent(&sid(9))).code, 404, "{target}");
    }
    assert_eq!(app.events()[0]["url"], app.url("/v1/sms/52/377"));
    assert_eq!(Request::new("GET", "/v1/sms/52").send(app.callbacks()).code, 405);
}

#[test]
fn a_wildcard_for_every_path_does_not_hide_the_health_check() {
    let app = App::start_with_env(&[("DELIVERY_LEDGER_CALLBACK_PATH", "/*")], &[]);

    assert_eq!(app.receive_at("/any/where", sent(&sid(1))).code, 200);
    assert_eq!(Request::new("GET", "/healthz").send(app.callbacks()).code, 200);
    assert_eq!(app.receive_at("/healthz", sent(&sid(2))).code, 405);
}

#[test]
fn any_of_several_public_urls_may_be_signed() {
    let app = App::start_with(&[
        "--public-url",
        "https://a.example.com/twilio/",
        "--public-url",
        "http://b.example.com:8080",
    ]);
    let receive = |url: &str| {
        let body = delivered(&sid(1)).bytes();
        let signature = signature(TOKEN, url, &body);
        let request = app.form("/message-status").header("X-Twilio-Signature", &signature);
        request.body(body).send(app.callbacks()).code
    };

    let accepted = [
        "https://a.example.com/twilio/message-status",
        "https://a.example.com:443/twilio/message-status",
        "http://b.example.com:8080/message-status",
        "http://b.example.com/message-status",
    ];
    assert_eq!(accepted.map(receive), [200; 4]);
    let refused = [
        "https://a.example.com/message-status",
        "https://a.example.com/twilio//message-status",
        "https://b.example.com:8080/message-status",
        "http://b.example.com:80/message-status",
    ];
    assert_eq!(refused.map(receive), [403; 4]);
    let urls: Vec<_> = app.events().iter().map(|event| event["url"].clone()).collect();
    assert_eq!(urls, accepted);
}

// 403.

#[test]
fn a_callback_without_a_valid_signature_gets_403_and_is_not_stored() {
    let app = App::start();
    let body = delivered(&sid(1)).bytes();
    let url = app.url("/message-status");
    let good = signature(TOKEN, &url, &body);
    let receive = |signature: &str, body: &[u8]| {
        let request = app.form("/message-status").header("X-Twilio-Signature", signature);
        request.body(body).send(app.callbacks())
    };
    let unsigned = app.form("/message-status").body(body.clone()).send(app.callbacks());
    let of_nobody = delivered(&sid(1)).with("AccountSid", "AC00").bytes();
    let of_two = format!("AccountSid={ACCOUNT}&AccountSid={OTHER_ACCOUNT}").into_bytes();
    let json = signed_json(&app, "/message-status?a=1", b"{}");

    let no_signature = "no X-Twilio-Signature";
    let mismatch = "the signature does not match any configured key for this URL and body";
    assert_rejected(&unsigned, 403, no_signature);
    assert_rejected(&receive("", &body), 403, no_signature);
    assert_rejected(&receive("fake_signature", &body), 403, "X-Twilio-Signature is not base64");
    assert_rejected(&receive(&signature("another", &url, &body), &body), 403, mismatch);
    assert_rejected(&receive(&signature(OTHER_TOKEN, &url, &body), &body), 403, mismatch);
    assert_rejected(&receive(&good, &sent(&sid(1)).bytes()), 403, mismatch);
    assert_rejected(
        &receive(&signature(TOKEN, &url, &of_nobody), &of_nobody),
        403,
        "no token is configured for the body's AccountSid",
    );
    assert_rejected(
        &receive(&signature(TOKEN, &url, &of_two), &of_two),
        403,
        "the body names two different AccountSids",
    );
    assert_rejected(&json, 403, "a JSON body needs bodySHA256 in the URL's query");
    assert_eq!(app.events(), Vec::<serde_json::Value>::new());
}

#[test]
fn a_callback_signed_for_another_path_or_query_is_rejected() {
    let app = App::start_with(&["--callback-path", "/message-status", "--callback-path", "/sms"]);
    let body = delivered(&sid(1)).bytes();
    let signature = signature(TOKEN, &app.url("/message-status?b=2&a=1"), &body);
    let receive = |target: &str| {
        let request = app.form(target).header("X-Twilio-Signature", &signature);
        request.body(body.clone()).send(app.callbacks()).code
    };

    assert_eq!(receive("/message-status?b=2&a=1"), 200);
    assert_eq!(receive("/message-status?a=1&b=2"), 403);
    assert_eq!(receive("/message-status?b=2&a=1&"), 403);
    assert_eq!(receive("/message-status?b=2&a=%31"), 403);
    assert_eq!(receive("/message-status"), 403);
    assert_eq!(receive("/sms?b=2&a=1"), 403);
}

#[test]
fn host_and_forwarding_headers_are_ignored() {
    let app = App::start();
    let body = delivered(&sid(1)).bytes();
    let receive = |signed_url: &str| {
        let request = app
            .form("/message-status")
            .header("Host", "evil.example.com")
            .header("X-Forwarded-Host", "evil.example.com")
            .header("X-Forwarded-Proto", "http")
            .header("Forwarded", "host=evil.example.com;proto=https")
            .header("X-Twilio-Signature", &signature(TOKEN, signed_url, &body));
        request.body(body.clone()).send(app.callbacks()).code
    };

    assert_eq!(receive("https://evil.example.com/message-status"), 403);
    assert_eq!(receive("http://evil.example.com/message-status"), 403);
    assert_eq!(receive(&app.url("/message-status")), 200);
}

// 413.

#[test]
fn a_form_over_64_kib_gets_413() {
    let app = App::start();
    let longest = format!("a={}", "x".repeat(BODY_BYTES_MAX - 2));
    let too_long = format!("{longest}x");

    assert_eq!(app.receive(longest.clone()).code, 200);
    assert_rejected(&app.receive(too_long), 413, "the body is longer than 65536 bytes");

    assert_eq!(app.events().len(), 1);
    assert_eq!(app.events()[0]["body"], longest);
}

#[test]
fn the_body_limit_applies_to_chunked_bodies() {
    let app = App::start();
    let longest = format!("a={}", "x".repeat(BODY_BYTES_MAX - 2)).into_bytes();
    let too_long = [&longest[..], b"x"].concat();
    let receive = |body: &[u8]| {
        let request = signed(&app, body).header("Transfer-Encoding", "chunked");
        request.body(in_chunks(body)).send(app.callbacks())
    };

    assert_eq!(receive(&longest).code, 200);
    assert_rejected(&receive(&too_long), 413, "the body is longer than 65536 bytes");

    assert_eq!(app.events().len(), 1);
    assert_eq!(app.events()[0]["body"], String::from_utf8(longest).unwrap());
}

// 415.

#[test]
fn a_body_that_is_neither_form_nor_json_gets_415() {
    let app = App::start();
    let body = delivered(&sid(1)).bytes();
    let signature = signature(TOKEN, &app.url("/message-status"), &body);
    let receive = |content_type: &str| {
        let request = Request::new("POST", "/message-status")
            .header("Content-Type", content_type)
            .header("X-Twilio-Signature", &signature);
        request.body(body.clone()).send(app.callbacks())
    };

    assert_rejected(
        &receive("text/xml"),
        415,
        "Content-Type `text/xml` is neither application/x-www-form-urlencoded nor JSON",
    );
    assert_eq!(receive("multipart/form-data; boundary=x").code, 415);
    assert_eq!(receive("text/plain").code, 415);
    assert_eq!(receive("application/x-www-form-urlencodedx").code, 415);
    assert_eq!(receive("application/x-www-form-urlencoded; charset=UTF-8").code, 200);
    assert_eq!(receive("Application/X-WWW-Form-URLencoded ;charset=utf-8").code, 200);
}

#[test]
fn a_request_without_a_content_type_is_read_as_a_form() {
    let app = App::start();
    let body = delivered(&sid(1)).bytes();
    let signature = signature(TOKEN, &app.url("/message-status"), &body);

    let request =
        Request::new("POST", "/message-status").header("X-Twilio-Signature", &signature).body(body);

    assert_eq!(request.send(app.callbacks()).code, 200);
    assert_eq!(app.message(&sid(1))["status"], "delivered");
}

// 405 and 404.

#[test]
fn another_method_gets_405_with_allow() {
    let app = App::start();
    for method in ["GET", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD"] {
        let answer = Request::new(method, "/message-status").send(app.callbacks());
        assert_eq!((answer.code, answer.header("allow")), (405, Some("POST")), "{method}");
    }
    let answer = Request::new("GET", "/message-status").send(app.callbacks());
    assert_rejected(&answer, 405, "this path takes only POST");

    let answer = Request::new("POST", "/healthz").send(app.callbacks());
    assert_eq!((answer.code, answer.header("allow")), (405, Some("GET, HEAD")));
}

#[test]
fn the_callback_listener_serves_only_callbacks_and_healthz() {
    let app = App::start();
    let get = |target: &str| Request::new("GET", target).send(app.callbacks());

    assert_eq!(get("/healthz").code, 200);
    assert_rejected(&get("/"), 404, "there is nothing at this path");
    for target in ["/readyz", "/metrics", "/v1/messages", &format!("/v1/messages/{}", sid(1))] {
        assert_eq!(get(target).code, 404, "{target}");
    }
    for target in ["/message-status/", "//message-status", "/Message-Status", "/message-status/x"] {
        assert_eq!(app.receive_at(target, delivered(&sid(1))).code, 404, "{target}");
    }
    assert_eq!(app.events().len(), 0);
}

// An incomplete request.

#[test]
fn a_body_shorter_than_its_content_length_is_not_stored() {
    let app = App::start();
    let body = delivered(&sid(1)).bytes();
    let stated = (body.len() + 1).to_string();
    let request = signed(&app, &body).header("Content-Length", &stated).body(body);

    let mut stream = TcpStream::connect(app.callbacks()).unwrap();
    stream.write_all(&request.bytes(app.callbacks())).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    assert_rejected(&Response::read(&mut stream), 400, "the body ended before its Content-Length");

    assert_eq!(app.receive(sent(&sid(2))).code, 200);
    assert_eq!(app.events().len(), 1);
    assert_eq!(app.events()[0]["message_sid"], sid(2));
}

// 503.

#[test]
fn if_the_log_cannot_be_written_callbacks_get_503_and_queries_still_work() {
    let mut app = App::start();
    assert_eq!(app.receive(delivered(&sid(1))).code, 200);
    app.caught_up();

    let intruder = rusqlite::Connection::open(app.log_file()).unwrap();
    let failing = "CREATE TRIGGER failing BEFORE INSERT ON events
                   BEGIN SELECT raise(ABORT, 'as a disk does'); END";
    intruder.execute_batch(failing).unwrap();
    let answer = app.receive(delivered(&sid(2)));
    assert_eq!(answer.code, 503, "{}", answer.head);
    assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    assert!(answer.header("retry-after").unwrap().parse::<u32>().unwrap() > 0);
    let detail = answer.json()["detail"].as_str().unwrap().to_owned();
    assert!(detail.contains("append to the log: as a disk does"), "{detail}");

    assert_eq!(app.get("/healthz").code, 200);
    assert_eq!(Request::new("GET", "/healthz").send(app.callbacks()).code, 200);
    assert_eq!(app.message(&sid(1))["status"], "delivered");
    assert_eq!(app.events().len(), 1);

    intruder.execute_batch("DROP TRIGGER failing").unwrap();
    drop(intruder);
    app.eventually("callbacks are accepted again", || app.receive(delivered(&sid(2))).code == 200);
    app.caught_up();
    assert_eq!(app.get("/readyz").json()["ready"], true);
    assert_eq!(app.json(&["verify", "--format", "json"])["findings"], json!([]));
    assert_eq!(app.events().len(), 2);
    let stderr = app.stop();
    assert!(stderr.contains("no callback is acknowledged until the log has been opened again"));
    assert!(stderr.contains("the log is written again"), "{stderr}");
}

// Log lines of rejections.

#[test]
fn a_rejection_is_logged_as_one_line_without_request_data() {
    let app = App::start();
    let body = delivered(&sid(1)).bytes();
    let forged = signature("a stolen token", &app.url("/message-status?tenant=acme"), &body);
    let request = app.form("/message-status?tenant=acme").header("X-Twilio-Signature", &forged);
    assert_eq!(request.body(body).send(app.callbacks()).code, 403);
    let odd = Request::new("POST", "/message-status").header("Content-Type", "+15558675310");
    assert_eq!(odd.body("a=1").send(app.callbacks()).code, 415);

    app.eventually("both rejections are logged", || refusals(&app.stderr()).len() == 2);

    // A wrong signature is logged after the response, once its cause has been searched for.
    let lines = refusals(&app.stderr());
    let is_logged =
        |code, reason| lines.iter().any(|line| line.contains(code) && line.contains(reason));
    assert!(is_logged("403", "the signature does not match any configured key"), "{lines:?}");
    assert!(is_logged("415", "the body is neither a form nor JSON"), "{lines:?}");
    let stderr = app.stderr();
    for secret in ["15558675310", "15017250604", &sid(1), ACCOUNT, "acme", TOKEN, &forged] {
        assert!(!stderr.contains(secret), "{secret} in:\n{stderr}");
    }
}

#[test]
fn a_flood_of_forged_requests_is_counted_in_full_but_logged_in_few_lines() {
    const FLOOD: u64 = 200;
    let app = App::start();
    let forge = || {
        let request = app.form("/message-status").header("X-Twilio-Signature", "Zm9yZ2Vk");
        assert_eq!(request.body("MessageSid=SM1").send(app.callbacks()).code, 403);
    };

    let begun = Instant::now();
    (0..FLOOD).for_each(|_| forge());
    // A burst of five lines, then five per second.
    let lines_max = 5 + 5 * (begun.elapsed().as_secs() as usize + 1);
    let lines = refusals(&app.stderr()).len();
    assert!(lines <= lines_max, "{lines} lines, at most {lines_max} expected");

    // A later line reports how many rejections were not logged.
    let mut sent = FLOOD;
    app.eventually("the suppressed lines are reported", || {
        forge();
        sent += 1;
        logged_or_counted(&app.stderr()) >= FLOOD
    });
    assert!(logged_or_counted(&app.stderr()) <= sent);
}

// Helpers.

/// A signed form request to the default path, without its body.
fn signed(app: &App, body: &[u8]) -> Request {
    let signature = signature(TOKEN, &app.url("/message-status"), body);
    app.form("/message-status").header("X-Twilio-Signature", &signature)
}

fn signed_json(app: &App, target: &str, body: &[u8]) -> Response {
    let request = Request::new("POST", target)
        .header("Content-Type", "application/json")
        .header("X-Twilio-Signature", &json_signature(TOKEN, &app.url(target)));
    request.body(body).send(app.callbacks())
}

/// Asserts that a response is a problem with this code, this detail and a request ID.
#[track_caller]
fn assert_rejected(answer: &Response, code: u16, detail: &str) {
    assert_eq!(answer.code, code, "{}", String::from_utf8_lossy(&answer.body));
    assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    let problem = answer.json();
    assert_eq!(problem["status"], code);
    assert_eq!(problem["detail"], detail);
    let request_id = problem["request_id"].as_str().unwrap_or_default();
    assert!(uuid::Uuid::parse_str(request_id).is_ok(), "{problem}");
}

fn in_chunks(body: &[u8]) -> Vec<u8> {
    let chunks = body
        .chunks(5_000)
        .map(|chunk| [format!("{:x}\r\n", chunk.len()).as_bytes(), chunk, b"\r\n"].concat());
    [chunks.collect::<Vec<_>>().concat(), b"0\r\n\r\n".to_vec()].concat()
}

fn refusals(stderr: &str) -> Vec<String> {
    stderr.lines().filter(|line| line.contains("callback refused")).map(String::from).collect()
}

/// The number of rejections that the lines account for, including those reported as not logged.
fn logged_or_counted(stderr: &str) -> u64 {
    let suppressed = |line: &String| {
        let (_, rest) = line.split_once("untold=")?;
        rest.split(|letter: char| !letter.is_ascii_digit()).next()?.parse::<u64>().ok()
    };
    refusals(stderr).iter().map(|line| 1 + suppressed(line).unwrap_or(0)).sum()
}

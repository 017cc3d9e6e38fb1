//! Recording of rejected requests by a server.

use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use serde_json::Value;
use uuid::Uuid;

use super::{bytes_on_disk, quarantine_file};
use crate::support::ledger::findings;
use crate::support::{ACCOUNT, App, OTHER_ACCOUNT, Response, sent, sid};

// What is kept.

#[test]
fn a_rejected_request_is_stored_byte_for_byte_in_a_private_file() {
    let app = App::start();
    let body = b"AccountSid=AC1&x=%FF\xff+\0".to_vec();
    let request = app
        .form("/message-status?a=%2B1&b=c+d")
        .header("X-Twilio-Signature", "AAAA")
        .header("I-Twilio-Idempotency-Token", "a token")
        .header("Authorization", "Basic secret")
        .header("Cookie", "secret");
    assert_eq!(request.body(body.clone()).send(app.callbacks()).code, 403);
    app.kept(1);

    let id = app.only_id();
    let shown = app.json(&["quarantine", "show", &id, "--format", "json"]);
    assert_eq!(shown["target"], "/message-status?a=%2B1&b=c+d");
    assert_eq!(shown["method"], "POST");
    assert_eq!(shown["reason"], "account_unknown");
    assert_eq!(
        shown["cause"],
        "a forgery, or the token of the account that the body names is not configured"
    );
    let base64 = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, body);
    assert_eq!(shown["body_base64"], base64);
    assert_eq!(Uuid::parse_str(&id).unwrap().get_version_num(), 7);
    let names: Vec<_> =
        shown["headers"].as_array().unwrap().iter().map(|pair| pair[0].as_str().unwrap()).collect();
    assert_eq!(names, ["content-type", "host", "i-twilio-idempotency-token", "x-twilio-signature"]);
    let mode = quarantine_file(app.folder()).metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(app.events(), [Value::Null; 0], "nothing of it is in the log");
}

#[test]
fn signed_rejections_are_recorded_with_their_reason_and_unsigned_ones_are_not() {
    let app = App::start();
    let form = |signature: &str, body: &str| {
        let request = app.form("/message-status").header("X-Twilio-Signature", signature);
        assert_eq!(request.body(body).send(app.callbacks()).code, 403);
    };
    form("", "a=1");
    form("?", "a=1");
    form("AAAA", "a=1");
    form("AAAA", "AccountSid=nobody");
    form("AAAA", &format!("AccountSid={ACCOUNT}&AccountSid={OTHER_ACCOUNT}"));
    let image = app.form("/message-status").header("X-Twilio-Signature", "AAAA");
    assert_eq!(image.body(vec![b'a'; 65 * 1024]).send(app.callbacks()).code, 413);
    assert_eq!(app.form("/elsewhere").body("a=1").send(app.callbacks()).code, 404);
    app.kept(6);

    let list = app.json(&["quarantine", "list", "--format", "json"]);

    let reasons: Vec<_> =
        list["data"].as_array().unwrap().iter().map(|one| &one["reason"]).collect();
    assert_eq!(
        reasons,
        [
            "body_too_large",
            "accounts_contradict",
            "account_unknown",
            "signature_wrong",
            "signature_not_base64",
            "signature_missing"
        ],
        "the newest first"
    );
    assert_eq!(list["requests"], 6);
}

#[test]
fn a_body_of_64_kib_is_recorded() {
    let app = App::start();
    let body = vec![b'a'; 64 * 1024];
    assert_eq!(app.form("/message-status").body(body).send(app.callbacks()).code, 403);
    app.kept(1);
    let list = app.json(&["quarantine", "list", "--format", "json"]);
    assert_eq!(list["data"][0]["body_bytes"], 65_536);
}

#[test]
fn nothing_is_recorded_if_the_quarantine_is_off() {
    let app = App::start_with_env(&[("DELIVERY_LEDGER_QUARANTINE", "off")], &[]);
    app.forged(1);
    assert!(!app.metrics().contains("delivery_ledger_quarantine"));
    assert!(!quarantine_file(app.folder()).exists());
    let (code, stdout, _) = app.run_as_text(&["quarantine", "list"]);
    assert_eq!((code, &*stdout), (0, "The quarantine is empty.\n"));
}

#[test]
fn the_list_shows_no_bodies_addresses_or_control_characters() {
    let app = App::start();
    let body = sent(&sid(1)).with("x", "\u{1b}[31mred");
    let request = app.form("/message-status?secret=1").header("X-Twilio-Signature", "\u{9b}31m");
    assert_eq!(request.body(body).send(app.callbacks()).code, 403);
    app.kept(1);

    let (_, table, _) = app.run_as_text(&["quarantine", "list"]);
    let (_, json, _) = app.run_as_text(&["quarantine", "list", "--format", "json"]);
    let (_, shown, _) = app.run_as_text(&["quarantine", "show", &app.only_id()]);

    for hidden in ["5558675310", "secret", "red", ACCOUNT] {
        assert!(!table.contains(hidden) && !json.contains(hidden), "{hidden}");
    }
    for text in [&table, &json, &shown] {
        assert!(!text.contains('\u{1b}') && !text.contains('\u{9b}'), "{text}");
    }
    assert!(shown.contains("x=%1B%5B31mred"), "{shown}");
}

#[test]
fn queued_requests_are_stored_when_the_server_stops() {
    let mut app = App::start();
    app.forged(50);
    app.stop();
    assert_eq!(app.list().len(), 50);
}

#[test]
fn the_quarantine_file_may_be_deleted_while_a_server_runs() {
    let app = App::start();
    app.forged(1);
    app.kept(1);
    std::fs::remove_file(quarantine_file(app.folder())).unwrap();
    app.forged(2);
    app.eventually("it is kept", || app.value("quarantine_kept_total") == 3.0);
    assert_eq!(app.json(&["quarantine", "list", "--format", "json"])["requests"], 2);
}

#[test]
fn callbacks_are_accepted_despite_a_damaged_quarantine() {
    let mut app = App::not_started(&[]);
    std::fs::write(quarantine_file(app.folder()), "something else").unwrap();
    app.restart();
    app.forged(1);
    app.eventually("it is logged", || app.stderr().contains("rejected requests cannot be stored"));
    assert_eq!(app.receive(sent(&sid(1))).code, 200);
    assert_eq!(app.value("quarantine_dropped_total{reason=\"failed\"}"), 1.0);
    assert_eq!(app.run_as_text(&["quarantine", "list"]).0, 1);
}

// A flood.

#[test]
fn a_flood_of_forged_requests_uses_bounded_space_and_delays_no_callback() {
    let mut app = App::not_started(&[("DELIVERY_LEDGER_QUARANTINE_MIB", "1")]);
    app.restart();
    let flood = 20_000;
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let to = app.callbacks();
            let request = app.form("/message-status").header("X-Twilio-Signature", "AAAA");
            let request = request.header("Connection", "keep-alive").body(vec![b'a'; 2000]);
            std::thread::spawn(move || send_all(&request.bytes(to), to, flood / 4))
        })
        .collect();
    let (mut honest, mut slowest, mut largest) = (0, Duration::ZERO, 0);
    while threads.iter().any(|thread| !thread.is_finished()) {
        let begun = Instant::now();
        assert_eq!(app.receive(sent(&sid(honest))).code, 200);
        slowest = slowest.max(begun.elapsed());
        largest = largest.max(bytes_on_disk(app.folder()));
        honest += 1;
    }
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    app.eventually("all are counted", || {
        let dropped =
            |reason| app.value(&format!("quarantine_dropped_total{{reason=\"{reason}\"}}"));
        let kept = app.value("quarantine_kept_total");
        assert!(kept + dropped("rate") + dropped("full") <= f64::from(flood));
        kept + dropped("rate") + dropped("full") == f64::from(flood)
    });

    assert!(honest > 5, "{honest} honest callbacks");
    assert!(slowest < Duration::from_secs(5), "one waited {slowest:?}");
    assert!(app.value("quarantine_bytes") <= f64::from(1 << 20));
    // The file has what is kept and one commit more, the WAL up to where it is reset, and a commit.
    assert!(largest < (1 + 1 + 4 + 4) << 20, "{largest} bytes");
    assert_eq!(app.events().len() as u32, honest);
    app.caught_up();
    app.stop();
    assert_eq!(findings(&app.json(&["verify", "--format", "json"])), [""; 0]);
}

/// Sends the same bytes again and again over one connection.
fn send_all(bytes: &[u8], to: std::net::SocketAddr, times: u32) {
    use std::io::Write;
    let mut stream = std::net::TcpStream::connect(to).unwrap();
    for _ in 0..times {
        stream.write_all(bytes).unwrap();
        assert_eq!(Response::read(&mut stream).code, 403);
    }
}

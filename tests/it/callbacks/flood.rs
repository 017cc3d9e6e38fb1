//! A flood of forged requests while the public URL is wrong must not displace the account's own callbacks
//! from the quarantine.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::support::{App, TOKEN, delivered, sid, signature};

const RIGHT: &str = "https://hooks.example.com";
const RIGHT_HOST: &str = "hooks.example.com";
const WRONG: &str = "https://wrong.example.com";

/// Many times the number of unrecognised requests that the quarantine admits in this time.
const FORGED: usize = 6_000;

/// The number of requests sent over a connection before their responses are read.
const PIPELINED: usize = 40;

#[test]
fn with_a_wrong_host_that_requests_reveal_a_flood_displaces_no_callback() {
    // The forged requests name the configured account, which is not secret.
    let own = own_in_a_flood(&[], RIGHT_HOST, "/message-status", "/message-status");
    assert!(own.recognised * 100 >= own.sent * 95, "{own:?}");
    assert!(own.recovered * 100 >= own.sent * 95, "{own:?}");
}

/// Genuine and forged requests cannot be told apart here, but a flood within the limits displaces nothing.
#[test]
fn with_an_undetectable_wrong_host_a_flood_within_the_limits_displaces_no_callback() {
    let own = own_in_a_flood(&[], "127.0.0.1", "/message-status", "/message-status");
    assert_eq!(own.recognised, 0);
    assert!(own.recovered * 100 >= own.sent * 95, "{own:?}");
}

#[test]
fn with_a_rewritten_query_a_flood_displaces_no_callback() {
    // Signed with %20, as configured at Twilio; a proxy rewrites it to a plus.
    let own = own_in_a_flood(
        &["--public-url", RIGHT],
        "127.0.0.1",
        "/message-status?name=a%20b",
        "/message-status?name=a+b",
    );
    assert!(own.recognised * 100 >= own.sent * 95, "{own:?}");
}

/// A replayed genuine request is accepted a few times, but not a thousand times.
#[test]
fn replays_of_one_callback_displace_no_other() {
    let app = App::start_with(&["--public-url", WRONG]);
    let own = |number| request(&app, RIGHT_HOST, "/message-status", "/message-status", number);
    let replayed = own(0);
    send_all(app.callbacks(), &vec![replayed; 2_000]);
    for number in 1..=20 {
        send_all(app.callbacks(), &[own(number)]);
    }
    app.eventually("the requests are stored", || {
        app.value("quarantine_recognised_requests") >= 26.0
    });
    assert_eq!(
        app.value("quarantine_recognised_requests"),
        26.0,
        "six copies of the replayed one, and the others"
    );
}

#[derive(Debug)]
struct Own {
    sent: usize,
    recognised: usize,
    recovered: usize,
}

/// Sends callbacks that are signed for one target and sent to another, during a flood.
fn own_in_a_flood(arguments: &[&str], host: &str, signed_for: &str, sent_to: &str) -> Own {
    let arguments = if arguments.is_empty() { &["--public-url", WRONG] } else { arguments };
    let app = App::start_with(arguments);
    let to = app.callbacks();
    let ended = Arc::new(AtomicBool::new(false));
    let floods: Vec<_> = (0..2)
        .map(|flood| {
            let half = FORGED as u32 / 2;
            let forged = (0..half).map(|number| forged(&app, flood * half + number));
            let forged: Vec<_> = forged.collect();
            std::thread::spawn(move || send_all(to, &forged))
        })
        .collect();
    let flood = std::thread::spawn({
        let ended = Arc::clone(&ended);
        move || {
            floods.into_iter().for_each(|flood| flood.join().unwrap());
            ended.store(true, Ordering::SeqCst);
        }
    });
    let mut sent = 0;
    while !ended.load(Ordering::SeqCst) && sent < 2_000 {
        send_all(to, &[request(&app, host, signed_for, sent_to, sent as u32)]);
        sent += 1;
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    flood.join().unwrap();
    app.eventually("the queue is written", || {
        let kept = app.value("quarantine_kept_total");
        let dropped =
            |reason| app.value(&format!("quarantine_dropped_total{{reason=\"{reason}\"}}"));
        let all =
            kept + dropped("rate") + dropped("full") + dropped("possible") + dropped("recognised");
        all >= (FORGED + sent) as f64
    });
    let recognised = app.value("quarantine_recognised_requests") as usize;
    let output = app.run(&["quarantine", "recheck", "--public-url", RIGHT, "--format", "json"]);
    let rechecked: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let recovered = rechecked["appended"].as_u64().unwrap() as usize;
    assert!(sent > 20, "{sent} callbacks of the account's own");
    Own { sent, recognised, recovered }
}

fn request(app: &App, host: &str, signed_for: &str, sent_to: &str, number: u32) -> Vec<u8> {
    let body = delivered(&sid(number)).bytes();
    let signature = signature(TOKEN, &format!("{RIGHT}{signed_for}"), &body);
    let request = app.form(sent_to).header("X-Twilio-Signature", &signature).header("Host", host);
    request.header("Connection", "keep-alive").body(body).bytes(app.callbacks())
}

fn forged(app: &App, number: u32) -> Vec<u8> {
    let body = delivered(&sid(1_000_000 + number)).bytes();
    let signature = signature("no token", &format!("{RIGHT}/message-status"), &body);
    let request = app.form("/message-status").header("X-Twilio-Signature", &signature);
    request.header("Connection", "keep-alive").body(body).bytes(app.callbacks())
}

/// Sends all requests over one connection and reads as many responses, each a 403.
fn send_all(to: SocketAddr, requests: &[Vec<u8>]) {
    for some in requests.chunks(PIPELINED) {
        let mut stream = TcpStream::connect(to).unwrap();
        stream.write_all(&some.concat()).unwrap();
        let (mut answers, mut chunk) = (String::new(), [0; 16_384]);
        while answers.matches("HTTP/1.1 403").count() < some.len() {
            let count = stream.read(&mut chunk).unwrap();
            assert!(count > 0, "only {} answers", answers.matches("HTTP/1.1").count());
            answers += &String::from_utf8_lossy(&chunk[..count]);
        }
    }
}

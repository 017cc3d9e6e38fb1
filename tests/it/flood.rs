//! A flood of forged requests while the public URL is wrong: the account's own callbacks outlast it.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::support::{App, TOKEN, delivered, sid, signature};

const RIGHT: &str = "https://hooks.example.com";
const RIGHT_HOST: &str = "hooks.example.com";
const WRONG: &str = "https://wrong.example.com";

/// Many times what is admitted of requests that are not recognised in the time.
const FORGED: usize = 6_000;

/// How many are sent over a connection before their answers are read.
const PIPELINED: usize = 40;

#[test]
fn a_wrong_host_that_the_requests_name_costs_no_callback_whatever_is_forged_meanwhile() {
    // The forged ones name the configured account, which is no secret.
    let own = own_in_a_flood(&[], RIGHT_HOST, "/message-status", "/message-status");
    assert!(own.recognised * 100 >= own.sent * 95, "{own:?}");
    assert!(own.recovered * 100 >= own.sent * 95, "{own:?}");
}

/// Nothing tells the account's own from forged ones, but what fits in is kept.
#[test]
fn a_wrong_host_that_nothing_names_costs_no_callback_in_a_flood_that_fits_in() {
    let own = own_in_a_flood(&[], "127.0.0.1", "/message-status", "/message-status");
    assert_eq!(own.recognised, 0);
    assert!(own.recovered * 100 >= own.sent * 95, "{own:?}");
}

#[test]
fn what_is_wrong_with_the_query_costs_no_callback_either() {
    // Signed with an encoded blank, as it is configured at Twilio; a proxy writes a plus.
    let own = own_in_a_flood(
        &["--public-url", RIGHT],
        "127.0.0.1",
        "/message-status?name=a%20b",
        "/message-status?name=a+b",
    );
    assert!(own.recognised * 100 >= own.sent * 95, "{own:?}");
}

/// Replayed, a genuine request is as good as any; but not a thousand times.
#[test]
fn one_callback_that_is_replayed_takes_no_room_from_the_others() {
    let app = App::start_with(&["--public-url", WRONG]);
    let own = |number| request(&app, RIGHT_HOST, "/message-status", "/message-status", number);
    let replayed = own(0);
    send_all(app.callbacks(), &vec![replayed; 2_000]);
    for number in 1..=20 {
        send_all(app.callbacks(), &[own(number)]);
    }
    app.eventually("they are kept", || app.value("quarantine_recognised_requests") >= 26.0);
    assert_eq!(app.value("quarantine_recognised_requests"), 26.0, "six of the one, and the others");
}

#[derive(Debug)]
struct Own {
    sent: usize,
    recognised: usize,
    recovered: usize,
}

/// Sends callbacks, signed for one target and sent to another, while a flood comes.
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
    app.eventually("what waits is written", || {
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

/// Sends all over one connection and reads as many answers, each a 403.
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

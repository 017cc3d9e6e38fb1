//! `tail`: the log on the terminal, as it grows.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStdout};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::support::events::{event, one_a_second};
use crate::support::ledger::Ledger;
use crate::support::{ACCOUNT, App, OTHER_ACCOUNT, delivered, failed, sent, sid, status};

#[test]
fn tail_prints_a_heading_and_one_line_per_event() {
    let odd = status("SM1", "on\x1b[31mits way").with("To", "whatsapp:+1").bytes();
    let ledger = Ledger::with_events(&one_a_second([
        event(sent(&sid(1))),
        event(failed(&sid(1), "30003")),
        event(odd),
        event("nothing=known"),
    ]));

    let (code, out, err) = ended(&ledger, &["tail", "--after", "0", "--no-follow"]);

    assert_eq!((code, err.as_str()), (Some(0), ""));
    let expected = " position  received at (UTC)            status               effect        message                             from                   to                     details
        1  2026-01-02T03:04:05.000000Z  sent                 advanced      SM00000000000000000000000000000001  +15017250604           +15558675310
        2  2026-01-02T03:04:06.000000Z  failed               advanced      SM00000000000000000000000000000001  +15017250604           +15558675310           30003 Unreachable destination handset
        3  2026-01-02T03:04:07.000000Z  on\\u{1b}[31mits way  unrecognised  SM1                                 +15017250604           whatsapp:+1
        4  2026-01-02T03:04:08.000000Z  -                    -             -                                   -                      -
";
    assert_eq!(out, expected);
}

/// Wherever the views are: they may have read nothing yet, a part, or everything.
#[test]
fn the_effect_of_an_event_is_the_one_in_its_message_s_timeline() {
    let events = one_a_second([
        event(sent(&sid(1))),
        event(sent(&sid(2))),
        event(delivered(&sid(1))),
        event(sent(&sid(1))),
        event(sent(&sid(2)).with("Price", "1")),
        event(failed(&sid(1), "30003")),
        event(sent(&sid(2)).with("AccountSid", OTHER_ACCOUNT)),
        event(status(&sid(2), "queued")),
        event("nothing=known"),
    ]);
    let expected = [
        "advanced",
        "advanced",
        "advanced",
        "duplicate",
        "confirmed",
        "conflict",
        "advanced",
        "late",
        "-",
    ];
    for projected in [0, 3, 8, 9] {
        let ledger = Ledger::with_events(&events[..projected]);
        ledger.append(&events[projected..]);
        for after in 0..events.len() {
            let after_text = after.to_string();
            let output = ledger.run(&["tail", "--no-follow", "--after", &after_text]);
            let text = String::from_utf8(output.stdout).unwrap();
            let effects: Vec<_> =
                text.lines().skip(1).map(|line| line.split_whitespace().nth(3).unwrap()).collect();
            assert_eq!(effects, expected[after..], "{projected} projected, after {after}: {text}");
        }
    }
}

#[test]
fn tail_json_equals_the_export() {
    let ledger = Ledger::with_events(&[event(sent(&sid(1))), event(delivered(&sid(1)))]);
    let tail = ledger.run(&["tail", "--after", "1", "--no-follow", "--format", "json"]);
    let export = String::from_utf8(ledger.run(&["export", "events"]).stdout).unwrap();
    assert_eq!(String::from_utf8(tail.stdout).unwrap().lines().next(), export.lines().nth(1));
}

#[test]
fn tail_filters_by_the_content_of_events() {
    let ledger = Ledger::with_events(&[
        event(sent(&sid(1))),
        event(failed(&sid(2), "30003").with("To", "whatsapp:+4915112345678")),
        event(sent(&sid(3)).with("AccountSid", OTHER_ACCOUNT)),
        event(status(&sid(4), "teleported").with("From", "ACME")),
        event("nothing=known"),
    ]);
    let positions = |filters: &[&str]| {
        let arguments = ["tail", "--after", "0", "--no-follow", "--format", "json"];
        let output = ledger.run(&[&arguments[..], filters].concat());
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{stderr}");
        let text = String::from_utf8(output.stdout).unwrap();
        let events = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        events.map(|event| event["position"].as_u64().unwrap()).collect::<Vec<_>>()
    };

    assert_eq!(positions(&[]), [1, 2, 3, 4, 5]);
    assert_eq!(positions(&["--account-sid", ACCOUNT]), [1, 2, 4]);
    assert_eq!(positions(&["--message-sid", &sid(3)]), [3]);
    assert_eq!(positions(&["--status", "Sent"]), [1, 3]);
    assert_eq!(positions(&["--status", "teleported"]), [4]);
    assert_eq!(positions(&["--error-code", "30003"]), [2]);
    assert_eq!(positions(&["--from", "ACME"]), [4]);
    assert_eq!(positions(&["--to", "*5678"]), [2]);
    assert_eq!(positions(&["--to", "+15558675310", "--status", "sent"]), [1, 3]);
    assert_eq!(positions(&["--status", "read"]), [0; 0]);
}

#[test]
fn invalid_arguments_are_usage_errors() {
    let ledger = Ledger::with_events(&[event(sent(&sid(1)))]);
    for (arguments, expected) in [
        (["--after", "2"], "--after: 2 is beyond the head, 1; is this the right ledger?"),
        (["--after", "x"], "invalid value 'x' for '--after <N>'"),
        (["--error-code", "bad"], "not a number of 1 to 9 digits"),
        (["--to", "*310"], "* and at least four digits"),
    ] {
        let (code, _, err) = ended(&ledger, &[&["tail", "--no-follow"][..], &arguments].concat());
        assert_eq!(code, Some(2), "{arguments:?}: {err}");
        assert!(err.contains(expected), "{err}");
    }
    let nothing = Ledger::new();
    let (code, _, err) = ended(&nothing, &["tail"]);
    assert_eq!(code, Some(1), "{err}");
    assert!(err.contains("there is no ledger at"), "{err}");
}

#[test]
fn tail_follows_a_running_server_from_the_head() {
    let app = App::start();
    assert_eq!(app.receive(sent(&sid(1))).code, 200);
    let mut tail = Tail::start(&app, &["tail", "--format", "json"]);
    // A callback that arrives before `tail` has looked for the head is not shown.
    let done = AtomicBool::new(false);
    let first = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                assert_eq!(app.receive(delivered(&sid(2))).code, 200);
                std::thread::sleep(Duration::from_millis(20));
            }
        });
        let first = tail.position();
        done.store(true, Ordering::Relaxed);
        first
    });
    assert!(first > 1, "tail starts at the head, not at the first event");
    assert_eq!(app.receive(delivered(&sid(2))).code, 200);
    for position in first + 1..=app.events().len() as u64 {
        assert_eq!(tail.position(), position);
    }

    tail.signal(Signal::INT);
    assert_eq!(tail.ended(), Some(0));
}

#[test]
fn tail_continues_after_a_restart_of_the_server() {
    let mut app = App::start();
    let mut tail = Tail::start(&app, &["tail", "--after", "0", "--format", "json"]);
    assert_eq!(app.receive(sent(&sid(1))).code, 200);
    assert_eq!(tail.position(), 1);
    app.stop();
    app.restart();
    assert_eq!(app.receive(sent(&sid(2))).code, 200);
    assert_eq!(tail.position(), 2);
    tail.signal(Signal::TERM);
    assert_eq!(tail.ended(), Some(0));
}

#[test]
fn tail_exits_if_its_output_pipe_is_closed() {
    let app = App::start();
    let tail = Tail::start(&app, &["tail"]);
    let Tail { child, lines } = tail;
    drop(lines);
    assert_eq!(ended_within(child), Some(0));
}

/// A running `tail`.
struct Tail {
    child: Child,
    lines: BufReader<ChildStdout>,
}

impl Tail {
    fn start(app: &App, arguments: &[&str]) -> Self {
        let mut child = app.command(arguments).spawn();
        let lines = BufReader::new(child.stdout.take().unwrap());
        Self { child, lines }
    }

    fn position(&mut self) -> u64 {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        serde_json::from_str::<Value>(&line).unwrap()["position"].as_u64().unwrap()
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    fn ended(mut self) -> Option<i32> {
        let code = ended_within(self.child);
        let mut rest = String::new();
        self.lines.read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "");
        code
    }
}

fn ended_within(mut child: Child) -> Option<i32> {
    let deadline = Instant::now() + Duration::from_secs(5);
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status.code();
        }
        if Instant::now() > deadline {
            child.kill().unwrap();
            panic!("tail did not end");
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn ended(ledger: &Ledger, arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = ledger.run(arguments);
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

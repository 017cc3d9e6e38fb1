//! A process that cannot serve ends with one line and exit code 1, and a supervisor can start it again.

use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, prlimit};

use crate::clock::libfaketime;
use crate::support::{ACCOUNT, App, TOKEN, delivered, sid};

const PROGRAM: &str = env!("CARGO_BIN_EXE_delivery-ledger");

/// Within which time a server that cannot serve has ended.
const PATIENCE: Duration = Duration::from_secs(20);

/// Runs `serve` in a shell that has set a limit first, or with further variables.
fn serve_under(limit: &str, environment: &[(&str, &str)]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let script = format!(
        "{limit}; exec \"$0\" serve --listen 127.0.0.1:0 --admin-listen 127.0.0.1:0 \
         --public-url https://hooks.example.com"
    );
    let mut shell = Command::new("/bin/sh");
    shell.current_dir(folder.path()).env_clear().args(["-c", &script, PROGRAM]);
    shell.env("TWILIO_ACCOUNT_SID", ACCOUNT).env("TWILIO_AUTH_TOKEN", TOKEN);
    shell.env("RUST_BACKTRACE", "full").envs(environment.iter().copied());
    let shell = shell.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = shell.spawn().unwrap();
    let begun = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if begun.elapsed() > PATIENCE {
            child.kill().unwrap();
            let output = child.wait_with_output().unwrap();
            panic!("it has not ended: {}", String::from_utf8_lossy(&output.stderr));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    child.wait_with_output().unwrap()
}

#[track_caller]
fn assert_ends_with(output: Output, line: &str) {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    assert!(stderr.contains(line), "{stderr}");
}

#[test]
fn too_few_files_end_a_server_with_one_line() {
    for files in [30, 64, 127] {
        let line = format!("at most {files} files may be open, and a server needs 128");
        assert_ends_with(serve_under(&format!("ulimit -n {files}"), &[]), &line);
    }
}

#[test]
fn too_small_an_address_space_ends_a_server_with_one_line() {
    for kib in [256_000, 600_000] {
        let line = format!("limited to {} MiB, and a server needs 1024", kib / 1024);
        assert_ends_with(serve_under(&format!("ulimit -v {kib}"), &[]), &line);
    }
}

#[test]
fn a_clock_that_cannot_be_right_ends_a_server_with_one_line() {
    let library = libfaketime();
    for (time, year) in [
        ("1969-07-20 20:17:40", "1969"),
        ("1970-01-01 12:00:00", "1970"),
        ("2019-12-31 00:00:00", "2019"),
        ("2300-01-01 00:00:00", "2300"),
    ] {
        let time = format!("@{time}");
        let clock = [
            ("LD_PRELOAD", library.as_str()),
            ("FAKETIME", time.as_str()),
            ("TZ", "UTC"),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
        ];
        let line = format!("the clock says that this is the year {year}; set it");
        assert_ends_with(serve_under("true", &clock), &line);
    }
}

#[test]
fn a_limit_on_the_size_of_files_costs_503s_and_no_server() {
    let mut app = App::start();
    assert_eq!(app.receive(delivered(&sid(1))).code, 200);
    let wal = app.folder().join("ledger.db-wal").metadata().unwrap().len();
    let limit = |bytes| Rlimit { current: bytes, maximum: None };
    let before = prlimit(Some(app.process()), Resource::Fsize, limit(Some(wal + 10_000))).unwrap();

    let codes: Vec<_> = (2..30).map(|number| app.receive(delivered(&sid(number))).code).collect();
    assert!(codes.contains(&503), "{codes:?}");
    prlimit(Some(app.process()), Resource::Fsize, before).unwrap();
    app.eventually("callbacks are taken again", || app.receive(delivered(&sid(30))).code == 200);

    app.stop();
    let acknowledged = 2 + codes.iter().filter(|code| **code == 200).count();
    assert!(app.events().len() >= acknowledged);
}

#[test]
fn an_index_that_is_cut_off_ends_a_server_or_is_made_again_and_costs_nothing() {
    let mut app = App::start();
    for number in 1..20 {
        assert_eq!(app.receive(delivered(&sid(number))).code, 200);
    }
    let index = std::fs::File::options().write(true).open(app.folder().join("ledger.db-shm"));
    index.unwrap().set_len(0).unwrap();

    // The first access to the mapped file would raise a signal; the writer checks before that.
    let answer = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        app.receive(delivered(&sid(20))).code
    }));
    if answer.is_ok_and(|code| code == 503 || code == 200) {
        app.eventually("callbacks are taken again", || {
            app.receive(delivered(&sid(21))).code == 200
        });
        app.stop();
    } else {
        // SIGBUS: a supervisor starts it again, as after any signal.
        assert!(!app.ended().success());
    }
    app.restart();
    assert!(app.message(&sid(19))["events"].as_u64() == Some(1));
}

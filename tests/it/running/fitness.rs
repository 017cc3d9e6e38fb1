//! A server that cannot work exits with one error line and code 1, so that a supervisor can restart it.

use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, prlimit};

use crate::support::clock::libfaketime;
use crate::support::{ACCOUNT, App, TOKEN, delivered, sid};

const PROGRAM: &str = env!("CARGO_BIN_EXE_delivery-ledger");

/// The time within which a server that cannot work must have exited.
const PATIENCE: Duration = Duration::from_secs(20);

/// Runs `serve` in a shell that first sets a limit, with more environment variables.
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
            panic!("the server has not exited: {}", String::from_utf8_lossy(&output.stderr));
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
fn too_low_a_limit_of_open_files_stops_a_server_with_one_line() {
    for files in [30, 64, 127] {
        let line = format!("at most {files} files may be open, and a server needs 128");
        assert_ends_with(serve_under(&format!("ulimit -n {files}"), &[]), &line);
    }
}

#[test]
fn too_small_an_address_space_stops_a_server_with_one_line() {
    for kib in [256_000, 600_000] {
        let line = format!("limited to {} MiB, and a server needs 1024", kib / 1024);
        assert_ends_with(serve_under(&format!("ulimit -v {kib}"), &[]), &line);
    }
}

#[test]
fn an_impossible_clock_stops_a_server_with_one_line() {
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
fn a_file_size_limit_causes_503s_but_does_not_stop_the_server() {
    let mut app = App::start();
    assert_eq!(app.receive(delivered(&sid(1))).code, 200);
    let wal = app.folder().join("ledger.db-wal").metadata().unwrap().len();
    let limit = |bytes| Rlimit { current: bytes, maximum: None };
    let before = prlimit(Some(app.process()), Resource::Fsize, limit(Some(wal + 10_000))).unwrap();

    let codes: Vec<_> = (2..30).map(|number| app.receive(delivered(&sid(number))).code).collect();
    assert!(codes.contains(&503), "{codes:?}");
    prlimit(Some(app.process()), Resource::Fsize, before).unwrap();
    app.eventually("callbacks are accepted again", || app.receive(delivered(&sid(30))).code == 200);

    app.stop();
    let acknowledged = 2 + codes.iter().filter(|code| **code == 200).count();
    assert!(app.events().len() >= acknowledged);
}

#[test]
fn a_truncated_wal_index_is_rebuilt_or_stops_the_server_and_loses_nothing() {
    let mut app = App::start();
    for number in 1..20 {
        assert_eq!(app.receive(delivered(&sid(number))).code, 200);
    }
    let index = std::fs::File::options().write(true).open(app.folder().join("ledger.db-shm"));
    index.unwrap().set_len(0).unwrap();

    // The next access to the mapped file would raise SIGBUS; the writer checks the file first.
    let answer = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        app.receive(delivered(&sid(20))).code
    }));
    if answer.is_ok_and(|code| code == 503 || code == 200) {
        app.eventually("callbacks are accepted again", || {
            app.receive(delivered(&sid(21))).code == 200
        });
        app.stop();
    } else {
        // SIGBUS: a supervisor restarts the server, as after any signal.
        assert!(!app.ended().success());
    }
    app.restart();
    assert!(app.message(&sid(19))["events"].as_u64() == Some(1));
}

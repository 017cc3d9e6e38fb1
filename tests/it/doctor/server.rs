//! `doctor`'s checks on a running server, over HTTP.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{Page, delivered_just_now, doctor};
use crate::support::ledger::Ledger;
use crate::support::{App, delivered, sid};

/// Runs `doctor` with the addresses of a running server.
fn examine_server(app: &App, arguments: &[&str]) -> Page {
    let (listen, admin) = (app.callbacks().to_string(), app.admin().to_string());
    let addresses = ["--listen", &listen, "--admin-listen", &admin];
    let usual = ["doctor", "--format", "json", "--public-url", "https://hooks.example.com"];
    Page::from_command(app.command(&[&usual[..], &addresses, arguments].concat()))
}

#[test]
fn a_running_server_is_examined() {
    let app = App::start();
    assert_eq!(app.receive(delivered(&sid(1))).code, 200);
    app.caught_up();

    let page = examine_server(&app, &["--server"]);

    // The harness creates key files that every user can read.
    assert_eq!(page.problems(), ["key files", "backup"]);
    for name in ["ready", "callbacks", "version", "verification", "refusals"] {
        assert_eq!(page.outcome(name), "ok", "{name}");
    }
    assert_eq!(page.detail("refusals"), "0 of 1 callbacks since the server started");
    assert_eq!(page.code, Some(0));
}

#[test]
fn requests_to_the_server_have_the_api_token() {
    let app =
        App::start_with_env(&[("DELIVERY_LEDGER_API_TOKEN", "long enough to be a token")], &[]);

    let page = examine_server(&app, &[]);

    assert_eq!(page.outcome("version"), "ok");
    assert!(!page.json.to_string().contains("long enough to be a token"));
}

#[test]
fn rejections_are_reported_with_their_most_frequent_reason() {
    let app = App::start();
    for _ in 0..12 {
        let forged = app.form("/message-status").body(delivered(&sid(1)));
        let signature = "AAAAAAAAAAAAAAAAAAAAAAAAAAA=";
        assert_eq!(forged.header("X-Twilio-Signature", signature).send(app.callbacks()).code, 403);
    }
    let page = examine_server(&app, &[]);
    assert_eq!(page.outcome("refusals"), "fail", "nothing was ever stored");
    assert_eq!(
        page.detail("refusals"),
        "12 of 12 callbacks since the server started, 12 of them signature_wrong"
    );

    assert_eq!(app.receive(delivered(&sid(1))).code, 200);
    assert_eq!(examine_server(&app, &[]).outcome("refusals"), "warn");
}

#[test]
fn requests_of_event_streams_that_were_kept_whole_are_reported() {
    let app = App::start();
    assert!(examine_server(&app, &[]).find("batches").is_none());
    for body in ["[1]", "[{}, 2]", "[]"] {
        assert_eq!(app.receive_json("/event-streams", body).code, 200);
    }

    let page = examine_server(&app, &[]);

    assert_eq!(page.outcome("batches"), "warn");
    assert_eq!(
        page.detail("batches"),
        "3 requests of Event Streams since the server started could not be split into events (1 empty, 2 \
         not_objects)"
    );
}

#[test]
fn a_server_that_is_not_ready_is_a_failed_check_even_with_quick() {
    let mut app = App::start();
    assert_eq!(app.receive(delivered(&sid(1))).code, 200);
    fs::rename(app.log_file(), app.folder().join("moved.db")).unwrap();
    app.eventually("the server notices", || app.get("/readyz").code == 503);

    let page = examine_server(&app, &["--quick"]);

    assert_eq!((page.outcome("ready"), page.code), ("fail", Some(3)));
    assert!(page.detail("ready").contains("is not the file that was opened"));
    app.kill();
}

#[test]
fn an_expected_server_that_does_not_respond_is_a_failed_check() {
    let ledger = Ledger::with_events(&[delivered_just_now()]);
    let quick = |arguments: &[&str]| {
        Page::from_command(doctor(&ledger.file(""), &[&["--quick"], arguments].concat()))
    };
    assert_eq!((quick(&[]).outcome("ready"), quick(&[]).code), ("warn", Some(0)));
    assert_eq!(
        (quick(&["--server"]).outcome("ready"), quick(&["--server"]).code),
        ("fail", Some(3))
    );

    let _held = ledger.open();
    assert!(quick(&[]).detail("ready").starts_with("a process holds the ledger"));
}

#[test]
fn a_quick_check_is_fast_and_limited() {
    let ledger = Ledger::with_events(&[delivered_just_now()]);
    let began = Instant::now();

    let page = Page::from_command(doctor(&ledger.file(""), &["--quick"]));

    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    assert_eq!(page.code, Some(0));
    for name in ["growth", "guards", "stuck messages", "backup", "refusals"] {
        assert!(page.find(name).is_none(), "{name}");
    }
    for name in ["log", "disk", "keys AC0123456789abcdef0123456789abcdef", "ready"] {
        assert!(page.find(name).is_some(), "{name}");
    }
}

#[test]
fn a_server_that_never_responds_does_not_block_doctor() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap().to_string();
    let began = Instant::now();

    let page = Page::from_command(doctor(
        &Ledger::new().file(""),
        &["--quick", "--admin-listen", &address],
    ));

    assert_eq!(page.outcome("ready"), "warn");
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
}

/// Starts a fake server with these responses, which runs until the test ends.
fn fake_server(readyz: Value, metrics: &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let mut stream = stream;
            let mut head = [0; 1024];
            let count = stream.read(&mut head).unwrap_or(0);
            let asked = String::from_utf8_lossy(&head[..count]).into_owned();
            let body = match asked.starts_with("GET /metrics") {
                true => metrics.to_owned(),
                false => readyz.to_string(),
            };
            let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
            let _gone = stream.write_all(answer.as_bytes());
        }
    });
    address
}

#[test]
fn a_server_of_another_version_and_its_findings_are_reported() {
    let verified = json!({ "at": "2026-11-23T19:52:01.482317Z", "position": 38, "findings": 2 });
    let readyz = json!({ "ready": true, "head": 38, "checkpoint": 38, "verified": verified });
    let address =
        fake_server(readyz, "delivery_ledger_build_info{version=\"9.8.7\"} 1\n").to_string();

    let page = Page::from_command(doctor(&Ledger::new().file(""), &["--admin-listen", &address]));

    assert_eq!(page.outcome("version"), "warn");
    assert!(page.detail("version").starts_with("the server is 9.8.7"));
    assert_eq!(page.outcome("verification"), "fail");
    assert_eq!(page.detail("verification"), "2026-11-23T19:52:01.482317Z: 2 findings");
}

#[test]
fn another_program_at_the_servers_address_is_recognised() {
    let address = fake_server(json!({ "hello": "world" }), "").to_string();

    let page = Page::from_command(doctor(&Ledger::new().file(""), &["--admin-listen", &address]));

    assert_eq!(page.outcome("ready"), "warn");
    assert!(page.find("version").is_none());
}

#[test]
fn callbacks_to_unknown_paths_are_reported() {
    let app = App::start();
    let admin = app.admin().to_string();
    let page = app.command(&[
        "doctor",
        "--format",
        "json",
        "--listen",
        "127.0.0.1:1",
        "--admin-listen",
        &admin,
    ]);

    assert_eq!(Page::from_command(page).outcome("callbacks"), "warn");
}

#[test]
fn a_low_limit_of_open_files_is_reported() {
    let ledger = Ledger::new();
    let script = format!(
        "ulimit -n 500; exec {} doctor --quick --format json",
        env!("CARGO_BIN_EXE_delivery-ledger")
    );
    let output = std::process::Command::new("sh")
        .args(["-c", &script])
        .current_dir(ledger.file(""))
        .env_clear()
        .output()
        .unwrap();
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    let page = Page { code: output.status.code(), json };
    assert_eq!(page.outcome("open files"), "warn");
}

//! `simulate` sends to a ledger only what may go there, and marks what it sends.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::Output;

use delivery_ledger::domain::event::SIMULATOR_USER_AGENT_PREFIX;
use serde_json::Value;
use tempfile::TempDir;

use crate::support::{ACCOUNT, App, Command, TOKEN, delivered, sid};

/// The arguments of a small simulation to this server.
fn to<'a>(target: &'a str, signed_url: &'a str) -> Vec<&'a str> {
    vec!["simulate", "--target", target, "--signed-url", signed_url, "--messages", "5"]
}

/// Runs a small simulation to a server, with these further arguments.
fn simulate(app: &App, arguments: &[&str]) -> Output {
    let target = format!("http://{}/message-status", app.callbacks());
    app.run(&[&to(&target, &app.url("/message-status"))[..], arguments].concat())
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// An admin listener that gives one answer to each request, and what it was asked.
struct Admin {
    url: String,
    asked: std::sync::mpsc::Receiver<String>,
}

impl Admin {
    fn answering(answer: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (say, asked) = std::sync::mpsc::channel();
        let (head, body) = answer.split_once('\n').unwrap();
        let answer = format!("HTTP/1.1 {head}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        std::thread::spawn(move || {
            for mut stream in listener.incoming().map_while(Result::ok) {
                let mut request = Vec::new();
                let mut chunk = [0; 4096];
                while !request.ends_with(b"\r\n\r\n") {
                    let count = stream.read(&mut chunk).unwrap();
                    request.extend_from_slice(&chunk[..count]);
                }
                let _nobody_asks = say.send(String::from_utf8(request).unwrap());
                stream.write_all(answer.as_bytes()).unwrap();
            }
        });
        Self { url, asked }
    }
}

/// Returns the error of a refused simulation, after `error: `, and asserts that nothing was sent.
fn refusal(app: &App, arguments: &[&str]) -> String {
    let before = app.events().len();
    let output = simulate(app, arguments);
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    assert!(output.stdout.is_empty());
    assert_eq!(app.events().len(), before);
    stderr(&output).strip_prefix("error: ").unwrap().trim_end().to_owned()
}

#[test]
fn simulate_sends_nothing_without_a_target() {
    let folder = TempDir::new().unwrap();
    let command = Command::new(folder.path(), &["simulate", "--yes"]);
    let output =
        command.env("TWILIO_ACCOUNT_SID", ACCOUNT).env("TWILIO_AUTH_TOKEN", TOKEN).output();
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("--target <URL>"), "{}", stderr(&output));
}

#[test]
fn an_unusable_target_or_admin_listener_is_a_usage_error() {
    let app = App::start();
    for target in
        ["https://hooks.example.com/x", "/message-status", "hooks.example.com", "http:///x"]
    {
        let output = app.run(&["simulate", "--yes", "--target", target]);
        assert_eq!(output.status.code(), Some(2), "{target}: {}", stderr(&output));
        assert!(stderr(&output).starts_with("error: --target: `"), "{}", stderr(&output));
    }
    let error = refusal(&app, &["--admin", "https://127.0.0.1:8081"]);
    assert!(
        error.starts_with("--admin: `https://127.0.0.1:8081` does not begin with http://"),
        "{error}"
    );
}

#[test]
fn simulate_may_send_to_a_ledger_with_only_simulated_events() {
    let admin = Admin::answering("200 OK\n{\"ready\":true,\"only_simulated\":true}");
    let app = App::start();
    let output = simulate(&app, &["--admin", &admin.url]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let summary: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(summary["acknowledged"], app.events().len());
    let asked = admin.asked.recv().unwrap();
    assert!(asked.starts_with("GET /readyz HTTP/1.1\r\n"), "{asked}");
    assert!(!asked.to_lowercase().contains("authorization"), "{asked}");

    // One that is not ready says it as well.
    let busy = Admin::answering("503 Busy\n{\"ready\":false,\"only_simulated\":true}");
    let output = simulate(&app, &["--admin", &format!("{}/", busy.url)]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
}

#[test]
fn simulate_needs_yes_for_a_ledger_with_other_events() {
    let admin = Admin::answering("200 OK\n{\"ready\":true,\"only_simulated\":false}");
    let app = App::start();
    let error = refusal(&app, &["--admin", &admin.url]);
    assert_eq!(
        error,
        format!(
            "the ledger at {} has events that no simulation sent, and simulated ones would stay \
             among them for ever: use a ledger of its own, or repeat with --yes",
            admin.url
        )
    );
    let output = simulate(&app, &["--admin", &admin.url, "--yes"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(app.events().len() >= 5);
}

#[test]
fn simulate_needs_yes_if_the_ledgers_content_is_unknown() {
    let app = App::start();
    for answer in
        ["200 OK\n{\"ready\":true,\"only_simulated\":null}", "200 OK\n{\"ready\":true,\"head\":0}"]
    {
        let admin = Admin::answering(answer);
        let error = refusal(&app, &["--admin", &admin.url]);
        let expected = format!(
            "the ledger at {} does not say that simulations sent all of its events, and simulated \
             ones would stay among them for ever: use a ledger of its own, or repeat with --yes",
            admin.url
        );
        assert_eq!(error, expected, "{answer}");
    }
}

#[test]
fn an_unexpected_response_does_not_permit_a_simulation() {
    let app = App::start();
    for (answer, expected) in [
        ("200 OK\n{}", "does not answer as a ledger's admin listener does"),
        ("200 OK\n<html>welcome</html>", "does not answer as a ledger's admin listener does"),
        (
            "401 Unauthorized\n{\"detail\":\"a token\\u001b is needed\"}",
            "answers 401 (a token is needed), so set DELIVERY_LEDGER_API_TOKEN (or …_FILE)",
        ),
        ("403 Forbidden\n", "answers 403, so use a token that may read, and a host name"),
        ("404 Not Found\n", "answers 404"),
    ] {
        let admin = Admin::answering(answer);
        let error = refusal(&app, &["--admin", &admin.url]);
        assert!(
            error
                .starts_with("nobody says whether the ledger has events that no simulation sent: ")
                && error.contains(expected)
                && error.ends_with("; name its admin listener with --admin, or repeat with --yes"),
            "{answer}: {error}"
        );
    }
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = refusal(&app, &["--admin", &format!("http://{nobody}")]);
    assert!(error.contains(&format!("http://{nobody} does not answer (")), "{error}");
}

#[test]
fn simulate_reads_the_local_ledger_to_decide() {
    let app = App::start();
    let admin = format!("http://{}", app.admin());
    // An empty ledger, and one with simulated events alone.
    for _ in 0..2 {
        let output = simulate(&app, &["--admin", &admin]);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    }
    assert_eq!(app.receive(delivered(&sid(1))).code, 200);
    let error = refusal(&app, &["--admin", &admin]);
    assert!(error.contains(" does not say that simulations sent all of its events"), "{error}");

    // The first of all is found as well, and one that belongs to no message, whatever followed.
    for body in [delivered(&sid(1)).bytes(), format!("AccountSid={ACCOUNT}&Other=1").into_bytes()] {
        let mut app =
            App::start_with_env(&[("DELIVERY_LEDGER_API_TOKEN", "0123456789abcdef-simulate")], &[]);
        assert_eq!(app.receive(body).code, 200);
        assert_eq!(simulate(&app, &["--yes"]).status.code(), Some(0));
        let admin = |app: &App| format!("http://{}", app.admin());
        refusal(&app, &["--admin", &admin(&app)]);
        app.stop();
        app.restart();
        refusal(&app, &["--admin", &admin(&app)]);
    }
}

#[test]
fn simulate_sends_the_configured_api_token() {
    let admin = Admin::answering("200 OK\n{\"ready\":true,\"only_simulated\":true}");
    let mut app = App::not_started(&[("DELIVERY_LEDGER_API_TOKEN", "0123456789abcdef-simulate")]);
    app.restart();
    let output = simulate(&app, &["--admin", &admin.url]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let asked = admin.asked.recv().unwrap().to_lowercase();
    assert!(asked.contains("authorization: bearer 0123456789abcdef-simulate\r\n"), "{asked}");
}

#[test]
fn for_a_remote_target_the_local_ledger_is_not_consulted() {
    let app = App::start();
    let output = app.run(&["simulate", "--target", "http://192.0.2.1:8080/message-status"]);
    assert_eq!(output.status.code(), Some(2));
    let expected = "http://192.0.2.1:8080/message-status is another machine's, so \
                http://127.0.0.1:8081 is not asked about it";
    assert!(stderr(&output).contains(expected), "{}", stderr(&output));
}

#[test]
fn only_simulated_callbacks_are_marked() {
    let app = App::start();
    assert_eq!(simulate(&app, &["--yes"]).status.code(), Some(0));
    assert_eq!(app.receive(delivered(&sid(1))).code, 200);
    let agents: Vec<_> = app
        .events()
        .iter()
        .map(|event| {
            let headers = event["headers"].as_array().unwrap();
            let agent = headers.iter().find(|header| header[0] == "user-agent");
            agent.map(|header| header[1].as_str().unwrap().to_owned())
        })
        .collect();
    let (last, simulated) = agents.split_last().unwrap();
    let mark = format!("delivery-ledger-simulate/{}", env!("CARGO_PKG_VERSION"));
    assert!(mark.starts_with(SIMULATOR_USER_AGENT_PREFIX));
    assert!(simulated.len() >= 5 && simulated.iter().all(|agent| *agent == Some(mark.clone())));
    assert_eq!(*last, None);
}

//! `GET /v1/checks`: the checks of `doctor`, made by a running server.

use std::fs;

use serde_json::{Value, json};

use crate::support::{
    App, OTHER_TOKEN, Request, TOKEN, assert_problem, delivered, sent, sid, signature,
};

impl App {
    fn checks(&self) -> Value {
        let answer = self.get("/v1/checks");
        assert_eq!(answer.code, 200, "{}", String::from_utf8_lossy(&answer.body));
        answer.json()
    }

    /// The checks, once this one has this outcome.
    fn checks_with(&self, name: &str, outcome: &str) -> Value {
        self.eventually(&format!("{name} is {outcome}"), || {
            find(&self.checks(), name).is_some_and(|check| check["outcome"] == outcome)
        });
        self.checks()
    }
}

fn find<'a>(checks: &'a Value, name: &str) -> Option<&'a Value> {
    checks["checks"].as_array().unwrap().iter().find(|check| check["name"] == name)
}

#[track_caller]
fn check<'a>(checks: &'a Value, name: &str) -> &'a Value {
    find(checks, name).unwrap_or_else(|| panic!("no {name} in {checks:#}"))
}

/// Name, area and outcome of each check.
fn outcomes(checks: &Value) -> Vec<[String; 3]> {
    let text = |check: &Value, key: &str| check[key].as_str().unwrap().to_owned();
    let checks = checks["checks"].as_array().unwrap().iter();
    checks.map(|check| ["name", "area", "outcome"].map(|key| text(check, key))).collect()
}

#[test]
fn a_server_makes_the_same_checks_as_doctor() {
    let app = App::start();
    assert_eq!(app.receive(delivered(&sid(1))).code, 200);
    app.caught_up();
    let (listen, admin) = (app.callbacks().to_string(), app.admin().to_string());
    let doctor = app.json(&[
        "doctor",
        "--format",
        "json",
        "--public-url",
        "https://hooks.example.com",
        "--listen",
        &listen,
        "--admin-listen",
        &admin,
    ]);

    let checks = app.checks();

    // The server knows that its own listener answers.
    let by_doctor = outcomes(&doctor)
        .into_iter()
        .filter(|[name, area, _]| (name.as_str(), area.as_str()) != ("callbacks", "server"));
    assert_eq!(outcomes(&checks), by_doctor.collect::<Vec<_>>());
    assert_eq!(checks["failed"], 0);
    assert_eq!(check(&checks, "ready")["detail"], format!("answers on {admin}"));
    assert_eq!(check(&checks, "setting listen")["origin"], "--listen");
    assert_eq!(checks["figures"]["accepted"], 1);
    assert_eq!(checks["figures"]["rejected"], 0);
    assert!(checks["figures"]["last_accepted_at"].is_string(), "{checks:#}");
}

#[test]
fn callbacks_that_are_rejected_now_are_a_failed_check() {
    let app = App::start();
    for number in 0..5 {
        let body = sent(&sid(number)).bytes();
        // Signed for the host that Twilio calls, which differs from the configured one.
        let theirs = signature(TOKEN, "https://other.example.com/message-status", &body);
        let request = app.form("/message-status").header("Host", "other.example.com");
        let request = request.header("X-Twilio-Signature", &theirs).body(body);
        assert_eq!(request.send(app.callbacks()).code, 403);
    }

    let checks = app.checks_with("refusals", "fail");

    assert_eq!(
        check(&checks, "refusals")["detail"].as_str().unwrap().split(" (since ").next().unwrap(),
        "5 of 5 callbacks since the server started, 5 of them signature_wrong"
    );
    assert_eq!(checks["figures"]["rejected"], 5);
    assert!(checks["figures"]["rejected_since"].is_string(), "{checks:#}");
    assert_eq!(check(&checks, "refusals")["area"], "callbacks");
}

#[test]
fn a_setting_that_was_changed_in_the_file_needs_a_restart() {
    let mut app = App::not_started(&[]);
    app.configure_first("time_zone = \"Europe/Berlin\"\n");
    app.restart();
    assert_eq!(check(&app.checks(), "setting time_zone")["outcome"], "ok");
    let path = app.folder().join("delivery-ledger.toml");
    let changed = fs::read_to_string(&path).unwrap().replace("Europe/Berlin", "Europe/Madrid");
    fs::write(&path, changed).unwrap();

    let checks = app.checks_with("setting time_zone", "warn");

    assert_eq!(
        check(&checks, "setting time_zone")["detail"],
        "Europe/Berlin; by now it would be Europe/Madrid (delivery-ledger.toml, line 1)"
    );
    fs::write(&path, "time_zone = 1\n").unwrap();
    let checks = app.checks_with("file", "fail");
    assert!(check(&checks, "file")["detail"].as_str().unwrap().contains("line 1"), "{checks:#}");
    assert_eq!(
        check(&checks, "setting time_zone")["detail"],
        "Europe/Berlin (delivery-ledger.toml, line 1)"
    );
}

#[test]
fn checks_need_a_token_that_reads_and_show_no_secret() {
    let mut app = App::not_started(&[]);
    app.use_token_with_scope("read:masked");
    app.restart();
    let body = app.get("/v1/checks").body;
    let text = String::from_utf8(body).unwrap();
    assert!(text.contains("asking (read:masked) set"), "{text}");
    for secret in [OTHER_TOKEN, "0123456789abcdef-asking"] {
        assert!(!text.contains(secret), "{secret} is in {text}");
    }
    assert_eq!(Request::new("GET", "/v1/checks").send(app.admin()).code, 401);

    let mut app = App::not_started(&[]);
    app.use_token_with_scope("send");
    app.restart();
    assert_problem(
        &app.get("/v1/checks"),
        403,
        "this token may not read: its scope has neither read nor read:masked",
    );
}

#[test]
fn checks_change_no_event_and_no_view() {
    let app = App::start();
    assert_eq!(app.receive(delivered(&sid(1))).code, 200);
    app.caught_up();
    let before = app.get("/readyz").json();

    for _ in 0..3 {
        app.checks();
    }

    assert_eq!(app.get("/readyz").json(), before);
    assert_eq!(app.json(&["verify", "--format", "json"])["findings"], json!([]));
}

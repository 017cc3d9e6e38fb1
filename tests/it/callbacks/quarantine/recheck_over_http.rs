//! `POST /v1/quarantine/recheck`: the recheck by a running server.

use serde_json::json;

use super::WRONG_URL;
use crate::support::{App, Request, Response, assert_problem, sent, sid};

/// A server with a wrong public URL that has rejected three callbacks, and a token with this scope.
fn with_rejected(scope: &str) -> App {
    let mut app = App::start_with(&["--public-url", WRONG_URL]);
    app.stop();
    app.use_token_with_scope(scope);
    app.restart();
    (0..3).for_each(|number| assert_eq!(app.callback(sent(&sid(number)).bytes()).code, 403));
    app.eventually("they are kept", || app.list().len() == 3);
    app
}

impl App {
    fn recheck(&self, body: serde_json::Value) -> Response {
        let request = Request::new("POST", "/v1/quarantine/recheck");
        self.ask(request.header("Content-Type", "application/json").body(body.to_string()))
    }
}

#[test]
fn a_dry_run_counts_and_a_recheck_appends() {
    let app = with_rejected("read operate");
    let right = json!(["https://hooks.example.com"]);

    let counted = |dry_run: bool, appended: u64, refused: u64| {
        json!({
            "rechecked": appended + refused,
            "appended": appended,
            "already_there": 0,
            "refused": refused,
            "dry_run": dry_run,
        })
    };
    assert_eq!(app.recheck(json!({ "dry_run": true })).json(), counted(true, 0, 3));
    let dry_run = app.recheck(json!({ "dry_run": true, "public_urls": right }));
    assert_eq!((dry_run.code, dry_run.json()), (200, counted(true, 3, 0)));
    assert_eq!(app.get("/readyz").json()["head"], 0, "nothing was appended");

    assert_eq!(app.recheck(json!({ "public_urls": right })).json(), counted(false, 3, 0));
    app.caught_up_to(3);
    assert_eq!(app.message(&sid(2))["status"], "sent");
    assert_eq!(app.events()[0]["notes"]["quarantine"], "signature_wrong");
    assert_eq!(app.recheck(json!({ "public_urls": right })).json(), counted(false, 0, 0));
    assert_eq!(app.events().len(), 3, "each is appended once");
}

#[test]
fn a_recheck_for_real_needs_the_scope_operate() {
    let app = with_rejected("read:masked");
    assert_eq!(app.recheck(json!({ "dry_run": true })).code, 200);
    assert_problem(
        &app.recheck(json!({})),
        403,
        "this appends or changes something, which takes an API token that has `operate` in its scope",
    );
    assert_eq!(app.get("/readyz").json()["head"], 0);

    let app = App::start();
    assert_eq!(app.recheck(json!({})).code, 403, "without a token, too");
    assert_eq!(app.recheck(json!({ "dry_run": true })).json()["rechecked"], 0);
}

#[test]
fn a_recheck_that_makes_no_sense_is_rejected_with_the_value() {
    let app = App::start();
    for (body, code, detail) in [
        (
            json!({ "dry_run": true, "public_urls": ["hooks.example.com"] }),
            409,
            "public URL `hooks.example.com` is not of the form https://hooks.example.com",
        ),
        (
            json!({ "dry_run": true, "callback_paths": ["sms"] }),
            409,
            "callback path `sms` is not a path such as /message-status or /v1/sms/*: it begins with / and \
             has no query, fragment, braces or spaces",
        ),
        (
            json!({ "dry_run": true, "public_urls": vec!["https://a.example"; 17] }),
            400,
            "there are at most 16 public_urls and 16 callback_paths",
        ),
    ] {
        assert_problem(&app.recheck(body), code, detail);
    }
    let unknown = app.recheck(json!({ "dry": true }));
    assert_eq!(unknown.code, 400);
    assert!(unknown.json()["detail"].as_str().unwrap().contains("unknown field `dry`"));
    let form = Request::new("POST", "/v1/quarantine/recheck").body("dry_run=true");
    assert_problem(&app.ask(form), 415, "the Content-Type has to be application/json");
    let foreign = Request::new("POST", "/v1/quarantine/recheck").body("{}");
    let foreign = foreign.header("Content-Type", "application/json");
    assert_eq!(app.ask(foreign.header("Origin", "https://evil.example")).code, 403);
}

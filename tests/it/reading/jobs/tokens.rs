//! Which API token may start, see and remove a job, and what it sees of one.

use serde_json::{Value, json};

use super::{export, path, post, receive_all};
use crate::support::{App, Request, Response, assert_problem};

const AUDIT: &str = "0123456789abcdef-audit";
const SUPPORT: &str = "0123456789abcdef-support";
const OPERATOR: &str = "0123456789abcdef-operator";
const SENDER: &str = "0123456789abcdef-sender";

fn with_tokens() -> App {
    let mut app = App::not_started(&[]);
    for (name, token, scope) in [
        ("audit", AUDIT, "read"),
        ("support", SUPPORT, "read:masked"),
        ("sender", SENDER, "send"),
        ("operator", OPERATOR, "read operate"),
    ] {
        app.configure(&format!(
            "[api_tokens.{name}]\ntoken_file = \"{name}\"\nscope = \"{scope}\"\n"
        ));
        std::fs::write(app.folder().join(name), token).unwrap();
    }
    app.restart();
    receive_all(&app);
    app
}

fn with(token: &str, app: &App, request: Request) -> Response {
    request.header("Authorization", &format!("Bearer {token}")).send(app.admin())
}

fn get(token: &str, app: &App, path: &str) -> Response {
    with(token, app, Request::new("GET", path))
}

fn done_with(token: &str, app: &App, body: &Value) -> Value {
    let started = with(token, app, post(body));
    assert_eq!(started.code, 202, "{}", String::from_utf8_lossy(&started.body));
    let path = path(&started.json(), "");
    app.eventually("the job is done", || get(token, app, &path).json()["state"] == "done");
    get(token, app, &path).json()
}

#[test]
fn a_masked_token_exports_masked_and_sees_no_other_export() {
    let app = with_tokens();
    let whole = done_with(AUDIT, &app, &export("ndjson"));
    let masked = done_with(SUPPORT, &app, &export("ndjson"));
    assert_eq!((&whole["masked"], &masked["masked"]), (&json!(false), &json!(true)));

    let text = String::from_utf8(get(SUPPORT, &app, &path(&masked, "/file")).body).unwrap();
    assert!(text.contains("5310") && !text.contains("5558675310"), "{text}");
    let manifest = get(SUPPORT, &app, &path(&masked, "/manifest")).json();
    assert_eq!((&manifest["root"], &manifest["masked"]), (&Value::Null, &json!(true)));
    for rest in ["", "/file", "/manifest"] {
        assert_eq!(get(SUPPORT, &app, &path(&whole, rest)).code, 403);
        assert_eq!(get(AUDIT, &app, &path(&masked, rest)).code, 200);
    }
    let seen = get(SUPPORT, &app, "/v1/jobs").json();
    assert_eq!(seen, json!({ "data": [masked] }));

    let mut unmasked = export("ndjson");
    unmasked["mask"] = json!(false);
    assert_eq!(with(SUPPORT, &app, post(&unmasked)).code, 403);
    let mut by_number = export("ndjson");
    by_number["filters"] = json!({ "to": "+15558675310" });
    assert_eq!(with(SUPPORT, &app, post(&by_number)).code, 403);
    // Masked for somebody else: the filters are masked too.
    by_number["mask"] = json!(true);
    let job = done_with(AUDIT, &app, &by_number);
    assert_eq!(job["filters"], json!({ "to": "+*******5310" }));
    assert_eq!(get(SUPPORT, &app, &path(&job, "/file")).code, 200);
}

#[test]
fn a_masked_token_sees_no_hash_of_a_verification() {
    let app = with_tokens();
    let job = done_with(SUPPORT, &app, &json!({ "kind": "verify" }));
    assert_eq!((&job["result"]["hash"], &job["result"]["digest"]), (&Value::Null, &Value::Null));
    assert_eq!(job["result"]["events"], 4);
    let job = get(AUDIT, &app, &path(&job, "")).json();
    assert_eq!(job["result"]["hash"].as_str().unwrap().len(), 64);
}

#[test]
fn a_job_is_removed_by_the_token_that_started_it_or_an_operator() {
    let app = with_tokens();
    let job = done_with(AUDIT, &app, &json!({ "kind": "verify" }));
    let remove = || Request::new("DELETE", &path(&job, ""));
    assert_problem(
        &with(SUPPORT, &app, remove()),
        403,
        "this job was started with the token `audit`; only that token, or one that has `operate` in its \
         scope, may stop or remove it",
    );
    assert_eq!(with(SENDER, &app, remove()).code, 403);
    assert_eq!(with(AUDIT, &app, remove()).code, 204);
    let job = done_with(AUDIT, &app, &json!({ "kind": "verify" }));
    assert_eq!(with(OPERATOR, &app, Request::new("DELETE", &path(&job, ""))).code, 204);
}

#[test]
fn a_token_that_may_not_read_starts_no_job() {
    let app = with_tokens();
    assert_eq!(with(SENDER, &app, post(&json!({ "kind": "verify" }))).code, 403);
    assert_eq!(get(SENDER, &app, "/v1/jobs").code, 403);
    assert_eq!(app.ask(post(&json!({ "kind": "verify" }))).code, 401);
}

#[test]
fn access_records_say_who_made_an_export_and_who_has_its_file() {
    let app = with_tokens();
    let mut body = export("csv");
    body["filters"] = json!({ "to": "+15558675310" });
    let job = done_with(AUDIT, &app, &body);
    get(AUDIT, &app, &path(&job, "/file"));
    let records = app.folder().join("ledger.access.jsonl");
    app.eventually("the records are written", || {
        std::fs::read_to_string(&records).unwrap().contains("/file\"")
    });
    let text = std::fs::read_to_string(&records).unwrap();
    assert!(!text.contains("5558675310"), "{text}");
    let records: Vec<Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |route: &str| records.iter().find(|record| record["route"] == route).unwrap();
    assert_eq!(of("/v1/jobs")["filters"], json!(["to"]));
    let file = of("/v1/jobs/{job}/file");
    assert_eq!((&file["job"], &file["rows"]), (&job["id"], &json!(2)));
}

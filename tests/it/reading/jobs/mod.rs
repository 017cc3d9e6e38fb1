//! Jobs: exports that are made and kept, verifications and dry runs, from the request to the expiry.

mod tokens;

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use delivery_ledger::store::{self, Access, Database};
use serde_json::{Value, json};
use sha2::Digest;

use crate::support::events::event;
use crate::support::ledger::damage;
use crate::support::{App, Request, assert_problem, delivered, failed, sent, sid};

fn post(body: &Value) -> Request {
    let request = Request::new("POST", "/v1/jobs").header("Content-Type", "application/json");
    request.body(body.to_string())
}

/// Starts a job that must be possible, and returns its id.
fn start(app: &App, body: &Value) -> String {
    let answer = app.ask(post(body));
    assert_eq!(answer.code, 202, "{}", String::from_utf8_lossy(&answer.body));
    let job = answer.json();
    let id = job["id"].as_str().unwrap().to_owned();
    assert_eq!(answer.header("location"), Some(&*format!("/v1/jobs/{id}")));
    assert_eq!((&job["state"], &job["kind"]), (&json!("waiting"), &body["kind"]));
    id
}

/// Waits until a job has ended, and returns it.
fn ended(app: &App, id: &str) -> Value {
    let job = || app.get(&format!("/v1/jobs/{id}")).json();
    app.eventually("the job has ended", || !job()["ended_at"].is_null());
    job()
}

/// Does a job, which must succeed.
fn done(app: &App, body: &Value) -> Value {
    let job = ended(app, &start(app, body));
    assert_eq!((&job["state"], &job["error"]), (&json!("done"), &Value::Null), "{job:#}");
    job
}

fn export(format: &str) -> Value {
    json!({ "kind": "export", "content": "messages", "format": format })
}

fn path(job: &Value, rest: &str) -> String {
    format!("/v1/jobs/{}{rest}", job["id"].as_str().unwrap())
}

fn folder(app: &App) -> PathBuf {
    app.folder().join("ledger.jobs")
}

fn files(app: &App) -> Vec<String> {
    let found = std::fs::read_dir(folder(app)).unwrap();
    let mut names: Vec<_> =
        found.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// A server with four events: one message is delivered, and one has failed and is delivered too.
fn app() -> App {
    let app = App::start();
    receive_all(&app);
    app
}

fn receive_all(app: &App) {
    let bodies = [sent(&sid(1)), delivered(&sid(1)), delivered(&sid(2)), failed(&sid(2), "30003")];
    bodies.into_iter().for_each(|body| assert_eq!(app.receive(body).code, 200));
    let ready = || app.get("/readyz").json();
    app.eventually("the views have caught up", || ready()["checkpoint"] == ready()["head"]);
}

// Exports.

#[test]
fn a_kept_export_has_the_bytes_of_a_streamed_one() {
    let app = app();
    for content in ["messages", "events"] {
        for format in ["ndjson", "csv", "parquet", "xlsx"] {
            let body = json!({
                "kind": "export", "content": content, "format": format, "as_of_position": 3,
            });
            let job = done(&app, &body);
            let file = app.get(&path(&job, "/file"));
            let streamed = format!("/v1/exports/{content}?format={format}&as_of_position=3");
            assert!(file.body == app.get(&streamed).body, "{content} as {format}");
            let name = format!("attachment; filename=\"{content}-3.{format}\"");
            assert_eq!(file.header("content-disposition"), Some(&*name));
            assert_eq!(file.header("x-as-of-position"), Some("3"));
            assert_eq!(file.header("content-length"), Some(&*file.body.len().to_string()));
        }
    }
}

#[test]
fn a_finished_export_says_what_its_file_is() {
    let app = app();
    let mut body = export("csv");
    body["filters"] =
        json!({ "status": "failed", "error_code": 30003, "late": false, "until": "2099-01-01" });
    let job = done(&app, &body);
    let file = app.get(&path(&job, "/file")).body;
    let sha256: String =
        sha2::Sha256::digest(&file).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(job["rows"], 1);
    assert_eq!(job["bytes"], file.len());
    assert_eq!(job["sha256"], json!(sha256));
    assert_eq!(job["as_of_position"], 4);
    let filters = json!({
        "error_code": "30003", "late": "false", "status": "failed",
        "until": "2099-01-01T00:00:00.000000Z",
    });
    assert_eq!(job["filters"], filters);
    assert_eq!(job["started_by"], "anonymous");
    assert_eq!(job["progress"], Value::Null);

    let verified = app.json(&["verify", "--format", "json"]);
    assert_eq!(
        app.get(&path(&job, "/manifest")).json(),
        json!({
            "ledger_id": app.get(&path(&job, "/manifest")).json()["ledger_id"],
            "as_of_position": 4, "root": verified["hash"], "rule": "failure-terminal",
            "filters": filters, "masked": false,
            "files": [{ "name": "messages-4.csv", "rows": 1, "bytes": file.len(), "sha256": sha256 }],
        })
    );
}

#[test]
fn an_export_expires_after_seven_days() {
    let mut app = app();
    let job = done(&app, &export("csv"));
    let days = |text: &Value| text.as_str().unwrap()[..10].parse::<jiff::civil::Date>().unwrap();
    let kept = days(&job["ended_at"]).until(days(&job["expires_at"])).unwrap();
    assert_eq!(kept.get_days(), 7);
    app.stop();
    let record = folder(&app).join(format!("{}.json", job["id"].as_str().unwrap()));
    let written = std::fs::read_to_string(&record).unwrap();
    let expires_at = job["expires_at"].as_str().unwrap();
    std::fs::write(&record, written.replace(expires_at, "2026-01-01T00:00:00.000000Z")).unwrap();

    app.restart();

    assert_eq!(app.get(&path(&job, "")).code, 404);
    assert_eq!(app.get("/v1/jobs").json(), json!({ "data": [] }));
    assert_eq!(files(&app), [""; 0]);
}

#[test]
fn finished_jobs_survive_a_kill_and_unfinished_files_do_not() {
    let mut app = app();
    let kept = done(&app, &export("csv"));
    let verified = done(&app, &json!({ "kind": "verify" }));
    let before = (app.get(&path(&kept, "/file")).body, files(&app));
    app.kill();
    // What a kill leaves: a temporary file, a file without a record, and a record without a file.
    let unfinished = "01a20000-0000-7000-8000-000000000001";
    std::fs::write(folder(&app).join(format!(".{unfinished}.csv.unfinished-x")), "a").unwrap();
    std::fs::write(folder(&app).join(format!("{unfinished}.csv")), "a").unwrap();
    let lost = done_in_another(&app, &kept);
    std::fs::write(folder(&app).join("notes.txt"), "ours").unwrap();

    app.restart();

    assert_eq!(app.get(&path(&kept, "/file")).body, before.0);
    assert_eq!(app.get(&path(&verified, "")).json(), verified);
    assert_eq!(app.get(&format!("/v1/jobs/{lost}")).code, 404);
    let mut expected = before.1;
    expected.push("notes.txt".to_owned());
    assert_eq!(files(&app), expected, "only what belongs to a finished job, or to somebody else");
}

/// The id of a copied record, whose file is missing.
fn done_in_another(app: &App, job: &Value) -> &'static str {
    let lost = "01a20000-0000-7000-8000-000000000002";
    let id = job["id"].as_str().unwrap();
    let record = std::fs::read_to_string(folder(app).join(format!("{id}.json"))).unwrap();
    std::fs::write(folder(app).join(format!("{lost}.json")), record.replace(id, lost)).unwrap();
    lost
}

#[test]
fn only_the_owner_can_read_the_files() {
    let app = app();
    done(&app, &export("ndjson"));
    let mode = |path: PathBuf| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(folder(&app)), 0o700);
    assert_eq!(files(&app).len(), 2);
    for name in files(&app) {
        assert_eq!(mode(folder(&app).join(name)), 0o600);
    }
}

#[test]
fn a_removed_job_is_gone_with_its_file() {
    let app = app();
    let job = done(&app, &export("csv"));
    let removed = app.ask(Request::new("DELETE", &path(&job, "")));
    assert_eq!((removed.code, removed.body.len()), (204, 0));
    assert_eq!(files(&app), [""; 0]);
    let id = job["id"].as_str().unwrap();
    let gone = format!(
        "there is no job `{id}`: it was removed, has expired, or was interrupted by a restart"
    );
    for path in [path(&job, ""), path(&job, "/file"), path(&job, "/manifest")] {
        assert_problem(&app.get(&path), 404, &gone);
    }
    assert_eq!(app.ask(Request::new("DELETE", &path(&job, ""))).code, 404);
}

// Verifications and dry runs.

#[test]
fn a_verification_has_the_result_of_the_command() {
    let app = app();
    let job = done(&app, &json!({ "kind": "verify" }));
    assert_eq!(job["result"], app.json(&["verify", "--format", "json"]));
    assert_eq!(job["result"]["findings"], json!([]));

    let hash = "0".repeat(64);
    let job = done(&app, &json!({ "kind": "verify", "expect": format!("4:{hash}") }));
    assert_eq!(job["result"]["findings"][0]["finding"], "unexpected-hash");
    assert_eq!(job["expect"], format!("4:{hash}"));
}

#[test]
fn a_verification_reports_a_changed_event() {
    let mut app = app();
    app.stop();
    damage(&app.log_file(), |log| {
        log.execute("UPDATE events SET received_at = received_at + 1 WHERE position = 2", [])
            .unwrap();
    });
    app.restart();
    let job = done(&app, &json!({ "kind": "verify" }));
    let findings = job["result"]["findings"].as_array().unwrap();
    assert!(findings.iter().any(|found| found["finding"] == "changed-events"), "{job:#}");
}

#[test]
fn a_dry_run_lists_the_messages_that_another_rule_changes() {
    let app = app();
    let job = done(&app, &json!({ "kind": "dry-run", "rule": "delivery-wins" }));
    let result = &job["result"];
    assert_eq!((&result["checkpoint"], &result["changed"]), (&json!(4), &json!(1)));
    let by_status = json!([{ "from": "failed", "to": "delivered", "messages": 1 }]);
    assert_eq!(result["by_status"], by_status);
    assert_eq!(result["changes"][0]["message_sid"], json!(sid(2)));
    assert_eq!(app.message(&sid(2))["status"], "failed", "nothing was changed");
    let same = done(&app, &json!({ "kind": "dry-run", "rule": "failure-terminal" }));
    assert_eq!((&same["result"]["changed"], &same["result"]["by_status"]), (&json!(0), &json!([])));
}

#[test]
fn jobs_are_listed_newest_first_and_by_kind() {
    let app = app();
    let first = done(&app, &export("csv"));
    let second = done(&app, &json!({ "kind": "verify" }));
    assert_eq!(app.get("/v1/jobs").json(), json!({ "data": [second, first] }));
    assert_eq!(app.get("/v1/jobs?kind=export").json(), json!({ "data": [first] }));
    assert_eq!(app.get("/v1/jobs?kind=dry-run").json(), json!({ "data": [] }));
}

// Bad requests.

#[test]
fn an_impossible_job_is_rejected_with_what_would_be_right() {
    let app = app();
    for (body, code, expected) in [
        (
            json!({ "kind": "export", "content": "events", "as_of_position": 1.5 }),
            400,
            "`1.5` is not a whole number",
        ),
        (
            json!({ "kind": "export", "content": "events", "as_of_position": 99.0 }),
            409,
            "as_of_position `99` is beyond 4",
        ),
        (json!({ "kind": "replay" }), 400, "unknown variant `replay`, expected one of `export`"),
        (json!({ "kind": "export" }), 400, "missing field `content`"),
        (json!({ "kind": "verify", "excpect": "1" }), 400, "unknown field `excpect`"),
        (json!({ "kind": "verify", "expect": "4" }), 409, "expect `4` is not POSITION:HASH, a"),
        (
            json!({ "kind": "dry-run", "rule": "x" }),
            409,
            "rule `x` is not failure-terminal or delivery-wins",
        ),
        (
            json!({ "kind": "export", "content": "messages", "format": "pdf" }),
            400,
            "unknown variant `pdf`",
        ),
        (
            json!({ "kind": "export", "content": "messages", "filters": { "statsu": "sent" } }),
            409,
            "there is no parameter `statsu` here; there are status, error_code",
        ),
        (
            json!({ "kind": "export", "content": "events", "filters": { "since": "soon" } }),
            409,
            "since `soon` is not a time",
        ),
        (
            json!({ "kind": "export", "content": "events", "as_of_position": 99 }),
            409,
            "as_of_position `99` is beyond 4, the views' checkpoint",
        ),
        (
            json!({ "kind": "export", "content": "events", "tag_columns": ["order"] }),
            409,
            "tag_columns: ndjson has all tags in `tags`; leave it out",
        ),
    ] {
        let answer = app.ask(post(&body));
        let detail = answer.json()["detail"].as_str().unwrap().to_owned();
        assert_eq!(answer.code, code, "{body}: {detail}");
        assert!(detail.contains(expected), "{body}: {detail}");
    }
    // A page of another origin can send anything but JSON without being asked first.
    let form = Request::new("POST", "/v1/jobs").header("Content-Type", "text/plain");
    assert_eq!(app.ask(form.body(json!({ "kind": "verify" }).to_string())).code, 415);
    assert_eq!(app.get("/v1/jobs").json(), json!({ "data": [] }), "none was started");
    let verified = done(&app, &json!({ "kind": "verify" }));
    assert_problem(
        &app.get(&path(&verified, "/file")),
        409,
        "this job is no export, and has no file",
    );
}

#[test]
fn an_export_that_cannot_be_written_says_why() {
    let app = app();
    std::fs::write(folder(&app), "a file in its place").unwrap();
    let job = ended(&app, &start(&app, &export("csv")));
    assert_eq!(job["state"], "failed");
    let error = job["error"].as_str().unwrap();
    assert!(error.starts_with("cannot write the file of the export: "), "{error}");
    let file = app.get(&path(&job, "/file"));
    assert_problem(&file, 409, &format!("the export has failed: {error}"));
}

// What runs.

/// An export of some megabytes, so that it is usually running when it is removed.
#[test]
fn a_job_that_is_removed_while_it_runs_leaves_nothing() {
    const EVENTS: usize = 300;
    let mut app = App::not_started(&[]);
    let log = store::open(&Database::Sqlite(app.log_file()), Access::Create).unwrap();
    let long = "x".repeat(48_000);
    let events = (0..EVENTS).map(|n| event(sent(&sid(n as u32)).with("Body", &long)));
    log.append(&events.collect::<Vec<_>>()).unwrap();
    drop(log);
    app.restart();
    app.caught_up();
    let events = json!({ "kind": "export", "content": "events" });
    let ids: Vec<_> = (0..3).map(|_| start(&app, &events)).collect();

    for id in &ids {
        assert_eq!(app.ask(Request::new("DELETE", &format!("/v1/jobs/{id}"))).code, 204);
    }

    // A job of the same kind begins only once they have ended.
    let last = done(&app, &export("csv"));
    let id = last["id"].as_str().unwrap();
    assert_eq!(files(&app), [format!("{id}.csv"), format!("{id}.json")]);
    assert_eq!(app.get("/v1/jobs").json(), json!({ "data": [last] }));
}

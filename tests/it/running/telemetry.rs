//! Metrics, log lines on stderr, and the dashboard and alerts that use them.

use std::collections::BTreeSet;
use std::path::Path;

use delivery_ledger::domain::{NewEvent, Timestamp};
use delivery_ledger::store::forward::ReadTo;
use delivery_ledger::store::{self, Access, Database};
use delivery_ledger::version;
use serde_json::Value;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::support::events::event;
use crate::support::postgres::PostgresDatabase;
use crate::support::{ACCOUNT, App, Request, delivered, failed, sent, sid, status};

/// What is measured at this moment.
fn metrics(app: &App) -> String {
    let answer = app.get("/metrics");
    assert_eq!(answer.code, 200);
    assert_eq!(answer.header("content-type"), Some("text/plain; version=0.0.4"));
    String::from_utf8(answer.body).unwrap()
}

/// The value of one series, by its name and labels as they are written.
#[track_caller]
fn value(app: &App, series: &str) -> f64 {
    let text = metrics(app);
    let line = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no {series} in\n{text}")).parse().unwrap()
}

fn callbacks(app: &App, outcome: &str, status: &str) -> f64 {
    let labels = format!("{{outcome=\"{outcome}\",status=\"{status}\"}}");
    value(app, &format!("delivery_ledger_callbacks_total{labels}"))
}

fn refusals(app: &App, reason: &str) -> f64 {
    value(app, &format!("delivery_ledger_refusals_total{{reason=\"{reason}\"}}"))
}

#[test]
fn a_stored_callback_is_counted_by_its_status() {
    let app = App::start();
    for number in 0..3 {
        app.receive(sent(&sid(number)));
    }
    app.receive(delivered(&sid(0)));
    app.receive(sent(&sid(1)).with("EventType", "READ"));
    app.receive(status(&sid(2), "teleported"));
    app.receive(format!("AccountSid={ACCOUNT}"));

    assert_eq!(callbacks(&app, "stored", "sent"), 3.0);
    assert_eq!(callbacks(&app, "stored", "delivered"), 1.0);
    assert_eq!(callbacks(&app, "stored", "read"), 1.0);
    assert_eq!(callbacks(&app, "stored", "unrecognised"), 1.0);
    assert_eq!(callbacks(&app, "stored", "none"), 1.0);
    assert_eq!(callbacks(&app, "stored", "failed"), 0.0, "it is there before the first failure is");
    assert_eq!(value(&app, "delivery_ledger_append_seconds_count"), 7.0);
}

#[test]
fn a_rejected_callback_is_counted_by_its_reason() {
    let app = App::start();
    let forged = |signature| {
        let body = delivered(&sid(1)).with("x", "y");
        app.form("/message-status").header("X-Twilio-Signature", signature).body(body)
    };
    assert_eq!(forged("").send(app.callbacks()).code, 403);
    assert_eq!(forged("AAAAAAAAAAAAAAAAAAAAAAAAAAA=").send(app.callbacks()).code, 403);
    let image = Request::new("POST", "/message-status").header("Content-Type", "image/png");
    assert_eq!(image.body("x").send(app.callbacks()).code, 415);

    assert_eq!(refusals(&app, "signature_missing"), 1.0);
    assert_eq!(refusals(&app, "signature_wrong"), 1.0);
    assert_eq!(refusals(&app, "media_type"), 1.0);
    assert_eq!(callbacks(&app, "refused", "unverified"), 3.0);
    assert_eq!(callbacks(&app, "stored", "delivered"), 0.0);
}

#[test]
fn a_callback_that_could_not_be_stored_is_counted_separately() {
    let app = App::start();
    app.receive(sent(&sid(1)));
    let aside = app.folder().join("aside.db");
    std::fs::rename(app.log_file(), &aside).unwrap();

    assert_eq!(app.receive(delivered(&sid(1))).code, 503);

    assert_eq!(callbacks(&app, "not_stored", "delivered"), 1.0);
    assert_eq!(refusals(&app, "log_closed"), 1.0);
    assert_eq!(value(&app, "delivery_ledger_ready"), 0.0);
    assert_eq!(value(&app, "delivery_ledger_queue_events"), 0.0);
    std::fs::rename(aside, app.log_file()).unwrap();
}

#[test]
fn late_duplicate_and_unknown_events_are_counted() {
    let app = App::start();
    let (late, twice, both) = (sid(1), sid(2), sid(3));
    for body in [delivered(&late), sent(&late), sent(&twice), sent(&twice)] {
        app.receive(body);
    }
    app.caught_up();
    for body in [delivered(&both), failed(&both, "30003"), status(&twice, "teleported")] {
        app.receive(body);
    }
    app.caught_up();

    // The counters follow the commit that makes the checkpoint visible.
    for name in ["late_events", "duplicate_events", "conflicting_messages", "unrecognised_events"] {
        let name = format!("delivery_ledger_{name}_total");
        app.eventually(&name, || value(&app, &name) == 1.0);
    }
}

#[test]
fn a_failed_message_is_counted_once_by_its_error_code() {
    let app = App::start();
    for body in [sent(&sid(1)), failed(&sid(1), "30007"), failed(&sid(1), "30007")] {
        app.receive(body);
    }
    app.receive(failed(&sid(2), "30007"));
    app.receive(status(&sid(3), "undelivered"));
    app.receive(delivered(&sid(4)));
    app.caught_up();

    let count = |code: &str| {
        value(&app, &format!("delivery_ledger_failed_messages_total{{error_code=\"{code}\"}}"))
    };
    app.eventually("both are counted", || count("30007") == 2.0);
    assert_eq!(count("none"), 1.0);
}

#[test]
fn more_than_a_hundred_error_codes_are_counted_together() {
    let app = App::start();
    for number in 0..105 {
        app.receive(failed(&sid(number), &(50_000 + number).to_string()));
    }
    app.caught_up();
    let name = "delivery_ledger_failed_messages_total{error_code=\"other\"}";
    app.eventually("five are left over", || value(&app, name) == 5.0);
}

#[test]
fn the_time_of_the_last_backup_is_a_metric() {
    let app = App::start();
    app.receive(sent(&sid(1)));
    let name = "delivery_ledger_backup_timestamp_seconds";
    assert_eq!(value(&app, name), 0.0);
    assert!(app.run(&["backup", "copy.db"]).status.success());
    let now = time::OffsetDateTime::now_utc().unix_timestamp() as f64;
    assert!((now - value(&app, name)).abs() < 60.0);
}

#[test]
fn metrics_report_positions_and_file_sizes() {
    let app = App::start_with(&["--verify-every", "1s"]);
    (0..40).for_each(|number| assert_eq!(app.receive(sent(&sid(number))).code, 200));
    app.caught_up();

    assert_eq!(value(&app, "delivery_ledger_head_position"), 40.0);
    assert_eq!(value(&app, "delivery_ledger_checkpoint_position"), 40.0);
    assert_eq!(value(&app, "delivery_ledger_projection_lag_events"), 0.0);
    assert_eq!(value(&app, "delivery_ledger_projection_lag_seconds"), 0.0);
    assert_eq!(value(&app, "delivery_ledger_ready"), 1.0);
    assert_eq!(value(&app, "delivery_ledger_commit_events_sum"), 40.0);
    let log = app.log_file().metadata().unwrap().len() as f64;
    assert_eq!(value(&app, "delivery_ledger_file_bytes{file=\"log\"}"), log);
    assert!(value(&app, "delivery_ledger_disk_free_bytes") > 0.0);
    let [version, commit, sqlite] =
        version::labels().map(|(name, value)| format!("{name}=\"{value}\""));
    let labels = format!("{{{commit},{sqlite},{version}}}");
    assert!(version.contains(env!("CARGO_PKG_VERSION")) && sqlite.contains("\"3."), "{labels}");
    assert_eq!(value(&app, &format!("delivery_ledger_build_info{labels}")), 1.0);

    app.eventually("the log is verified", || {
        value(&app, "delivery_ledger_verified_position") == 40.0
    });
    assert_eq!(value(&app, "delivery_ledger_verify_findings"), 0.0);
    assert_eq!(value(&app, "delivery_ledger_verify_failed"), 0.0);
}

#[test]
fn a_message_open_for_half_a_day_is_stuck() {
    let mut app = App::not_started(&[]);
    let hours_ago = |hours: i64, body: &str| NewEvent {
        received_at: Timestamp::from(OffsetDateTime::now_utc() - time::Duration::hours(hours)),
        ..event(body)
    };
    let log = store::open(&Database::Sqlite(app.log_file()), Access::Create).unwrap();
    log.append(&[
        hours_ago(40, "MessageSid=SM1&MessageStatus=sent"),
        hours_ago(39, "MessageSid=SM2&MessageStatus=queued"),
        hours_ago(38, "MessageSid=SM3&MessageStatus=sent"),
        hours_ago(38, "MessageSid=SM3&MessageStatus=delivered"),
        hours_ago(11, "MessageSid=SM4&MessageStatus=sent"),
    ])
    .unwrap();
    drop(log);

    app.restart();
    app.caught_up();

    assert_eq!(value(&app, "delivery_ledger_stuck_messages"), 2.0);
}

#[test]
fn a_target_whose_forwarding_has_stopped_is_a_failing_one() {
    let mut app = with_a_target();
    let failing = "delivery_ledger_forward_failing{target=\"orders\"}";
    assert_eq!(value(&app, failing), 0.0);
    app.stop();

    let mut state = store::create_forward_store(&Database::Sqlite(app.log_file())).unwrap();
    state.remove("orders").unwrap();
    let another_log = Uuid::from_u128(1);
    let read_to = ReadTo { position: 7, event_id: Some(another_log) };
    state.create("orders", another_log, read_to).unwrap();
    app.restart();

    let failing_now = || metrics(&app).contains(&format!("{failing} 1"));
    app.eventually("it has stopped", failing_now);
    assert!(app.stderr().contains("is of another log"), "{}", app.stderr());
    assert!(app.run(&["forward", "skip", "orders", "--to", "head"]).status.success());
    app.eventually("it has begun again", || value(&app, failing) == 0.0);
}

#[test]
fn metrics_contain_no_personal_data() {
    let app = App::start();
    let message = sid(0xabc);
    app.receive(sent(&message).with("ErrorCode", "31337"));
    app.receive(status(&message, "A-word-of-theirs"));
    app.form("/message-status").body(sent(&message)).send(app.callbacks());
    app.caught_up();

    let text = metrics(&app);
    for secret in [message.as_str(), "AC0", "+1", "31337", "theirs"] {
        assert!(!text.contains(secret), "{secret}");
    }
}

#[test]
fn metrics_require_a_token() {
    let app =
        App::start_with_env(&[("DELIVERY_LEDGER_API_TOKEN", "a-token-of-24-characters")], &[]);
    let ask = |request: Request| request.send(app.admin()).code;
    assert_eq!(ask(Request::new("GET", "/metrics")), 401);
    let known = Request::new("GET", "/metrics");
    assert_eq!(ask(known.header("Authorization", "Bearer a-token-of-24-characters")), 200);
    assert_eq!(Request::new("GET", "/metrics").send(app.callbacks()).code, 404);
}

// Lines on stderr.

#[test]
fn log_lines_are_json_unless_stderr_is_a_terminal() {
    let app = App::start();
    app.form("/message-status").body(sent(&sid(1))).send(app.callbacks());
    app.eventually("it is logged", || app.stderr().contains("callback refused"));

    let lines: Vec<Value> = app
        .stderr()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}")))
        .collect();

    let refused = lines.iter().find(|line| line["level"] == "WARN").unwrap();
    assert_eq!(refused["message"], "callback refused: no X-Twilio-Signature");
    assert_eq!(refused["status_code"], 403);
    assert!(refused["timestamp"].as_str().unwrap().ends_with('Z'));
}

// What docs/deploy makes of it.

fn deploy_file(file: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/deploy").join(file);
    std::fs::read_to_string(path).unwrap()
}

/// The metrics that a text names.
fn named_in(text: &str) -> BTreeSet<&str> {
    let words = text.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
    words.filter(|word| word.starts_with("delivery_ledger_")).collect()
}

/// The metrics that there are, by the names of their series.
fn exported(text: &str) -> BTreeSet<&str> {
    let series = text.lines().filter(|line| !line.starts_with('#'));
    series.filter_map(|line| line.split(['{', ' ']).next()).collect()
}

/// A server with a target, without which there are no metrics of forwarding.
fn with_a_target() -> App {
    let mut app = App::not_started(&[]);
    // Port 9 is for discarding; no test listens there.
    app.configure("\n[forward.orders]\nurl = \"http://127.0.0.1:9/\"\n");
    app.restart();
    app.eventually("the target has begun", || {
        metrics(&app).contains("delivery_ledger_forward_lag")
    });
    app
}

#[test]
fn every_metric_of_the_dashboard_and_alerts_exists() {
    let app = with_a_target();
    // An error code has a series once a message has failed with it.
    app.receive(failed(&sid(1), "30007"));
    app.caught_up();
    app.eventually("it is counted", || metrics(&app).contains("{error_code=\"30007\"} 1"));
    // Those of nodes exist on PostgreSQL only.
    let database = PostgresDatabase::fresh();
    let node = App::start_with_env(&[("DELIVERY_LEDGER_DATABASE", database.url())], &[]);
    node.eventually("it has looked", || metrics(&node).contains("delivery_ledger_nodes 1"));
    let text = metrics(&app) + &metrics(&node);
    for file in ["grafana-dashboard.json", "alerts.yml"] {
        let of_file = deploy_file(file);
        let named = named_in(&of_file);
        assert!(named.len() > 5, "{file} names {named:?}");
        let there = exported(&text);
        let missing: Vec<_> = named.difference(&there).collect();
        assert!(missing.is_empty(), "{file} names {missing:?}");
    }
    assert!(!exported(&text).contains("delivery_ledger_no_such_metric"));
}

#[test]
fn every_metric_is_documented() {
    let app = with_a_target();
    let text = metrics(&app);
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/operations/monitoring.md");
    let docs = std::fs::read_to_string(docs).unwrap();
    let families = text.lines().filter_map(|line| line.strip_prefix("# HELP ")?.split(' ').next());
    for family in families {
        assert!(
            docs.contains(&format!("`{family}")),
            "docs/operations/monitoring.md has no {family}"
        );
    }
}

#[test]
fn the_dashboard_is_json_with_one_data_source() {
    let dashboard: Value = serde_json::from_str(&deploy_file("grafana-dashboard.json")).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    assert!(panels.len() >= 8);
    for panel in panels {
        assert_eq!(panel["datasource"]["uid"], "${source}", "{}", panel["title"]);
        assert!(!panel["targets"].as_array().unwrap().is_empty(), "{}", panel["title"]);
    }
}

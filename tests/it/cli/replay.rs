//! The `replay` and `verify` commands.

use serde_json::{Value, json};

use super::{eventful, json_of, run, stdout};
use crate::support::{ACCOUNT, App, delivered, sid};

#[test]
fn replay_reports_the_same_as_text_and_as_json() {
    let ledger = eventful();
    let digest = ledger.verify(&[]).1["digest"].as_str().unwrap().to_owned();

    let replayed = json_of(&ledger, &["replay", "--format", "json"]);
    let keys: Vec<_> = replayed.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(keys, ["head", "checkpoint", "events", "events_per_second", "rule", "digest"]);
    assert_eq!(replayed["head"], 6);
    assert_eq!(replayed["checkpoint"], 6);
    assert_eq!(replayed["events"], 6);
    assert!(replayed["events_per_second"].as_f64().unwrap() > 0.0);
    assert_eq!(replayed["rule"], "failure-terminal");
    assert_eq!(replayed["digest"], digest);

    let text = run(&ledger, &["replay"]);
    assert!(text.starts_with("events     6 replayed, "), "{text}");
    let rest = format!(
        "per second\ncheckpoint 6 of 6\nrule       failure-terminal\ndigest     {digest}\n"
    );
    assert!(text.ends_with(&rest), "{text}");
}

#[test]
fn replay_repairs_views_that_differ_from_their_log() {
    let ledger = eventful();
    ledger.views_sql("UPDATE messages SET status = 'read'; DROP INDEX messages_by_sid");
    assert_eq!(ledger.verify(&[]).0, Some(3));

    run(&ledger, &["replay"]);

    assert_eq!(ledger.verify(&[]).0, Some(0));
}

#[test]
fn replay_applies_the_configured_rule() {
    let ledger = eventful();
    let replay = ledger.command(&["replay", "--format", "json"]);
    let output = replay.env("DELIVERY_LEDGER_RULE", "delivery-wins").output();
    let replayed: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(replayed["rule"], "delivery-wins");
    let (code, verified) = ledger.verify(&[]);
    assert_eq!((code, &verified["digest"]), (Some(0), &replayed["digest"]));
    assert_eq!(verified["rule"], "delivery-wins");
}

#[test]
fn a_dry_run_lists_messages_whose_status_would_change_and_changes_nothing() {
    let ledger = eventful();
    let before = ledger.verify(&[]).1;

    let tried = ["replay", "--dry-run", "--rule", "delivery-wins"];
    let text = run(&ledger, &tried);
    let expected = "
message                             status  new status
SM00000000000000000000000000000001  failed  delivered

Messages whose status would change: 1. Nothing was changed.
";
    assert!(text.ends_with(expected), "{text}");

    let json = json_of(&ledger, &[&tried[..], &["--format", "json"]].concat());
    assert_eq!(json["rule"], "delivery-wins");
    assert_eq!(
        json["changes"],
        json!([{ "message_sid": sid(1), "account_sid": ACCOUNT, "from": "failed", "to": "delivered" }])
    );

    let same = json_of(&ledger, &["replay", "--dry-run", "--format", "json"]);
    assert_eq!((&same["changed"], &same["changes"]), (&json!(0), &json!([])));
    assert_eq!(same["digest"], before["digest"]);
    assert_eq!(ledger.verify(&[]).1, before);
}

#[test]
fn a_dry_run_works_next_to_a_server() {
    let app = App::start();
    app.receive(delivered(&sid(1)));
    app.caught_up();

    let tried = app.json(&["replay", "--dry-run", "--format", "json"]);
    assert_eq!(tried["changes"], json!([]));
    assert_eq!(app.message(&sid(1))["status"], "delivered");
}

#[test]
fn verify_prints_the_hash_to_note_elsewhere() {
    let ledger = eventful();
    let verified = ledger.verify(&[]).1;
    let (hash, digest) = (verified["hash"].as_str().unwrap(), verified["digest"].as_str().unwrap());
    assert_eq!(
        run(&ledger, &["verify"]),
        format!(
            "\
events     6, head 6
hash       {hash}
checkpoint 6
rule       failure-terminal
digest     {digest}

Nothing is wrong. Keep this elsewhere to prove it later:
  verify --expect 6:{hash}
"
        )
    );
}

#[test]
fn verify_prints_its_findings() {
    let ledger = eventful();
    ledger.log_sql("DROP TRIGGER events_never_change").unwrap();
    ledger.views_sql("UPDATE messages SET status = 'scheduled' WHERE id = 2");
    let output = ledger.run(&["verify"]);
    assert_eq!(output.status.code(), Some(3));
    let text = stdout(&output);
    let expected = "
guard-missing: trigger events_never_change is missing from the log, or is not what it was made as
projection-differs: message SM00000000000000000000000000000002 is not what the log says of it

2 findings.
";
    assert!(text.ends_with(expected), "{text}");
}

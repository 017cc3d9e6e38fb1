//! Every command on PostgreSQL. What it prints about a copied ledger is what it prints on SQLite.

use std::process::Output;

use delivery_ledger::backup::copy::copy;
use delivery_ledger::store::Database;
use serde_json::Value;

use crate::support::events::{event, one_a_second, simulated, with_query};
use crate::support::ledger::Ledger;
use crate::support::postgres::PostgresDatabase;
use crate::support::twilio::{TEXT, Twilio};
use crate::support::whole_story::whole_story;
use crate::support::{ACCOUNT, App, Command, delivered, failed, sent, sid, status};

/// A ledger with whatever commands treat in a way of their own.
fn of_every_kind() -> Ledger {
    let ledger = Ledger::with_events(&whole_story());
    let with_odd_bytes = [&delivered(&sid(3)).bytes()[..], b"&Odd=\0\xff%00"].concat();
    ledger.append(&one_a_second([
        event(delivered(&sid(3))),
        event(sent(&sid(3))),
        event(delivered(&sid(3))),
        event(with_odd_bytes),
        event(failed(&sid(4), "30003")),
        event(status(&sid(4), "tunnelled")),
        event(status(&sid(5), "received")),
        with_query(event(sent(&sid(6))), "order=17&campaign=spring"),
        simulated(event(sent(&sid(7)))),
        event("not=a&callback"),
    ]));
    ledger.project();
    ledger
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn commands_that_read_print_the_same_on_both_engines() {
    let (ledger, database) = (of_every_kind(), PostgresDatabase::fresh());
    let there = Database::parse(database.url()).unwrap();
    copy(&ledger.database(), &there, &mut |_| std::ops::ControlFlow::Continue(())).unwrap();
    let on_postgres = |arguments: &[&str]| {
        let command = Command::new(&ledger.file(""), arguments);
        command.env("DELIVERY_LEDGER_DATABASE", database.url()).output()
    };
    assert!(on_postgres(&["replay"]).status.success());

    for arguments in [
        &["audit", &sid(1), "--format", "json"][..],
        &["audit", &sid(3)],
        &["audit", &sid(9)],
        &["audit", "order=17"],
        &["audit", "+15558675310"],
        &["messages", "--format", "json"],
        &["messages", "--status", "delivered"],
        &["messages", "--to", "*5310", "--simulated=false", "--format", "json"],
        &["events", "--format", "json"],
        &["events", "--message-sid", &sid(3)],
        &["tail", "--no-follow", "--after", "0", "--format", "json"],
        &["export", "messages"],
        &["export", "messages", "--format", "csv", "--tag-columns", "order,campaign"],
        &["export", "messages", "--as-of-position", "12"],
        &["export", "messages", "--mask"],
        &["export", "events"],
        &["export", "events", "--format", "csv"],
        &["report", "--by", "hour", "--format", "json"],
        &["report", "--by", "status,channel", "--clock", "twilio", "--format", "json"],
        &["report", "--by", "carrier"],
        &["verify"],
        &["verify", "--format", "json"],
        &["verify", "--expect", "5:00"],
        &["quarantine", "list", "--format", "json"],
        &["forward", "list", "--format", "json"],
        &["streams", "check"],
        &["check-signature"],
        &["config", "show", "--format", "csv"],
    ] {
        let (here, there) = (ledger.run(arguments), on_postgres(arguments));
        assert_eq!(there.status.code(), here.status.code(), "{arguments:?}: {}", stderr(&there));
        let text = |output: &Output| String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(text(&there), text(&here), "{arguments:?}");
    }
}

#[test]
fn commands_that_write_do_so_beside_a_server_on_postgresql() {
    let (twilio, database) = (Twilio::start(), PostgresDatabase::fresh());
    let (api, url) = twilio.variable();
    let environment = [
        (api, &*url),
        ("DELIVERY_LEDGER_DATABASE", database.url()),
        ("DELIVERY_LEDGER_PUBLIC_URL", "https://hooks.example.com"),
        ("TWILIO_API_TIMEOUT", "2s"),
    ];
    let app = App::start_with_env(&environment, &[]);
    let succeeds = |arguments: &[&str]| {
        let output = app.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", stderr(&output));
        String::from_utf8(output.stdout).unwrap()
    };
    assert_eq!(app.receive(sent(&sid(1)).bytes()).code, 200);
    // Bytes that no text column can hold.
    let odd = [&delivered(&sid(1)).bytes()[..], b"&Odd=\0\xff%00"].concat();
    assert_eq!(app.receive(&odd[..]).code, 200);
    assert_eq!(app.get("/v1/events/2/body").body, odd);

    let message = ["--to", "+15558675310", "--from", "+15017250604", "--body", TEXT];
    succeeds(&[&["send"], &message[..]].concat());
    let sent_sid = twilio.sids().remove(0);
    twilio.has(&sid(1), "delivered");
    succeeds(&["feedback", &sid(1), "confirmed"]);
    let elsewhere = Ledger::with_events(&one_a_second([event(sent(&sid(20)))]));
    let exported = app.folder().join("exported.ndjson");
    elsewhere.run(&["export", "events", "--output", exported.to_str().unwrap()]);
    succeeds(&["import", exported.to_str().unwrap()]);
    twilio.has(&sid(20), "delivered");
    let reconcile = ["reconcile", "--format", "json", "--account-sid", ACCOUNT, "--since", "30d"];
    succeeds(&reconcile);
    succeeds(&["reconcile", "--dry-run", "--account-sid", ACCOUNT]);
    let forged = app.form("/message-status").header("X-Twilio-Signature", "AAAA");
    assert_eq!(forged.body(sent(&sid(2))).send(app.callbacks()).code, 403);
    app.kept(1);
    let id = app.list()[0]["id"].as_str().unwrap().to_owned();
    assert!(succeeds(&["quarantine", "show", &id]).contains("signature"));
    succeeds(&["quarantine", "recheck"]);
    succeeds(&["quarantine", "purge", "--before", "2100-01-01"]);
    assert_eq!(app.list(), Vec::<Value>::new());
    let to_simulate = format!("http://{}/message-status", app.callbacks());
    succeeds(&["simulate", "--target", &to_simulate, "--messages", "5", "--yes"]);
    succeeds(&["replay"]);
    succeeds(&["backup", "backup.db"]);
    let restored = PostgresDatabase::fresh();
    succeeds(&["restore", "backup.db", "--database", restored.url()]);
    succeeds(&["copy", "--from", database.url(), "--to", "sqlite:copied.db"]);
    app.caught_up();

    let exported = |from: &str| succeeds(&["export", "messages", "--database", from]);
    let copied = exported(database.url());
    assert!(copied.contains(&sent_sid) && copied.contains(&sid(20)), "{copied}");
    for other in [restored.url(), "sqlite:copied.db"] {
        succeeds(&["replay", "--database", other]);
        assert_eq!(exported(other), copied);
    }
    let examined = app.json(&["doctor", "--format", "json"]);
    assert_eq!(examined["failed"], 0, "{examined:#}");
    assert_eq!(app.json(&["verify", "--format", "json"])["findings"], serde_json::json!([]));
}

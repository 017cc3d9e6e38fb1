//! After an erasure no file of the ledger has the address.

use delivery_ledger::domain::digest::Digester;
use delivery_ledger::store::{Access, open};
use delivery_ledger::twilio::event_sids::EventSids;
use rusqlite::{Connection, params};
use serde_json::{Value, json};

use super::{ADDRESS, DIGITS, erase, erased, files_with, stderr, story, to_address};
use crate::support::App;
use crate::support::ledger::{Ledger, findings};
use crate::support::{ACCOUNT, OTHER_ACCOUNT, Request, delivered, sent, sid};

#[test]
fn no_file_contains_an_address_that_was_erased() {
    let ledger = Ledger::with_events(&story(200));
    let before = files_with(&ledger.file(""), DIGITS);
    assert!(before.contains(&"ledger.db".to_owned()), "{before:?}");
    assert!(before.iter().any(|name| name.starts_with("ledger.views.")), "{before:?}");

    let erased = erased(&ledger, &["--address", ADDRESS]);

    assert_eq!((&erased["messages"], &erased["events"]), (&json!(20), &json!(40)));
    assert_eq!(files_with(&ledger.file(""), DIGITS), [""; 0]);
    let (code, verified) = ledger.verify(&[]);
    assert_eq!((code, findings(&verified)), (Some(0), vec![]), "{verified}");
}

/// The search above finds the address if what is freed is not overwritten.
#[test]
fn without_secure_delete_the_address_stays_in_the_log() {
    let ledger = Ledger::with_events(&story(200));
    let store = open(&ledger.database(), Access::Write).unwrap();
    let events = store.read(0, 500).unwrap();
    let erasure = crate::support::events::event("{}");
    store
        .append(&[delivery_ledger::domain::NewEvent {
            source: delivery_ledger::domain::Source::Erasure,
            ..erasure
        }])
        .unwrap();
    drop(store);
    let log = Connection::open(ledger.log_file()).unwrap();
    log.pragma_update(None, "secure_delete", false).unwrap();
    let mut digester = Digester::default();
    for event in events.iter().filter(|event| event.url.contains(DIGITS)) {
        let sids = EventSids::parse(event);
        let (message, content) = (digester.message(sids.as_sids()), digester.content(event));
        log.execute(
            "INSERT INTO erased VALUES (?1, ?2, ?3, 401)",
            params![event.position, message, content],
        )
        .unwrap();
        log.execute(
            "UPDATE events SET salt = NULL, variables = x'', body = x'' WHERE position = ?1",
            [event.position],
        )
        .unwrap();
    }
    let busy: i64 = log.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0)).unwrap();
    assert_eq!(busy, 0);
    assert!(files_with(&ledger.file(""), DIGITS).contains(&"ledger.db".to_owned()));
}

#[test]
fn the_quarantine_and_the_files_of_jobs_do_not_contain_it_either() {
    let app = App::start();
    for number in 0..30 {
        app.receive(to_address(sent(&sid(number))));
        // Its signature does not fit.
        let request = app.form("/message-status").header("X-Twilio-Signature", "AAAA");
        let body = to_address(delivered(&sid(number)));
        assert_eq!(request.body(body).send(app.callbacks()).code, 403);
    }
    app.receive(sent(&sid(100)));
    app.caught_up();
    let export = app.ask(
        Request::new("POST", "/v1/jobs")
            .header("content-type", "application/json")
            .body(r#"{"kind":"export","content":"events","format":"ndjson"}"#),
    );
    assert_eq!(export.code, 202, "{}", String::from_utf8_lossy(&export.body));
    app.eventually("the export is done", || {
        files_with(app.folder(), DIGITS).iter().any(|name| name.ends_with(".ndjson"))
    });
    app.kept(30);

    let output = app.run(&[
        "erase",
        "--address",
        ADDRESS,
        "--request",
        "DSR-1",
        "--yes",
        "--open",
        "--format",
        "json",
    ]);

    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(files_with(app.folder(), DIGITS), [""; 0]);
    let erased: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(erased["requests"], 30);
}

/// A path of the callback URL can contain a name.
#[test]
fn an_envelope_that_no_event_uses_any_more_loses_its_url() {
    let at_path = |body: Vec<u8>, path: &str| delivery_ledger::domain::NewEvent {
        url: format!("https://hooks.example.com/status/{path}"),
        ..crate::support::events::event(body)
    };
    let ledger = Ledger::with_events(&crate::support::events::one_a_second([
        at_path(to_address(delivered(&sid(1))).bytes(), "jane-doe"),
        at_path(delivered(&sid(2)).bytes(), "shared"),
        at_path(to_address(delivered(&sid(3))).bytes(), "shared"),
    ]));
    assert_eq!(files_with(&ledger.file(""), "jane-doe"), ["ledger.db"]);

    erased(&ledger, &["--address", ADDRESS]);

    assert_eq!(files_with(&ledger.file(""), "jane-doe"), [""; 0]);
    assert_eq!(files_with(&ledger.file(""), "shared"), ["ledger.db"]);
    ledger.append(&[at_path(delivered(&sid(4)).bytes(), "jane-doe")]);
    assert_eq!(
        ledger.open_for_reading().read(4, 1).unwrap()[0].url,
        "https://hooks.example.com/status/jane-doe"
    );
    assert_eq!(ledger.verify(&[]).0, Some(0));
}

#[test]
fn an_erasure_waits_for_a_reader_of_the_log_and_then_asks_for_its_end() {
    let ledger = Ledger::with_events(&story(20));
    let reader = Connection::open(ledger.log_file()).unwrap();
    reader.execute_batch("BEGIN; SELECT count(*) FROM events").unwrap();

    let output = erase(&ledger, &["--address", ADDRESS]);

    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert!(stderr(&output).contains("run the command again"), "{}", stderr(&output));
    drop(reader);
    erased(&ledger, &["--address", ADDRESS]);
    assert_eq!(files_with(&ledger.file(""), DIGITS), [""; 0]);
}

#[test]
fn what_reconcile_keeps_does_not_contain_it_either() {
    let ledger = Ledger::with_events(&story(20));
    let kept = json!({
        "ledger_id": ledger.open_for_reading().ledger_id().to_string(),
        "runs": 7,
        "sends": { "read_to": 40, "open": [
            { "send_id": "s-1", "at": 0, "to": ADDRESS, "from": null, "messaging_service_sid": null },
        ] },
    });
    std::fs::write(ledger.file("ledger.reconcile.json"), kept.to_string()).unwrap();
    erased(&ledger, &["--address", ADDRESS]);
    assert_eq!(files_with(&ledger.file(""), DIGITS), [""; 0]);
    let kept = std::fs::read_to_string(ledger.file("ledger.reconcile.json")).unwrap();
    assert!(kept.contains("\"runs\": 7"), "{kept}");
}

/// Runs `erase` next to a server, which has to succeed, and returns its JSON.
fn erased_of_app(app: &App, arguments: &[&str]) -> Value {
    let always = ["erase", "--request", "DSR-1", "--yes", "--format", "json"];
    let output = app.run(&[&always, arguments].concat());
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// An address is a filter of an export, in the job's record.
#[test]
fn the_records_of_jobs_do_not_contain_it_even_if_no_message_has_it() {
    let app = App::start();
    app.receive(sent(&sid(1)));
    app.caught_up();
    let export = json!({
        "kind": "export", "content": "messages", "format": "csv", "filters": { "to": ADDRESS },
    });
    let request = Request::new("POST", "/v1/jobs").header("content-type", "application/json");
    assert_eq!(app.ask(request.body(export.to_string())).code, 202);
    app.eventually("its record is written", || {
        files_with(app.folder(), DIGITS).iter().any(|name| name.ends_with(".json"))
    });

    let erased = erased_of_app(&app, &["--address", ADDRESS]);

    assert_eq!(erased["events"], 0);
    assert_eq!(files_with(app.folder(), DIGITS), [""; 0]);
}

/// Sends forged callbacks of a message, of one account each.
fn forge(app: &App, message_sid: &str, accounts: &[&str]) {
    for account in accounts {
        let request = app.form("/message-status").header("X-Twilio-Signature", "AAAA");
        let body = delivered(message_sid).with("AccountSid", account);
        assert_eq!(request.body(body).send(app.callbacks()).code, 403);
    }
}

#[test]
fn again_removes_rejected_requests_of_messages_that_were_erased() {
    let app = App::start();
    app.receive(delivered(&sid(1)));
    app.caught_up();
    erased_of_app(&app, &["--message", &sid(1)]);
    forge(&app, &sid(1), &[ACCOUNT]);
    forge(&app, &sid(2), &[ACCOUNT]);
    app.kept(2);
    assert_eq!(erased_of_app(&app, &["--again"])["requests"], 1);
    assert_eq!(erased_of_app(&app, &["--again"])["requests"], 0);
}

#[test]
fn rejected_requests_of_another_account_stay() {
    let app = App::start();
    app.receive(delivered(&sid(1)));
    app.caught_up();
    forge(&app, &sid(1), &[ACCOUNT, OTHER_ACCOUNT]);
    app.kept(2);
    let erased = erased_of_app(&app, &["--message", &sid(1), "--account-sid", ACCOUNT]);
    assert_eq!(erased["requests"], 1);
}

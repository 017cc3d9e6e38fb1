//! `quarantine recheck`: requests that are valid after the configuration was corrected.

use std::time::Duration;

use delivery_ledger::domain::AccountSid;
use delivery_ledger::quarantine::ListenerSettings;
use delivery_ledger::quarantine::recheck::{Rechecked, recheck};
use delivery_ledger::store::quarantine::{Quarantine, QuarantinedRequest};
use delivery_ledger::store::{self, Access, Database, Task};
use delivery_ledger::twilio::accounts::{AccountKeys, Accounts, Token};
use delivery_ledger::twilio::callback_path::CallbackPath;
use delivery_ledger::twilio::signature::BaseUrl;
use serde_json::json;
use tempfile::TempDir;

use super::{LIMITS, SIGNED_URL, WRONG_URL, a_folder, signed};
use crate::support::ledger::findings;
use crate::support::{ACCOUNT, App, SECONDARY_TOKEN, TOKEN, delivered, sent, sid, signature};

// Recheck.

#[test]
fn callbacks_rejected_for_a_wrong_public_url_are_appended_by_a_recheck() {
    let mut app = App::start_with(&["--public-url", WRONG_URL]);
    let bodies: Vec<_> = (0..40)
        .flat_map(|number| [sent(&sid(number)), delivered(&sid(number))])
        .map(|body| body.bytes())
        .collect();
    for body in &bodies {
        assert_eq!(app.callback(body.clone()).code, 403);
    }
    app.kept(80);
    app.forged(3);
    app.kept(83);
    app.stop();
    let before: Vec<_> = app.list().iter().rev().map(|one| one["received_at"].clone()).collect();
    let recheck = |app: &App| {
        let url = ["--public-url", "https://hooks.example.com"];
        app.run_as_text(&[&["quarantine", "recheck"][..], &url].concat())
    };
    let still_wrong = ["quarantine", "recheck", "--public-url", WRONG_URL];
    assert_eq!(app.run_as_text(&still_wrong).1, "83 rechecked: 0 appended, 83 still refused\n");

    let (code, stdout, stderr) = recheck(&app);

    assert_eq!((code, &*stdout), (0, "83 rechecked: 80 appended, 3 still refused\n"), "{stderr}");
    let events = app.events();
    assert_eq!(events.len(), 80);
    for ((event, body), received_at) in events.iter().zip(&bodies).zip(&before) {
        assert_eq!(event["body"].as_str().unwrap().as_bytes(), body);
        assert_eq!(event["received_at"], *received_at, "its first time of arrival");
        assert_eq!(event["url"], SIGNED_URL);
        assert_eq!(event["source"], "callback");
        assert_eq!(event["verified_by"], "primary");
        assert_eq!(event["notes"]["quarantine"], "signature_wrong");
        assert!(event["notes"]["rechecked_at"].as_str().unwrap() > received_at.as_str().unwrap());
        let headers = event["headers"].to_string();
        assert!(!headers.contains("host"), "{headers}");
    }
    assert!(app.messages().iter().all(|message| message["status"] == "delivered"));
    assert_eq!(recheck(&app).1, "3 rechecked: 0 appended, 3 still refused\n");
    assert_eq!(app.events().len(), 80);
    assert_eq!(findings(&app.json(&["verify", "--format", "json"])), [""; 0]);
}

/// An account that is not configured.
const NEW_ACCOUNT: &str = "AC00000000000000000000000000000003";

#[test]
fn a_callback_is_appended_once_its_accounts_token_is_configured() {
    let mut app = App::start();
    let body = delivered(&sid(1)).with("AccountSid", NEW_ACCOUNT).bytes();
    let signature = signature(SECONDARY_TOKEN, SIGNED_URL, &body);
    let request = app.form("/message-status").header("X-Twilio-Signature", &signature);
    assert_eq!(request.body(body).send(app.callbacks()).code, 403);
    app.stop();
    let recheck = ["quarantine", "recheck", "--public-url", "https://hooks.example.com"];
    assert_eq!(app.run_as_text(&recheck).1, "1 rechecked: 0 appended, 1 still refused\n");

    app.configure(&format!("[accounts.{NEW_ACCOUNT}]\nauth_token = \"{SECONDARY_TOKEN}\"\n"));

    assert_eq!(app.run_as_text(&recheck).1, "1 rechecked: 1 appended, 0 still refused\n");
    let event = &app.events()[0];
    assert_eq!(event["account_sid"], NEW_ACCOUNT);
    assert_eq!(event["notes"]["quarantine"], "account_unknown");
}

#[test]
fn a_recheck_next_to_a_server_appends_between_its_callbacks() {
    let app = App::start_with(&["--public-url", WRONG_URL]);
    (0..20).for_each(|number| assert_eq!(app.callback(sent(&sid(number)).bytes()).code, 403));
    app.kept(20);
    let right = ["--public-url", "https://hooks.example.com"];

    let rehearsed =
        [&["quarantine", "recheck", "--dry-run", "--format", "json"][..], &right].concat();
    assert_eq!(
        app.json(&rehearsed),
        json!({ "rechecked": 20, "appended": 20, "already_there": 0, "refused": 0, "dry_run": true })
    );
    assert_eq!(app.get("/readyz").json()["head"], 0, "nothing was appended");

    let rechecked = [&["quarantine", "recheck"][..], &right].concat();
    assert_eq!(app.run_as_text(&rechecked).1, "20 rechecked: 20 appended, 0 still refused\n");
    app.caught_up_to(20);
    assert_eq!(app.message(&sid(7))["status"], "sent");
    app.eventually("the server sees that they are gone", || {
        app.value("quarantine_requests") == 0.0
    });
    assert_eq!(app.run_as_text(&rechecked).1, "0 rechecked: 0 appended, 0 still refused\n");
}

/// Killed at any point between the mark and the removal, and begun again, each is appended once.
#[test]
fn an_interrupted_recheck_appends_nothing_twice() {
    for interrupted_after in [Interrupted::Mark, Interrupted::Append, Interrupted::Never] {
        let (_folder, database) = a_folder();
        let mut quarantine = store::create_quarantine(&database).unwrap();
        let requests: Vec<_> = (0..7).map(|number| signed(&sid(number))).collect();
        quarantine.keep(&requests, &LIMITS).unwrap();
        let store = store::open(&database, Access::Create).unwrap();
        store.append(&[crate::support::events::event("n=1")]).unwrap();
        let ids: Vec<_> = requests.iter().map(|request| request.id).collect();
        if interrupted_after != Interrupted::Never {
            quarantine.mark(&ids[..5], store.head().unwrap()).unwrap();
        }
        if interrupted_after == Interrupted::Append {
            // What the killed one had appended, and what came after it.
            let events = requests[..5].iter().map(verified);
            store.append(&events.collect::<Vec<_>>()).unwrap();
            store.append(&[crate::support::events::event("n=2")]).unwrap();
        }
        drop(quarantine);

        let mut quarantine = store::open_quarantine(&database).unwrap().unwrap();
        let rechecked = rechecked(&mut *quarantine, &*store);

        let there = if interrupted_after == Interrupted::Append { 5 } else { 0 };
        let expected =
            Rechecked { requests: 7, appended: 7 - there, already_there: there, refused: 0 };
        assert_eq!(rechecked, expected);
        let log = store.read(0, 100).unwrap();
        for id in &ids {
            let times = log.iter().filter(|event| event.event_id == *id).count();
            assert_eq!(times, 1, "{interrupted_after:?}");
        }
        assert_eq!(quarantine.size().unwrap().requests, 0);
    }
}

/// The negative control of the test above: without the mark it would be appended twice.
#[test]
fn without_the_mark_a_request_would_be_appended_twice() {
    let (_folder, database) = a_folder();
    let mut quarantine = store::create_quarantine(&database).unwrap();
    quarantine.keep(&[signed(&sid(1))], &LIMITS).unwrap();
    let store = store::open(&database, Access::Create).unwrap();
    store.append(&[verified(&quarantine.oldest(0, 1).unwrap()[0].1)]).unwrap();

    rechecked(&mut *quarantine, &*store);

    assert_eq!(store.head().unwrap(), 2);
}

/// Killed again and again while it works, the recheck ends with every callback in the log once.
#[test]
fn a_killed_recheck_appends_every_request_exactly_once() {
    let app = App::not_started(&[("DELIVERY_LEDGER_PUBLIC_URL", "https://hooks.example.com")]);
    let database = Database::Sqlite(app.log_file());
    drop(store::open(&database, Access::Create).unwrap());
    let mut quarantine = store::create_quarantine(&database).unwrap();
    let requests: Vec<_> = (0..4000).map(|number| signed(&sid(number))).collect();
    for chunk in requests.chunks(500) {
        quarantine.keep(chunk, &LIMITS).unwrap();
    }
    let mut kills = 0;
    for wait_ms in (5..).step_by(6) {
        let mut child = app.command(&["quarantine", "recheck"]).spawn();
        std::thread::sleep(Duration::from_millis(wait_ms));
        if child.try_wait().unwrap().is_some() {
            break;
        }
        child.kill().unwrap();
        child.wait().unwrap();
        kills += 1;
        assert!(kills < 200, "it never ends");
    }
    let (code, _, stderr) = app.run_as_text(&["quarantine", "recheck"]);
    assert_eq!(code, 0, "{stderr}");

    assert!(kills > 0);
    assert_eq!(quarantine.size().unwrap().requests, 0);
    let mut ids: Vec<_> =
        app.events().iter().map(|event| event["event_id"].as_str().unwrap().to_owned()).collect();
    assert_eq!(ids.len(), 4000);
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 4000);
}

#[test]
fn only_one_recheck_can_run_at_a_time() {
    let app = App::not_started(&[("DELIVERY_LEDGER_PUBLIC_URL", "https://hooks.example.com")]);
    let database = Database::Sqlite(app.log_file());
    drop(store::open(&database, Access::Create).unwrap());
    store::create_quarantine(&database).unwrap();
    let store = store::open(&database, Access::Read).unwrap();
    let held = store.begin(Task::Recheck).unwrap().unwrap();
    let (code, _, stderr) = app.run_as_text(&["quarantine", "recheck"]);
    assert_eq!(code, 1);
    assert!(stderr.contains("another recheck of sqlite:"), "{stderr}");
    drop(held);
    assert_eq!(app.run_as_text(&["quarantine", "recheck"]).0, 0);
}

#[test]
fn a_recheck_needs_an_account_and_a_ledger() {
    let folder = TempDir::new().unwrap();
    let run = |arguments: &[&str]| crate::support::Command::new(folder.path(), arguments);
    let output = run(&["quarantine", "recheck"]).output();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("no Twilio account is configured"));
    let output = run(&["quarantine", "list"]).output();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "The quarantine is empty.\n");
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Interrupted {
    Never,
    Mark,
    Append,
}

fn verified(request: &QuarantinedRequest) -> delivery_ledger::domain::NewEvent {
    accepting(|accepts| delivery_ledger::quarantine::verified(request, accepts)).unwrap().remove(0)
}

fn rechecked(quarantine: &mut dyn Quarantine, store: &dyn store::Store) -> Rechecked {
    accepting(|accepts| recheck(quarantine, store, accepts, &mut |_| ())).unwrap()
}

/// What a server with the usual settings takes.
fn accepting<T>(act: impl FnOnce(&ListenerSettings<'_>) -> T) -> T {
    let (accounts, public_urls) = (accounts(), public_urls());
    let callback_paths = [CallbackPath::parse("/message-status").unwrap()];
    act(&ListenerSettings {
        accounts: &accounts,
        public_urls: &public_urls,
        callback_paths: &callback_paths,
    })
}

fn accounts() -> Accounts {
    let keys = AccountKeys {
        primary: Token::new(TOKEN),
        secondary: None,
        further: Default::default(),
        shared: Default::default(),
    };
    Accounts::new([(AccountSid::parse(ACCOUNT).unwrap(), keys)])
}

fn public_urls() -> Vec<BaseUrl> {
    BaseUrl::parse("https://hooks.example.com").into_iter().collect()
}

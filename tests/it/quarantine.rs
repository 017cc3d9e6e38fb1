//! What was refused for its signature: kept apart and bounded, looked at, appended once it verifies,
//! and removed.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use delivery_ledger::domain::event::Headers;
use delivery_ledger::domain::{AccountSid, Timestamp};
use delivery_ledger::quarantine::recheck::{Rechecked, recheck};
use delivery_ledger::store::quarantine::{self, Limits, Quarantine, RefusedRequest};
use delivery_ledger::store::{self, Access, Database};
use delivery_ledger::twilio::accounts::{Accounts, Keys, Token};
use delivery_ledger::twilio::signature::BaseUrl;
use proptest::prelude::*;
use serde_json::{Value, json};
use tempfile::TempDir;
use uuid::Uuid;

use crate::support::ledger::findings;
use crate::support::{
    ACCOUNT, Answer, App, OTHER_ACCOUNT, SECONDARY_TOKEN, TOKEN, delivered, sent, sid, signature,
    status,
};

const SIGNED_URL: &str = "https://hooks.example.com/message-status";
const WRONG_URL: &str = "https://wrong.example.com";

// What is kept.

#[test]
fn a_refused_request_is_kept_byte_for_byte_and_for_us_alone() {
    let app = App::start();
    let body = b"AccountSid=AC1&x=%FF\xff+\0".to_vec();
    let request = app
        .form("/message-status?a=%2B1&b=c+d")
        .header("X-Twilio-Signature", "AAAA")
        .header("I-Twilio-Idempotency-Token", "a token")
        .header("Authorization", "Basic secret")
        .header("Cookie", "secret");
    assert_eq!(request.body(body.clone()).send(app.callbacks()).code, 403);
    app.kept(1);

    let id = app.only_id();
    let shown = app.json(&["quarantine", "show", &id, "--format", "json"]);
    assert_eq!(shown["target"], "/message-status?a=%2B1&b=c+d");
    assert_eq!(shown["method"], "POST");
    assert_eq!(shown["reason"], "account_unknown");
    assert_eq!(
        shown["cause"],
        "a forgery, or the token of the account that the body names is not configured"
    );
    let base64 = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, body);
    assert_eq!(shown["body_base64"], base64);
    assert_eq!(Uuid::parse_str(&id).unwrap().get_version_num(), 7);
    let names: Vec<_> =
        shown["headers"].as_array().unwrap().iter().map(|pair| pair[0].as_str().unwrap()).collect();
    assert_eq!(names, ["content-type", "host", "i-twilio-idempotency-token", "x-twilio-signature"]);
    let mode = quarantine_file(app.folder()).metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(app.events(), [Value::Null; 0], "nothing of it is in the log");
}

#[test]
fn every_refusal_of_a_signature_is_kept_with_its_reason_and_no_other_problem_is() {
    let app = App::start();
    let form = |signature: &str, body: &str| {
        let request = app.form("/message-status").header("X-Twilio-Signature", signature);
        assert_eq!(request.body(body).send(app.callbacks()).code, 403);
    };
    form("", "a=1");
    form("?", "a=1");
    form("AAAA", "a=1");
    form("AAAA", "AccountSid=nobody");
    form("AAAA", &format!("AccountSid={ACCOUNT}&AccountSid={OTHER_ACCOUNT}"));
    let image = app.form("/message-status").header("X-Twilio-Signature", "AAAA");
    assert_eq!(image.body(vec![b'a'; 65 * 1024]).send(app.callbacks()).code, 413);
    assert_eq!(app.form("/elsewhere").body("a=1").send(app.callbacks()).code, 404);
    app.kept(5);

    let list = app.json(&["quarantine", "list", "--format", "json"]);

    let reasons: Vec<_> =
        list["data"].as_array().unwrap().iter().map(|one| &one["reason"]).collect();
    assert_eq!(
        reasons,
        [
            "accounts_contradict",
            "account_unknown",
            "signature_wrong",
            "signature_not_base64",
            "signature_missing"
        ],
        "the newest first"
    );
    assert_eq!(list["requests"], 5);
}

#[test]
fn a_body_of_64_kib_is_kept() {
    let app = App::start();
    let body = vec![b'a'; 64 * 1024];
    assert_eq!(app.form("/message-status").body(body).send(app.callbacks()).code, 403);
    app.kept(1);
    let list = app.json(&["quarantine", "list", "--format", "json"]);
    assert_eq!(list["data"][0]["body_bytes"], 65_536);
}

#[test]
fn nothing_is_kept_where_it_is_switched_off() {
    let app = App::start_in(&[("DELIVERY_LEDGER_QUARANTINE", "off")], &[]);
    app.forged(1);
    assert!(!app.metrics().contains("delivery_ledger_quarantine"));
    assert!(!quarantine_file(app.folder()).exists());
    let (code, stdout, _) = app.told(&["quarantine", "list"]);
    assert_eq!((code, &*stdout), (0, "Nothing is kept.\n"));
}

#[test]
fn a_list_shows_neither_bodies_nor_addresses_and_a_terminal_obeys_nothing_in_it() {
    let app = App::start();
    let body = sent(&sid(1)).with("x", "\u{1b}[31mred");
    let request = app.form("/message-status?secret=1").header("X-Twilio-Signature", "\u{9b}31m");
    assert_eq!(request.body(body).send(app.callbacks()).code, 403);
    app.kept(1);

    let (_, table, _) = app.told(&["quarantine", "list"]);
    let (_, json, _) = app.told(&["quarantine", "list", "--format", "json"]);
    let (_, shown, _) = app.told(&["quarantine", "show", &app.only_id()]);

    for hidden in ["5558675310", "secret", "red", ACCOUNT] {
        assert!(!table.contains(hidden) && !json.contains(hidden), "{hidden}");
    }
    for text in [&table, &json, &shown] {
        assert!(!text.contains('\u{1b}') && !text.contains('\u{9b}'), "{text}");
    }
    assert!(shown.contains("x=%1B%5B31mred"), "{shown}");
}

#[test]
fn what_waits_when_the_server_ends_is_kept() {
    let mut app = App::start();
    app.forged(50);
    app.stop();
    assert_eq!(app.list().len(), 50);
}

#[test]
fn the_file_may_be_removed_under_a_running_server() {
    let app = App::start();
    app.forged(1);
    app.kept(1);
    std::fs::remove_file(quarantine_file(app.folder())).unwrap();
    app.forged(2);
    app.eventually("it is kept", || app.value("quarantine_kept_total") == 3.0);
    assert_eq!(app.json(&["quarantine", "list", "--format", "json"])["requests"], 2);
}

#[test]
fn a_file_that_is_no_quarantine_keeps_no_callback_away() {
    let mut app = App::not_started(&[]);
    std::fs::write(quarantine_file(app.folder()), "something else").unwrap();
    app.restart();
    app.forged(1);
    app.eventually("it is told", || app.stderr().contains("refused requests are not kept"));
    assert_eq!(app.receive(sent(&sid(1))).code, 200);
    assert_eq!(app.value("quarantine_dropped_total{reason=\"failed\"}"), 1.0);
    assert_eq!(app.told(&["quarantine", "list"]).0, 1);
}

// A flood.

#[test]
fn a_flood_of_forged_requests_takes_bounded_room_and_honest_ones_are_answered() {
    let mut app = App::not_started(&[("DELIVERY_LEDGER_QUARANTINE_MIB", "1")]);
    app.restart();
    let flood = 20_000;
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let to = app.callbacks();
            let request = app.form("/message-status").header("X-Twilio-Signature", "AAAA");
            let request = request.header("Connection", "keep-alive").body(vec![b'a'; 2000]);
            std::thread::spawn(move || send_all(&request.bytes(to), to, flood / 4))
        })
        .collect();
    let (mut honest, mut slowest, mut largest) = (0, Duration::ZERO, 0);
    while threads.iter().any(|thread| !thread.is_finished()) {
        let begun = Instant::now();
        assert_eq!(app.receive(sent(&sid(honest))).code, 200);
        slowest = slowest.max(begun.elapsed());
        largest = largest.max(bytes_on_disk(app.folder()));
        honest += 1;
    }
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    app.eventually("all are counted", || {
        let dropped =
            |reason| app.value(&format!("quarantine_dropped_total{{reason=\"{reason}\"}}"));
        let kept = app.value("quarantine_kept_total");
        assert!(kept + dropped("rate") + dropped("full") <= f64::from(flood));
        kept + dropped("rate") + dropped("full") == f64::from(flood)
    });

    assert!(honest > 5, "{honest} honest callbacks");
    assert!(slowest < Duration::from_secs(5), "one waited {slowest:?}");
    assert!(app.value("quarantine_bytes") <= f64::from(1 << 20));
    // The file has what is kept and one commit more, the WAL up to where it begins anew, and a commit.
    assert!(largest < (1 + 1 + 4 + 4) << 20, "{largest} bytes");
    assert_eq!(app.events().len() as u32, honest);
    app.caught_up();
    app.stop();
    assert_eq!(findings(&app.json(&["verify", "--format", "json"])), [""; 0]);
}

// Its store.

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..Default::default() })]

    /// Whatever is kept, it stays within its limits, and what is left are the newest.
    #[test]
    fn the_oldest_go_first_and_what_is_left_is_within_the_limits(
        batches in proptest::collection::vec(
            proptest::collection::vec(0..40_000_usize, 1..20), 1..12),
        requests in 1..60_u64,
        kib in 100..600_u64,
    ) {
        let limits = Limits { requests, bytes: kib * 1024 };
        let (_folder, database) = a_folder();
        let mut quarantine = quarantine::open_or_make(&database).unwrap();
        let mut all = Vec::new();
        for batch in batches {
            let batch: Vec<_> = batch.iter().map(|bytes| request(vec![b'x'; *bytes])).collect();
            let kept = quarantine.keep(&batch, &limits).unwrap();
            prop_assert!(kept.requests <= limits.requests, "{:?}", kept);
            prop_assert!(kept.bytes <= limits.bytes, "{:?}", kept);
            all.extend(batch);
        }
        let left = all_of(&*quarantine);
        prop_assert_eq!(quarantine.kept().unwrap().requests, left.len() as u64);
        prop_assert_eq!(&left[..], &all[all.len() - left.len()..]);
        prop_assert!(!left.is_empty());
    }
}

#[test]
fn what_was_kept_is_read_back_as_it_was_from_both_ends() {
    let (_folder, database) = a_folder();
    let mut quarantine = quarantine::open_or_make(&database).unwrap();
    let all: Vec<_> = (0..10).map(|number| request(vec![number; 10])).collect();
    quarantine.keep(&all, &LIMITS).unwrap();

    assert_eq!(all_of(&*quarantine), all);
    let newest = quarantine.newest(None, 3).unwrap();
    let bodies: Vec<_> = newest.iter().map(|(_, request)| request.body[0]).collect();
    assert_eq!(bodies, [9, 8, 7]);
    let before = quarantine.newest(Some(newest[2].0), 1).unwrap();
    assert_eq!(before[0].1.body[0], 6);
    assert_eq!(quarantine.find(all[4].id).unwrap().as_ref(), Some(&all[4]));
    assert_eq!(quarantine.find(Uuid::nil()).unwrap(), None);
}

#[test]
fn a_purge_removes_what_arrived_before_a_time_and_gives_its_room_back() {
    let (_folder, database) = a_folder();
    let mut quarantine = quarantine::open_or_make(&database).unwrap();
    let secret = b"a-word-to-be-forgotten".repeat(1000);
    let all: Vec<_> = (0..60)
        .map(|second| RefusedRequest {
            received_at: Timestamp::from_micros(second * 1_000_000),
            ..request(secret.clone())
        })
        .collect();
    quarantine.keep(&all, &LIMITS).unwrap();
    let file = quarantine_file(database.path().parent().unwrap());
    let before = bytes_on_disk(file.parent().unwrap());

    assert_eq!(quarantine.purge(Some(Timestamp::from_micros(20_000_000))).unwrap(), 20);
    assert_eq!(quarantine.kept().unwrap().requests, 40);
    assert_eq!(quarantine.oldest(0, 1).unwrap()[0].1.received_at.micros(), 20_000_000);

    assert!(contains(&file, b"a-word-to-be-forgotten"), "it is there before");
    assert_eq!(quarantine.purge(None).unwrap(), 40);
    assert_eq!(quarantine.purge(None).unwrap(), 0);
    assert!(!contains(&file, b"a-word-to-be-forgotten"));
    assert!(!contains(&with_suffix(&file, "-wal"), b"a-word-to-be-forgotten"));
    assert!(bytes_on_disk(file.parent().unwrap()) < before / 4);
}

// The commands.

#[test]
fn an_id_that_is_not_there_ends_with_4_and_one_that_is_none_with_2() {
    let app = App::start();
    let id = Uuid::now_v7().to_string();
    let (code, stdout, stderr) = app.told(&["quarantine", "show", &id]);
    assert_eq!((code, &*stdout), (4, ""));
    assert!(stderr.contains(&format!("the quarantine has no request {id}")), "{stderr}");
    app.forged(1);
    app.kept(1);
    assert_eq!(app.told(&["quarantine", "show", &id]).0, 4);
    assert_eq!(app.told(&["quarantine", "show", "nonsense"]).0, 2);
    assert_eq!(app.told(&["quarantine", "show"]).0, 2);
    assert_eq!(app.told(&["quarantine"]).0, 2);
    assert_eq!(app.told(&["quarantine", "list", "--limit", "0"]).0, 2);
    assert_eq!(app.told(&["quarantine", "purge", "--before", "yesterday"]).0, 2);
    assert_eq!(app.told(&["quarantine", "list", "--format", "xml"]).0, 2);
}

#[test]
fn settings_that_cannot_be_meant_are_refused_at_the_start() {
    for (name, value, told) in [
        ("DELIVERY_LEDGER_QUARANTINE", "maybe", "`maybe` is neither on nor off"),
        ("DELIVERY_LEDGER_QUARANTINE_REQUESTS", "0", "`0` is not a whole number from 1 on"),
        ("DELIVERY_LEDGER_QUARANTINE_MIB", "1.5", "`1.5` is not a whole number from 1 on"),
    ] {
        let app = App::not_started(&[(name, value)]);
        let (code, _, stderr) = app.told(&["serve"]);
        assert_eq!(code, 1);
        assert_eq!(stderr, format!("error: {name}: {told}\n"));
    }
    let app = App::not_started(&[]);
    let before = std::fs::read_to_string(app.folder().join("delivery-ledger.toml")).unwrap();
    let text = format!("quarantine = \"off\"\nquarantine_requests = 0\n{before}");
    std::fs::write(app.folder().join("delivery-ledger.toml"), text).unwrap();
    // What is switched off need not be right.
    assert_eq!(app.told(&["quarantine", "recheck"]).0, 0);
}

#[test]
fn a_request_is_shown_with_what_would_make_it_fit_now() {
    let app = App::start_with(&["--public-url", WRONG_URL]);
    app.callback(sent(&sid(1)).bytes());
    app.kept(1);
    let id = app.only_id();

    let (_, wrong, _) =
        app.told(&["quarantine", "show", &id, "--public-url", "http://hooks.example.com"]);
    assert!(wrong.contains("now          the signature fits none"), "{wrong}");
    assert!(wrong.contains(": matches if the public URL begins with https\n"), "{wrong}");

    let right = ["quarantine", "show", &id, "--public-url", "https://hooks.example.com"];
    let (_, right, _) = app.told(&right);
    assert!(
        right.contains(&format!("now          valid over {SIGNED_URL}; recheck would append it\n")),
        "{right}"
    );
}

#[test]
fn a_purge_says_how_many_there_were_beside_a_server_and_without_one() {
    let mut app = App::start();
    app.forged(3);
    app.kept(3);
    assert_eq!(app.told(&["quarantine", "purge", "--before", "2020-01-01"]).1, "0 removed\n");
    assert_eq!(app.told(&["quarantine", "purge"]).1, "3 removed\n");
    app.forged(1);
    app.eventually("it is kept", || app.value("quarantine_requests") == 1.0);
    app.stop();
    assert_eq!(app.json(&["quarantine", "purge", "--format", "json"]), json!({ "removed": 1 }));
    assert_eq!(app.told(&["quarantine", "list"]).1, "Nothing is kept.\n");
}

#[test]
fn backup_verify_and_restore_leave_the_quarantine_alone() {
    let mut app = App::start();
    assert_eq!(app.receive(sent(&sid(1))).code, 200);
    app.forged(2);
    app.kept(2);

    let (code, _, stderr) = app.told(&["backup", "copy.db"]);
    assert_eq!(code, 0, "{stderr}");
    app.stop();
    assert!(!contains(&app.folder().join("copy.db"), b"forged"));
    assert!(contains(&quarantine_file(app.folder()), b"forged"), "what is looked for is there");
    assert_eq!(findings(&app.json(&["verify", "--format", "json"])), [""; 0]);

    for file in ["ledger.db", "ledger.views.db"] {
        std::fs::remove_file(app.folder().join(file)).unwrap();
    }
    let (code, _, stderr) = app.told(&["restore", "copy.db"]);
    assert_eq!(code, 0, "{stderr}");
    assert_eq!(app.events().len(), 1);
    assert_eq!(app.list().len(), 2);
}

// Recheck.

#[test]
fn a_day_with_the_wrong_public_url_is_in_the_log_after_a_recheck() {
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
        app.told(&[&["quarantine", "recheck"][..], &url].concat())
    };
    let still_wrong = ["quarantine", "recheck", "--public-url", WRONG_URL];
    assert_eq!(app.told(&still_wrong).1, "83 rechecked: 0 appended, 83 still refused\n");

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
fn a_callback_of_an_account_whose_token_was_missing_is_appended_once_it_is_there() {
    let mut app = App::start();
    let body = delivered(&sid(1)).with("AccountSid", NEW_ACCOUNT).bytes();
    let signature = signature(SECONDARY_TOKEN, SIGNED_URL, &body);
    let request = app.form("/message-status").header("X-Twilio-Signature", &signature);
    assert_eq!(request.body(body).send(app.callbacks()).code, 403);
    app.stop();
    let recheck = ["quarantine", "recheck", "--public-url", "https://hooks.example.com"];
    assert_eq!(app.told(&recheck).1, "1 rechecked: 0 appended, 1 still refused\n");

    app.configure(&format!("[accounts.{NEW_ACCOUNT}]\nauth_token = \"{SECONDARY_TOKEN}\"\n"));

    assert_eq!(app.told(&recheck).1, "1 rechecked: 1 appended, 0 still refused\n");
    let event = &app.events()[0];
    assert_eq!(event["account_sid"], NEW_ACCOUNT);
    assert_eq!(event["notes"]["quarantine"], "account_unknown");
}

#[test]
fn a_recheck_beside_a_running_server_appends_between_its_callbacks() {
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
    assert_eq!(app.told(&rechecked).1, "20 rechecked: 20 appended, 0 still refused\n");
    app.caught_up_to(20);
    assert_eq!(app.message(&sid(7))["status"], "sent");
    app.eventually("the server sees that they are gone", || {
        app.value("quarantine_requests") == 0.0
    });
    assert_eq!(app.told(&rechecked).1, "0 rechecked: 0 appended, 0 still refused\n");
}

/// Killed at any point between the mark and the removal, and begun again, each is appended once.
#[test]
fn a_recheck_that_was_interrupted_appends_nothing_twice() {
    for interrupted_after in [Interrupted::Mark, Interrupted::Append, Interrupted::Never] {
        let (_folder, database) = a_folder();
        let mut quarantine = quarantine::open_or_make(&database).unwrap();
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

        let mut quarantine = quarantine::open(&database).unwrap().unwrap();
        let rechecked =
            recheck(&mut *quarantine, &*store, &accounts(), &public_urls(), &mut |_| ()).unwrap();

        let there = if interrupted_after == Interrupted::Append { 5 } else { 0 };
        let expected =
            Rechecked { requests: 7, appended: 7 - there, already_there: there, refused: 0 };
        assert_eq!(rechecked, expected);
        let log = store.read(0, 100).unwrap();
        for id in &ids {
            let times = log.iter().filter(|event| event.event_id == *id).count();
            assert_eq!(times, 1, "{interrupted_after:?}");
        }
        assert_eq!(quarantine.kept().unwrap().requests, 0);
    }
}

/// The negative control of the test above: without the mark it would be appended twice.
#[test]
fn a_request_that_was_appended_without_a_mark_is_appended_again() {
    let (_folder, database) = a_folder();
    let mut quarantine = quarantine::open_or_make(&database).unwrap();
    quarantine.keep(&[signed(&sid(1))], &LIMITS).unwrap();
    let store = store::open(&database, Access::Create).unwrap();
    store.append(&[verified(&quarantine.oldest(0, 1).unwrap()[0].1)]).unwrap();

    recheck(&mut *quarantine, &*store, &accounts(), &public_urls(), &mut |_| ()).unwrap();

    assert_eq!(store.head().unwrap(), 2);
}

/// Killed again and again while it works, the recheck ends with every callback in the log once.
#[test]
fn a_recheck_that_is_killed_loses_nothing_and_doubles_nothing() {
    let app = App::not_started(&[("DELIVERY_LEDGER_PUBLIC_URL", "https://hooks.example.com")]);
    let database = Database::Sqlite(app.log_file());
    drop(store::open(&database, Access::Create).unwrap());
    let mut quarantine = quarantine::open_or_make(&database).unwrap();
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
    let (code, _, stderr) = app.told(&["quarantine", "recheck"]);
    assert_eq!(code, 0, "{stderr}");

    assert!(kills > 0);
    assert_eq!(quarantine.kept().unwrap().requests, 0);
    let mut ids: Vec<_> =
        app.events().iter().map(|event| event["event_id"].as_str().unwrap().to_owned()).collect();
    assert_eq!(ids.len(), 4000);
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 4000);
}

#[test]
fn one_recheck_works_at_a_time() {
    let app = App::not_started(&[("DELIVERY_LEDGER_PUBLIC_URL", "https://hooks.example.com")]);
    let database = Database::Sqlite(app.log_file());
    drop(store::open(&database, Access::Create).unwrap());
    quarantine::open_or_make(&database).unwrap();
    let held = quarantine::lock_recheck(&database).unwrap().unwrap();
    let (code, _, stderr) = app.told(&["quarantine", "recheck"]);
    assert_eq!(code, 1);
    assert!(stderr.contains("another recheck of sqlite:"), "{stderr}");
    drop(held);
    assert_eq!(app.told(&["quarantine", "recheck"]).0, 0);
}

#[test]
fn a_recheck_needs_an_account_and_a_ledger() {
    let folder = TempDir::new().unwrap();
    let run = |arguments: &[&str]| crate::support::Command::new(folder.path(), arguments);
    let output = run(&["quarantine", "recheck"]).output();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("no Twilio account is configured"));
    let output = run(&["quarantine", "list"]).output();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "Nothing is kept.\n");
}

// The words that the tests above speak.

const LIMITS: Limits = Limits { requests: 100_000, bytes: 64 << 20 };

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Interrupted {
    Never,
    Mark,
    Append,
}

impl App {
    /// Sends a callback as Twilio signs it, whatever the server takes for its public URL.
    fn callback(&self, body: Vec<u8>) -> Answer {
        let signature = signature(TOKEN, SIGNED_URL, &body);
        let request = self.form("/message-status").header("X-Twilio-Signature", &signature);
        request.body(body).send(self.callbacks())
    }

    /// Sends forged ones.
    fn forged(&self, requests: u32) {
        for number in 0..requests {
            let request = self.form("/message-status").header("X-Twilio-Signature", "AAAA");
            let request = request.body(status(&sid(number), "forged"));
            assert_eq!(request.send(self.callbacks()).code, 403);
        }
    }

    /// Waits until so many are kept.
    fn kept(&self, requests: u32) {
        self.eventually("they are kept", || {
            self.value("quarantine_requests") == f64::from(requests)
        });
    }

    fn metrics(&self) -> String {
        String::from_utf8(self.get("/metrics").body).unwrap()
    }

    #[track_caller]
    fn value(&self, series: &str) -> f64 {
        let (text, series) = (self.metrics(), format!("delivery_ledger_{series} "));
        let line = text.lines().find_map(|line| line.strip_prefix(&series));
        line.unwrap_or_else(|| panic!("no {series} in\n{text}")).parse().unwrap()
    }

    fn list(&self) -> Vec<Value> {
        let list = ["quarantine", "list", "--limit", "1000", "--format", "json"];
        self.json(&list)["data"].as_array().unwrap().clone()
    }

    fn only_id(&self) -> String {
        let list = self.list();
        assert_eq!(list.len(), 1);
        list[0]["id"].as_str().unwrap().to_owned()
    }

    /// Exit code, stdout, stderr of a command.
    fn told(&self, arguments: &[&str]) -> (i32, String, String) {
        let output = self.run(arguments);
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
    }
}

fn a_folder() -> (TempDir, Database) {
    let folder = TempDir::new().unwrap();
    let database = Database::Sqlite(folder.path().join("ledger.db"));
    (folder, database)
}

fn quarantine_file(folder: &Path) -> PathBuf {
    folder.join("ledger.quarantine.db")
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// What the quarantine takes, its write-ahead log included.
fn bytes_on_disk(folder: &Path) -> u64 {
    let file = quarantine_file(folder);
    let files = [file.clone(), with_suffix(&file, "-wal"), with_suffix(&file, "-shm")];
    files.iter().map(|file| file.metadata().map_or(0, |metadata| metadata.len())).sum()
}

fn contains(file: &Path, word: &[u8]) -> bool {
    let bytes = std::fs::read(file).unwrap_or_default();
    bytes.windows(word.len()).any(|window| window == word)
}

fn request(body: Vec<u8>) -> RefusedRequest {
    let header = |name: &str, value: &str| (name.to_owned(), value.as_bytes().to_vec());
    RefusedRequest {
        id: Uuid::now_v7(),
        received_at: Timestamp::from_micros(1_764_000_000_000_000),
        method: "POST".to_owned(),
        target: "/message-status".to_owned(),
        headers: Headers::new([header("x-twilio-signature", "AAAA"), header("host", "h")]),
        body,
        reason: "signature_wrong".to_owned(),
        cause: None,
    }
}

/// One that verifies once the public URL is right.
fn signed(sid: &str) -> RefusedRequest {
    let body = sent(sid).bytes();
    let signature = signature(TOKEN, SIGNED_URL, &body).into_bytes();
    let headers = Headers::new([("x-twilio-signature".to_owned(), signature)]);
    RefusedRequest { headers, ..request(body) }
}

fn verified(request: &RefusedRequest) -> delivery_ledger::domain::NewEvent {
    delivery_ledger::quarantine::verified(request, &accounts(), &public_urls()).unwrap()
}

fn accounts() -> Accounts {
    let keys = Keys {
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

fn all_of(quarantine: &dyn Quarantine) -> Vec<RefusedRequest> {
    let (mut all, mut after) = (Vec::new(), 0);
    loop {
        let page = quarantine.oldest(after, 7).unwrap();
        let Some((last, _)) = page.last() else { return all };
        after = *last;
        all.extend(page.into_iter().map(|(_, request)| request));
    }
}

/// Sends the same bytes again and again over one connection.
fn send_all(bytes: &[u8], to: std::net::SocketAddr, times: u32) {
    use std::io::Write;
    let mut stream = std::net::TcpStream::connect(to).unwrap();
    for _ in 0..times {
        stream.write_all(bytes).unwrap();
        assert_eq!(Answer::read(&mut stream).code, 403);
    }
}

//! When subaccounts are fetched, and what that does.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use rustix::process::Signal;

use super::{
    account, app_of, callback, has, knows, lists, metric, of_source, serving, token, twilio_with,
};
use crate::support::twilio::{API_KEY, Fault};
use crate::support::{ACCOUNT, App};

#[test]
fn callbacks_of_subaccounts_are_accepted_with_the_tokens_that_twilio_lists() {
    let twilio = twilio_with(3);
    let app = serving(&twilio, 3);

    assert_eq!(callback(&app, &account(2), &token(2)), 200);
    assert_eq!(app.events()[0]["verified_by"], "primary");
    assert_eq!(metric(&app, "delivery_ledger_subaccount_refreshes_total{outcome=\"ok\"}"), 1.0);
    assert_eq!(callback(&app, &account(2), &token(1)), 403, "with the token of another one");
    assert!(metric(&app, "delivery_ledger_subaccount_refresh_timestamp_seconds") > 1.7e9);
}

#[test]
fn the_first_callback_of_a_new_subaccount_has_it_fetched_and_is_not_lost() {
    let twilio = twilio_with(1);
    let app = serving(&twilio, 1);
    has(&twilio, 7);

    assert_eq!(callback(&app, &account(7), &token(7)), 403);
    app.eventually("its next callback is accepted", || {
        callback(&app, &account(7), &token(7)) == 200
    });

    app.eventually("those that were rejected are appended", || {
        let events = app.events();
        let rechecked = of_source(&events, "quarantine");
        rechecked.iter().any(|event| event["notes"]["quarantine"] == "account_unknown")
    });
    assert_eq!(lists(&twilio), 2, "one at the start, one because of the callback");
}

#[test]
fn callbacks_that_were_rejected_before_the_first_fetch_are_appended_after_it() {
    let twilio = twilio_with(1);
    twilio.always(Some(Fault::Refuse(403, 20003, "no")));
    let mut app = app_of(&twilio);
    app.restart();
    assert_eq!(callback(&app, &account(0), &token(0)), 403);

    app.stop();
    twilio.always(None);
    app.restart();

    app.eventually("it is appended", || of_source(&app.events(), "quarantine").len() == 1);
}

#[test]
fn an_account_whose_token_cannot_be_read_keeps_no_other_from_being_fetched() {
    let twilio = twilio_with(0);
    let mut app = app_of(&twilio);
    app.configure(&format!(
        "[accounts.{}]\nauth_token_file = \"other\"\nsubaccounts = true\n",
        account(77)
    ));
    let other = app.folder().join("other");
    fs::write(&other, token(77)).unwrap();
    fs::set_permissions(&other, fs::Permissions::from_mode(0o600)).unwrap();
    app.restart();
    fs::remove_file(&other).unwrap();
    has(&twilio, 5);
    app.signal(Signal::HUP);

    app.eventually("it is fetched", || callback(&app, &account(5), &token(5)) == 200);
}

#[test]
fn a_subaccount_that_rotates_its_token_is_fetched_again() {
    let twilio = twilio_with(1);
    let app = serving(&twilio, 1);
    twilio.has_subaccount(&account(0), "customer 0", "active", &token(99));

    assert_eq!(callback(&app, &account(0), &token(99)), 403);
    app.eventually("the new token is known", || callback(&app, &account(0), &token(99)) == 200);

    assert_eq!(callback(&app, &account(0), &token(0)), 403, "the old one is no longer");
}

/// Anybody can send callbacks with invented AccountSids.
#[test]
fn invented_accounts_cause_one_fetch_and_no_more() {
    let twilio = twilio_with(1);
    let app = serving(&twilio, 1);
    for number in 100..160 {
        assert_eq!(callback(&app, &account(number), &token(number)), 403);
    }
    app.eventually("it is fetched because of them", || lists(&twilio) == 2);
    for number in 200..260 {
        assert_eq!(callback(&app, &account(number), &token(number)), 403);
    }
    // A request that is allowed is made within milliseconds.
    std::thread::sleep(std::time::Duration::from_millis(200));
    assert_eq!(lists(&twilio), 2);
}

#[test]
fn thousands_are_fetched_page_by_page() {
    let twilio = twilio_with(3_499);
    twilio.page_size(500);
    let app = serving(&twilio, 3_499);

    assert_eq!(lists(&twilio), 7, "3,499 and their parent, 500 a page");
    for number in [0, 498, 499, 1_700, 3_498] {
        assert_eq!(callback(&app, &account(number), &token(number)), 200, "{number}");
    }
}

#[test]
fn a_restart_without_twilio_uses_the_file_which_only_its_owner_can_read() {
    let twilio = twilio_with(2);
    let mut app = serving(&twilio, 2);
    app.stop();
    let file = app.folder().join("ledger.subaccounts.json");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);

    twilio.always(Some(Fault::Cut));
    app.restart();

    assert_eq!(callback(&app, &account(1), &token(1)), 200, "at once");
    assert_eq!(metric(&app, "delivery_ledger_subaccounts"), 2.0);
}

#[test]
fn sighup_fetches_them_without_waiting() {
    let twilio = twilio_with(1);
    let app = serving(&twilio, 1);
    has(&twilio, 1);

    app.signal(Signal::HUP);

    knows(&app, 2);
    assert_eq!(callback(&app, &account(1), &token(1)), 200);
}

#[test]
fn an_account_that_no_longer_has_subaccounts_leaves_no_token_behind() {
    let twilio = twilio_with(1);
    let app = serving(&twilio, 1);
    let path = app.folder().join("delivery-ledger.toml");
    let without =
        fs::read_to_string(&path).unwrap().replace("subaccounts = true", "subaccounts = false");
    fs::write(&path, without).unwrap();

    app.signal(Signal::HUP);

    knows(&app, 0);
    app.eventually("its callbacks are rejected", || callback(&app, &account(0), &token(0)) == 403);
    assert!(!app.folder().join("ledger.subaccounts.json").exists());
}

#[test]
fn subaccounts_can_be_switched_on_while_the_server_runs() {
    let twilio = twilio_with(1);
    let mut app = app_of(&twilio);
    let path = app.folder().join("delivery-ledger.toml");
    let with = fs::read_to_string(&path).unwrap();
    fs::write(&path, with.replace("subaccounts = true", "name = \"parent\"")).unwrap();
    app.restart();
    assert_eq!(callback(&app, &account(0), &token(0)), 403);

    fs::write(&path, with).unwrap();

    knows(&app, 1);
    assert_eq!(callback(&app, &account(0), &token(0)), 200);
}

/// Twilio lists accounts for main API keys only.
#[test]
fn the_parents_token_is_used_even_if_there_is_an_api_key() {
    let twilio = twilio_with(1);
    let (name, url) = twilio.variable();
    let (key, secret) = API_KEY;
    let environment = [(name, &*url), ("TWILIO_API_KEY", key), ("TWILIO_API_SECRET", secret)];
    let mut app = App::not_started(&environment);
    app.configure(&format!("[accounts.{ACCOUNT}]\nsubaccounts = true\n"));
    app.restart();
    knows(&app, 1);
}

#[test]
fn a_server_without_subaccounts_asks_twilio_nothing() {
    let twilio = twilio_with(1);
    let mut app = app_of(&twilio);
    let path = app.folder().join("delivery-ledger.toml");
    let without =
        fs::read_to_string(&path).unwrap().replace("subaccounts = true", "subaccounts = false");
    fs::write(&path, without).unwrap();
    app.restart();

    assert_eq!(callback(&app, &account(0), &token(0)), 403);
    std::thread::sleep(std::time::Duration::from_millis(200));

    assert_eq!(lists(&twilio), 0);
    assert_eq!(metric(&app, "delivery_ledger_reconcile_every_seconds"), 0.0, "nor by reconcile");
}

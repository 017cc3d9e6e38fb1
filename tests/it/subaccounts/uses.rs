//! What else knows the subaccounts: names, sending, reconciling, `config show` and `doctor`.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use serde_json::json;

use super::{account, app_of, callback, has, knows, serving, token, twilio_with};
use crate::support::{Request, delivered, sid, signature};

#[test]
fn their_names_at_twilio_are_shown_and_accepted() {
    let twilio = twilio_with(2);
    let app = serving(&twilio, 2);
    callback(&app, &account(1), &token(1));
    app.caught_up();

    assert_eq!(app.message(&sid(1))["account_name"], "customer 1");
    let found = app.run(&["messages", "--account-sid", "customer 1", "--format", "json"]);
    let found = String::from_utf8(found.stdout).unwrap();
    assert!(found.contains(&account(1)), "{found}");
}

#[test]
fn a_name_that_several_have_or_that_has_the_form_of_a_secret_is_none() {
    let twilio = twilio_with(0);
    for (number, name) in [(0, "shop"), (1, "shop"), (2, &*token(3)), (3, "a\tb"), (4, "bakery")] {
        twilio.has_subaccount(&account(number), name, "active", &token(number));
    }
    let app = serving(&twilio, 5);
    for number in 0..5 {
        let body = delivered(&sid(number)).with("AccountSid", &account(number)).bytes();
        let signature = signature(&token(number), &app.url("/message-status"), &body);
        let request = app.form("/message-status").header("X-Twilio-Signature", &signature);
        assert_eq!(request.body(body).send(app.callbacks()).code, 200);
    }
    app.caught_up();

    let named = (0..5).filter(|number| !app.message(&sid(*number))["account_name"].is_null());
    assert_eq!(named.collect::<Vec<_>>(), [4]);
}

/// Customers choose these names, unlike those in the configuration.
#[test]
fn a_token_with_masked_addresses_sees_no_number_in_a_name() {
    let twilio = twilio_with(0);
    twilio.has_subaccount(&account(0), "Bakery +15558675310", "active", &token(0));
    let mut app = app_of(&twilio);
    app.use_token_with_scope("read:masked");
    app.restart();
    knows(&app, 1);
    callback(&app, &account(0), &token(0));
    app.caught_up();

    let paths = [
        format!("/v1/messages/{}", sid(1)),
        "/v1/messages".to_owned(),
        "/v1/reports/delivery?by=account".to_owned(),
        "/reports?by=account".to_owned(),
        "/v1/messages?account_sid=Bakery%20%2B1555867531".to_owned(),
        "/v1/messages?account_sid=Bakery".to_owned(),
    ];
    for path in paths {
        let text = String::from_utf8(app.get(&path).body).unwrap();
        assert!(!text.contains("5558675310"), "{path}: {text}");
    }
    assert!(app.message(&sid(1))["account_name"].as_str().unwrap().contains("Bakery"));
}

#[test]
fn suspended_and_closed_ones_are_accepted_and_only_active_ones_reconciled() {
    let twilio = twilio_with(1);
    twilio.has_subaccount(&account(1), "one", "suspended", &token(1));
    twilio.has_subaccount(&account(2), "two", "closed", &token(2));
    let app = serving(&twilio, 3);
    for number in 0..3 {
        assert_eq!(callback(&app, &account(number), &token(number)), 200);
    }

    app.run(&["reconcile", "--format", "json"]);

    let asked = twilio.requests();
    let of = |number: u32| {
        asked
            .iter()
            .any(|request| request.contains(&format!("/Accounts/{}/Messages", account(number))))
    };
    assert_eq!([of(0), of(1), of(2)], [true, false, false], "{asked:#?}");
}

#[test]
fn messages_are_sent_for_a_subaccount_with_its_own_token() {
    let twilio = twilio_with(1);
    let mut app = app_of(&twilio);
    app.use_token_with_scope("send read");
    app.restart();
    knows(&app, 1);
    let body = json!({"account_sid": "customer 0", "to": "+15558675310", "from": "+15017250604", "body": "hello"});

    let request = Request::new("POST", "/v1/messages").header("Content-Type", "application/json");
    let answer = app.ask(request.body(body.to_string().into_bytes()));

    assert_eq!(answer.code, 201, "{}", String::from_utf8_lossy(&answer.body));
    let path = format!("POST /2010-04-01/Accounts/{}/Messages.json?", account(0));
    assert!(twilio.requests().contains(&path), "{:#?}", twilio.requests());
}

/// Trying thousands of tokens would slow the listener down.
#[test]
fn a_body_without_an_account_is_checked_with_configured_accounts_alone() {
    let twilio = twilio_with(1);
    let app = serving(&twilio, 1);
    let send = |token: &str| {
        let body = delivered(&sid(1)).without("AccountSid").bytes();
        let signature = signature(token, &app.url("/message-status"), &body);
        let request = app.form("/message-status").header("X-Twilio-Signature", &signature);
        request.body(body).send(app.callbacks()).code
    };
    assert_eq!((send(crate::support::TOKEN), send(&token(0))), (200, 403));
}

#[test]
fn config_show_and_doctor_say_how_many_there_are() {
    let twilio = twilio_with(2);
    has(&twilio, 5);
    let app = serving(&twilio, 3);

    let shown = app.json(&["config", "show", "--format", "json"]);
    let accounts = shown["accounts"].as_array().unwrap();
    let parent = accounts.iter().find(|one| one["account_sid"] == crate::support::ACCOUNT).unwrap();
    assert_eq!(parent["subaccounts"]["count"], 3);
    assert!(parent["subaccounts"]["fetched_at"].is_string(), "{parent:#}");
    let table = String::from_utf8(app.run(&["config", "show"]).stdout).unwrap();
    assert!(table.contains("3, fetched at "), "{table}");

    let report = app.get("/v1/checks").json();
    let checks = report["checks"].as_array().unwrap();
    let check =
        checks.iter().find(|one| one["name"].as_str().unwrap().starts_with("subaccounts")).unwrap();
    assert_eq!(check["outcome"], "ok", "{check:#}");
    assert!(check["detail"].as_str().unwrap().starts_with("3, fetched at "), "{check:#}");

    let file = app.folder().join("ledger.subaccounts.json");
    fs::set_permissions(&file, Permissions::from_mode(0o644)).unwrap();
    let text = String::from_utf8(app.run(&["doctor"]).stdout).unwrap();
    let line = text.lines().find(|line| line.contains("other users can read")).unwrap();
    assert!(line.contains("ledger.subaccounts.json"), "{line}");
}

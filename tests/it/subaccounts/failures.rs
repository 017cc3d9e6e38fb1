//! What goes wrong: damaged files, wrong credentials, Twilio out of reach. No message has a token.

use std::fs;

use super::{account, app_of, callback, knows, metric, serving, token, twilio_with};
use crate::support::twilio::Fault;
use crate::support::{ACCOUNT, OTHER_ACCOUNT, OTHER_TOKEN, TOKEN};

#[test]
fn a_damaged_file_is_reported_and_fetched_again() {
    for damage in [
        "{\"version\":1,\"accounts\":[{\"auth_token\":\"feedfacefeedface",
        "",
        "{\"version\":2,\"accounts\":[]}",
    ] {
        let twilio = twilio_with(1);
        let mut app = app_of(&twilio);
        fs::write(app.folder().join("ledger.subaccounts.json"), damage).unwrap();
        app.restart();
        knows(&app, 1);

        assert_eq!(callback(&app, &account(0), &token(0)), 200);
        let stderr = app.stop();
        assert!(stderr.contains("ledger.subaccounts.json are damaged"), "{stderr}");
        assert!(!stderr.contains("feedface"), "{stderr}");
    }
}

#[test]
fn a_file_that_is_damaged_while_twilio_cannot_be_reached_takes_no_subaccount_away() {
    let twilio = twilio_with(1);
    let app = serving(&twilio, 1);
    let file = app.folder().join("ledger.subaccounts.json");
    fs::write(&file, "{").unwrap();
    twilio.always(Some(Fault::Refuse(403, 20003, "no")));

    app.signal(rustix::process::Signal::HUP);
    app.eventually("it fails", || {
        metric(&app, "delivery_ledger_subaccount_refreshes_total{outcome=\"failed\"}") == 1.0
    });

    assert_eq!(callback(&app, &account(0), &token(0)), 200);
    assert_eq!(fs::read_to_string(&file).unwrap(), "{");
}

#[test]
fn a_list_without_the_account_itself_takes_no_subaccount_away() {
    let twilio = twilio_with(1);
    let app = serving(&twilio, 1);
    twilio.lists_no_parent();

    app.signal(rustix::process::Signal::HUP);
    app.eventually("it is reported", || app.stderr().contains("does not contain"));

    assert_eq!(callback(&app, &account(0), &token(0)), 200);
}

#[test]
fn wrong_credentials_are_reported_with_the_setting_that_has_them() {
    let twilio = twilio_with(1);
    let wrong = "deadbeefdeadbeefdeadbeefdeadbeef";
    let mut app = app_of(&twilio);
    app.configure(&format!(
        "[accounts.{}]\nauth_token_file = \"wrong\"\nsubaccounts = true\n",
        account(77)
    ));
    fs::write(app.folder().join("wrong"), wrong).unwrap();
    app.restart();
    knows(&app, 1);

    app.eventually("it is reported", || app.stderr().contains("Twilio refuses the list"));
    let stderr = app.stderr();
    let setting =
        format!("accounts.{0}.subaccounts, with accounts.{0}.auth_token_file", account(77));
    assert!(stderr.contains(&setting), "{stderr}");
    assert!(!stderr.contains(wrong), "{stderr}");
    assert_eq!(callback(&app, &account(0), &token(0)), 200, "those of the other account are used");
}

#[test]
fn no_output_has_a_token_of_a_subaccount() {
    let twilio = twilio_with(2);
    let mut app = serving(&twilio, 2);
    callback(&app, &account(1), &token(0));
    callback(&app, &account(1), &token(1));

    let outputs = [
        &["config", "show"][..],
        &["config", "show", "--format", "json"],
        &["doctor", "--offline"],
        &["-v", "doctor"],
        &["messages"],
        &["export", "events"],
        &["quarantine", "list"],
    ];
    let mut texts: Vec<_> = outputs
        .into_iter()
        .map(|arguments| {
            let output = app.run(arguments);
            [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap()).concat()
        })
        .collect();
    let pages = ["/metrics", "/v1/checks", "/health", "/v1/messages", "/"];
    texts.extend(pages.map(|page| String::from_utf8(app.get(page).body).unwrap()));
    texts.push(app.stop());
    for text in texts {
        for secret in [token(0), token(1)] {
            assert!(!text.contains(&secret), "{text}");
        }
    }
}

#[test]
fn a_section_of_its_own_wins_over_what_was_fetched() {
    let twilio = twilio_with(1);
    twilio.has_subaccount(OTHER_ACCOUNT, "other", "active", &token(50));
    let app = serving(&twilio, 2);

    assert_eq!(callback(&app, OTHER_ACCOUNT, OTHER_TOKEN), 200);
    assert_eq!(callback(&app, OTHER_ACCOUNT, &token(50)), 403);
    assert_eq!(callback(&app, ACCOUNT, TOKEN), 200, "and the parent's own callbacks are accepted");
}

//! Names of accounts: shown with the SIDs, and accepted instead of them.

use std::process::Output;

use serde_json::{Value, json};

use crate::support::{ACCOUNT, App, OTHER_ACCOUNT, OTHER_TOKEN, delivered, sent, sid, signature};

/// A message of each of two named accounts, both with the same SID, and another of the second.
fn app() -> App {
    let mut app = App::not_started(&[]);
    app.configure(&format!("name = \"shop-us\"\n[accounts.{ACCOUNT}]\nname = \"shop-eu\"\n"));
    app.restart();
    app.receive(sent(&sid(1)));
    for message in [sid(1), sid(2)] {
        let theirs = delivered(&message).with("AccountSid", OTHER_ACCOUNT).bytes();
        let signed = signature(OTHER_TOKEN, &app.url("/message-status"), &theirs);
        let request = app.form("/message-status").header("X-Twilio-Signature", &signed);
        assert_eq!(request.body(theirs).send(app.callbacks()).code, 200);
    }
    app.caught_up();
    app
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn ok(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    text(&output.stdout)
}

#[test]
fn names_are_shown_next_to_sids() {
    let app = app();
    let rows = app.get("/v1/messages").json()["data"].as_array().unwrap().clone();
    let accounts: Vec<_> =
        rows.iter().map(|row| (row["account_sid"].clone(), row["account_name"].clone())).collect();
    let of_shop_us = (json!(OTHER_ACCOUNT), json!("shop-us"));
    assert_eq!(accounts, [of_shop_us.clone(), of_shop_us, (json!(ACCOUNT), json!("shop-eu"))]);
    let one = app.get(&format!("/v1/messages/{}", sid(2))).json();
    assert_eq!(one["account_name"], "shop-us");

    let audit = ok(&app.run(&["audit", &sid(2)]));
    assert!(audit.contains(&format!("account  shop-us ({OTHER_ACCOUNT})\n")), "{audit}");
    let tail = ok(&app.run(&["tail", "--after=0", "--no-follow"]));
    assert_eq!(
        (tail.matches("shop-eu").count(), tail.matches("shop-us").count()),
        (1, 2),
        "{tail}"
    );
    let messages = ok(&app.run(&["messages", "--account-sid=shop-us"]));
    assert_eq!(messages.matches("shop-us").count(), 2, "{messages}");
    let report = ok(&app.run(&["report", "--by=account"]));
    assert!(report.contains("shop-us") && !report.contains("AC"), "{report}");
    let report = app.get("/v1/reports/delivery?by=account").json();
    let row = report["rows"].as_array().unwrap().iter().find(|row| row["key"] == ACCOUNT).unwrap();
    assert_eq!(row["account_name"], "shop-eu");
}

#[test]
fn names_are_accepted_wherever_a_sid_is() {
    let app = app();
    let count = |answer: Value| answer["data"].as_array().unwrap().len();
    assert_eq!(count(app.get("/v1/messages?account_sid=shop-us").json()), 2);
    let path = format!("/v1/messages/{}", sid(1));
    assert_eq!(app.get(&format!("{path}?account_sid=shop-us")).json()["status"], "delivered");
    assert_eq!(app.get(&format!("{path}?account_sid={ACCOUNT}")).json()["status"], "sent");
    let ambiguous = app.get(&path).json()["detail"].as_str().unwrap().to_owned();
    assert!(ambiguous.ends_with(&format!("shop-eu ({ACCOUNT}), shop-us ({OTHER_ACCOUNT})")));
    let report = app.get("/v1/reports/delivery?by=day&account_sid=shop-us").json();
    assert_eq!(report["total"]["messages"], 2);
    let lines = |body: &[u8]| body.iter().filter(|byte| **byte == b'\n').count();
    for what in ["events", "messages"] {
        let answer = app.get(&format!("/v1/exports/{what}?account_sid=shop-us"));
        assert_eq!((answer.code, lines(&answer.body)), (200, 2), "{what}");
        let command = app.run(&["export", what, "--account-sid=shop-us"]);
        assert_eq!(lines(ok(&command).as_bytes()), 2, "{what}");
    }
    let audit = app.json(&["audit", &sid(1), "--account-sid=shop-us", "--format=json"]);
    assert_eq!(
        (&audit["account_sid"], &audit["status"]),
        (&json!(OTHER_ACCOUNT), &json!("delivered"))
    );
    let tail = ok(&app.run(&["tail", "--after=0", "--no-follow", "--account-sid=shop-eu"]));
    assert!(tail.contains(&sid(1)) && !tail.contains(&sid(2)), "{tail}");
    let preview = app.json(&["reconcile", "--dry-run", "--account-sid=shop-us", "--format=json"]);
    let list = &preview["lists"][0];
    assert_eq!(
        (&list["account_sid"], &list["account_name"]),
        (&json!(OTHER_ACCOUNT), &json!("shop-us"))
    );
}

#[test]
fn an_unknown_name_is_an_error_with_similar_names() {
    let app = app();
    let expected = "is not an account's SID (AC…) or name; similar: shop-us, shop-eu";
    for path in ["messages", "exports/messages", "exports/events", "reports/delivery"] {
        let by = if path == "reports/delivery" { "&by=day" } else { "" };
        let answer = app.get(&format!("/v1/{path}?account_sid=shop-uss{by}"));
        assert_eq!(answer.code, 400, "{path}");
        let detail = answer.json()["detail"].as_str().unwrap().to_owned();
        assert_eq!(detail, format!("account_sid `shop-uss` {expected}"));
    }
    let one = app.get(&format!("/v1/messages/{}?account_sid=shop-uss", sid(1)));
    assert_eq!(one.code, 400);
    for command in [
        &["audit", &sid(1)][..],
        &["export", "messages"],
        &["export", "events"],
        &["report", "--by=day"],
        &["tail"],
        &["reconcile"],
        &["import", "nothing"],
        &["send", "--to=+15558675310", "--from=+15017250604", "--body=x"],
    ] {
        let output = app.run(&[command, &["--account-sid=shop-uss"]].concat());
        assert_eq!(output.status.code(), Some(2), "{command:?}");
        let error = text(&output.stderr);
        assert!(error.contains(&format!("--account-sid: `shop-uss` {expected}")), "{error}");
    }
    // An unusual SID, of which the log may have callbacks.
    assert_eq!(app.get("/v1/messages?account_sid=ACother").code, 200);
}

#[test]
fn names_must_differ_and_must_not_look_like_sids() {
    let too_long = "x".repeat(65);
    for (name, expected) in [
        ("", "the name is empty"),
        (&*too_long, "the name has 65 characters; 64 are the maximum"),
        (ACCOUNT, "is a SID"),
        (" shop", "has blanks around it"),
        ("shop\\n", "has blanks around it"),
        ("shop-us", "`shop-us` is the name of AC"),
    ] {
        let app = App::not_started(&[]);
        app.configure(&format!("name = \"shop-us\"\n[accounts.{ACCOUNT}]\nname = \"{name}\"\n"));
        for command in ["serve", "doctor"] {
            let output = app.run(&[command]);
            let shown = text(&[&*output.stdout, &*output.stderr].concat());
            assert!(shown.contains(expected), "{command} {name}: {shown}");
            assert_ne!(output.status.code(), Some(0));
        }
    }
}

#[test]
fn doctor_shows_the_name_of_an_account() {
    let app = app();
    let page = app.run(&["doctor"]);
    let page = text(&page.stdout);
    assert!(page.contains("shop-eu: primary token set, from TWILIO_AUTH_TOKEN"), "{page}");
    assert!(page.contains("shop-us: primary token set, from auth_token_file"), "{page}");
}

/// The name stands for a number here, which a masked token must not see.
#[test]
fn a_name_is_masked_like_every_other_text() {
    let mut app = App::not_started(&[]);
    app.configure("name = \"+15558675310\"\n");
    app.use_token_with_scope("read:masked");
    app.restart();
    let theirs = delivered(&sid(1)).with("AccountSid", OTHER_ACCOUNT).bytes();
    let signed = signature(OTHER_TOKEN, &app.url("/message-status"), &theirs);
    let request = app.form("/message-status").header("X-Twilio-Signature", &signed);
    assert_eq!(request.body(theirs).send(app.callbacks()).code, 200);
    app.caught_up();
    let name = |answer: &Value| answer["account_name"].clone();
    assert_eq!(name(&app.get("/v1/messages").json()["data"][0]), "+*******5310");
    assert_eq!(name(&app.get(&format!("/v1/messages/{}", sid(1))).json()), "+*******5310");
    let report = app.get("/v1/reports/delivery?by=account").json();
    assert_eq!(name(&report["rows"][0]), "+*******5310");
}

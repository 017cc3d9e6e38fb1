//! Numbers in any spelling, in lists, exports, reports and `tail`.

use std::process::Output;

use serde_json::{Value, json};

use crate::support::{App, delivered, sent, sid};

const COUNTRY: &[(&str, &str)] = &[("DELIVERY_LEDGER_DEFAULT_COUNTRY", "GB")];

/// Messages to one number by SMS and on two more channels, to another number, and to a name.
fn app(environment: &[(&str, &str)]) -> App {
    let app = App::start_with_env(environment, &[]);
    app.receive(sent(&sid(1)).with("To", "+447400795454"));
    app.receive(delivered(&sid(2)).with("To", "whatsapp:+447400795454"));
    app.receive(delivered(&sid(3)).with("To", "rcs:+447400795454"));
    app.receive(sent(&sid(4)).with("To", "+447400795455").with("From", "ACME"));
    app.receive(sent(&sid(5)).with("To", "+442079460018").with("From", "12345"));
    app.caught_up();
    app
}

fn list(app: &App, query: &str) -> Value {
    let answer = app.get(&format!("/v1/messages?{query}"));
    assert_eq!(answer.code, 200, "{query}: {}", answer.json());
    answer.json()
}

fn found(app: &App, query: &str) -> Vec<u32> {
    let page = list(app, query);
    let rows = page["data"].as_array().unwrap().iter();
    rows.map(|row| row["message_sid"].as_str().unwrap()[2..].parse().unwrap()).collect()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn a_number_is_found_on_every_channel_however_it_is_written() {
    let app = app(COUNTRY);
    for (query, expected) in [
        ("to=%2B44%207400%20795454", &[3, 2, 1][..]),
        ("to=+44+7400+795454", &[3, 2, 1]),
        ("to=00447400795454", &[3, 2, 1]),
        ("to=447400795454", &[3, 2, 1]),
        ("to=07400%20795454", &[3, 2, 1]),
        ("to=whatsapp:07400%20795454", &[2]),
        ("to=rcs:%2B44-7400-795454", &[3]),
        ("to=(020)%207946%200018", &[5]),
        ("to=*5454", &[3, 2, 1]),
        ("from=12345", &[5]),
        ("from=ACME", &[4]),
        ("from=acme", &[]),
        ("to=*5454&status=delivered", &[3, 2]),
        ("to=07400795454&status=delivered", &[3, 2]),
    ] {
        assert_eq!(found(&app, query), expected, "{query}");
    }
    let report = app.json(&["report", "--by=day", "--to", "07400 795454", "--format=json"]);
    assert_eq!(report["total"]["messages"], 3);
    let export = app.run(&["export", "messages", "--to", "0044 7400 795454"]);
    assert_eq!(export.stdout.iter().filter(|byte| **byte == b'\n').count(), 3);
    let messages = app.run(&["messages", "--to", "07400 795454"]);
    assert!(String::from_utf8(messages.stdout).unwrap().contains(&sid(3)));
    let audit = app.run(&["audit", "(020) 7946 0018"]);
    assert!(String::from_utf8_lossy(&audit.stdout).contains(&sid(5)), "{}", stderr(&audit));
    let tail = app.run(&["tail", "--after", "0", "--no-follow", "--to", "(020) 7946 0018"]);
    assert!(String::from_utf8(tail.stdout).unwrap().contains(&sid(5)));
}

#[test]
fn an_empty_list_says_which_addresses_were_searched_for() {
    let app = app(&[("DELIVERY_LEDGER_DEFAULT_COUNTRY", "DE")]);
    let page = list(&app, "to=0151+23456789");
    let expected = json!(["+4915123456789", "015123456789", "0151 23456789"]);
    assert_eq!(page["searched_for"], expected);
    assert_eq!(list(&app, "to=*9999&from=ACME")["searched_for"], json!(["*9999", "ACME"]));
    assert_eq!(list(&app, "status=failed").get("searched_for"), None);
    assert_eq!(list(&app, "to=*5454").get("searched_for"), None);
    let hint = "no message found; searched for +4915123456789, 015123456789, 0151 23456789\n";
    for command in [["export", "messages"], ["report", "--by=day"]] {
        let output = app.run(&[&command[..], &["--to", "0151 23456789"]].concat());
        assert_eq!(stderr(&output), hint, "{command:?}");
        assert_eq!(output.status.code(), Some(0));
    }
}

#[test]
fn without_a_default_country_the_hint_says_how_to_find_national_numbers() {
    let app = app(&[]);
    let output = app.run(&["export", "messages", "--to", "020 7946 0018"]);
    let advice = "set default_country, for example to GB";
    assert!(stderr(&output).contains(advice), "{}", stderr(&output));
    for command in [&["messages", "--to", "020 7946 0018"][..], &["audit", "020 7946 0018"]] {
        let output = app.run(command);
        assert!(stderr(&output).contains(advice), "{command:?}: {}", stderr(&output));
    }
    let output = app.run(&["export", "messages", "--to", "+44 20 7946 0019"]);
    assert!(!stderr(&output).contains(advice), "{}", stderr(&output));
}

#[test]
fn an_unknown_default_country_is_an_error_with_a_suggestion() {
    let app = App::not_started(&[]);
    for (value, expected) in [
        (
            "UK",
            "`UK` is not the two-letter code of a country (ISO 3166-1), such as GB; the United Kingdom is GB",
        ),
        ("DEU", "such as GB; similar: DE\n"),
        ("Q", "`Q` is not the two-letter code"),
    ] {
        let variable = "DELIVERY_LEDGER_DEFAULT_COUNTRY";
        let output = app.command(&["export", "messages"]).env(variable, value).output();
        let error = stderr(&output);
        assert!(error.contains(&format!("{variable}: ")) && error.contains(expected), "{error}");
        assert_eq!(output.status.code(), Some(1));
    }
    let output = app.command(&["serve"]).env("DELIVERY_LEDGER_DEFAULT_COUNTRY", "ZZ").output();
    assert!(stderr(&output).contains("`ZZ` is not"), "{}", stderr(&output));
}

/// The result would confirm the number.
#[test]
fn a_masked_token_cannot_search_for_a_number_in_any_spelling() {
    let mut app = App::not_started(COUNTRY);
    app.use_token_with_scope("read:masked");
    app.restart();
    for to in ["%2B447400795454", "07400%20795454", "whatsapp:447400795454", "*00795454", "ACME"] {
        assert_eq!(app.get(&format!("/v1/messages?to={to}")).code, 403, "{to}");
    }
    assert_eq!(list(&app, "to=*9999")["searched_for"], json!(["*9999"]));
}

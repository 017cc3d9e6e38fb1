//! `config show`: the values in effect with their origins, and everything that is invalid.

use std::fs;

use serde_json::{Value, json};

use super::{stderr, stdout};
use crate::support::ledger::Ledger;
use crate::support::{ACCOUNT, Command};

const FILE: &str = r#"rule = "delivery-wins"
public_url = ["https://a.example.com", "https://b.example.com"]

[reconcile]
older_than = "2d"

[accounts.ACfedcba9876543210fedcba9876543210]
name = "shop-eu"
auth_token_file = "twilio-b"
shared_keys = { webhooks_sharedkey_01 = "shared" }

[api_tokens.support]
token_file = "support-token"
scope = "read:masked find"
"#;

/// Neither is part of a SID.
const TOKEN: &str = "abababababababababababababababab";
const OTHER_TOKEN: &str = "cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd";

const API_TOKEN: &str = "a token of sixteen characters or more";

/// A folder with a valid configuration file and the files that it names.
fn configured() -> Ledger {
    let ledger = Ledger::new();
    for (name, text) in [
        ("delivery-ledger.toml", FILE),
        ("twilio-b", OTHER_TOKEN),
        ("shared", "a shared key"),
        ("support-token", API_TOKEN),
    ] {
        fs::write(ledger.file(name), text).unwrap();
    }
    ledger
}

fn show(ledger: &Ledger, flags: &[&str]) -> Command {
    ledger.command(&[&["config", "show"], flags].concat())
}

/// The exit code and the JSON.
fn json_of(command: Command) -> (Option<i32>, Value) {
    let output = command.output();
    let json = serde_json::from_str(&stdout(&output));
    (output.status.code(), json.unwrap_or_else(|error| panic!("{error}: {}", stderr(&output))))
}

fn setting<'j>(json: &'j Value, name: &str) -> &'j Value {
    let mut settings = json["settings"].as_array().unwrap().iter();
    settings.find(|setting| setting["setting"] == name).expect(name)
}

#[test]
fn every_value_is_shown_with_its_origin() {
    let ledger = configured();
    let command = show(&ledger, &["--format", "json", "--listen", "127.0.0.1:2"]);
    let (code, json) = json_of(command.env("DELIVERY_LEDGER_TIME_ZONE", "Europe/Berlin"));

    assert_eq!((code, &json["valid"], &json["problems"]), (Some(0), &json!(true), &json!([])));
    assert_eq!(json["config_file"], "delivery-ledger.toml");
    let origin = |kind: &str, name: Option<&str>, file: Option<&str>, line: Option<u64>| json!({"kind": kind, "name": name, "file": file, "line": line});
    let file = Some("delivery-ledger.toml");
    for (name, value, origin) in [
        ("listen", "127.0.0.1:2", origin("flag", Some("--listen"), None, None)),
        (
            "time_zone",
            "Europe/Berlin",
            origin("variable", Some("DELIVERY_LEDGER_TIME_ZONE"), None, None),
        ),
        (
            "public_url",
            "https://a.example.com, https://b.example.com",
            origin("file", None, file, Some(2)),
        ),
        ("reconcile.older_than", "172800 s", origin("file", None, file, Some(5))),
        ("reconcile.give_up_after", "259200 s", origin("default", None, None, None)),
        ("quarantine_mib", "256", origin("default", None, None, None)),
        ("pager", "less", origin("default", None, None, None)),
    ] {
        let expected = json!({"setting": name, "value": value, "problem": null, "origin": origin});
        assert_eq!(setting(&json, name), &expected);
    }
}

#[test]
fn accounts_and_api_tokens_are_listed_without_their_secrets() {
    let ledger = configured();
    let with_account = |command: Command| {
        command.env("TWILIO_ACCOUNT_SID", ACCOUNT).env("TWILIO_AUTH_TOKEN", TOKEN)
    };
    let (code, json) = json_of(with_account(show(&ledger, &["--format", "json"])));
    assert_eq!(code, Some(0), "{json:#}");
    let accounts = json["accounts"].as_array().unwrap();
    assert_eq!(accounts[0]["account_sid"], ACCOUNT);
    assert_eq!(accounts[0]["keys"][0]["origin"]["name"], "TWILIO_AUTH_TOKEN");
    assert_eq!(accounts[1]["name"], "shop-eu");
    let keys = |at: usize| {
        let key = &accounts[1]["keys"][at];
        [&key["key"], &key["value"], &key["key_file"], &key["origin"]["line"]].map(Value::to_string)
    };
    assert_eq!(keys(0), ["\"primary token\"", "\"set\"", "\"twilio-b\"", "9"]);
    assert_eq!(keys(1), ["\"shared key webhooks_sharedkey_01\"", "\"set\"", "\"shared\"", "10"]);
    let token = &json["api_tokens"][0];
    let token = [&token["name"], &token["scope"], &token["value"], &token["origin"]["line"]];
    assert_eq!(json!(token), json!(["support", "read:masked find", "set", 13]));

    let page = stdout(&with_account(show(&ledger, &[])).output());
    for line in [
        "rule                     delivery-wins",
        "primary token",
        "read:masked find",
        "delivery-ledger.toml, line 13",
    ] {
        let words: Vec<_> = line.split_whitespace().collect();
        let has_line = page.lines().any(|of| words.iter().all(|word| of.contains(word)));
        assert!(has_line, "{line}: {page}");
    }
    for secret in [TOKEN, OTHER_TOKEN, API_TOKEN, "a shared key"] {
        assert!(!page.contains(secret) && !json.to_string().contains(secret), "{page}");
    }
}

#[test]
fn everything_that_is_invalid_is_shown_at_once() {
    let ledger = configured();
    let file = FILE.replace("older_than = \"2d\"", "older_than = \"soon\"\nolder_then = \"2d\"");
    let file = file.replace("read:masked find", "write");
    let file = format!("listen = 8080\nrulee = \"delivery-wins\"\n{file}");
    fs::write(ledger.file("delivery-ledger.toml"), file).unwrap();
    fs::remove_file(ledger.file("twilio-b")).unwrap();
    let command = || {
        let command = ledger.command(&["config", "show", "--format", "json"]);
        command.env("DELIVERY_LEDGER_TIME_ZONE", "Berlin").env("DELIVERY_LEDGER_QUARANTINE", "yes")
    };

    let (code, json) = json_of(command());

    assert_eq!((code, &json["valid"]), (Some(3), &json!(false)));
    let problem = |name: &str| setting(&json, name)["problem"].as_str().unwrap().to_owned();
    assert_eq!(
        problem("reconcile.older_than"),
        "reconcile.older_than: `soon` is not a time from 1s on, such as 6h"
    );
    assert_eq!(problem("quarantine"), "DELIVERY_LEDGER_QUARANTINE: `yes` is neither on nor off");
    assert!(problem("time_zone").contains("`Berlin`"));
    let key = json["accounts"][0]["keys"][0]["problem"].as_str().unwrap();
    assert!(key.contains("auth_token_file: cannot read the secret in twilio-b"), "{key}");
    assert_eq!(json["accounts"][0]["problem"], Value::Null, "it is not said twice");
    let token = json["api_tokens"][0]["problem"].as_str().unwrap();
    assert!(token.starts_with("api_tokens.support.scope: `write` is none of read,"), "{token}");
    let problems = json["problems"].as_array().unwrap();
    let has = |text: &str| problems.iter().any(|of| of.as_str().unwrap().starts_with(text));
    assert!(has("delivery-ledger.toml: line 1: listen: this is not a string"), "{problems:#?}");
    assert!(has("delivery-ledger.toml: line 2: rulee: unknown field `rulee`"), "{problems:#?}");
    assert!(
        has("delivery-ledger.toml: line 8: reconcile.older_then: unknown field"),
        "{problems:#?}"
    );
    assert_eq!(problems.len(), 3);
    assert_eq!(setting(&json, "rule")["value"], "delivery-wins", "what is valid is shown");
}

#[test]
fn values_that_do_not_go_together_are_a_problem() {
    let flags = ["--format", "json", "--admin-listen", "0.0.0.0:8081"];
    let (code, json) = json_of(show(&Ledger::new(), &flags));
    assert_eq!(code, Some(3));
    let problem = json["problems"][0].as_str().unwrap();
    assert!(problem.contains("others can reach: set DELIVERY_LEDGER_API_TOKEN"), "{problem}");
}

#[test]
fn without_any_configuration_the_defaults_are_valid() {
    let ledger = Ledger::new();
    let output = show(&ledger, &[]).output();
    let page = stdout(&output);
    assert_eq!(output.status.code(), Some(0), "{page}");
    assert!(page.starts_with("configuration file: none\n"), "{page}");
    assert!(page.contains("No Twilio account is configured; serve needs one.\n"), "{page}");
}

#[test]
fn a_file_that_is_not_toml_is_a_problem_and_one_that_does_not_exist_an_error() {
    let ledger = Ledger::new();
    fs::write(ledger.file("broken.toml"), "rule = \n").unwrap();
    let (code, json) =
        json_of(ledger.command(&["--config", "broken.toml", "config", "show", "--format", "json"]));
    assert_eq!(code, Some(3));
    assert!(json["problems"][0].as_str().unwrap().starts_with("broken.toml: line 1: "), "{json}");

    let output = ledger.run(&["--config", "none.toml", "config", "show"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("cannot read the configuration file none.toml"));
}

#[test]
fn targets_of_forwarding_are_listed_with_what_is_wrong_with_each() {
    let ledger = configured();
    let targets = "[forward.crm]\nurl = \"https://crm.example.com/?token=hunter2\"\nformat = \"message\"\n\
                   secret_file = \"crm-secret\"\nevents = \"advanced\"\naccount = \"shop-eu\"\n\
                   path = [\"/a\", \"/b/*\"]\n[forward.loop]\nurl = \"http://127.0.0.1:8080/\"\n\
                   [forward.orders]\nurl = \"ftp://app.example.com/\"\n";
    let file = format!("{FILE}{targets}[forward.typing]\nurll = \"x\"\n");
    fs::write(ledger.file("delivery-ledger.toml"), file).unwrap();
    fs::write(ledger.file("crm-secret"), "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n").unwrap();

    let (code, json) = json_of(show(&ledger, &["--format", "json"]));

    assert_eq!((code, &json["valid"]), (Some(3), &json!(false)));
    let file = json!("delivery-ledger.toml");
    assert_eq!(
        json["targets"][0],
        json!({
            "name": "crm", "format": "message", "value": "https://crm.example.com/?…", "problem": null,
            "events": "account ACfedcba9876543210fedcba9876543210, path /a or /b/*, only what moved a message",
            "origin": {"kind": "file", "name": null, "file": file, "line": 16},
        })
    );
    assert_eq!(json["targets"][1]["events"], "everything");
    let problem = json["targets"][2]["problem"].as_str().unwrap();
    assert!(
        problem.starts_with("forward.orders.url: `ftp://app.example.com/` does not"),
        "{problem}"
    );
    let problems = json["problems"].as_array().unwrap();
    let unknown = problems[0].as_str().unwrap();
    assert!(unknown.contains("line 27: forward.typing: unknown field `urll`"), "{problems:#?}");
    assert_eq!(problems.len(), 1, "{problems:#?}");

    let page = stdout(&show(&ledger, &[]).output());
    assert!(page.contains("https://crm.example.com/?…"), "{page}");
    assert!(!page.contains("hunter2") && !page.contains("MfKQ9r8G"), "{page}");
}

/// The URL of an event has the path of the public URL, which is no part of a callback path.
#[test]
fn the_paths_of_a_target_are_found_below_the_path_of_a_public_url_too() {
    let ledger = Ledger::new();
    let file = "public_url = [\"https://a.example.com/twilio/\", \"https://b.example.com\"]\n\
                [forward.crm]\nurl = \"https://crm.example.com/\"\npath = [\"/a\", \"/b/*\"]\n";
    fs::write(ledger.file("delivery-ledger.toml"), file).unwrap();
    let (code, json) = json_of(show(&ledger, &["--format", "json"]));
    assert_eq!(code, Some(0), "{json:#}");
    assert_eq!(json["targets"][0]["events"], "path /a or /twilio/a or /b/* or /twilio/b/*");
}

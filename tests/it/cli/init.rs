//! `init`: the file that it writes, and what it does with the auth token.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use delivery_ledger::config::{self, SETTINGS};
use delivery_ledger::seal::note::key::PrivateKey;
use serde_json::Value;

use super::{json_of, run, stderr, stdout};
use crate::support::ACCOUNT;
use crate::support::ledger::Ledger;
use crate::support::terminal::Terminal;

const FILE: &str = "delivery-ledger.toml";

/// It is not part of the account's SID.
const TOKEN: &str = "abababababababababababababababab";

fn read(ledger: &Ledger, name: &str) -> String {
    fs::read_to_string(ledger.file(name)).unwrap()
}

fn mode(file: &Path) -> u32 {
    file.metadata().unwrap().permissions().mode() & 0o777
}

/// The settings whose value comes from the file.
fn from_file(ledger: &Ledger) -> Vec<String> {
    let json = json_of(ledger, &["config", "show", "--format", "json"]);
    assert_eq!(json["valid"], true, "{json:#}");
    let settings = json["settings"].as_array().unwrap().iter();
    let of_file = settings.filter(|setting| setting["origin"]["kind"] == "file");
    of_file.map(|setting| setting["setting"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn the_file_is_valid_and_sets_nothing() {
    let ledger = Ledger::new();
    let told = run(&ledger, &["init"]);
    assert_eq!(from_file(&ledger), Vec::<String>::new());
    assert_eq!(mode(&ledger.file(FILE)), 0o600);
    for line in [
        "export TWILIO_ACCOUNT_SID=AC…",
        "delivery-ledger serve ",
        "delivery-ledger doctor ",
        "delivery-ledger simulate --target http://127.0.0.1:8080/message-status --messages 10",
    ] {
        assert!(told.contains(&format!("\n  {line}")), "{line}: {told}");
    }
}

#[test]
fn the_file_is_valid_with_every_mark_of_a_setting_removed() {
    let ledger = Ledger::new();
    run(&ledger, &["init"]);
    let without_mark = |line: &str| match line.strip_prefix('#') {
        Some(setting) if !setting.is_empty() && !setting.starts_with(' ') => setting.to_owned(),
        _ => line.to_owned(),
    };
    let text: Vec<_> = read(&ledger, FILE).lines().map(without_mark).collect();
    let parent =
        "[accounts.ACfedcba9876543210fedcba9876543210]\nauth_token_file = 'parent-token'\n";
    fs::write(ledger.file(FILE), format!("{}\n{parent}", text.join("\n"))).unwrap();
    let timestamps: [Value; 2] =
        serde_json::from_str(include_str!("../../data/timestamps.json")).unwrap();
    let certificate = |name| timestamps[0][name].as_str().unwrap();
    for (name, text) in [
        ("seal-key", &*PrivateKey::new("delivery-ledger/1", [1; 32]).to_secret_text()),
        ("timestamp-authority.pem", &(certificate("authority").to_owned() + certificate("root"))),
        ("parent-token", "33333333333333333333333333333333"),
        ("api-token", "a token of the admin API"),
        ("support-token", "another token of the admin API"),
        ("error-codes.csv", &fs::read_to_string("src/domain/error_codes.csv").unwrap()),
        ("twilio-auth-token", TOKEN),
        ("twilio-auth-token-secondary", "11111111111111111111111111111111"),
        ("twilio-auth-token-ie1", "22222222222222222222222222222222"),
        ("twilio-shared-key", "a shared key"),
        ("orders-secret", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
    ] {
        fs::write(ledger.file(name), text).unwrap();
    }

    let of_file = from_file(&ledger);

    // The pieces of these have a list of their own, or are read from the environment alone.
    let elsewhere = [
        "api_tokens",
        "api_token",
        "api_token_file",
        "twilio_api_key",
        "database_password",
        config::FORWARD.key,
    ];
    let keys = SETTINGS.iter().map(|setting| setting.key).filter(|key| !elsewhere.contains(key));
    assert_eq!(of_file, keys.collect::<Vec<_>>());
    let json = json_of(&ledger, &["config", "show", "--format", "json"]);
    assert_eq!(json["accounts"][0]["keys"].as_array().map(Vec::len), Some(4), "{json:#}");
    assert_eq!(json["api_tokens"].as_array().map(Vec::len), Some(2), "{json:#}");
}

#[test]
fn flags_and_the_account_are_put_into_the_file_and_the_token_into_its_own() {
    let ledger = Ledger::new();
    let (reader, mut writer) = std::io::pipe().unwrap();
    std::io::Write::write_all(&mut writer, format!("{TOKEN}\n").as_bytes()).unwrap();
    drop(writer);
    let arguments = [
        "--database",
        "sqlite:books.db",
        "init",
        "--public-url",
        "https://hooks.example.com",
        "--public-url",
        "https://other.example.com",
        "--account-sid",
        ACCOUNT,
        "--auth-token-stdin",
    ];
    let output = ledger.command(&arguments).stdin(reader).output();

    assert!(output.status.success(), "{}", stderr(&output));
    let told = stdout(&output);
    assert!(told.ends_with("\n  https://hooks.example.com/message-status#rc=5&rp=all\n"), "{told}");
    assert_eq!(from_file(&ledger), ["public_url", "database"]);
    let json: Value = json_of(&ledger, &["config", "show", "--format", "json"]);
    assert_eq!(json["accounts"][0]["account_sid"], ACCOUNT);
    assert_eq!(json["accounts"][0]["keys"][0]["key_file"], "twilio-auth-token");
    assert_eq!(read(&ledger, "twilio-auth-token"), format!("{TOKEN}\n"));
    assert_eq!(mode(&ledger.file("twilio-auth-token")), 0o600);
    assert!(!read(&ledger, FILE).contains(TOKEN) && !told.contains(TOKEN));
}

#[test]
fn an_existing_file_is_never_replaced() {
    let ledger = Ledger::new();
    fs::write(ledger.file(FILE), "rule = \"delivery-wins\"\n").unwrap();
    let output = ledger.run(&["init"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("delivery-ledger.toml exists already, and was not changed"));
    assert_eq!(read(&ledger, FILE), "rule = \"delivery-wins\"\n");

    let told = run(&ledger, &["--config", "my other.toml", "init"]);
    assert!(told.contains("\n  delivery-ledger --config 'my other.toml' serve "), "{told}");

    fs::write(ledger.file("twilio-auth-token"), "old").unwrap();
    let (reader, mut writer) = std::io::pipe().unwrap();
    std::io::Write::write_all(&mut writer, TOKEN.as_bytes()).unwrap();
    drop(writer);
    let arguments =
        ["--config", "new.toml", "init", "--account-sid", ACCOUNT, "--auth-token-stdin"];
    let output = ledger.command(&arguments).stdin(reader).output();
    assert!(stderr(&output).contains("twilio-auth-token exists already"), "{}", stderr(&output));
    assert_eq!(read(&ledger, "twilio-auth-token"), "old");
    assert!(!ledger.file("new.toml").exists());
}

/// The pipe stays open and empty: reading from it would never end.
#[test]
fn without_a_terminal_it_asks_and_waits_for_nothing() {
    let ledger = Ledger::new();
    let (reader, _writer) = std::io::pipe().unwrap();
    let output = ledger.command(&["init", "--account-sid", ACCOUNT]).stdin(reader).output();
    assert!(output.status.success());
    let told = stdout(&output);
    assert!(told.contains(&format!("\n  export TWILIO_ACCOUNT_SID={ACCOUNT}\n")), "{told}");
    assert!(read(&ledger, FILE).contains(&format!("\n#[accounts.{ACCOUNT}]\n")));
}

#[test]
fn invalid_values_are_usage_errors_and_nothing_is_written() {
    let ledger = Ledger::new();
    for (arguments, said) in [
        (&["--public-url", "https://my_host"][..], "underscore"),
        (&["--listen", "nowhere"], "--listen: `nowhere` is not an address and port"),
        (&["--account-sid", "SM1"], "--account-sid: `SM1` is not an account SID"),
        (&["--auth-token-stdin"], "name the account with --account-sid"),
    ] {
        let output = ledger.run(&[&["init"], arguments].concat());
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", stderr(&output));
        assert!(stderr(&output).contains(said), "{}", stderr(&output));
    }
    let (reader, mut writer) = std::io::pipe().unwrap();
    std::io::Write::write_all(&mut writer, b"your_auth_token\n").unwrap();
    drop(writer);
    let arguments = ["init", "--account-sid", ACCOUNT, "--auth-token-stdin"];
    let output = ledger.command(&arguments).stdin(reader).output();
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("this is a placeholder"), "{}", stderr(&output));
    assert_eq!(fs::read_dir(ledger.file("")).unwrap().count(), 0);
}

#[test]
fn at_a_terminal_it_asks_and_does_not_show_the_token() {
    let ledger = Ledger::new();
    let shown = Terminal::of(100).converse(
        ledger.command(&["init"]),
        &[
            ("The URL under which Twilio reaches this server", "hooks.example.com\n"),
            ("The URL under which Twilio reaches this server", "https://hooks.example.com\n"),
            ("The SID of the Twilio account", &format!("{ACCOUNT}\n")),
            ("Its auth token", &format!("{TOKEN}\n")),
        ],
    );
    assert!(shown.contains("https://hooks.example.com/message-status#rc=5&rp=all"), "{shown}");
    assert!(!shown.contains(TOKEN), "{shown}");
    assert_eq!(read(&ledger, "twilio-auth-token"), format!("{TOKEN}\n"));
    assert_eq!(from_file(&ledger), ["public_url"]);
}

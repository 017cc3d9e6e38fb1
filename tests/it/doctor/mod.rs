//! The `doctor` command: every check with and without a problem, and what the page must never contain.

mod files;
mod forwarding;
mod ledger;
mod over_http;
mod page;
mod server;
mod settings;
mod streams;

use std::fs;
use std::path::Path;

use delivery_ledger::domain::{NewEvent, Timestamp};
use proptest::prelude::*;
use serde_json::Value;
use time::OffsetDateTime;

use crate::support::events::event;
use crate::support::ledger::Ledger;
use crate::support::{ACCOUNT, Command, SECONDARY_TOKEN, TOKEN, delivered, sent, sid};

/// A page and its exit code.
struct Page {
    code: Option<i32>,
    json: Value,
}

impl Page {
    fn from_command(command: Command) -> Self {
        let output = command.output();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(stderr, "", "stderr is empty");
        let json = serde_json::from_slice(&output.stdout).expect("JSON on stdout");
        Self { code: output.status.code(), json }
    }

    fn checks(&self) -> &[Value] {
        self.json["checks"].as_array().unwrap()
    }

    fn names(&self) -> Vec<&str> {
        self.checks().iter().map(|check| check["name"].as_str().unwrap()).collect()
    }

    fn find(&self, name: &str) -> Option<&Value> {
        self.checks().iter().find(|check| check["name"] == name)
    }

    #[track_caller]
    fn check(&self, name: &str) -> &Value {
        self.find(name).unwrap_or_else(|| panic!("no {name} in {:?}", self.names()))
    }

    #[track_caller]
    fn outcome(&self, name: &str) -> &str {
        self.check(name)["outcome"].as_str().unwrap()
    }

    #[track_caller]
    fn detail(&self, name: &str) -> &str {
        self.check(name)["detail"].as_str().unwrap()
    }

    /// The names of the checks with a warning or a failure.
    fn problems(&self) -> Vec<&str> {
        let unwell = self.checks().iter().filter(|check| check["outcome"] != "ok");
        unwell.map(|check| check["name"].as_str().unwrap()).collect()
    }
}

/// `doctor` in a folder, with a valid configuration in the environment.
fn doctor(folder: &Path, arguments: &[&str]) -> Command {
    Command::new(folder, &[&["doctor", "--format", "json"], arguments].concat())
        .env("TWILIO_ACCOUNT_SID", ACCOUNT)
        .env("TWILIO_AUTH_TOKEN", TOKEN)
        .env("DELIVERY_LEDGER_PUBLIC_URL", "https://hooks.example.com")
        // Nothing listens on this port.
        .env("DELIVERY_LEDGER_ADMIN_LISTEN", "127.0.0.1:1")
}

fn examine(ledger: &Ledger) -> Page {
    Page::from_command(doctor(&ledger.file(""), &[]))
}

fn now() -> Timestamp {
    Timestamp::from(OffsetDateTime::now_utc())
}

/// An event that arrived this many seconds ago.
fn seconds_ago(event: NewEvent, seconds: i64) -> NewEvent {
    NewEvent { received_at: Timestamp::from_micros(now().micros() - seconds * 1_000_000), ..event }
}

fn delivered_just_now() -> NewEvent {
    seconds_ago(event(delivered(&sid(1))), 0)
}

fn sent_days_ago() -> NewEvent {
    seconds_ago(event(sent(&sid(2))), 2 * 86_400)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn the_page_never_shows_a_secret(
        tokens in prop::collection::vec("[a-zA-Z0-9]{20,40}", 9),
        is_broken in any::<bool>(),
        table in any::<bool>(),
    ) {
        let ledger = Ledger::with_events(&[delivered_just_now()]);
        for (number, token) in tokens.iter().enumerate() {
            fs::write(ledger.file(&format!("secret-{number}")), token).unwrap();
        }
        // A token without quotes causes a syntax error, whose message must not quote it.
        let quote = if is_broken { "" } else { "\"" };
        let toml = format!(
            "[accounts.AC1]\nauth_token = {quote}{}{quote}\nauth_token_secondary_file = \"secret-1\"\n\
             shared_keys = {{ key = \"secret-2\" }}\n\
             [api_tokens.one]\ntoken_file = \"secret-3\"\nscope = \"read\"\n\
             [forward.one]\nurl = \"https://app.example.com/?token={}\"\nformat = \"message\"\n\
             secret = \"{}\"\n\
             [forward.two]\nurl = \"https://{}@app.example.com\"\nformat = \"message\"\n\
             secret_file = \"secret-3\"\n",
            tokens[0], tokens[7], tokens[8], tokens[2]
        );
        fs::write(ledger.file("delivery-ledger.toml"), toml).unwrap();
        let format = if table { "table" } else { "json" };
        let output = ledger
            .command(&["doctor", "--format", format, "--admin-listen", "127.0.0.1:1"])
            .env("TWILIO_ACCOUNT_SID", ACCOUNT)
            .env("TWILIO_AUTH_TOKEN", &tokens[4])
            .env("TWILIO_AUTH_TOKEN_SECONDARY", SECONDARY_TOKEN)
            .env("DELIVERY_LEDGER_API_TOKEN", &tokens[5])
            .env("TWILIO_API_KEY", "SK1")
            .env("TWILIO_API_SECRET", &tokens[6])
            .output();
        let page = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        prop_assert!(page.contains("AC1") || is_broken);
        for token in tokens.iter().map(String::as_str).chain([SECONDARY_TOKEN]) {
            prop_assert!(!page.contains(token), "{token} is in\n{page}");
        }
    }
}

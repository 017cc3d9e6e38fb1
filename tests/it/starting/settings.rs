//! Accounts, tokens, public URLs, addresses, paths and rules that are refused.

use std::net::TcpListener;

use super::Serve;
use crate::support::{ACCOUNT, TOKEN};

// Accounts and tokens.

#[test]
fn without_an_account_the_error_names_the_settings() {
    assert_eq!(
        Serve::bare().refused(),
        "error: no Twilio account is configured: set TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN \
         (or TWILIO_AUTH_TOKEN_FILE), or add [accounts.AC…] with auth_token_file to \
         delivery-ledger.toml"
    );
}

#[test]
fn an_account_needs_its_token_and_a_token_its_account() {
    assert_eq!(
        Serve::bare().env("TWILIO_ACCOUNT_SID", ACCOUNT).refused(),
        format!(
            "error: TWILIO_ACCOUNT_SID is {ACCOUNT}, but its token is missing: set \
             TWILIO_AUTH_TOKEN or TWILIO_AUTH_TOKEN_FILE"
        )
    );
    assert_eq!(
        Serve::bare().env("TWILIO_AUTH_TOKEN", TOKEN).refused(),
        "error: TWILIO_AUTH_TOKEN is set, but not whose it is: set TWILIO_ACCOUNT_SID to the AC… SID"
    );
    // A variable that is set to nothing is not set.
    let blank = Serve::configured().env("TWILIO_AUTH_TOKEN", "").refused();
    assert!(blank.contains("its token is missing"), "{blank}");
    let file = Serve::bare().file("delivery-ledger.toml", "[accounts.AC1]\n").refused();
    assert_eq!(file, "error: accounts.AC1 has no auth_token_file; it names a file with the token");
}

#[test]
fn a_token_file_must_be_readable_and_not_empty() {
    let serve = |file: &str| {
        Serve::bare().env("TWILIO_ACCOUNT_SID", ACCOUNT).env("TWILIO_AUTH_TOKEN_FILE", file)
    };

    assert_eq!(
        serve("nowhere").refused(),
        "error: TWILIO_AUTH_TOKEN_FILE: cannot read the secret in nowhere: \
         No such file or directory (os error 2)"
    );
    let folder = serve(".").refused();
    assert!(folder.starts_with("error: TWILIO_AUTH_TOKEN_FILE: cannot read the secret in ."));
    for empty in ["", "\n", "\r\n"] {
        assert_eq!(
            serve("token").file("token", empty).refused(),
            "error: TWILIO_AUTH_TOKEN_FILE: token is empty; \
             it should hold the secret and nothing else"
        );
    }
    let in_file = "[accounts.AC1]\nauth_token_file = \"nowhere\"\n";
    let refused = Serve::bare().file("delivery-ledger.toml", in_file).refused();
    assert!(refused.starts_with("error: accounts.AC1.auth_token_file: cannot read"), "{refused}");
    let keys = "[accounts.AC1]\nauth_token = \"x\"\nshared_keys = { k = \"nowhere\" }\n";
    let refused = Serve::bare().file("delivery-ledger.toml", keys).refused();
    assert!(refused.starts_with("error: accounts.AC1.shared_keys: cannot read"), "{refused}");
}

#[test]
fn an_empty_secret_in_the_file_is_refused() {
    // Anybody could have signed with an empty token.
    for (file, setting) in [
        ("[accounts.AC1]\nauth_token = \"\"\n", "accounts.AC1.auth_token"),
        (
            "[accounts.AC1]\nauth_token = \"x\"\nauth_token_secondary = \"\"\n",
            "accounts.AC1.auth_token_secondary",
        ),
        ("api_token = \"\"\n[accounts.AC1]\nauth_token = \"x\"\n", "api_token"),
    ] {
        assert_eq!(
            Serve::bare().file("delivery-ledger.toml", file).refused(),
            format!("error: {setting} is empty; it should hold the secret, or be left out")
        );
    }
}

#[test]
fn a_public_admin_listener_needs_a_token() {
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:8081"] {
        assert_eq!(
            Serve::configured().arguments(&["--admin-listen", address]).refused(),
            format!(
                "error: the admin listener is bound to {address}, which others can reach: set \
                 DELIVERY_LEDGER_API_TOKEN (or …_FILE), or bind it to 127.0.0.1 with --admin-listen"
            )
        );
    }
    let empty_file = Serve::configured()
        .arguments(&["--admin-listen", "0.0.0.0:0"])
        .file("api-token", "\n")
        .env("DELIVERY_LEDGER_API_TOKEN_FILE", "api-token");
    assert!(empty_file.refused().starts_with("error: DELIVERY_LEDGER_API_TOKEN_FILE: api-token"));
}

// Public URLs.

#[test]
fn a_public_url_that_twilio_cannot_sign_is_refused() {
    for (url, reason) in [
        (
            "https://my_host.example.com",
            "`https://my_host.example.com` has an underscore in its host name; \
             Twilio refuses such callback URLs",
        ),
        (
            "https://h.example.com/a?b=1",
            "`https://h.example.com/a?b=1` has a query; give scheme, host and path prefix only",
        ),
        (
            "https://h.example.com/#rc=5",
            "`https://h.example.com/#rc=5` has a fragment; \
             Twilio never signs one, so leave it out here",
        ),
        ("ftp://h.example.com", "`ftp://h.example.com` is not of the form https://host/prefix"),
        ("h.example.com", "`h.example.com` is not of the form https://host/prefix"),
        ("https://", "`https://` is not of the form https://host/prefix"),
        ("https:///prefix", "`https:///prefix` is not of the form https://host/prefix"),
        ("https://:8443", "`https://:8443` has no host"),
        (
            "https://h.example.com:x",
            "`https://h.example.com:x` has a port that is not a number from 0 to 65535",
        ),
        (
            "https://h.example.com:65536",
            "`https://h.example.com:65536` has a port that is not a number from 0 to 65535",
        ),
        (
            "https://h.example.com/España",
            "`https://h.example.com/España` has characters that no URL has; percent-encode them",
        ),
    ] {
        assert_eq!(
            Serve::configured().arguments(&["--public-url", url]).refused_as_usage(),
            format!("error: DELIVERY_LEDGER_PUBLIC_URL or --public-url: public URL {reason}")
        );
    }
}

#[test]
fn a_password_in_a_public_url_is_refused_and_not_shown() {
    for url in [
        "https://user:hunter2@h.example.com",
        "https://user:hun@ter2@h.example.com/prefix",
        "https://user:hunter2@h.example.com?a=1",
        "ftp://user:hunter2@h.example.com",
        "user:hunter2@h.example.com",
        "//user:hunter2@h.example.com",
    ] {
        let refused = Serve::configured().env("DELIVERY_LEDGER_PUBLIC_URL", url).refused();
        assert!(refused.contains("DELIVERY_LEDGER_PUBLIC_URL"), "{refused}");
        assert!(refused.contains("@h.example.com"), "{refused}");
        assert!(!refused.contains("hun") && !refused.contains("ter2"), "{refused}");
    }
    let refused = Serve::configured()
        .arguments(&["--public-url", "https://user:hunter2@h.example.com"])
        .refused_as_usage();
    assert_eq!(
        refused,
        "error: DELIVERY_LEDGER_PUBLIC_URL or --public-url: public URL `https://…@h.example.com` \
         has a user name or password; Twilio drops them before it signs, so leave them out"
    );
}

#[test]
fn every_public_url_is_validated_in_every_source() {
    let both = "https://a.example.com, https://b_b.example.com";
    let refused = Serve::configured().env("DELIVERY_LEDGER_PUBLIC_URL", both).refused();
    assert!(refused.contains("`https://b_b.example.com` has an underscore"), "{refused}");

    let file = "public_url = [\"https://a.example.com\", \"ftp://b.example.com\"]\n";
    let refused = Serve::configured().file("delivery-ledger.toml", file).refused();
    assert!(refused.contains("`ftp://b.example.com` is not of the form"), "{refused}");
}

// Addresses, paths and the rule.

#[test]
fn an_invalid_address_is_refused() {
    let listen = Serve::configured().env("DELIVERY_LEDGER_ADMIN_LISTEN", "8081");
    assert_eq!(
        listen.without_listeners().refused(),
        "error: DELIVERY_LEDGER_ADMIN_LISTEN: `8081` is not an address and port, \
         such as 127.0.0.1:8081"
    );
    let listen = Serve::configured().without_listeners().arguments(&["--listen", "localhost:8080"]);
    assert_eq!(
        listen.refused_as_usage(),
        "error: --listen: `localhost:8080` is not an address and port, such as 127.0.0.1:8080"
    );
}

#[test]
fn a_port_in_use_is_refused() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();

    let listen = Serve::configured().without_listeners().arguments(&["--listen", &taken]);
    assert_eq!(
        listen.refused(),
        format!(
            "error: cannot listen on {taken}; choose another with --listen or \
             DELIVERY_LEDGER_LISTEN: Address already in use (os error 98)"
        )
    );
    let listen = Serve::configured().arguments(&["--admin-listen", &taken]);
    assert_eq!(
        listen.refused(),
        format!(
            "error: cannot listen on {taken}; choose another with --admin-listen or \
             DELIVERY_LEDGER_ADMIN_LISTEN: Address already in use (os error 98)"
        )
    );
}

#[test]
fn an_impossible_callback_path_is_refused() {
    for path in ["message-status", "/a?b", "/a#b", "/a b", "/{a}", ""] {
        let refused = Serve::configured().arguments(&["--callback-path", path]).refused_as_usage();
        let expected = format!("error: --callback-path: `{path}` is not a path such as /message");
        assert!(refused.starts_with(&expected), "{refused}");
    }
}

#[test]
fn a_wildcard_is_allowed_only_at_the_end_of_a_callback_path() {
    for path in ["/v1/*/sms", "/v1/sms*", "/*/*"] {
        assert_eq!(
            Serve::configured().env("DELIVERY_LEDGER_CALLBACK_PATH", path).refused(),
            format!(
                "error: DELIVERY_LEDGER_CALLBACK_PATH: `{path}` has a * that is not in a trailing \
                 /*, which matches every path below; give one path, or end it with /*"
            )
        );
    }
    let file = Serve::configured().file("delivery-ledger.toml", "callback_path = \"/healthz\"\n");
    assert_eq!(
        file.refused(),
        "error: callback_path: `/healthz` is the path of the health check; choose another path"
    );
}

#[test]
fn the_path_of_event_streams_is_one_whole_path() {
    let refused = Serve::configured().arguments(&["--event-streams-path", "/sink/*"]);
    assert_eq!(
        refused.refused_as_usage(),
        "error: --event-streams-path: `/sink/*` is a prefix; give the whole path, such as \
         /event-streams"
    );
    let variable = Serve::configured().env("DELIVERY_LEDGER_EVENT_STREAMS_PATH", "sink");
    let refused = variable.refused();
    let expected = "error: DELIVERY_LEDGER_EVENT_STREAMS_PATH: `sink` is not a path such as";
    assert!(refused.starts_with(expected), "{refused}");
}

#[test]
fn an_invalid_rule_is_refused() {
    assert_eq!(
        Serve::configured().env("DELIVERY_LEDGER_RULE", "last-wins").refused(),
        "error: DELIVERY_LEDGER_RULE: `last-wins` is not a rule; use failure-terminal or \
         delivery-wins"
    );
    let file = Serve::configured().file("delivery-ledger.toml", "rule = \"Delivery-Wins\"\n");
    let refused = file.refused();
    assert!(refused.starts_with("error: rule: `Delivery-Wins` is not a rule"), "{refused}");
}

#[test]
fn an_invalid_verification_interval_is_refused() {
    for time in ["24", "0s", "daily", "-1h", "on"] {
        assert_eq!(
            Serve::configured().arguments(&[&format!("--verify-every={time}")]).refused(),
            format!(
                "error: --verify-every: `{time}` is neither off nor a time from 1s on, such as 24h"
            )
        );
    }
    let variable = Serve::configured().env("DELIVERY_LEDGER_VERIFY_EVERY", "x").refused();
    assert!(
        variable.starts_with("error: DELIVERY_LEDGER_VERIFY_EVERY: `x` is neither"),
        "{variable}"
    );
    let file = Serve::configured().file("delivery-ledger.toml", "verify_every = \"x\"\n").refused();
    assert!(file.starts_with("error: verify_every: `x` is neither"), "{file}");
}

#[test]
fn wal_checkpoints_must_be_a_valid_choice() {
    let refused =
        Serve::configured().env("DELIVERY_LEDGER_WAL_CHECKPOINTS", "litestream").refused();
    assert_eq!(
        refused,
        "error: DELIVERY_LEDGER_WAL_CHECKPOINTS: `litestream` is neither own nor external, which \
         leaves them to Litestream"
    );
    let file =
        Serve::configured().file("delivery-ledger.toml", "wal_checkpoints = \"x\"\n").refused();
    assert!(file.starts_with("error: wal_checkpoints: `x` is neither"), "{file}");
}

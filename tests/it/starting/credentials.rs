//! SIDs, tokens and URLs with copy-and-paste mistakes: corrected if the meaning is certain, otherwise
//! rejected with one line that names the setting but never shows the secret.

use super::Serve;
use crate::support::{ACCOUNT, App, OTHER_ACCOUNT, SECONDARY_TOKEN, TOKEN, sent, sid, signature};

fn with_token(token: &str) -> Serve {
    Serve::bare().env("TWILIO_ACCOUNT_SID", ACCOUNT).env("TWILIO_AUTH_TOKEN", token)
}

// Tokens.

#[test]
fn whitespace_and_quotes_around_a_token_are_stripped() {
    for (file, text) in [
        ("quoted", format!("\"{TOKEN}\"\n")),
        ("single", format!("'{TOKEN}'")),
        ("curly", format!("\u{201c}{TOKEN}\u{201d}")),
        ("blank", format!(" {TOKEN} \t")),
        ("lines", format!("\n{TOKEN}\r\n\n")),
        ("mark", format!("\u{feff}{TOKEN}\n")),
        ("both", format!("\u{feff} \" {TOKEN} \"\r\n")),
    ] {
        let mut app =
            App::not_started(&[("TWILIO_AUTH_TOKEN", ""), ("TWILIO_AUTH_TOKEN_FILE", file)]);
        std::fs::write(app.folder().join(file), text).unwrap();
        app.restart();
        assert_eq!(app.receive(sent(&sid(1))).code, 200, "{file}");
        if file != "mark" {
            let stderr = app.stderr();
            assert!(
                stderr.contains("TWILIO_AUTH_TOKEN_FILE: the token has blanks or quotes around it"),
                "{file}: {stderr}"
            );
            assert!(!stderr.contains(TOKEN), "{file}");
        }
    }
}

#[test]
fn an_invalid_token_is_rejected_with_its_setting() {
    for (token, expected) in [
        (
            "in two",
            "the token has blanks or quotes in it; it is 32 hexadecimal digits and nothing else",
        ),
        (
            "\"0123",
            "the token has blanks or quotes in it; it is 32 hexadecimal digits and nothing else",
        ),
        (
            ACCOUNT,
            "this is an account SID (AC…), not a token: SID and token are swapped, or the SID was \
             copied for both",
        ),
        (
            "SK0123456789abcdef0123456789abcdef",
            "this is the SID of an API key, not an account's auth token",
        ),
        ("your_auth_token", "this is a placeholder; put in the auth token from Twilio's Console"),
        (
            "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
            "this is a placeholder; put in the auth token from Twilio's Console",
        ),
    ] {
        assert_eq!(with_token(token).refused(), format!("error: TWILIO_AUTH_TOKEN: {expected}"));
        let secondary = Serve::configured().env("TWILIO_AUTH_TOKEN_SECONDARY", token).refused();
        assert_eq!(secondary, format!("error: TWILIO_AUTH_TOKEN_SECONDARY: {expected}"));
        let file = format!(
            "[accounts.{ACCOUNT}]\nauth_tokens = {{ ie1 = \"t\" }}\nauth_token = \"{TOKEN}\"\n"
        );
        let file = Serve::bare().file("delivery-ledger.toml", &file).file("t", token).refused();
        assert_eq!(file, format!("error: accounts.{ACCOUNT}.auth_tokens.ie1: {expected}"));
    }
}

#[test]
fn a_token_of_unusual_form_is_accepted_with_a_warning() {
    let mut app = App::not_started(&[("TWILIO_AUTH_TOKEN", "12345")]);
    app.restart();
    let body = sent(&sid(1)).bytes();
    let signed = signature("12345", &app.url("/message-status"), &body);
    let request = app.form("/message-status").header("X-Twilio-Signature", &signed);
    assert_eq!(request.body(body).send(app.callbacks()).code, 200);
    let expected = format!(
        "TWILIO_AUTH_TOKEN: the primary token of account {ACCOUNT} does not have the form of Twilio's"
    );
    assert!(app.stderr().contains(&expected), "{}", app.stderr());
}

#[test]
fn additional_tokens_need_unique_names() {
    for (name, expected) in [
        ("primary", "events call the account's own tokens primary; give it another name"),
        ("secondary", "events call the account's own tokens secondary; give it another name"),
        ("shared", "a shared key has this name too; events say by it what verified them"),
        ("\"a b\"", "a name has only letters, digits, dashes, dots and underscores"),
    ] {
        let file = format!(
            "[accounts.{ACCOUNT}]\nauth_token = \"{TOKEN}\"\nauth_tokens = {{ {name} = \"t\" }}\n\
             shared_keys = {{ shared = \"t\" }}\n"
        );
        let refused = Serve::bare().file("delivery-ledger.toml", &file).file("t", SECONDARY_TOKEN);
        let name = name.trim_matches('"');
        assert_eq!(
            refused.refused(),
            format!("error: accounts.{ACCOUNT}.auth_tokens.{name}: {expected}")
        );
    }
    let shared = format!(
        "[accounts.{ACCOUNT}]\nauth_token = \"{TOKEN}\"\nshared_keys = {{ primary = \"t\" }}\n"
    );
    let refused = Serve::bare().file("delivery-ledger.toml", &shared).file("t", "k").refused();
    assert!(refused.contains("shared_keys.primary: events call"), "{refused}");
}

// SIDs.

#[test]
fn an_invalid_account_sid_is_rejected_without_showing_a_token_given_in_its_place() {
    let refused = |sid: &str| {
        Serve::bare().env("TWILIO_ACCOUNT_SID", sid).env("TWILIO_AUTH_TOKEN", TOKEN).refused()
    };
    for (sid, expected) in [
        ("AC123", "`AC123` is not an account SID, which is AC and 32 hexadecimal digits"),
        (
            "AC0123456789abcdef0123456789abcdeg",
            "`AC0123456789abcdef0123456789abcdeg` is not an account SID, which is AC and 32 \
             hexadecimal digits",
        ),
        (
            "MG0123456789abcdef0123456789abcdef",
            "`MG0123456789abcdef0123456789abcdef` is the SID of a messaging service, not of an \
             account (AC…)",
        ),
        (
            "SK0123456789abcdef0123456789abcdef",
            "`SK0123456789abcdef0123456789abcdef` is an API key's SID; set it as TWILIO_API_KEY, and \
             the account's own SID (AC…) here",
        ),
        (
            "'AC0123456789abcdef0123456789abcdef'",
            "the account SID has blanks or quotes around it; leave them out",
        ),
    ] {
        assert_eq!(refused(sid), format!("error: TWILIO_ACCOUNT_SID: {expected}"));
    }
    let swapped = Serve::bare()
        .env("TWILIO_ACCOUNT_SID", SECONDARY_TOKEN)
        .env("TWILIO_AUTH_TOKEN", OTHER_ACCOUNT)
        .refused();
    assert_eq!(
        swapped,
        "error: TWILIO_ACCOUNT_SID: this has the form of an auth token, and an account SID is AC and \
         32 hexadecimal digits: are SID and token swapped?"
    );
    let in_file = format!("[accounts.{SECONDARY_TOKEN}]\nauth_token = \"{OTHER_ACCOUNT}\"\n");
    let in_file = Serve::bare().file("delivery-ledger.toml", &in_file).refused();
    assert!(in_file.contains("are SID and token swapped?"), "{in_file}");
    assert!(!in_file.contains(SECONDARY_TOKEN), "{in_file}");
    let odd = format!("[accounts.ACx]\nauth_token = \"{TOKEN}\"\n");
    assert_eq!(
        Serve::bare().file("delivery-ledger.toml", &odd).refused(),
        "error: [accounts.AC…]: `ACx` is not an account SID, which is AC and 32 hexadecimal digits"
    );
}

#[test]
fn other_keys_with_whitespace_or_quotes_are_rejected() {
    let api_token =
        Serve::configured().env("DELIVERY_LEDGER_API_TOKEN", "\"0123456789abcdef0123\"").refused();
    assert_eq!(
        api_token,
        "error: DELIVERY_LEDGER_API_TOKEN: the secret has blanks or quotes around it; leave them out"
    );
    let shared = format!(
        "[accounts.{ACCOUNT}]\nauth_token = \"{TOKEN}\"\nshared_keys = {{ one = \"key\" }}\n"
    );
    let shared = Serve::bare().file("delivery-ledger.toml", &shared).file("key", " k \n").refused();
    assert!(shared.contains("shared_keys: the secret has blanks or quotes around it"), "{shared}");
    let app = App::not_started(&[("TWILIO_API_KEY", TOKEN), ("TWILIO_API_SECRET", "s")]);
    let sent = app.run(&[
        "send",
        "--to",
        "+1555",
        "--from",
        "+1",
        "--body",
        "Hi",
        "--public-url",
        "https://a.example",
    ]);
    let stderr = String::from_utf8(sent.stderr).unwrap();
    assert!(stderr.contains("TWILIO_API_KEY: this has the form of a secret"), "{stderr}");
    assert!(!stderr.contains(TOKEN), "{stderr}");
}

// Public URLs.

/// Regression: the URL was used unchanged, so every callback was rejected.
#[test]
fn a_public_url_in_capitals_is_also_checked_in_lower_case() {
    let app = App::start_with(&["--public-url", "HTTPS://Hooks.Example.com/Path/"]);
    let receive = |url: &str| {
        let body = sent(&sid(1)).bytes();
        let signed = signature(TOKEN, url, &body);
        let request = app.form("/message-status").header("X-Twilio-Signature", &signed);
        request.body(body).send(app.callbacks()).code
    };

    assert_eq!(receive("https://hooks.example.com/Path/message-status"), 200);
    assert_eq!(receive("HTTPS://Hooks.Example.com/Path/message-status"), 200);
    assert_eq!(receive("https://hooks.example.com/path/message-status"), 403);
    assert!(app.stderr().contains("so https://hooks.example.com/Path is checked too"));
}

#[test]
fn a_public_url_with_whitespace_or_quotes_is_rejected() {
    for url in ["\"https://h.example.com\"", " https://h.example.com", "'https://h.example.com/'"] {
        assert_eq!(
            Serve::configured().arguments(&["--public-url", url]).refused_as_usage(),
            format!(
                "error: DELIVERY_LEDGER_PUBLIC_URL or --public-url: public URL `{url}` has blanks or \
                 quotes around it; leave them out"
            )
        );
    }
}

#[test]
fn a_public_url_that_already_has_the_callback_path_gives_a_warning() {
    let app = App::start_with(&["--public-url", "https://hooks.example.com/message-status"]);
    let expected = "https://hooks.example.com/message-status ends with the callback path";
    app.eventually("it is logged", || app.stderr().contains(expected));
}

//! Which callback URL, base URL, proxy and certificates are used.

use super::{alone, hello, post, send, sent, stderr};
use crate::support::twilio::Twilio;
use crate::support::{ACCOUNT, App};

#[test]
fn a_callback_query_that_a_proxy_may_sort_gives_a_warning() {
    let twilio = Twilio::start();
    let app = alone(&twilio);
    let warned = |url: &str| {
        let output = send(&app, &["--from", "+1", "--body", "Hi", "--status-callback", url]);
        assert!(output.status.success(), "{}", stderr(&output));
        stderr(&output).contains("warning: --status-callback: the query's parameters do not stand")
    };

    assert!(warned("https://hooks.example.com/message-status?order=17&campaign=4#rc=5"));
    assert!(!warned("https://hooks.example.com/message-status?campaign=4&order=17#rc=5&rp=all"));
    assert!(!warned("https://hooks.example.com/message-status#rc=5&ct=1"));
}

#[test]
fn a_wildcard_path_cannot_be_a_callback_url() {
    let twilio = Twilio::start();
    let app = alone(&twilio);
    let arguments = ["send", "--to", "+1555", "--from", "+1", "--body", "Hi"];
    let with = |paths: &[&str]| app.run(&[&arguments[..], paths].concat());

    let both = with(&["--callback-path", "/v1/sms/*", "--callback-path", "/own"]);
    assert!(both.status.success(), "{}", stderr(&both));
    let url = "https://hooks.example.com/own#rc=5&rp=all".to_owned();
    assert!(twilio.made().last().unwrap().contains(&("StatusCallback".to_owned(), url)));

    let prefix = with(&["--callback-path", "/v1/sms/*"]);
    assert!(!prefix.status.success());
    assert!(stderr(&prefix).contains("the callback path `/v1/sms/*` is a prefix"));
}

#[test]
fn connection_parameters_are_added_to_the_callback_url() {
    let twilio = Twilio::start();
    let app = alone(&twilio);
    let arguments = ["send", "--to", "+1555", "--from", "+1", "--body", "Hi"];
    let path = ["--callback-path", "/hooks/{}"];
    for (overrides, arguments, wanted) in [
        ("none", &arguments[..], "https://hooks.example.com/message-status"),
        ("#ct=500", &arguments, "https://hooks.example.com/message-status#ct=500"),
        (
            "",
            &[&arguments[..], &["--callback-path", "/own"]].concat(),
            "https://hooks.example.com/own#rc=5&rp=all",
        ),
        (
            "",
            &[&arguments[..], &["--public-url", "https://a.example/b/"]].concat(),
            "https://a.example/b/message-status#rc=5&rp=all",
        ),
    ] {
        let command = app.command(arguments).env("DELIVERY_LEDGER_CALLBACK_OVERRIDES", overrides);
        let output = command.output();
        assert!(output.status.success(), "{}", stderr(&output));
        let url = ("StatusCallback".to_owned(), wanted.to_owned());
        assert!(twilio.made().last().unwrap().contains(&url), "{:?}", twilio.made().last());
    }
    let refused = app.run(&[&arguments[..], &path].concat());
    assert!(stderr(&refused).contains("--callback-path"), "{}", stderr(&refused));
}

#[test]
fn an_invalid_base_url_is_refused() {
    for (url, expected) in [
        ("api.twilio.com", "is not of the form https://api.twilio.com"),
        ("ftp://api.twilio.com", "is not of the form"),
        ("https://", "is not of the form"),
        ("https://user@api.twilio.com", "has no user name"),
        ("https://api.twilio.com?x", "has no user name, query or fragment"),
    ] {
        let app = App::not_started(&[
            ("TWILIO_API_BASE_URL", url),
            ("DELIVERY_LEDGER_PUBLIC_URL", "https://hooks.example.com"),
        ]);
        let output = send(&app, &["--from", "+1", "--body", "Hi"]);
        assert_eq!(output.status.code(), Some(1));
        assert!(stderr(&output).contains(expected), "{url}: {}", stderr(&output));
        assert!(!app.log_file().exists());
    }
}

#[test]
fn the_proxy_of_the_environment_is_used() {
    let twilio = Twilio::start();
    let (_, proxy) = twilio.variable();
    let app = alone(&twilio);
    let arguments = ["send", "--to", "+1555", "--from", "+1", "--body", "Hi"];
    let command = app.command(&arguments).env("TWILIO_API_BASE_URL", "http://twilio.invalid");
    let output = command.env("http_proxy", &proxy).output();
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(stderr(&output).contains("travel to twilio.invalid unencrypted"));
    assert_eq!(twilio.made().len(), 1);
}

// POST /v1/messages.

#[test]
fn a_server_without_system_certificates_still_accepts_callbacks() {
    let none = [("SSL_CERT_FILE", "/dev/null"), ("SSL_CERT_DIR", "/nonexistent")];
    let mut app = App::not_started(&none);
    app.use_token_with_scope("send");
    app.restart();
    assert_eq!(app.receive(crate::support::delivered("SM1")).code, 200);
    assert_eq!(post(&app, None, hello()).code, 404);
    assert!(app.stderr().contains("no messages are sent over HTTP"), "{}", app.stderr());
}

#[test]
fn an_account_that_is_not_configured_is_refused() {
    let twilio = Twilio::start();
    let app = alone(&twilio);
    let output = send(&app, &["--from", "+1", "--body", "Hi", "--account-sid", "AC1"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("no token is configured for account AC1"));
    assert_eq!(twilio.requests(), [""; 0]);
    let named = ["--from", "+1", "--body", "Hi", "--account-sid", ACCOUNT];
    sent(&send(&app, &named));
}

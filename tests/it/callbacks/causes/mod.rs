//! The diagnosis of a rejected signature: the cause that is logged, so that it can be corrected.

mod corrupted;
mod refused;

use delivery_ledger::domain::BodyKind;
use proptest::prelude::*;
use proptest::sample::select;

use self::refused::{Refused, accounts_of, sha256};
use crate::support::{
    ACCOUNT, App, OTHER_ACCOUNT, OTHER_TOKEN, SECONDARY_TOKEN, SHARED_KEY, TOKEN, delivered,
    json_signature, sent, shared_key_signature, sid, signature,
};

const SHARED_KEY_SETTINGS: &str = "key=webhooks_sharedkey_01,algorithm=HMAC_SHA256";

// One test per cause.

#[test]
fn a_wrong_scheme_is_diagnosed() {
    let cause_of =
        |public, signed| Refused::new(public, "/message-status").signed_over(signed).cause();
    assert_eq!(
        cause_of("http://hooks.example.com", "https://hooks.example.com/message-status"),
        "matches if the public URL begins with https"
    );
    assert_eq!(
        cause_of("https://hooks.example.com", "http://hooks.example.com/message-status"),
        "matches if the public URL begins with http"
    );
}

#[test]
fn an_extra_or_missing_trailing_slash_is_diagnosed() {
    let cause_of = |target, signed| {
        Refused::new("https://hooks.example.com", target).signed_over(signed).cause()
    };
    assert_eq!(
        cause_of("/message-status", "https://hooks.example.com/message-status/"),
        "matches if the path ends with a slash"
    );
    assert_eq!(
        cause_of("/message-status/?a=1", "https://hooks.example.com/message-status?a=1"),
        "matches if the path does not end with a slash"
    );
}

#[test]
fn a_wrong_port_is_diagnosed() {
    let cause_of = |public: &str| {
        let signed = "https://hooks.example.com:8443/message-status";
        Refused::new(public, "/message-status").signed_over(signed).cause()
    };
    let expected = "matches if the public URL has the port 8443";
    assert_eq!(cause_of("https://hooks.example.com"), expected);
    assert_eq!(cause_of("https://hooks.example.com:9000"), expected);
}

#[test]
fn the_port_of_another_public_url_is_tried() {
    let refused = Refused::new("https://hooks.example.com", "/message-status")
        .and_public_url("https://other.example.com:8042")
        .signed_over("https://hooks.example.com:8042/message-status");
    assert_eq!(refused.cause(), "matches if the public URL has the port 8042");
}

#[test]
fn an_extra_path_in_the_public_url_is_diagnosed() {
    let refused = Refused::new("https://hooks.example.com/twilio", "/message-status")
        .signed_over("https://hooks.example.com/message-status");
    assert_eq!(refused.cause(), "matches if the public URL has no path");
}

#[test]
fn a_path_prefix_added_by_a_proxy_is_diagnosed() {
    let refused = Refused::new("https://hooks.example.com", "/twilio/message-status")
        .signed_over("https://hooks.example.com/message-status");
    assert_eq!(refused.cause(), "matches if the first part of the request's path is cut off");
}

#[test]
fn a_path_that_only_another_public_url_has_is_diagnosed() {
    let refused = Refused::new("https://hooks.example.com", "/message-status")
        .and_public_url("https://other.example.com/twilio")
        .signed_over("https://hooks.example.com/twilio/message-status");
    assert_eq!(
        refused.cause(),
        "matches if the public URL has the path of https://other.example.com/twilio"
    );
}

#[test]
fn a_query_decoded_or_encoded_by_a_proxy_is_diagnosed() {
    let cause_of = |arrived: &str, signed: &str| {
        let target = format!("/message-status?{arrived}");
        let url = format!("https://hooks.example.com/message-status?{signed}");
        Refused::new("https://hooks.example.com", &target).signed_over(&url).cause()
    };
    let not_decoded = "matches if the query is not decoded";
    assert_eq!(cause_of("to=+1555", "to=%2B1555"), not_decoded);
    assert_eq!(cause_of("q=a[1]:b", "q=a%5B1%5D%3Ab"), not_decoded);
    assert_eq!(cause_of("q=a[1]:b", "q=a%5B1%5D:b"), not_decoded);
    assert_eq!(cause_of("q=a%5B1%5D%3Ab", "q=a[1]:b"), "matches if the query is decoded");
    assert_eq!(cause_of("q=a+b", "q=a%20b"), "matches if a blank in the query is written %20");
    assert_eq!(cause_of("q=a%20b%3D", "q=a+b%3D"), "matches if a blank in the query is written +");
}

#[test]
fn a_query_added_by_a_proxy_is_diagnosed() {
    let refused = Refused::new("https://hooks.example.com", "/message-status?trace=1")
        .signed_over("https://hooks.example.com/message-status");
    assert_eq!(refused.cause(), "matches if the query is left out");
}

#[test]
fn the_host_of_the_request_is_tried_but_not_logged() {
    let refused = Refused::new("https://wrong.example.com", "/message-status")
        .naming_host("hooks.example.com")
        .signed_over("https://hooks.example.com/message-status");
    assert_eq!(refused.cause(), "matches if the public URL has the host that the request names");
}

#[test]
fn a_host_in_capitals_is_diagnosed() {
    let refused = Refused::new("https://Hooks.Example.com", "/message-status")
        .signed_over("https://hooks.example.com/message-status");
    assert_eq!(refused.cause(), "matches if the host is written in lower case");
}

#[test]
fn a_user_name_in_the_url_is_diagnosed() {
    let refused = Refused::new("https://user:pass@hooks.example.com", "/message-status")
        .signed_over("https://hooks.example.com/message-status");
    assert_eq!(refused.cause(), "matches if the URL has no user name and password");
}

#[test]
fn two_mistakes_at_once_are_both_diagnosed() {
    let refused = Refused::new("http://127.0.0.1:8080", "/message-status/")
        .naming_host("hooks.example.com")
        .signed_over("https://hooks.example.com/message-status/");
    assert_eq!(
        refused.cause(),
        "matches if the public URL begins with https and has the host that the request names"
    );
}

#[test]
fn the_token_of_another_account_is_diagnosed() {
    let refused = Refused::right().signed_with(OTHER_TOKEN);
    assert_eq!(
        refused.cause(),
        format!(
            "signed with the token of account {OTHER_ACCOUNT}, not the one that the body names"
        )
    );
}

#[test]
fn a_body_of_an_unknown_account_is_tried_with_every_key() {
    let body = delivered(&sid(1)).with("AccountSid", "ACunknown");
    let cause_of = |token| Refused::right().body(body.clone()).signed_with(token).cause();
    assert_eq!(
        cause_of(SECONDARY_TOKEN),
        format!(
            "signed with the secondary token of account {ACCOUNT}, not the one that the body names"
        )
    );
    assert_eq!(
        cause_of("nobody's"),
        "a forgery, or the token of the account that the body names is not configured"
    );
}

#[test]
fn a_shared_key_that_the_request_does_not_name_is_diagnosed() {
    let body = delivered(&sid(1)).with("AccountSid", OTHER_ACCOUNT).bytes();
    let url = "https://hooks.example.com/message-status";
    let refused = Refused {
        signature: shared_key_signature(SHARED_KEY, url, &body),
        ..Refused::right().body(body.clone())
    };
    assert_eq!(
        refused.cause(),
        format!("signed with the shared key webhooks_sharedkey_01 of account {OTHER_ACCOUNT}")
    );

    let with_token = Refused { settings: Some(SHARED_KEY_SETTINGS), ..Refused::right() };
    let with_token = with_token.body(body).signed_with(OTHER_TOKEN);
    assert_eq!(with_token.cause(), format!("signed with the token of account {OTHER_ACCOUNT}"));
}

#[test]
fn whitespace_trimmed_or_dropped_by_the_signer_is_diagnosed() {
    let cause_of = |body: &str, signed: &str| {
        let url = "https://hooks.example.com/message-status";
        let account = format!("AccountSid={ACCOUNT}&");
        let signature = signature(TOKEN, url, (account.clone() + signed).as_bytes());
        Refused { signature, ..Refused::right().body(account + body) }.cause()
    };
    assert_eq!(cause_of("Body=+a+", "Body=a"), "matches if the blanks around values are cut off");
    assert_eq!(cause_of("a=1&b=", "a=1"), "matches if parameters without a value are left out");
    assert_eq!(
        cause_of("From=+1555", "From=%2B1555"),
        "matches if a + in the body is a plus sign, which has to be sent as %2B"
    );
    assert_eq!(cause_of("a=1\n", "a=1"), "matches if the line end behind the body is left out");
}

#[test]
fn a_body_of_the_wrong_media_type_is_diagnosed() {
    let url = "https://hooks.example.com/message-status";
    let body = delivered(&sid(1));
    let as_json = Refused { kind: BodyKind::Json, ..Refused::right().body(body.clone()) };
    assert_eq!(
        as_json.signed_over(url).cause(),
        "matches if the body is read as a form, not as JSON"
    );

    let url_alone = Refused { signature: json_signature(TOKEN, url), ..Refused::right() };
    assert_eq!(url_alone.cause(), "matches if the URL alone is signed, as it is for JSON");
}

#[test]
fn a_json_body_that_was_changed_or_lost_its_query_is_diagnosed() {
    let body = format!(r#"{{"AccountSid":"{ACCOUNT}"}}"#);
    let signed = format!("https://hooks.example.com/message-status?bodySHA256={}", sha256(&body));
    let json = Refused { kind: BodyKind::Json, ..Refused::right().body(body.clone()) };
    let dropped = Refused { signature: json_signature(TOKEN, &signed), ..json.clone() };
    assert_eq!(
        dropped.cause(),
        "matches if the query has the body's bodySHA256, which did not arrive"
    );

    let changed = Refused {
        target: format!("/message-status?bodySHA256={}", sha256(&body)),
        body: (body + " ").into_bytes(),
        signature: json_signature(TOKEN, &signed),
        ..json
    };
    assert_eq!(
        changed.cause(),
        "signed over this URL and another body: something on the way changed the body"
    );
}

#[test]
fn a_signature_encoded_twice_is_diagnosed() {
    let mended = |change: fn(&str) -> String| {
        let right = Refused::right();
        Refused { signature: change(&right.signature), ..right }.cause()
    };
    let logged = "matches if X-Twilio-Signature is taken out of its encoding";
    assert_eq!(mended(|text| text.replace('=', "%3D")), logged);
    assert_eq!(mended(|text| format!("\"{text}\"")), logged);
}

#[test]
fn without_a_match_the_general_cause_is_reported() {
    let missing = Refused { signature: String::new(), ..Refused::right() };
    assert_eq!(
        missing.cause(),
        "not sent by Twilio, or a proxy in front has dropped X-Twilio-Signature"
    );
    let odd = Refused { signature: "?".to_owned(), ..Refused::right() };
    assert_eq!(
        odd.cause(),
        "not sent by Twilio, or something on the way has changed X-Twilio-Signature"
    );
    assert!(Refused::right().signed_with("stale").cause().starts_with("a forgery, a token that"));
    let two = Refused::right().body(format!("AccountSid={ACCOUNT}&AccountSid={OTHER_ACCOUNT}"));
    assert_eq!(
        two.signed_with("stale").cause(),
        "not sent by Twilio, which names one account in a callback"
    );
}

/// The cost is bounded, however many keys are configured and however long a URL is.
#[test]
fn the_cost_of_a_diagnosis_is_bounded() {
    let refused = Refused::right().body("a=1").signed_with("stale");
    let (forgery, cut) = ("a forgery, a token", "(not everything could be tried)");
    assert!(refused.cause().starts_with(forgery) && !refused.cause().contains(cut));

    let many = (0..5000).map(|number| (format!("AC{number}"), format!("token {number}")));
    let logged = refused.cause_with(&accounts_of(many));
    assert!(logged.starts_with(forgery) && logged.ends_with(cut), "{logged}");

    let long = format!("/message-status?{}", "a".repeat(5000));
    let long = Refused::new("https://hooks.example.com", &long).signed_with("stale");
    assert!(long.cause().ends_with(cut));
}

// Properties.

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..Default::default() })]

    #[test]
    fn every_mistake_in_the_url_is_diagnosed(
        (wrong, logged) in select(MISTAKES.to_vec()),
        (scheme, prefix) in (select(vec!["http", "https"]), select(vec!["", "/twilio", "/a/b"])),
        port in prop_oneof![Just(None), (1024..65535_u16).prop_map(Some)],
        name in "[a-z]{1,8}",
        token in select(vec![TOKEN, SECONDARY_TOKEN]),
    ) {
        let port = port.map_or(String::new(), |port| format!(":{port}"));
        let right = Url { scheme, host: "hooks.example.com", port: &port, prefix, path: &name };
        let refused = Refused::new(&right.public(), &right.target());
        let refused = refused.naming_host("proxied.example.com");
        let signed = wrong(&right);
        let refused = refused.signed_over_with(&signed, token);

        // Without a path there is nothing to leave out.
        prop_assert!(refused.refusal().is_some() || signed == right.whole());
        let logged = logged.replace("SCHEME", if scheme == "http" { "https" } else { "http" });
        if refused.refusal().is_some() {
            prop_assert_eq!(refused.cause(), format!("matches if {logged}"), "{}", signed);
        }
    }

    #[test]
    fn any_bytes_get_a_cause_and_no_forgery_a_match(
        body in proptest::collection::vec(any::<u8>(), 0..200),
        target in "/[ -~]{0,60}",
        host in "[ -~]{0,20}",
        mac in proptest::collection::vec(any::<u8>(), 20),
        json in any::<bool>(),
    ) {
        let kind = if json { BodyKind::Json } else { BodyKind::Form };
        let signature = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, mac);
        let refused = Refused { kind, signature, ..Refused::new("https://h.example", &target) };
        let logged = refused.body(body).naming_host(&host).cause();
        prop_assert!(!logged.contains("matches") && !logged.contains("signed with"), "{}", logged);
        prop_assert!(!logged.contains(TOKEN) && !logged.contains("h.example"), "{}", logged);
    }
}

/// The parts of a URL.
struct Url<'a> {
    scheme: &'a str,
    host: &'a str,
    port: &'a str,
    prefix: &'a str,
    path: &'a str,
}

impl Url<'_> {
    fn public(&self) -> String {
        format!("{}://{}{}{}", self.scheme, self.host, self.port, self.prefix)
    }

    fn target(&self) -> String {
        format!("/{}?q=a%5Bb&z=1", self.path)
    }

    fn whole(&self) -> String {
        self.public() + &self.target()
    }
}

type Mistake = fn(&Url<'_>) -> String;

/// Mistakes: each maps the configured URL to the URL that was signed; with the cause that is logged.
const MISTAKES: [(Mistake, &str); 8] = [
    (|url| Url { scheme: other(url.scheme), ..*url }.whole(), "the public URL begins with SCHEME"),
    (|url| url.whole().replace('?', "/?"), "the path ends with a slash"),
    (|url| url.whole().replace("%5B", "["), "the query is decoded"),
    (|url| url.whole().replace("?q=a%5Bb&z=1", ""), "the query is left out"),
    (|url| Url { port: ":8443", ..*url }.whole(), "the public URL has the port 8443"),
    (|url| Url { prefix: "", ..*url }.whole(), "the public URL has no path"),
    (
        |url| Url { host: "proxied.example.com", port: "", ..*url }.whole(),
        "the public URL has the host that the request names",
    ),
    (
        |url| {
            let port = if url.scheme == "http" { ":80" } else { ":443" };
            Url { host: "proxied.example.com", port, ..*url }.whole()
        },
        "the public URL has the host that the request names",
    ),
];

fn other(scheme: &str) -> &'static str {
    if scheme == "http" { "https" } else { "http" }
}

// Where a cause is reported.

#[test]
fn the_log_line_of_a_rejection_has_the_cause_but_no_request_data() {
    let app = App::start();
    let body = delivered(&sid(0xabc)).bytes();
    let signed = signature(TOKEN, "http://hooks.example.com/message-status", &body);
    let request = app.form("/message-status").header("X-Twilio-Signature", &signed);
    assert_eq!(request.body(body).send(app.callbacks()).code, 403);

    app.eventually("it is logged", || app.stderr().contains("callback refused"));

    let stderr = app.stderr();
    let line = stderr.lines().find(|line| line.contains("callback refused")).unwrap();
    assert!(line.contains(r#""cause":"matches if the public URL begins with http""#), "{line}");
    for sent in [signed.as_str(), &sid(0xabc), "5558675310", ACCOUNT] {
        assert!(!line.contains(sent), "{line}");
    }
}

#[test]
fn check_signature_reports_the_cause_using_the_configuration() {
    let app =
        App::not_started(&[("DELIVERY_LEDGER_PUBLIC_URL", "https://hooks.example.com/twilio")]);
    let body = sent(&sid(1)).bytes();
    std::fs::write(app.folder().join("body"), &body).unwrap();
    let check = |signature: &str| {
        let url = "https://hooks.example.com/message-status";
        let arguments = ["check-signature", "--url", url, "--signature", signature];
        let output = app.run(&[&arguments[..], &["--body-file", "body"]].concat());
        assert_eq!(output.status.code(), Some(3));
        let stdout = String::from_utf8(output.stdout).unwrap();
        stdout.lines().nth(1).unwrap().to_owned()
    };

    let prefixed = "https://hooks.example.com/twilio/message-status";
    assert_eq!(
        check(&signature(TOKEN, prefixed, &body)),
        "cause: matches if the public URL is https://hooks.example.com/twilio"
    );
    let url = "https://hooks.example.com/message-status";
    assert_eq!(
        check(&signature(OTHER_TOKEN, url, &body)),
        format!(
            "cause: signed with the token of account {OTHER_ACCOUNT}, not the one that the body names"
        )
    );
}

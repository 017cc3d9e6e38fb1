//! Who may put a callback into the log: the signature, over exactly what was sent.

use std::path::Path;

use delivery_ledger::domain::AccountSid;
use delivery_ledger::twilio::accounts::{Accounts, Keys, SharedKey, Token};
use delivery_ledger::twilio::callback::BodyKind;
use delivery_ledger::twilio::signature::{BaseUrl, Refusal, Signed, Verdict, verify, verify_with};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::support::{
    ACCOUNT, App, Command, OTHER_ACCOUNT, SECONDARY_TOKEN, SHARED_KEY, TOKEN, delivered,
    json_signature, sent, shared_key_signature, sid, signature,
};

const URL: &str = "https://hooks.example.com/message-status";
/// Where a port is given, and where it is not: each may have been signed as the other.
const URL_WITH_PORT: &str = "https://hooks.example.com:443/message-status";
const SHARED_KEY_SETTINGS: &str = "key=webhooks_sharedkey_01,algorithm=HMAC_SHA256";

// The official SDKs' own cases, and others in their manner.

#[test]
fn every_known_signature_gets_its_verdict() {
    let cases = vectors();
    for case in &cases {
        let text = |name: &str| case[name].as_str().expect("a text");
        let urls = BaseUrl::parse(text("url")).expect("a URL").with("");
        let signed = Signed {
            urls: &urls,
            kind: BodyKind::of(Some(text("content_type"))).expect("a form or JSON"),
            body: text("raw_body").as_bytes(),
            signature: text("signature").as_bytes(),
            settings: None,
        };
        let verdict = verify_with(&signed, &[&keys(text("token"))]);
        let valid = matches!(verdict, Verdict::Valid { .. });
        assert_eq!(valid, case["valid"].as_bool().unwrap(), "{}: {verdict:?}", case["id"]);
    }
    assert_eq!(cases.len(), 57);
}

// Laws.

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..Default::default() })]

    #[test]
    fn what_is_signed_is_accepted_whatever_the_names_and_values(
        pairs in vec((odd_bytes(), odd_bytes(), any::<bool>()), 0..12),
        (url, port_toggled) in url_and_its_other_form(),
        toggle in any::<bool>(),
    ) {
        let pieces = pairs.iter().map(|(name, value, escape_all)| {
            [escaped(name, *escape_all), escaped(value, *escape_all)].join(&b'=')
        });
        let body = pieces.collect::<Vec<_>>().join(&b'&');
        let mut sorted: Vec<_> = pairs.iter().map(|(name, value, _)| (name, value)).collect();
        sorted.sort();
        sorted.dedup();
        let parameters: Vec<u8> =
            sorted.into_iter().flat_map(|(name, value)| [&name[..], &value[..]].concat()).collect();
        let signed_url = if toggle { &port_toggled } else { &url };
        let mac = Token::new(TOKEN).sign(&[signed_url.as_bytes(), &parameters]);

        let verdict = check_form(&url, &body, &base64(&mac));

        let expected = Verdict::Valid { verified_by: "primary".to_owned(), url: toggle.into() };
        prop_assert_eq!(verdict, expected);
    }

    #[test]
    fn what_is_signed_is_accepted_whatever_the_bytes_of_the_body(
        body in vec(prop_oneof![select(b"&=+%%%0aF".to_vec()), any::<u8>()], 0..80),
        (url, port_toggled) in url_and_its_other_form(),
        toggle in any::<bool>(),
    ) {
        let signed_url = if toggle { &port_toggled } else { &url };

        let verdict = check_form(&url, &body, &signature(TOKEN, signed_url, &body));

        let expected = Verdict::Valid { verified_by: "primary".to_owned(), url: toggle.into() };
        prop_assert_eq!(verdict, expected);
    }

    #[test]
    fn a_changed_byte_of_a_name_or_value_is_refused(
        pairs in btree_map(odd_bytes(), odd_bytes(), 1..8),
        pair in any::<prop::sample::Index>(),
        place in any::<prop::sample::Index>(),
        change in 1..=255_u8,
        (url, port_toggled) in url_and_its_other_form(),
        toggle in any::<bool>(),
    ) {
        // Every name stands once, so that a changed byte cannot hide in the de-duplication.
        let mut pairs: Vec<[Vec<u8>; 2]> =
            pairs.into_iter().map(|(name, value)| [name, value]).collect();
        let form = |pairs: &[[Vec<u8>; 2]]| {
            let pieces = pairs.iter().map(|pair| pair.each_ref().map(|text| escaped(text, true)));
            pieces.map(|pair| pair.join(&b'=')).collect::<Vec<_>>().join(&b'&')
        };
        let signed_url = if toggle { &port_toggled } else { &url };
        let signature = signature(TOKEN, signed_url, &form(&pairs));
        let [name, value] = pair.get(&pairs).clone();
        let bytes = name.len() + value.len();
        prop_assume!(bytes > 0);
        let place = place.index(bytes);
        let pair = pair.index(pairs.len());
        match place.checked_sub(name.len()) {
            None => pairs[pair][0][place] ^= change,
            Some(place) => pairs[pair][1][place] ^= change,
        }

        let verdict = check_form(&url, &form(&pairs), &signature);

        prop_assert_eq!(verdict, Verdict::Invalid(Refusal::Mismatch));
    }
}

#[test]
fn every_changed_byte_of_a_signed_callback_is_refused() {
    let body = delivered(&sid(1)).bytes();
    let url = format!("{URL}?tenant=acme&id=order%2F42");
    let signature = signature(TOKEN, &url, &body);
    assert!(matches!(check_form(&url, &body, &signature), Verdict::Valid { .. }));

    for place in 0..body.len() {
        let mut changed = body.clone();
        changed[place] = b'~';
        let verdict = check_form(&url, &changed, &signature);
        assert_eq!(verdict, Verdict::Invalid(Refusal::Mismatch), "byte {place} of the body");
    }
    for place in "https://".len()..url.len() {
        let changed = format!("{}~{}", &url[..place], &url[place + 1..]);
        let verdict = check_form(&changed, &body, &signature);
        assert_eq!(verdict, Verdict::Invalid(Refusal::Mismatch), "byte {place} of the URL");
    }
    for place in 0..signature.len() {
        let other = if signature.as_bytes()[place] == b'A' { "B" } else { "A" };
        let changed = format!("{}{other}{}", &signature[..place], &signature[place + 1..]);
        let verdict = check_form(&url, &body, &changed);
        assert!(matches!(verdict, Verdict::Invalid(_)), "byte {place} of the signature");
    }
}

#[test]
fn a_signature_with_something_in_front_or_behind_is_refused() {
    let body = delivered(&sid(1)).bytes();
    let signature = signature(TOKEN, URL, &body);

    for changed in [
        signature.trim_end_matches('=').to_owned(),
        format!("{signature}="),
        format!("{signature}AAAA"),
        format!("AAAA{signature}"),
        format!("{signature},{signature}"),
        format!(" {signature}"),
        signature[..24].to_owned(),
    ] {
        let verdict = check_form(URL, &body, &changed);
        assert!(matches!(verdict, Verdict::Invalid(_)), "{changed:?}");
    }
}

#[test]
fn an_empty_signature_is_a_missing_one() {
    let verdict = check_form(URL, b"MessageSid=SM1", "");
    assert_eq!(verdict, Verdict::Invalid(Refusal::Missing));
}

#[test]
fn a_port_is_neither_changed_nor_looked_for_inside_an_ipv6_address() {
    let body = delivered(&sid(1)).bytes();
    let accepted = |url: &str, signed: &str| {
        matches!(check_form(url, &body, &signature(TOKEN, signed, &body)), Verdict::Valid { .. })
    };
    // (the URL as it is configured, the URL that was signed, whether they may be the same)
    for (url, signed, same) in [
        ("https://h/p", "https://h:443/p", true),
        ("http://h/p", "http://h:80/p", true),
        ("https://h:8443/p", "https://h/p", true),
        ("https://h/p", "https://h:8443/p", false),
        ("https://h/p", "https://h:80/p", false),
        ("https://h:443/p", "https://h:8443/p", false),
        ("https://[2001:db8::1]/p", "https://[2001:db8::1]:443/p", true),
        ("https://[2001:db8::1]:8443/p", "https://[2001:db8::1]/p", true),
        ("https://[2001:db8::1]/p", "https://[2001:db8:]/p", false),
        ("https://h/p:80", "https://h:443/p:80", true),
        ("https://h/p:80", "https://h/p", false),
        ("https://h/p?u=http://x:80/", "https://h:443/p?u=http://x:80/", true),
    ] {
        assert_eq!(accepted(url, signed), same, "{url} for {signed}");
    }
}

// Which key decides.

#[test]
fn the_secondary_token_is_accepted_beside_the_primary() {
    let app = App::start();
    let body = delivered(&sid(1)).bytes();

    let signature = signature(SECONDARY_TOKEN, URL, &body);
    let answer = app.form("/message-status").header("X-Twilio-Signature", &signature).body(body);
    assert_eq!(answer.send(app.callbacks()).code, 200);
    assert_eq!(app.receive(sent(&sid(1))).code, 200);

    let events = app.events();
    assert_eq!(events[0]["verified_by"], "secondary");
    assert_eq!(events[1]["verified_by"], "primary");
}

#[test]
fn another_accounts_token_does_not_sign_for_this_one() {
    let accounts = two_accounts();
    let ours = delivered(&sid(1)).bytes();
    let theirs = delivered(&sid(1)).with("AccountSid", OTHER_ACCOUNT).bytes();
    let nobodys = delivered(&sid(1)).with("AccountSid", "AC00").bytes();
    let unnamed = delivered(&sid(1)).without("AccountSid").bytes();
    let verdict = |token: &str, body: &[u8]| {
        verify(&form(URL, body, &signature(token, URL, body), None).signed(), &accounts)
    };

    assert_eq!(verdict("other token", &theirs), valid_by("primary"));
    assert_eq!(verdict("other token", &ours), Verdict::Invalid(Refusal::Mismatch));
    assert_eq!(verdict(TOKEN, &theirs), Verdict::Invalid(Refusal::Mismatch));
    assert_eq!(verdict(TOKEN, &nobodys), Verdict::Invalid(Refusal::UnknownAccount));
    assert_eq!(verdict(TOKEN, &unnamed), valid_by("primary"));
    assert_eq!(verdict(SECONDARY_TOKEN, &unnamed), valid_by("secondary"));
    assert_eq!(verdict("other token", &unnamed), valid_by("primary"));
    assert_eq!(verdict("no token of ours", &unnamed), Verdict::Invalid(Refusal::Mismatch));
}

#[test]
fn two_different_account_sids_are_refused_even_where_both_are_known() {
    let accounts = two_accounts();
    let twice_the_same = format!("AccountSid={ACCOUNT}&AccountSid={ACCOUNT}&MessageSid=SM1");
    let two = format!("AccountSid={ACCOUNT}&MessageSid=SM1&AccountSid={OTHER_ACCOUNT}");
    let verdict = |body: &str| {
        let body = body.as_bytes();
        verify(&form(URL, body, &signature(TOKEN, URL, body), None).signed(), &accounts)
    };

    assert_eq!(verdict(&twice_the_same), valid_by("primary"));
    assert_eq!(verdict(&two), Verdict::Invalid(Refusal::ContradictingAccounts));
}

#[test]
fn where_a_shared_key_is_named_that_key_alone_decides() {
    let accounts = two_accounts();
    let body = delivered(&sid(1)).with("AccountSid", OTHER_ACCOUNT).bytes();
    let by_key = shared_key_signature(SHARED_KEY, URL, &body);
    let by_token = signature("other token", URL, &body);
    let verdict = |signature: &str, settings: Option<&str>| {
        verify(&form(URL, &body, signature, settings).signed(), &accounts)
    };
    let mismatch = Verdict::Invalid(Refusal::Mismatch);
    let unknown_key = Verdict::Invalid(Refusal::UnknownSharedKey);
    let unknown_algorithm = Verdict::Invalid(Refusal::UnknownAlgorithm);

    assert_eq!(verdict(&by_key, Some(SHARED_KEY_SETTINGS)), valid_by("webhooks_sharedkey_01"));
    // No falling back to a token, nor from a token to a key.
    assert_eq!(verdict(&by_token, Some(SHARED_KEY_SETTINGS)), mismatch);
    assert_eq!(verdict(&by_key, None), mismatch);
    assert_eq!(verdict(&by_token, None), valid_by("primary"));
    let other_key = "key=webhooks_sharedkey_02,algorithm=HMAC_SHA256";
    assert_eq!(verdict(&by_key, Some(other_key)), unknown_key);
    assert_eq!(verdict(&by_token, Some(other_key)), unknown_key);
    for settings in [
        "key=webhooks_sharedkey_01,algorithm=HMAC_SHA512",
        "key=webhooks_sharedkey_01,algorithm=HMAC_SHA1",
        "key=webhooks_sharedkey_01,algorithm=hmac_sha256",
        "algorithm=HMAC_SHA256",
        "algorithm=none",
    ] {
        assert_eq!(verdict(&by_key, Some(settings)), unknown_algorithm, "{settings}");
        assert_eq!(verdict(&by_token, Some(settings)), unknown_algorithm, "{settings}");
    }
    // What Twilio's SDKs take for the token's algorithm.
    assert_eq!(verdict(&by_token, Some("algorithm=HMAC_SHA1")), valid_by("primary"));
}

#[test]
fn a_shared_key_of_one_account_does_not_sign_for_another() {
    let body = delivered(&sid(1)).bytes();
    let signature = shared_key_signature(SHARED_KEY, URL, &body);
    let request = form(URL, &body, &signature, Some(SHARED_KEY_SETTINGS));

    let verdict = verify(&request.signed(), &two_accounts());

    assert_eq!(verdict, Verdict::Invalid(Refusal::UnknownSharedKey));
}

#[test]
fn a_callback_signed_with_a_shared_key_is_kept_and_names_the_key() {
    let app = App::start();
    let body = delivered(&sid(1)).with("AccountSid", OTHER_ACCOUNT).bytes();
    let signature = shared_key_signature(SHARED_KEY, URL, &body);

    let request = app
        .form("/message-status")
        .header("X-Twilio-Signature", &signature)
        .header("X-Twilio-Webhooks-Signature-Settings", SHARED_KEY_SETTINGS);
    assert_eq!(request.body(body).send(app.callbacks()).code, 200);

    assert_eq!(app.events()[0]["verified_by"], "webhooks_sharedkey_01");
}

#[test]
fn a_json_body_is_proved_by_its_hash_in_the_signed_url() {
    let body = r#"{"MessageSid":"SM1","event":"clicked"}"#.as_bytes();
    let upper = hash_of(body).to_uppercase();
    let other = hash_of(b"{}");
    let verdict = |query: &str, body: &[u8]| {
        let url = format!("{URL}?{query}");
        let signature = json_signature(TOKEN, &url);
        let urls = BaseUrl::parse(&url).unwrap().with("");
        let kind = BodyKind::Json;
        let signature = signature.as_bytes();
        verify_with(&Signed { urls: &urls, kind, body, signature, settings: None }, &[&keys(TOKEN)])
    };
    let good = hash_of(body);

    assert_eq!(verdict(&format!("bodySHA256={good}"), body), valid_by("primary"));
    assert_eq!(verdict(&format!("a=1&bodySHA256={good}&b=2"), body), valid_by("primary"));
    let differs = Verdict::Invalid(Refusal::BodyHashDiffers);
    assert_eq!(verdict(&format!("bodySHA256={other}"), body), differs);
    assert_eq!(verdict(&format!("bodySHA256={upper}"), body), differs);
    assert_eq!(verdict("bodySHA256=", body), differs);
    let missing = Verdict::Invalid(Refusal::BodyHashMissing);
    assert_eq!(verdict("a=1", body), missing);
    assert_eq!(verdict(&format!("xbodySHA256={good}"), body), missing);
}

#[test]
fn a_hash_in_the_url_does_not_make_a_form_json() {
    let body = delivered(&sid(1)).bytes();
    let url = format!("{URL}?bodySHA256={}", hash_of(&body));

    let over_the_url_alone = json_signature(TOKEN, &url);
    let verdict = check_form(&url, &body, &over_the_url_alone);
    assert_eq!(verdict, Verdict::Invalid(Refusal::Mismatch));

    let over_the_form = signature(TOKEN, &url, &body);
    assert_eq!(check_form(&url, &body, &over_the_form), valid_by("primary"));
}

#[test]
fn sixteen_thousand_parameters_of_one_name_are_sorted_and_answered() {
    let app = App::start();
    let same = "a=&".repeat(64 * 1024 / 3);
    let descending: Vec<_> = (0..9_000).rev().map(|number| format!("a={number:04}")).collect();

    assert_eq!(app.receive(same.clone()).code, 200);
    assert_eq!(app.receive(descending.join("&")).code, 200);

    let events = app.events();
    assert_eq!(events[0]["body"], same);
    assert_eq!(events[1]["body"], descending.join("&"));
}

// `check-signature`.

#[test]
fn check_signature_says_valid_and_which_token_over_which_url() {
    let body = delivered(&sid(1)).bytes();
    let check = |token: &str| Check::of(&body, URL_WITH_PORT, &signature(token, URL, &body)).run();

    let (code, stdout, _) = check(TOKEN);
    assert_eq!(code, 0);
    assert_eq!(stdout, format!("valid: signed with the primary token over {URL}\n"));

    let (code, stdout, _) = check(SECONDARY_TOKEN);
    assert_eq!(code, 0);
    assert_eq!(stdout, format!("valid: signed with the secondary token over {URL}\n"));
}

#[test]
fn check_signature_says_invalid_and_why_with_exit_code_3() {
    let body = delivered(&sid(1)).bytes();
    let json = r#"{"a":1}"#.as_bytes();
    let json_url = format!("{URL}?bodySHA256={}", hash_of(b"{}"));
    let good = signature(TOKEN, URL, &body);
    let of_json = |url: &str| json_signature(TOKEN, url);
    for (check, expected) in [
        (
            Check::of(&body, URL, &signature("another", URL, &body)),
            "invalid: the signature fits none of the configured keys over this URL and body\n\
             cause: a forgery, a token that is no longer in use, a body that was changed on the way, \
             or a URL that differs in more than is tried\n",
        ),
        (
            Check::of(&body, URL, ""),
            "invalid: no X-Twilio-Signature\n\
             cause: not sent by Twilio, or a proxy in front has dropped X-Twilio-Signature\n",
        ),
        (
            Check::of(&body, URL, "fake_signature"),
            "invalid: X-Twilio-Signature is not base64\n\
             cause: not sent by Twilio, or something on the way has changed X-Twilio-Signature\n",
        ),
        (
            Check::of(&body, URL, &good).content_type("application/json"),
            "invalid: a JSON body needs bodySHA256 in the URL's query\n\
             cause: matches if the body is read as a form, not as JSON\n",
        ),
        (
            Check::of(json, &json_url, &of_json(&json_url)).content_type("application/json"),
            "invalid: bodySHA256 in the URL is not the SHA-256 of the body\n\
             cause: signed over this URL and another body: something on the way changed the body\n",
        ),
    ] {
        assert_eq!(check.run(), (3, expected.to_owned(), String::new()));
    }
}

#[test]
fn check_signature_takes_no_content_type_for_a_form_and_ignores_parameters_of_one() {
    let body = delivered(&sid(1)).bytes();
    let check = Check::of(&body, URL, &signature(TOKEN, URL, &body));

    assert_eq!(check.clone().run().0, 0);
    let spelled_out = "Application/X-WWW-Form-Urlencoded; charset=UTF-8";
    assert_eq!(check.content_type(spelled_out).run().0, 0);
}

#[test]
fn check_signature_cuts_the_fragment_and_keeps_user_and_letter_case() {
    let body = delivered(&sid(1)).bytes();
    let signed_url = "https://User:Pass@Hooks.Example.com/message-status?b=2&a=1";
    let signature = signature(TOKEN, signed_url, &body);

    let with_fragment = format!("{signed_url}#rc=5&rp=all");
    let (code, stdout, _) = Check::of(&body, &with_fragment, &signature).run();
    assert_eq!((code, stdout.starts_with("valid")), (0, true), "{stdout}");

    let in_lower_case = signed_url.to_lowercase();
    assert_eq!(Check::of(&body, &in_lower_case, &signature).run().0, 3);
    let without_user = signed_url.replace("User:Pass@", "");
    assert_eq!(Check::of(&body, &without_user, &signature).run().0, 3);
}

#[test]
fn check_signature_reads_the_body_byte_for_byte() {
    let body = b"a=%FF\xff&b=\n";
    assert_eq!(Check::of(body, URL, &signature(TOKEN, URL, body)).run().0, 0);
    let without_line_end = signature(TOKEN, URL, b"a=%FF\xff&b=");
    assert_eq!(Check::of(body, URL, &without_line_end).run().0, 3);
}

#[test]
fn check_signature_needs_the_token_in_the_environment() {
    let folder = tempfile::TempDir::new().unwrap();
    std::fs::write(folder.path().join("body"), "a=1").unwrap();
    let command = Command::new(
        folder.path(),
        &["check-signature", "--url", URL, "--signature", "x", "--body-file", "body"],
    );

    let output = command.output();

    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        String::from_utf8_lossy(&output.stderr),
        "error: set TWILIO_AUTH_TOKEN (or TWILIO_AUTH_TOKEN_FILE)\n"
    );
}

#[test]
fn check_signature_refuses_what_it_cannot_mean_with_exit_code_2() {
    let (code, stdout, stderr) = Check::of(b"a=1", "hooks.example.com/message-status", "x").run();
    assert_eq!((code, &*stdout), (2, ""));
    assert!(stderr.starts_with("error: --url: `hooks.example.com/message-status`"), "{stderr}");

    let (code, _, stderr) = Check::of(b"a=1", URL, "x").content_type("text/xml").run();
    assert_eq!(code, 2);
    assert!(stderr.starts_with("error: --content-type: `text/xml`"), "{stderr}");
}

// The words that the tests above speak.

/// A call of `check-signature`.
#[derive(Clone)]
struct Check {
    body: Vec<u8>,
    arguments: Vec<String>,
}

impl Check {
    fn of(body: &[u8], url: &str, signature: &str) -> Self {
        let arguments = ["check-signature", "--url", url, "--signature", signature];
        Self { body: body.to_vec(), arguments: arguments.map(String::from).to_vec() }
    }

    fn content_type(mut self, content_type: &str) -> Self {
        self.arguments.extend(["--content-type".to_owned(), content_type.to_owned()]);
        self
    }

    /// Exit code, stdout, stderr.
    fn run(&self) -> (i32, String, String) {
        let folder = tempfile::TempDir::new().unwrap();
        std::fs::write(folder.path().join("body"), &self.body).unwrap();
        let mut arguments: Vec<&str> = self.arguments.iter().map(String::as_str).collect();
        arguments.extend(["--body-file", "body"]);
        let command = Command::new(folder.path(), &arguments)
            .env("TWILIO_AUTH_TOKEN", TOKEN)
            .env("TWILIO_AUTH_TOKEN_SECONDARY", SECONDARY_TOKEN);
        let output = command.output();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
    }
}

/// A form request, as `verify` wants it.
struct FormRequest<'a> {
    urls: [String; 2],
    body: &'a [u8],
    signature: &'a str,
    settings: Option<&'a str>,
}

fn form<'a>(
    url: &str,
    body: &'a [u8],
    signature: &'a str,
    settings: Option<&'a str>,
) -> FormRequest<'a> {
    let urls = BaseUrl::parse(url).expect("a URL").with("");
    FormRequest { urls, body, signature, settings }
}

impl FormRequest<'_> {
    fn signed(&self) -> Signed<'_> {
        Signed {
            urls: &self.urls,
            kind: BodyKind::Form,
            body: self.body,
            signature: self.signature.as_bytes(),
            settings: self.settings.map(str::as_bytes),
        }
    }
}

fn check_form(url: &str, body: &[u8], signature: &str) -> Verdict {
    verify_with(&form(url, body, signature, None).signed(), &[&keys(TOKEN)])
}

fn valid_by(key: &str) -> Verdict {
    Verdict::Valid { verified_by: key.to_owned(), url: 0 }
}

fn keys(token: &str) -> Keys {
    Keys {
        primary: Token::new(token),
        secondary: None,
        further: Default::default(),
        shared: Default::default(),
    }
}

/// One with a primary and a secondary token, the other with a token and a shared key.
fn two_accounts() -> Accounts {
    let secondary = Some(Token::new(SECONDARY_TOKEN));
    let shared = [("webhooks_sharedkey_01".to_owned(), SharedKey::new(SHARED_KEY))].into();
    let sid = |text| AccountSid::parse(text).unwrap();
    Accounts::new([
        (sid(ACCOUNT), Keys { secondary, ..keys(TOKEN) }),
        (sid(OTHER_ACCOUNT), Keys { shared, ..keys("other token") }),
    ])
}

fn vectors() -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/signature_vectors.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn hash_of(body: &[u8]) -> String {
    Sha256::digest(body).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

/// Short texts of bytes that forms treat specially, that are not UTF-8, or that are any.
fn odd_bytes() -> impl Strategy<Value = Vec<u8>> {
    let usual = select(vec![&b""[..], b"MessageSid", b"Body", b"a", b"A", b"%", b"%4", b"%zz"]);
    let special = select(b"&=+%#\0 \r\n\xff\xc3~A0".to_vec());
    prop_oneof![
        usual.prop_map(<[u8]>::to_vec),
        vec(prop_oneof![special, any::<u8>()], 0..12),
        Just("ñ 🙂".as_bytes().to_vec()),
    ]
}

/// A URL, and the same with its port added or dropped.
fn url_and_its_other_form() -> impl Strategy<Value = (String, String)> {
    let hosts = vec![
        ("https://hooks.example.com", "https://hooks.example.com:443"),
        ("https://Hooks.Example.com:8443", "https://Hooks.Example.com"),
        ("http://10.0.0.1:8080", "http://10.0.0.1"),
        ("http://[::1]", "http://[::1]:80"),
        ("HTTPS://user:pass@example.com", "HTTPS://user:pass@example.com:443"),
    ];
    let paths = vec!["", "/", "/s//t", "/s?b=2&a=1&a=", "/s?x=%2F+'%", "/España?año=1"];
    (select(hosts), select(paths))
        .prop_map(|((url, other), path)| (format!("{url}{path}"), format!("{other}{path}")))
}

/// A name or value as it may stand in a form: all escaped, or only what must be.
fn escaped(bytes: &[u8], all: bool) -> Vec<u8> {
    let escape = |byte: &u8| match byte {
        b' ' if !all => b"+".to_vec(),
        b'&' | b'=' | b'+' | b'%' => format!("%{byte:02X}").into_bytes(),
        _ if all => format!("%{byte:02x}").into_bytes(),
        other => vec![*other],
    };
    bytes.iter().flat_map(escape).collect()
}

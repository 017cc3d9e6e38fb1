//! Signatures of JSON bodies, and hashes in the query.

use delivery_ledger::domain::BodyKind;
use delivery_ledger::twilio::callback::ParsedBody;
use delivery_ledger::twilio::signature::{BaseUrl, InvalidReason, Signed, Verdict, verify_with};

use super::{URL, check_form, hash_of, keys, valid_by};
use crate::support::{App, TOKEN, delivered, json_signature, sid, signature};

#[test]
fn a_json_body_is_verified_by_its_hash_in_the_signed_url() {
    let body = r#"{"MessageSid":"SM1","event":"clicked"}"#.as_bytes();
    let upper = hash_of(body).to_uppercase();
    let other = hash_of(b"{}");
    let verdict = |query: &str, body: &[u8]| {
        let url = format!("{URL}?{query}");
        let signature = json_signature(TOKEN, &url);
        let urls = BaseUrl::parse(&url).unwrap().with("");
        let body = &ParsedBody::parse(BodyKind::Json, body);
        let signature = signature.as_bytes();
        verify_with(&Signed { urls: &urls, body, signature, settings: None }, &[&keys(TOKEN)])
    };
    let good = hash_of(body);

    assert_eq!(verdict(&format!("bodySHA256={good}"), body), valid_by("primary"));
    assert_eq!(verdict(&format!("a=1&bodySHA256={good}&b=2"), body), valid_by("primary"));
    let differs = Verdict::Invalid(InvalidReason::BodyHashDiffers);
    assert_eq!(verdict(&format!("bodySHA256={other}"), body), differs);
    assert_eq!(verdict(&format!("bodySHA256={upper}"), body), differs);
    assert_eq!(verdict("bodySHA256=", body), differs);
    let missing = Verdict::Invalid(InvalidReason::BodyHashMissing);
    assert_eq!(verdict("a=1", body), missing);
    assert_eq!(verdict(&format!("xbodySHA256={good}"), body), missing);
}

#[test]
fn a_hash_in_the_url_does_not_turn_a_form_into_json() {
    let body = delivered(&sid(1)).bytes();
    let url = format!("{URL}?bodySHA256={}", hash_of(&body));

    let over_the_url_alone = json_signature(TOKEN, &url);
    let verdict = check_form(&url, &body, &over_the_url_alone);
    assert_eq!(verdict, Verdict::Invalid(InvalidReason::Mismatch));

    let over_the_form = signature(TOKEN, &url, &body);
    assert_eq!(check_form(&url, &body, &over_the_form), valid_by("primary"));
}

#[test]
fn a_json_signature_is_not_valid_for_a_form() {
    let json = br#"{"MessageSid":"SM1"}"#;
    let url = format!("{URL}?a=1&bodySHA256={}", hash_of(json));
    let signature = json_signature(TOKEN, &url);
    for body in ["", "&&&", "=&=&=", "&", "="] {
        let verdict = check_form(&url, body.as_bytes(), &signature);
        assert_eq!(verdict, Verdict::Invalid(InvalidReason::BodyHashDiffers), "{body:?}");
    }
    // The query, or a part of it, moved into the body: the same signed text.
    for at in URL.len()..url.len() {
        let (before, moved) = url.split_at(at);
        let body: String = moved.bytes().map(|byte| format!("%{byte:02X}")).collect();
        for body in [format!("{body}="), format!("={body}"), format!("{body}=&=")] {
            let verdict = check_form(before, body.as_bytes(), &signature);
            assert!(matches!(verdict, Verdict::Invalid(_)), "{before} {body}: {verdict:?}");
        }
    }
}

#[test]
fn a_form_must_match_every_hash_in_its_query() {
    let body = delivered(&sid(1)).bytes();
    let verdict = |query: &str| {
        let url = format!("{URL}?{query}");
        check_form(&url, &body, &signature(TOKEN, &url, &body))
    };
    let (good, other) = (hash_of(&body), hash_of(b""));
    let differs = Verdict::Invalid(InvalidReason::BodyHashDiffers);

    assert_eq!(verdict(&format!("bodySHA256={good}")), valid_by("primary"));
    assert_eq!(verdict(&format!("bodySHA256={good}&a=1&bodySHA256={good}")), valid_by("primary"));
    assert_eq!(verdict(&format!("body%53HA256={good}")), valid_by("primary"));
    for query in [
        format!("bodySHA256={other}"),
        format!("bodySHA256={good}&bodySHA256={other}"),
        format!("bodySHA256={other}&bodySHA256={good}"),
        format!("bodySHA256={}", good.to_uppercase()),
        format!("body%53HA256={other}"),
        "bodySHA256=".to_owned(),
        "bodySHA256".to_owned(),
    ] {
        assert_eq!(verdict(&query), differs, "{query}");
    }
    // Another name is a parameter of the user's own.
    for query in ["bodysha256=0", "xbodySHA256=0", "bodySHA256x=0", "a=bodySHA256=0"] {
        assert_eq!(verdict(query), valid_by("primary"), "{query}");
    }
}

#[test]
fn a_form_without_an_account_may_have_its_hash_in_the_query() {
    let body = delivered(&sid(1)).without("AccountSid").bytes();
    let url = format!("{URL}?bodySHA256={}", hash_of(&body));
    assert_eq!(check_form(&url, &body, &signature(TOKEN, &url, &body)), valid_by("primary"));
}

#[test]
fn sixteen_thousand_parameters_of_one_name_are_verified_quickly() {
    let app = App::start();
    let same = "a=&".repeat(64 * 1024 / 3);
    let descending: Vec<_> = (0..9_000).rev().map(|number| format!("a={number:04}")).collect();

    assert_eq!(app.receive(same.clone()).code, 200);
    assert_eq!(app.receive(descending.join("&")).code, 200);

    let events = app.events();
    assert_eq!(events[0]["body"], same);
    assert_eq!(events[1]["body"], descending.join("&"));
}

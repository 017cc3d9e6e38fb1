//! Signatures of forms: known vectors, properties, changed bytes.

use std::path::Path;

use delivery_ledger::domain::BodyKind;
use delivery_ledger::twilio::accounts::Token;
use delivery_ledger::twilio::callback::ParsedBody;
use delivery_ledger::twilio::signature::{BaseUrl, InvalidReason, Signed, Verdict, verify_with};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::Value;

use super::{URL, base64, check_form, keys};
use crate::support::{TOKEN, delivered, sid, signature};

// The official SDKs' own cases, and others in their manner.

#[test]
fn known_signature_vectors_get_their_verdict() {
    let cases = vectors();
    for case in &cases {
        let text = |name: &str| case[name].as_str().expect("a text");
        let urls = BaseUrl::parse(text("url")).expect("a URL").with("");
        let kind = BodyKind::from_content_type(Some(text("content_type").as_bytes()));
        let signed = Signed {
            urls: &urls,
            body: &ParsedBody::parse(kind.expect("a form or JSON"), text("raw_body").as_bytes()),
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
    fn any_signed_names_and_values_are_accepted(
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
    fn any_signed_body_bytes_are_accepted(
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
    fn a_changed_byte_of_a_name_or_value_is_rejected(
        pairs in btree_map(odd_bytes(), odd_bytes(), 1..8),
        pair in any::<prop::sample::Index>(),
        place in any::<prop::sample::Index>(),
        change in 1..=255_u8,
        (url, port_toggled) in url_and_its_other_form(),
        toggle in any::<bool>(),
    ) {
        // Every name is unique, so that de-duplication cannot hide a changed byte.
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

        prop_assert_eq!(verdict, Verdict::Invalid(InvalidReason::Mismatch));
    }
}

#[test]
fn any_changed_byte_of_a_signed_callback_is_rejected() {
    let body = delivered(&sid(1)).bytes();
    let url = format!("{URL}?tenant=acme&id=order%2F42");
    let signature = signature(TOKEN, &url, &body);
    assert!(matches!(check_form(&url, &body, &signature), Verdict::Valid { .. }));

    for place in 0..body.len() {
        let mut changed = body.clone();
        changed[place] = b'~';
        let verdict = check_form(&url, &changed, &signature);
        assert_eq!(verdict, Verdict::Invalid(InvalidReason::Mismatch), "byte {place} of the body");
    }
    for place in "https://".len()..url.len() {
        let changed = format!("{}~{}", &url[..place], &url[place + 1..]);
        let verdict = check_form(&changed, &body, &signature);
        assert_eq!(verdict, Verdict::Invalid(InvalidReason::Mismatch), "byte {place} of the URL");
    }
    for place in 0..signature.len() {
        let other = if signature.as_bytes()[place] == b'A' { "B" } else { "A" };
        let changed = format!("{}{other}{}", &signature[..place], &signature[place + 1..]);
        let verdict = check_form(&url, &body, &changed);
        assert!(matches!(verdict, Verdict::Invalid(_)), "byte {place} of the signature");
    }
}

#[test]
fn a_signature_with_a_prefix_or_suffix_is_rejected() {
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
fn an_empty_signature_counts_as_missing() {
    let verdict = check_form(URL, b"MessageSid=SM1", "");
    assert_eq!(verdict, Verdict::Invalid(InvalidReason::Missing));
}

#[test]
fn ports_of_ipv6_urls_are_handled() {
    let body = delivered(&sid(1)).bytes();
    let accepted = |url: &str, signed: &str| {
        matches!(check_form(url, &body, &signature(TOKEN, signed, &body)), Verdict::Valid { .. })
    };
    // (configured URL, signed URL, whether they match)
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

fn vectors() -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/signature_vectors.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
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

/// Escapes every byte of a name or value, or only those that need it.
fn escaped(bytes: &[u8], all: bool) -> Vec<u8> {
    let escape = |byte: &u8| match byte {
        b' ' if !all => b"+".to_vec(),
        b'&' | b'=' | b'+' | b'%' => format!("%{byte:02X}").into_bytes(),
        _ if all => format!("%{byte:02x}").into_bytes(),
        other => vec![*other],
    };
    bytes.iter().flat_map(escape).collect()
}

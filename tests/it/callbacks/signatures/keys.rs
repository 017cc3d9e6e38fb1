//! The choice of the key: primary and secondary tokens, shared keys, and accounts.

use delivery_ledger::domain::AccountSid;
use delivery_ledger::twilio::accounts::{AccountKeys, Accounts, SharedKey, Token};
use delivery_ledger::twilio::signature::{InvalidReason, Verdict, verify};

use super::{URL, form, keys, valid_by};
use crate::support::{
    ACCOUNT, App, OTHER_ACCOUNT, SECONDARY_TOKEN, SHARED_KEY, TOKEN, delivered, sent,
    shared_key_signature, sid, signature,
};

const SHARED_KEY_SETTINGS: &str = "key=webhooks_sharedkey_01,algorithm=HMAC_SHA256";

// Which key decides.

#[test]
fn primary_and_secondary_tokens_are_accepted() {
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
fn a_token_is_not_valid_for_another_account() {
    let accounts = two_accounts();
    let ours = delivered(&sid(1)).bytes();
    let theirs = delivered(&sid(1)).with("AccountSid", OTHER_ACCOUNT).bytes();
    let nobodys = delivered(&sid(1)).with("AccountSid", "AC00").bytes();
    let unnamed = delivered(&sid(1)).without("AccountSid").bytes();
    let verdict = |token: &str, body: &[u8]| {
        verify(&form(URL, body, &signature(token, URL, body), None).signed(), &accounts)
    };

    assert_eq!(verdict("other token", &theirs), valid_by("primary"));
    assert_eq!(verdict("other token", &ours), Verdict::Invalid(InvalidReason::Mismatch));
    assert_eq!(verdict(TOKEN, &theirs), Verdict::Invalid(InvalidReason::Mismatch));
    assert_eq!(verdict(TOKEN, &nobodys), Verdict::Invalid(InvalidReason::UnknownAccount));
    assert_eq!(verdict(TOKEN, &unnamed), valid_by("primary"));
    assert_eq!(verdict(SECONDARY_TOKEN, &unnamed), valid_by("secondary"));
    assert_eq!(verdict("other token", &unnamed), valid_by("primary"));
    assert_eq!(verdict("no token of ours", &unnamed), Verdict::Invalid(InvalidReason::Mismatch));
}

#[test]
fn two_different_account_sids_are_rejected_even_if_both_are_configured() {
    let accounts = two_accounts();
    let twice_the_same = format!("AccountSid={ACCOUNT}&AccountSid={ACCOUNT}&MessageSid=SM1");
    let two = format!("AccountSid={ACCOUNT}&MessageSid=SM1&AccountSid={OTHER_ACCOUNT}");
    let verdict = |body: &str| {
        let body = body.as_bytes();
        verify(&form(URL, body, &signature(TOKEN, URL, body), None).signed(), &accounts)
    };

    assert_eq!(verdict(&twice_the_same), valid_by("primary"));
    assert_eq!(verdict(&two), Verdict::Invalid(InvalidReason::ContradictingAccounts));
}

#[test]
fn only_the_named_shared_key_is_tried() {
    let accounts = two_accounts();
    let body = delivered(&sid(1)).with("AccountSid", OTHER_ACCOUNT).bytes();
    let by_key = shared_key_signature(SHARED_KEY, URL, &body);
    let by_token = signature("other token", URL, &body);
    let verdict = |signature: &str, settings: Option<&str>| {
        verify(&form(URL, &body, signature, settings).signed(), &accounts)
    };
    let mismatch = Verdict::Invalid(InvalidReason::Mismatch);
    let unknown_key = Verdict::Invalid(InvalidReason::UnknownSharedKey);
    let unknown_algorithm = Verdict::Invalid(InvalidReason::UnknownAlgorithm);

    assert_eq!(verdict(&by_key, Some(SHARED_KEY_SETTINGS)), valid_by("webhooks_sharedkey_01"));
    // There is no fallback from a key to a token, nor from a token to a key.
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
fn a_shared_key_is_not_valid_for_another_account() {
    let body = delivered(&sid(1)).bytes();
    let signature = shared_key_signature(SHARED_KEY, URL, &body);
    let request = form(URL, &body, &signature, Some(SHARED_KEY_SETTINGS));

    let verdict = verify(&request.signed(), &two_accounts());

    assert_eq!(verdict, Verdict::Invalid(InvalidReason::UnknownSharedKey));
}

#[test]
fn a_callback_signed_with_a_shared_key_is_stored_with_the_keys_name() {
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

/// Two accounts: one with a primary and a secondary token, the other with a token and a shared key.
fn two_accounts() -> Accounts {
    let secondary = Some(Token::new(SECONDARY_TOKEN));
    let shared = [("webhooks_sharedkey_01".to_owned(), SharedKey::new(SHARED_KEY))].into();
    let sid = |text| AccountSid::parse(text).unwrap();
    Accounts::new([
        (sid(ACCOUNT), AccountKeys { secondary, ..keys(TOKEN) }),
        (sid(OTHER_ACCOUNT), AccountKeys { shared, ..keys("other token") }),
    ])
}

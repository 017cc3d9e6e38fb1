//! Without the key, any body, signature and settings are rejected.
//! The input is cut at its first two zero bytes.
#![no_main]

use std::sync::LazyLock;

use delivery_ledger::domain::AccountSid;
use delivery_ledger::twilio::accounts::{Accounts, AccountKeys, SharedKey, Token};
use delivery_ledger::domain::BodyKind;
use delivery_ledger::twilio::callback::ParsedBody;
use delivery_ledger::twilio::signature::{Signed, Verdict, verify};
use libfuzzer_sys::fuzz_target;

static ACCOUNTS: LazyLock<Accounts> = LazyLock::new(|| {
    let shared = [("k".to_owned(), SharedKey::new("a secret that is not in the corpus"))].into();
    let keys = AccountKeys { primary: Token::new("another that is not"), secondary: None, further: Default::default(), shared };
    Accounts::new(AccountSid::parse("AC1").map(|sid| (sid, keys)))
});

fuzz_target!(|bytes: &[u8]| {
    let mut parts = bytes.splitn(3, |byte| *byte == 0);
    let (Some(signature), Some(settings), Some(body)) = (parts.next(), parts.next(), parts.next())
    else {
        return;
    };
    let urls = [format!("https://hooks.example.com/?{}", String::from_utf8_lossy(settings))];
    for kind in [BodyKind::Form, BodyKind::Json] {
        for settings in [None, Some(settings)] {
            let body = &ParsedBody::parse(kind, body);
            let signed = Signed { urls: &urls, body, signature, settings };
            assert!(matches!(verify(&signed, &ACCOUNTS), Verdict::Invalid(_)));
        }
    }
});

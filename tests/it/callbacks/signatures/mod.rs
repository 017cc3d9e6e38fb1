//! Verification of signatures over exactly the bytes that were sent.

mod command;
mod forms;
mod hashes;
mod keys;

use delivery_ledger::domain::BodyKind;
use delivery_ledger::twilio::accounts::{AccountKeys, Token};
use delivery_ledger::twilio::callback::ParsedBody;
use delivery_ledger::twilio::signature::{BaseUrl, Signed, Verdict, verify_with};
use sha2::{Digest, Sha256};

use crate::support::TOKEN;

const URL: &str = "https://hooks.example.com/message-status";

/// A form request to verify.
struct FormRequest<'a> {
    urls: [String; 2],
    body: ParsedBody<'a>,
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
    let body = ParsedBody::parse(BodyKind::Form, body);
    FormRequest { urls, body, signature, settings }
}

impl FormRequest<'_> {
    fn signed(&self) -> Signed<'_> {
        Signed {
            urls: &self.urls,
            body: &self.body,
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

fn keys(token: &str) -> AccountKeys {
    AccountKeys {
        primary: Token::new(token),
        secondary: None,
        further: Default::default(),
        shared: Default::default(),
    }
}

fn hash_of(body: &[u8]) -> String {
    Sha256::digest(body).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

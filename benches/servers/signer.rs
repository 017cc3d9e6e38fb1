//! The check of signatures, for the servers that do nothing else of the product.

use actix_web::HttpRequest;
use delivery_ledger::domain::BodyKind;
use delivery_ledger::twilio::accounts::{AccountKeys, Token};
use delivery_ledger::twilio::callback::ParsedBody;
use delivery_ledger::twilio::signature::{Signed, Verdict, verify_with};

/// An account that signs callbacks for one URL.
pub struct Signer {
    keys: AccountKeys,
    url: [String; 1],
}

impl Signer {
    pub fn new(url: String, token: &str) -> Self {
        let primary = Token::new(token);
        let (secondary, further, shared) = Default::default();
        Self { keys: AccountKeys { primary, secondary, further, shared }, url: [url] }
    }

    /// Whether it has signed a request with this form as its body.
    pub fn has_signed(&self, request: &HttpRequest, body: &[u8]) -> bool {
        let signed = Signed {
            urls: &self.url,
            body: &ParsedBody::parse(BodyKind::Form, body),
            signature: signature(request),
            settings: None,
        };
        matches!(verify_with(&signed, &[&self.keys]), Verdict::Valid { .. })
    }
}

/// The signature of a request.
pub fn signature(request: &HttpRequest) -> &[u8] {
    let signature = request.headers().get("x-twilio-signature");
    signature.map(|value| value.as_bytes()).unwrap_or_default()
}

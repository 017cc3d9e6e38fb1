//! A builder for rejected requests, shared by the tests of diagnoses.

use std::collections::BTreeMap;

use delivery_ledger::domain::AccountSid;
use delivery_ledger::domain::BodyKind;
use delivery_ledger::twilio::accounts::{AccountKeys, Accounts, SharedKey, Token};
use delivery_ledger::twilio::callback::ParsedBody;
use delivery_ledger::twilio::callback_path::CallbackPath;
use delivery_ledger::twilio::diagnosis::{Configuration, RejectedRequest, diagnose};
use delivery_ledger::twilio::signature::{BaseUrl, InvalidReason, Signed, Verdict, verify};

use crate::support::{
    ACCOUNT, OTHER_ACCOUNT, OTHER_TOKEN, SECONDARY_TOKEN, SHARED_KEY, TOKEN, delivered, sid,
    signature,
};

/// A builder for a request whose signature is rejected.
#[derive(Clone)]
pub struct Refused {
    pub public_urls: Vec<String>,
    pub target: String,
    pub kind: BodyKind,
    pub body: Vec<u8>,
    pub signature: String,
    pub settings: Option<&'static str>,
    pub headers: Vec<(String, String)>,
    pub further_urls: Vec<String>,
    pub callback_paths: Vec<String>,
}

impl Refused {
    pub fn new(public_url: &str, target: &str) -> Self {
        Self {
            public_urls: vec![public_url.to_owned()],
            target: target.to_owned(),
            kind: BodyKind::Form,
            body: delivered(&sid(1)).bytes(),
            signature: String::new(),
            settings: None,
            headers: Vec::new(),
            further_urls: Vec::new(),
            callback_paths: Vec::new(),
        }
    }

    /// A request with a valid signature.
    pub fn right() -> Self {
        Self::new("https://hooks.example.com", "/message-status")
            .signed_over("https://hooks.example.com/message-status")
    }

    pub fn and_public_url(mut self, url: &str) -> Self {
        self.public_urls.push(url.to_owned());
        self
    }

    pub fn naming_host(mut self, host: &str) -> Self {
        self.headers.push(("host".to_owned(), host.to_owned()));
        self
    }

    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    pub fn signed_over(self, url: &str) -> Self {
        self.signed_over_with(url, TOKEN)
    }

    pub fn signed_with(self, token: &str) -> Self {
        let url = self.public_urls[0].clone() + &self.target;
        self.signed_over_with(&url, token)
    }

    pub fn signed_over_with(mut self, url: &str, token: &str) -> Self {
        self.signature = signature(token, url, &self.body);
        self
    }

    pub fn public_urls(&self) -> Vec<BaseUrl> {
        self.public_urls.iter().map(|url| BaseUrl::parse(url).expect("a URL")).collect()
    }

    pub fn refusal(&self) -> Option<InvalidReason> {
        let urls: Vec<_> =
            self.public_urls().iter().flat_map(|url| url.with(&self.target)).collect();
        let signed = Signed {
            urls: &urls,
            body: &ParsedBody::parse(self.kind, &self.body),
            signature: self.signature.as_bytes(),
            settings: self.settings.map(str::as_bytes),
        };
        match verify(&signed, &accounts()) {
            Verdict::Valid { .. } => None,
            Verdict::Invalid(refusal) => Some(refusal),
        }
    }

    /// Returns the cause that is logged; panics if the request is accepted.
    #[track_caller]
    pub fn cause(&self) -> String {
        self.cause_with(&accounts())
    }

    #[track_caller]
    pub fn cause_with(&self, accounts: &Accounts) -> String {
        let headers = self.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
        let callback_paths = self.callback_paths.iter().map(|path| CallbackPath::parse(path));
        let callback_paths =
            callback_paths.collect::<Result<Vec<_>, _>>().expect("the paths are valid");
        let further_urls = self.further_urls.iter().filter_map(|url| BaseUrl::parse(url));
        let case = RejectedRequest {
            reason: self.refusal().expect("the request is rejected"),
            target: &self.target,
            kind: self.kind,
            body: &self.body,
            signature: self.signature.as_bytes(),
            settings: self.settings.map(str::as_bytes),
            headers: &headers.collect::<Vec<_>>(),
        };
        let configured = Configuration {
            public_urls: &self.public_urls(),
            further_urls: &further_urls.collect::<Vec<_>>(),
            callback_paths: &callback_paths,
            accounts,
            keys: None,
        };
        diagnose(&case, &configured).to_string()
    }
}

pub fn accounts() -> Accounts {
    let sid = |text| AccountSid::parse(text).unwrap();
    let keys = |primary, secondary: Option<&str>, shared: Option<&str>| AccountKeys {
        primary: Token::new(primary),
        secondary: secondary.map(Token::new),
        further: Default::default(),
        shared: shared
            .map(|secret| ("webhooks_sharedkey_01".to_owned(), SharedKey::new(secret)))
            .into_iter()
            .collect::<BTreeMap<_, _>>(),
    };
    Accounts::new([
        (sid(ACCOUNT), keys(TOKEN, Some(SECONDARY_TOKEN), None)),
        (sid(OTHER_ACCOUNT), keys(OTHER_TOKEN, None, Some(SHARED_KEY))),
    ])
}

pub fn accounts_of(tokens: impl Iterator<Item = (String, String)>) -> Accounts {
    Accounts::new(tokens.map(|(sid, token)| {
        let primary = Token::new(&token);
        let keys = AccountKeys {
            primary,
            secondary: None,
            further: Default::default(),
            shared: BTreeMap::new(),
        };
        (AccountSid::parse(&sid).unwrap(), keys)
    }))
}

pub fn sha256(text: &str) -> String {
    use sha2::{Digest, Sha256};
    Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}

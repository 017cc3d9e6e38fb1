//! The request that a target gets for an event.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::{Method, Url};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::domain::hash::hex;
use crate::domain::{AccountSid, ErrorCodes, NewEvent, Position, RecordedEvent, Timestamp};
use crate::forward::selected::SelectedEvent;
use crate::forward::target::{Format, Target};
use crate::forward::webhook_secret::WebhookSecret;
use crate::store::Message;
use crate::twilio::accounts::{AccountKeys, Accounts, Token};
use crate::twilio::callback::{Content, ParsedBody};
use crate::twilio::form::BODY_HASH;
use crate::twilio::headers::LEDGER_IDS_HEADER;
use crate::twilio::json::batch::{Place, is_cloud_event};
use crate::twilio::signature::{SETTINGS_HEADER, SIGNATURE_HEADER, Signed, Verdict, verify_with};
use crate::wire;
use crate::wire::status_name::status_name;

/// The start of the headers that this program adds.
const OURS: &str = "delivery-ledger-";

/// Headers of an event that belong to the signature that it came with.
const OF_SIGNATURE: [&str; 2] = [SIGNATURE_HEADER, SETTINGS_HEADER];

/// A request that is ready to be sent.
#[derive(Debug, Clone)]
pub struct OutgoingRequest {
    /// The method.
    pub method: Method,
    /// The URL, with the query of the event for a request that arrived.
    pub url: Url,
    /// Names in lower case, and values.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The body.
    pub body: Vec<u8>,
}

/// Why a request cannot be signed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the error texts document the variants")]
pub enum NotSigned {
    #[error("no auth token is configured for {0}, with which the request is signed")]
    UnknownAccount(AccountSid),
    #[error("the event names no account, and none that is configured has signed it")]
    NoAccount,
    #[error("the event's method `{0}` is not one that HTTP has")]
    Method(String),
}

/// What the request of an event depends on besides the event.
#[derive(Clone, Copy)]
pub struct Sender<'a> {
    /// The target.
    pub target: &'a Target,
    /// The ledger that the event is from.
    pub ledger_id: Uuid,
    /// The accounts and their tokens.
    pub accounts: &'a Accounts,
    /// The table of error codes.
    pub error_codes: &'a ErrorCodes,
}

impl Sender<'_> {
    /// The request for an event, as the attempt of this number, which begins at `now`.
    pub fn request(
        &self,
        selected: &SelectedEvent,
        attempt: u32,
        now: Timestamp,
    ) -> Result<OutgoingRequest, NotSigned> {
        let message = selected.about.as_ref().and_then(|about| about.message.as_deref());
        let mut request = match (&self.target.format, message) {
            (Format::Message(secret), Some(message)) => {
                self.message(secret, selected, message, now)
            }
            _ => self.arrived(selected, Some(self.token(selected)?))?,
        };
        self.add_ours(&mut request, selected, attempt);
        Ok(request)
    }

    /// The first attempt to send a request as it arrived, without a signature if no token for it is configured.
    pub fn request_signed_if_possible(
        &self,
        selected: &SelectedEvent,
    ) -> Result<OutgoingRequest, NotSigned> {
        let mut request = self.arrived(selected, self.token(selected).ok())?;
        self.add_ours(&mut request, selected, 1);
        Ok(request)
    }

    fn add_ours(&self, request: &mut OutgoingRequest, selected: &SelectedEvent, attempt: u32) {
        let event = &selected.event;
        let mut add = |name: &str, value: String| {
            request.headers.push((format!("{OURS}{name}"), value.into_bytes()));
        };
        add("position", event.position.to_string());
        add("event-id", event.event_id.to_string());
        add("received-at", event.received_at.to_string());
        if let Some(about) = &selected.about {
            add("status", status_name(about.status).to_owned());
            add("effect", about.effect.name().to_owned());
        }
        add("attempt", attempt.to_string());
        request.headers.push((LEDGER_IDS_HEADER.to_owned(), self.ledger_ids(event)));
    }

    /// The ids of the ledgers that have forwarded an event, this one included.
    fn ledger_ids(&self, event: &NewEvent) -> Vec<u8> {
        let own = self.ledger_id.to_string().into_bytes();
        match event.headers.get(LEDGER_IDS_HEADER) {
            Some(others) => [others, b", ", &own].concat(),
            None => own,
        }
    }

    /// The request as it arrived, signed anew.
    fn arrived(
        &self,
        selected: &SelectedEvent,
        token: Option<&Token>,
    ) -> Result<OutgoingRequest, NotSigned> {
        let event = &selected.event;
        let method = Method::from_bytes(event.method.as_bytes())
            .map_err(|_| NotSigned::Method(event.method.clone()))?;
        let url = with_query(&self.target.url, &query_of(event));
        let signed = token
            .map(|token| (SIGNATURE_HEADER.to_owned(), signature(&url, event, token).into_bytes()));
        let kept = event
            .headers
            .iter()
            .filter(|(name, _)| !OF_SIGNATURE.contains(name) && !name.starts_with(OURS));
        let kept = kept.map(|(name, value)| (name.to_owned(), value.to_vec()));
        let headers = kept.chain(signed).collect();
        Ok(OutgoingRequest { method, url, headers, body: event.body.clone() })
    }

    /// The token that signs: that of the account that the event names, otherwise of the one that signed it: a
    /// CloudEvent may be of a subaccount that is not configured. If that key is no longer there, and there is
    /// only one account, it signs.
    fn token(&self, selected: &SelectedEvent) -> Result<&Token, NotSigned> {
        let only = || {
            let mut all = self.accounts.all();
            all.next().filter(|_| all.next().is_none() && is_cloud_event(&selected.event.body))
        };
        let named = selected.account_sid.as_ref();
        let keys = named.and_then(|sid| self.accounts.get(sid));
        let keys = keys.or_else(|| self.signer(&selected.event)).or_else(only);
        let not_signed = || match named {
            Some(sid) => NotSigned::UnknownAccount(sid.clone()),
            None => NotSigned::NoAccount,
        };
        keys.map(|keys| &keys.primary).ok_or_else(not_signed)
    }

    /// The keys of the account that has signed an event.
    fn signer(&self, event: &NewEvent) -> Option<&AccountKeys> {
        if Place::from_notes(&event.notes).is_some() {
            return self.signer_of_url(event);
        }
        let body = ParsedBody::parse(event.body_kind()?, &event.body);
        let signed = Signed {
            urls: std::slice::from_ref(&event.url),
            body: &body,
            signature: event.headers.get(SIGNATURE_HEADER)?,
            settings: event.headers.get(SETTINGS_HEADER),
        };
        let has_signed =
            |keys: &&AccountKeys| matches!(verify_with(&signed, &[keys]), Verdict::Valid { .. });
        self.accounts.all().find(has_signed)
    }

    /// The keys of the account that has signed the URL of an event: all that is signed of JSON, apart from the
    /// hash in the query, which is that of the whole batch.
    fn signer_of_url(&self, event: &NewEvent) -> Option<&AccountKeys> {
        let mac = STANDARD.decode(event.headers.get(SIGNATURE_HEADER)?).ok()?;
        let url = &[event.url.as_bytes()];
        let has_signed = |keys: &&AccountKeys| {
            keys.tokens().any(|(_, token)| token.verifies(url, &mac))
                || keys.shared.values().any(|key| key.verifies(url, &mac))
        };
        self.accounts.all().find(has_signed)
    }

    fn message(
        &self,
        secret: &WebhookSecret,
        selected: &SelectedEvent,
        message: &Message,
        now: Timestamp,
    ) -> OutgoingRequest {
        let as_of = message.lifecycle.history.last().map_or(0, |last| last.position);
        let as_of: Position = as_of.max(selected.event.position);
        let message = wire::Message::new(&message.key, &message.lifecycle, as_of, self.error_codes);
        let body = serde_json::to_vec(&message).expect("a message is JSON");
        let id = selected.event.event_id.to_string();
        let timestamp = now.micros().div_euclid(1_000_000);
        let headers = [
            ("content-type", "application/json".to_owned()),
            ("webhook-signature", secret.sign(&id, timestamp, &body)),
            ("webhook-id", id),
            ("webhook-timestamp", timestamp.to_string()),
        ];
        let headers = headers.map(|(name, value)| (name.to_owned(), value.into_bytes()));
        OutgoingRequest {
            method: Method::POST,
            url: self.target.url.clone(),
            headers: headers.to_vec(),
            body,
        }
    }
}

/// The query of an event. Of an event of a batch, its hash of the body is that of the event's own body, which is
/// what is sent.
fn query_of(event: &NewEvent) -> Cow<'_, str> {
    if Place::from_notes(&event.notes).is_none() {
        return event.query().into();
    }
    let hash = || format!("{BODY_HASH}={}", hex(&Sha256::digest(&event.body)));
    let is_hash = |parameter: &str| parameter.split('=').next() == Some(BODY_HASH);
    let parameters = event.query().split('&');
    let replaced: Vec<Cow<'_, str>> =
        parameters.map(|it| if is_hash(it) { hash().into() } else { it.into() }).collect();
    replaced.join("&").into()
}

/// A URL with the query of an event after its own. Signed is what results, because characters that no URL may
/// have are percent-encoded in it.
fn with_query(url: &Url, query: &str) -> Url {
    let mut url = url.clone();
    let joined = match (url.query().unwrap_or_default(), query) {
        (_, "") => return url,
        ("", query) => query.to_owned(),
        (own, query) => format!("{own}&{query}"),
    };
    url.set_query(Some(&joined));
    url
}

/// X-Twilio-Signature of an event for another URL. The signature of JSON covers the URL alone, whose query has
/// the hash of the body (<https://www.twilio.com/docs/usage/security#validating-requests>).
fn signature(url: &Url, event: &RecordedEvent, token: &Token) -> String {
    let parameters = match event.body_kind().map(|kind| ParsedBody::parse(kind, &event.body)) {
        Some(ParsedBody { content: Content::Form(form), .. }) => form.signed_text(),
        _ => Vec::new(),
    };
    STANDARD.encode(token.sign(&[url.as_str().as_bytes(), &parameters]))
}

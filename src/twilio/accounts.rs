//! Whose keys may verify a callback. Secrets live here as keyed MACs and never come out again.

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::Sha256;

use crate::domain::AccountSid;

/// An auth token, ready to check HMAC-SHA1 signatures.
#[derive(Clone)]
pub struct Token(Hmac<Sha1>);

/// A shared key, ready to check HMAC-SHA256 signatures
/// (<https://www.twilio.com/docs/usage/webhooks/webhook-shared-keys>).
#[derive(Clone)]
pub struct SharedKey(Hmac<Sha256>);

/// What one account may sign with.
#[derive(Debug, Clone)]
pub struct Keys {
    pub primary: Token,
    /// The other token while one is being rotated.
    pub secondary: Option<Token>,
    /// Shared keys by name.
    pub shared: BTreeMap<String, SharedKey>,
}

/// Every configured account.
#[derive(Debug, Clone, Default)]
pub struct Accounts(HashMap<AccountSid, Keys>);

impl Token {
    /// From the token's text, used as UTF-8.
    pub fn new(secret: &str) -> Self {
        Self(Hmac::new_from_slice(secret.as_bytes()).expect("HMAC takes keys of any length"))
    }

    /// The MAC over these parts, one after the other.
    pub fn sign(&self, parts: &[&[u8]]) -> Vec<u8> {
        updated(self.0.clone(), parts).finalize().into_bytes().to_vec()
    }

    /// Whether the MAC over these parts is this one, in constant time.
    pub fn verifies(&self, parts: &[&[u8]], mac: &[u8]) -> bool {
        updated(self.0.clone(), parts).verify_slice(mac).is_ok()
    }
}

impl SharedKey {
    /// From the key's text, used as UTF-8.
    pub fn new(secret: &str) -> Self {
        Self(Hmac::new_from_slice(secret.as_bytes()).expect("HMAC takes keys of any length"))
    }

    /// Whether the MAC over these parts is this one, in constant time.
    pub fn verifies(&self, parts: &[&[u8]], mac: &[u8]) -> bool {
        updated(self.0.clone(), parts).verify_slice(mac).is_ok()
    }
}

fn updated<M: Mac>(mac: M, parts: &[&[u8]]) -> M {
    parts.iter().fold(mac, |mac, part| mac.chain_update(part))
}

impl Accounts {
    /// From every account and its keys.
    pub fn new(accounts: impl IntoIterator<Item = (AccountSid, Keys)>) -> Self {
        Self(accounts.into_iter().collect())
    }

    /// Whether no account is configured, so that nothing could ever be verified.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The keys of one account.
    pub fn get(&self, account_sid: &AccountSid) -> Option<&Keys> {
        self.0.get(account_sid)
    }

    /// The keys of every account, for bodies that name none.
    pub fn all(&self) -> impl Iterator<Item = &Keys> {
        self.0.values()
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(redacted)")
    }
}

impl fmt::Debug for SharedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SharedKey(redacted)")
    }
}

//! The accounts and keys that may verify a callback. Secrets are held as keyed MACs and cannot be read
//! back.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::Sha256;

use crate::domain::AccountSid;

/// The `verified_by` of an event that the primary token verified.
pub const PRIMARY: &str = "primary";

/// The `verified_by` of an event that the secondary token verified.
pub const SECONDARY: &str = "secondary";

/// The length of Twilio's auth tokens, in hex digits.
const USUAL_LENGTH: usize = 32;

/// A secret as a keyed MAC: an auth token or a shared key, ready to sign and to check.
#[derive(Clone)]
pub struct Secret<M> {
    mac: M,
    is_usual: bool,
}

/// An auth token; it signs with HMAC-SHA1.
pub type Token = Secret<Hmac<Sha1>>;

/// A shared key; it signs with HMAC-SHA256
/// (<https://www.twilio.com/docs/usage/webhooks/webhook-shared-keys>).
pub type SharedKey = Secret<Hmac<Sha256>>;

/// The keys that one account may sign with.
#[derive(Debug, Clone)]
pub struct AccountKeys {
    /// The account's auth token.
    pub primary: Token,
    /// The second token during a rotation.
    pub secondary: Option<Token>,
    /// Further tokens by name: each of Twilio's regions signs with its own.
    pub further: BTreeMap<String, Token>,
    /// Shared keys by name.
    pub shared: BTreeMap<String, SharedKey>,
}

/// Every account whose callbacks are accepted: those that are configured, and subaccounts of these that
/// were fetched from Twilio. There may be thousands of the latter, so nothing tries their keys one by
/// one.
#[derive(Debug, Clone, Default)]
pub struct Accounts {
    configured: HashMap<AccountSid, AccountKeys>,
    subaccounts: HashMap<AccountSid, AccountKeys>,
    /// The parents of accounts: those that the configuration names, and those of fetched subaccounts.
    parents: HashMap<AccountSid, AccountSid>,
}

impl<M: Mac + KeyInit + Clone> Secret<M> {
    /// A secret from its text; the key is its UTF-8 bytes.
    pub fn new(secret: &str) -> Self {
        let mac = <M as KeyInit>::new_from_slice(secret.as_bytes());
        let is_usual =
            secret.len() == USUAL_LENGTH && secret.bytes().all(|byte| byte.is_ascii_hexdigit());
        Self { mac: mac.expect("HMAC takes keys of any length"), is_usual }
    }

    /// A secret from its bytes.
    pub fn from_bytes(secret: &[u8]) -> Self {
        let mac = <M as KeyInit>::new_from_slice(secret);
        Self { mac: mac.expect("HMAC takes keys of any length"), is_usual: false }
    }

    /// True if it has the usual form of Twilio's auth tokens. Other forms may be valid too.
    pub fn is_usual(&self) -> bool {
        self.is_usual
    }

    /// True if both are the same secret, which is tested by comparing their signatures.
    pub fn is_same_as(&self, other: &Self) -> bool {
        other.verifies(&[], &self.sign(&[]))
    }

    /// The MAC over the concatenation of these parts.
    pub fn sign(&self, parts: &[&[u8]]) -> Vec<u8> {
        self.over(parts).finalize().into_bytes().to_vec()
    }

    /// Compares the MAC over these parts with a given one, in constant time.
    pub fn verifies(&self, parts: &[&[u8]], mac: &[u8]) -> bool {
        self.over(parts).verify_slice(mac).is_ok()
    }

    fn over(&self, parts: &[&[u8]]) -> M {
        parts.iter().fold(self.mac.clone(), |mac, part| mac.chain_update(part))
    }
}

impl AccountKeys {
    /// The names of the keys that differ from others, or exist in only one of both.
    pub fn changed_in(&self, others: &AccountKeys) -> Vec<String> {
        let mut changed = Vec::new();
        if !self.primary.is_same_as(&others.primary) {
            changed.push("primary token".to_owned());
        }
        if !same(self.secondary.as_ref(), others.secondary.as_ref()) {
            changed.push("secondary token".to_owned());
        }
        changed.extend(differing(&self.further, &others.further, "token"));
        changed.extend(differing(&self.shared, &others.shared, "shared key"));
        changed
    }

    /// Every token with its name, the primary one first.
    pub fn tokens(&self) -> impl Iterator<Item = (&str, &Token)> {
        let secondary = self.secondary.iter().map(|token| (SECONDARY, token));
        let further = self.further.iter().map(|(name, token)| (name.as_str(), token));
        [(PRIMARY, &self.primary)].into_iter().chain(secondary).chain(further)
    }
}

/// The names whose secrets differ between both maps, each with `what` before it.
fn differing<M: Mac + KeyInit + Clone>(
    ours: &BTreeMap<String, Secret<M>>,
    others: &BTreeMap<String, Secret<M>>,
    what: &str,
) -> Vec<String> {
    let names: BTreeSet<_> = ours.keys().chain(others.keys()).collect();
    let names = names.into_iter().filter(|name| !same(ours.get(*name), others.get(*name)));
    names.map(|name| format!("{what} {name}")).collect()
}

fn same<M: Mac + KeyInit + Clone>(one: Option<&Secret<M>>, other: Option<&Secret<M>>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => one.is_same_as(other),
        (one, other) => one.is_none() && other.is_none(),
    }
}

impl Accounts {
    /// The configured accounts and their keys.
    pub fn new(configured: impl IntoIterator<Item = (AccountSid, AccountKeys)>) -> Self {
        Self { configured: configured.into_iter().collect(), ..Self::default() }
    }

    /// The same with the parents of some accounts.
    pub fn with_parents(self, parents: impl IntoIterator<Item = (AccountSid, AccountSid)>) -> Self {
        Self { parents: parents.into_iter().collect(), ..self }
    }

    /// The accounts whose parent is known, each with it.
    pub fn parents(&self) -> impl Iterator<Item = (AccountSid, AccountSid)> {
        self.parents.iter().map(|(sid, parent)| (sid.clone(), parent.clone()))
    }

    /// The same with these subaccounts; one that is configured too has its configured keys.
    pub fn with_subaccounts(
        self,
        subaccounts: impl IntoIterator<Item = (AccountSid, AccountKeys)>,
    ) -> Self {
        let Self { configured, parents, .. } = self;
        let fetched = subaccounts.into_iter().filter(|(sid, _)| !configured.contains_key(sid));
        let subaccounts = fetched.collect();
        Self { configured, subaccounts, parents }
    }

    /// True if no account is configured, so that no callback can be verified.
    pub fn is_empty(&self) -> bool {
        self.configured.is_empty()
    }

    /// The keys of one account.
    pub fn get(&self, account_sid: &AccountSid) -> Option<&AccountKeys> {
        self.configured.get(account_sid).or_else(|| self.subaccounts.get(account_sid))
    }

    /// True if a CloudEvent of `account_sid` counts in a request that a key of `signer` verifies: it is the same
    /// account, or its parent, or nobody else could sign for it, because none of its keys are known.
    pub fn vouches_for(&self, signer: &AccountSid, account_sid: &AccountSid) -> bool {
        signer == account_sid
            || self.get(account_sid).is_none()
            || self.parents.get(account_sid) == Some(signer)
    }

    /// A fetched subaccount and its keys.
    pub fn subaccount(&self, account_sid: &AccountSid) -> Option<(&AccountSid, &AccountKeys)> {
        self.subaccounts.get_key_value(account_sid)
    }

    /// True if any subaccount was fetched.
    pub fn has_subaccounts(&self) -> bool {
        !self.subaccounts.is_empty()
    }

    /// Every fetched subaccount and its keys, in any order.
    pub fn subaccounts(&self) -> impl Iterator<Item = (&AccountSid, &AccountKeys)> {
        self.subaccounts.iter()
    }

    /// Every configured account and its keys, in the order of their SIDs.
    pub fn iter(&self) -> impl Iterator<Item = (&AccountSid, &AccountKeys)> {
        let mut accounts: Vec<_> = self.configured.iter().collect();
        accounts.sort_unstable_by_key(|(sid, _)| *sid);
        accounts.into_iter()
    }

    /// The keys of every configured account, for bodies that name none.
    pub fn all(&self) -> impl Iterator<Item = &AccountKeys> {
        self.configured.values()
    }
}

impl<M> fmt::Debug for Secret<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(redacted)")
    }
}

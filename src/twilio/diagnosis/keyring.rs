//! The configured keys, divided into those that should have signed a request and the others.

use crate::domain::AccountSid;
use crate::twilio::accounts::{AccountKeys, SharedKey, Token};
use crate::twilio::callback::ClaimedAccount;
use crate::twilio::signature::{Method, method};

use super::request::Configuration;

/// A key, its name and its account.
pub struct Key<'a> {
    account_sid: Option<&'a AccountSid>,
    name: Name<'a>,
    secret: Secret<'a>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Name<'a> {
    Primary,
    Secondary,
    Further(&'a str),
    Shared(&'a str),
}

#[derive(Clone, Copy)]
enum Secret<'a> {
    Token(&'a Token),
    SharedKey(&'a SharedKey),
}

/// The keys that may have made a request's signature.
pub struct Keyring<'a> {
    pub expected: Vec<Key<'a>>,
    pub others: Vec<Key<'a>>,
    claim: ClaimedAccount,
}

impl<'a> Keyring<'a> {
    /// Divides the keys for a request whose body names this account. Of fetched subaccounts, only that one
    /// is considered.
    pub fn new(
        configuration: &Configuration<'a>,
        claim: &ClaimedAccount,
        settings: Option<&[u8]>,
    ) -> Self {
        let method = method(settings);
        let subaccount = match claim {
            ClaimedAccount::Account(sid) => configuration.accounts.subaccount(sid),
            ClaimedAccount::None | ClaimedAccount::Contradicting => None,
        };
        let accounts = configuration.accounts.iter().chain(subaccount);
        let accounts = accounts.flat_map(|(sid, keys)| keys_of(Some(sid), keys));
        let given = configuration.keys.into_iter().flat_map(|keys| keys_of(None, keys));
        let is_own = |key: &Key<'_>| match (key.account_sid, claim) {
            (None, _) => true,
            (Some(_), _) if configuration.keys.is_some() => false,
            (Some(_), ClaimedAccount::None) => true,
            (Some(sid), ClaimedAccount::Account(claimed)) => sid == claimed,
            (Some(_), ClaimedAccount::Contradicting) => false,
        };
        let (expected, others) =
            given.chain(accounts).partition(|key| is_own(key) && key.is_of(&method));
        Self { expected, others, claim: claim.clone() }
    }

    /// Whether a token that should have signed does not have the form of Twilio's tokens.
    pub fn expect_odd_token(&self) -> bool {
        let mut tokens = self.expected.iter().filter_map(|key| match key.secret {
            Secret::Token(token) => Some(token),
            Secret::SharedKey(_) => None,
        });
        tokens.any(|token| !token.is_usual())
    }

    /// Describes a key that should not have signed.
    pub fn describe(&self, key: &Key<'_>) -> String {
        let name = match key.name {
            Name::Primary => "the token".to_owned(),
            Name::Secondary => "the secondary token".to_owned(),
            Name::Further(name) => format!("the token {name}"),
            Name::Shared(name) => format!("the shared key {name}"),
        };
        match (key.account_sid, &self.claim) {
            (Some(sid), ClaimedAccount::Account(claimed)) if sid != claimed => {
                format!("{name} of account {sid}, not the one that the body names")
            }
            (Some(sid), _) => format!("{name} of account {sid}"),
            (None, _) => name,
        }
    }
}

impl Key<'_> {
    /// Whether this key's MAC over these parts is the given one.
    pub fn verifies(&self, parts: &[&[u8]], mac: &[u8]) -> bool {
        match self.secret {
            Secret::Token(token) => token.verifies(parts, mac),
            Secret::SharedKey(key) => key.verifies(parts, mac),
        }
    }

    fn is_of(&self, method: &Method<'_>) -> bool {
        match (method, self.name) {
            (Method::Token, Name::Primary | Name::Secondary | Name::Further(_)) => true,
            (Method::SharedKey(named), Name::Shared(name)) => *named == name,
            _ => false,
        }
    }
}

fn keys_of<'a>(
    account_sid: Option<&'a AccountSid>,
    keys: &'a AccountKeys,
) -> impl Iterator<Item = Key<'a>> {
    let token = move |name, token| Key { account_sid, name, secret: Secret::Token(token) };
    let secondary = keys.secondary.iter().map(move |secret| token(Name::Secondary, secret));
    let further = keys.further.iter().map(move |(name, key)| token(Name::Further(name), key));
    let shared = keys.shared.iter().map(move |(name, secret)| Key {
        account_sid,
        name: Name::Shared(name),
        secret: Secret::SharedKey(secret),
    });
    std::iter::once(token(Name::Primary, &keys.primary))
        .chain(secondary)
        .chain(further)
        .chain(shared)
}

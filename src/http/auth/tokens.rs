//! API tokens and their scopes, and a limit on failed attempts. Tokens are kept as SHA-256 hashes.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use sha2::{Digest, Sha256};
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};

use crate::rate_limit::{Exceeded, Quota, RateLimit, RateLimits};

/// Failed attempts from one address: enough for a page that loads with a replaced token, far too few to
/// guess one.
const OF_ADDRESS: Quota = Quota::per_second(1).with_burst(30);

/// Failed attempts from all addresses together, against attackers with many.
const OF_PROCESS: Quota = Quota::per_second(20).with_burst(300);

/// Addresses to remember. Beyond that, those without recent failures are forgotten.
const ADDRESSES_MAX: usize = 10_000;

/// What a client may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scope {
    /// The addresses and texts that it may see.
    pub visibility: Visibility,
    /// Whether the messages of a whole number may be found although addresses are masked.
    pub may_find: bool,
    /// Whether messages may be sent.
    pub may_send: bool,
    /// Whether the client may append or change something, other than by sending messages.
    pub may_operate: bool,
}

/// Which addresses and texts a client may see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Visibility {
    /// No messages and no events.
    Nothing,
    /// Addresses masked but for their last four digits.
    Masked,
    /// Everything.
    Full,
}

impl Scope {
    /// The scope if no token is configured. What costs money or changes something always requires one.
    pub const WITHOUT_TOKEN: Self =
        Self { visibility: Visibility::Full, may_find: false, may_send: false, may_operate: false };
}

impl fmt::Display for Scope {
    /// Writes the scope as it is written in settings.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let read = match self.visibility {
            Visibility::Nothing => None,
            Visibility::Masked => Some("read:masked"),
            Visibility::Full => Some("read"),
        };
        let find = self.may_find.then_some("find");
        let send = self.may_send.then_some("send");
        let operate = self.may_operate.then_some("operate");
        let words: Vec<_> = [read, find, send, operate].into_iter().flatten().collect();
        f.write_str(&words.join(" "))
    }
}

/// Who sends a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Client {
    /// The holder of a token, or anybody if none is required.
    Known {
        /// The name of the token, or `anonymous`.
        name: Arc<str>,
        /// What the client may do.
        scope: Scope,
    },
    /// A client without a token that is configured.
    Rejected,
}

/// The configured tokens. If there are none, none is required.
#[derive(Default, PartialEq, Eq)]
pub struct Tokens(Vec<Token>);

#[derive(PartialEq, Eq)]
struct Token {
    name: Arc<str>,
    hash: TokenHash,
    scope: Scope,
}

/// The SHA-256 hash of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TokenHash([u8; 32]);

impl TokenHash {
    /// The hash of a token, as a client sends it or as it is configured.
    pub fn new(token: &[u8]) -> Self {
        Self(Sha256::digest(token).into())
    }
}

impl Tokens {
    /// Tokens with their names and scopes.
    pub fn new<'a>(tokens: impl IntoIterator<Item = (&'a str, &'a str, Scope)>) -> Self {
        let token = |(name, token, scope): (&str, &str, Scope)| Token {
            name: name.into(),
            hash: TokenHash::new(token.as_bytes()),
            scope,
        };
        Self(tokens.into_iter().map(token).collect())
    }

    /// Whether no token is required.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The name and scope of this token; `None` if it is not configured. All tokens are compared, in
    /// constant time, so that the duration reveals nothing.
    pub fn holder_of(&self, given: TokenHash) -> Option<(Arc<str>, Scope)> {
        let mut found = 0_u32;
        for (number, token) in (1..).zip(&self.0) {
            let same: Choice = token.hash.0.ct_eq(&given.0);
            found.conditional_assign(&number, same);
        }
        let token = (found as usize).checked_sub(1)?;
        self.0.get(token).map(|token| (Arc::clone(&token.name), token.scope))
    }
}

/// Limits attempts without a valid token. A valid token is always accepted: otherwise one client could
/// lock out all others behind the same proxy. The length of a token protects it from being guessed;
/// this limit protects the server's time and its log.
pub struct Attempts {
    by_address: RateLimits<IpAddr>,
    in_process: RateLimit,
}

impl Default for Attempts {
    fn default() -> Self {
        Self {
            by_address: RateLimits::new(OF_ADDRESS, ADDRESSES_MAX),
            in_process: RateLimit::new(OF_PROCESS),
        }
    }
}

impl Attempts {
    /// Records a failed attempt; the error is the number of seconds to wait if there are too many.
    pub fn failed(&self, address: Option<IpAddr>) -> Result<(), u64> {
        let seconds = |exceeded: Exceeded| exceeded.wait.as_secs() + 1;
        if let Some(address) = address {
            self.by_address.try_acquire(network(address)).map_err(seconds)?;
        }
        self.in_process.try_acquire().map_err(seconds)
    }
}

/// The network of an IPv6 address: one client usually has all of it.
fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
            Some(v4) => v4.into(),
            None => {
                let mut octets = v6.octets();
                octets[8..].fill(0);
                IpAddr::from(octets)
            }
        },
    }
}

#[cfg(test)]
mod tests {
    use super::{Attempts, Scope, TokenHash, Tokens, Visibility};

    const MASKED: Scope =
        Scope { visibility: Visibility::Masked, may_find: true, ..Scope::WITHOUT_TOKEN };

    #[test]
    fn each_token_has_its_own_scope_and_nothing_else_has_any() {
        let tokens = Tokens::new([
            ("one", "one-of-16-letters", Scope::WITHOUT_TOKEN),
            ("other", "another-of-them-", MASKED),
        ]);
        let holder = |given: &[u8]| tokens.holder_of(TokenHash::new(given));
        assert_eq!(holder(b"one-of-16-letters"), Some(("one".into(), Scope::WITHOUT_TOKEN)));
        assert_eq!(holder(b"another-of-them-"), Some(("other".into(), MASKED)));
        assert_eq!(holder(b"one-of-16-letter"), None);
        assert_eq!(holder(b""), None);
        assert_eq!(Tokens::default().holder_of(TokenHash::new(b"")), None);
    }

    #[test]
    fn attempts_are_limited_by_address_and_then_all_together() {
        let attempts = Attempts::default();
        let fails = |address: &str, times: usize| {
            let address = Some(address.parse().unwrap());
            (0..times).filter(|_| attempts.failed(address).is_ok()).count()
        };
        assert_eq!(fails("192.0.2.1", 40), 30);
        assert_eq!(fails("::ffff:192.0.2.1", 5), 0, "the same address");
        assert_eq!(fails("2001:db8::1", 20) + fails("2001:db8::2", 20), 30, "the same network");
        assert!(attempts.failed(Some("192.0.2.1".parse().unwrap())).unwrap_err() >= 1);
        let far_apart: usize = (2..40).map(|n| fails(&format!("192.0.2.{n}"), 30)).sum();
        assert!((240..300).contains(&far_apart), "{far_apart}");
    }
}

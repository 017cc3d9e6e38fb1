//! The configured names of accounts. They are shown next to the SIDs, and accepted instead of them.

use std::collections::BTreeMap;

use super::AccountSid;
use super::similar::suggestion;

/// The names of some accounts, each different.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AccountNames(BTreeMap<String, String>);

/// The error for a text that is neither a SID nor a name. It reads as a continuation of "… is not".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("an account's SID (AC…) or name{suggestion}")]
pub struct UnknownAccount {
    suggestion: String,
}

impl AccountNames {
    /// Names by SID; the caller makes sure that they differ.
    pub fn new(names: impl IntoIterator<Item = (String, String)>) -> Self {
        Self(names.into_iter().collect())
    }

    /// True if no account has a name.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The name of an account; `None` if it has none.
    pub fn name(&self, sid: &str) -> Option<&str> {
        self.0.get(sid).map(String::as_str)
    }

    /// The name and the SID of an account, for people; the SID alone if there is no name.
    pub fn describe(&self, sid: &str) -> String {
        self.name(sid).map_or_else(|| sid.to_owned(), |name| format!("{name} ({sid})"))
    }

    /// The account with this SID or name. A text that is neither is an error, unless no account has a
    /// name, or the text begins with `AC` and is similar to no name: then it is taken for an unusual
    /// SID, of which the log may have callbacks.
    ///
    /// ```
    /// use delivery_ledger::domain::account_names::AccountNames;
    ///
    /// let names = AccountNames::new([("AC1".to_owned(), "shop-eu".to_owned())]);
    /// assert_eq!(names.resolve("shop-eu").unwrap().as_str(), "AC1");
    /// assert_eq!(names.resolve("AC2").unwrap().as_str(), "AC2");
    /// let unknown = names.resolve("shop-ue").unwrap_err();
    /// assert_eq!(unknown.to_string(), "an account's SID (AC…) or name; similar: shop-eu");
    /// ```
    pub fn resolve(&self, written: &str) -> Result<AccountSid, UnknownAccount> {
        let named = self.0.iter().find(|(_, name)| *name == written).map(|(sid, _)| sid.as_str());
        let suggestion = suggestion(written, self.0.values().map(String::as_str));
        let begins_as_sid = written.starts_with("AC") && suggestion.is_empty();
        let is_sid = self.is_empty() || begins_as_sid || AccountSid::has_documented_form(written);
        let sid = named.or(Some(written).filter(|_| is_sid));
        sid.and_then(AccountSid::parse).ok_or(UnknownAccount { suggestion })
    }
}

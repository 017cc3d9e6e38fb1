//! Subaccounts of accounts with `subaccounts = true`, fetched from Twilio with their tokens.
//!
//! A background thread of the server fetches them and writes them to a file; everything else, the
//! server's own keys too, reads that file. So a restart needs no Twilio, and commands know them as well.

pub mod file;
mod list;
pub mod metrics;
pub mod pace;
pub mod requests;
pub mod worker;

use secrecy::SecretString;

pub use self::list::ListError;
use crate::domain::{AccountSid, Timestamp};
use crate::twilio_api::{AccountStatus, Credentials};

/// The maximum number of subaccounts of one account, ten times what Twilio allows without a special
/// agreement. It limits memory (some 600 bytes each), and the file (some 150 bytes each).
pub const SUBACCOUNTS_MAX: usize = 10_000;

/// One subaccount.
///
/// Suspended and closed ones are kept too, for as long as Twilio lists them: callbacks of
/// messages that were sent before arrive later, and their tokens verify nothing but these.
#[derive(Debug, Clone)]
pub struct Subaccount {
    /// The SID of the subaccount.
    pub sid: AccountSid,
    /// What people call it at Twilio.
    pub name: Option<String>,
    /// Its state according to Twilio.
    pub status: AccountStatus,
    /// Its auth token, which it signs callbacks with.
    pub auth_token: SecretString,
}

/// The subaccounts of one account, as Twilio listed them.
#[derive(Debug, Clone)]
pub struct Subaccounts {
    /// When Twilio listed them.
    pub fetched_at: Timestamp,
    /// The subaccounts, in Twilio's order.
    pub each: Vec<Subaccount>,
}

/// An account whose subaccounts are wanted.
#[derive(Debug, Clone)]
pub struct Parent {
    /// The SID of the account.
    pub account_sid: AccountSid,
    /// The credentials that the list is requested with.
    pub credentials: Credentials,
    /// The setting that the auth token comes from, for errors.
    pub token_setting: String,
}

/// The accounts whose subaccounts are wanted, each with what is wrong with its settings.
pub type Parents = Vec<(AccountSid, anyhow::Result<Parent>)>;

impl Subaccount {
    /// True if Twilio accepts requests for it.
    pub fn is_active(&self) -> bool {
        self.status == AccountStatus::Active
    }
}

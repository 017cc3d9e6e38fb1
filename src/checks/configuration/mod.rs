//! Checks on the configuration: each setting, the accounts' keys, and the URL that Twilio calls.

pub mod keys;
pub mod settings;
pub mod subaccounts;
pub mod url;

//! Settings of Twilio accounts: their keys, names and subaccounts.

pub mod account;
pub mod configured_account;
pub mod key_source;
mod names;
pub mod subaccounts;

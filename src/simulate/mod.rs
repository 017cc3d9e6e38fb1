//! A fake Twilio, for the demo and for load tests. It sends realistic, correctly signed callbacks
//! over HTTP, with the faults that real ones have, and measures the answers.

pub mod client;
pub mod load;
pub mod message;
pub mod pace;
pub mod stream;
pub mod summary;

pub use client::{Signer, run};
pub use load::{Load, Target};
pub use stream::{Callback, Callbacks, FIXED_RECEIPT, SimulationPlan};
pub use summary::LoadSummary;

/// The User-Agent of all simulated callbacks. It stays with the event, so that they can be
/// distinguished from Twilio's in a log from which nothing is removed.
pub const USER_AGENT: &str = concat!("delivery-ledger-simulate/", env!("CARGO_PKG_VERSION"));

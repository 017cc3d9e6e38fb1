//! A fake Twilio, for the demo and for load tests. It sends realistic, correctly signed callbacks
//! over HTTP, with the faults of real ones, and measures the responses.

pub mod client;
pub mod days;
pub mod load;
pub mod message;
pub mod pace;
pub mod stream;
pub mod summary;

pub use client::{Signer, run};
pub use days::{Arrival, Arrivals, DaysPlan};
pub use load::{Load, Target};
pub use stream::{Callback, Callbacks, FIXED_RECEIPT, SimulationPlan};
pub use summary::LoadSummary;

/// The User-Agent of all simulated callbacks. It is stored with the event, to distinguish simulated
/// callbacks from Twilio's.
pub const USER_AGENT: &str = concat!("delivery-ledger-simulate/", env!("CARGO_PKG_VERSION"));

//! A fake Twilio: believable callbacks with the faults that real ones have, really signed,
//! sent over HTTP, and measured.

pub mod client;
pub mod message;
pub mod pace;
pub mod stream;
pub mod summary;

pub use client::{Load, Signer, run};
pub use stream::{Callback, Callbacks, Plan};
pub use summary::Summary;

//! One message: what each event reports about it, and the lifecycle that follows from all of them.

pub mod deciding;
pub mod filter;
pub mod kinds;
pub mod lifecycle;
pub mod message_ref;
pub mod status_reported;
pub mod status_times;

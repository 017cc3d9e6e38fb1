//! Messages: the facts of each event, and the lifecycle computed from all events of a message.

pub mod click;
pub mod deciding;
pub mod details;
pub mod effect;
pub mod event_ref;
pub mod failure_texts;
pub mod filter;
pub mod kinds;
pub mod lifecycle;
pub mod message_ref;
pub mod status_change;
pub mod status_reported;
pub mod status_times;
pub mod tags;

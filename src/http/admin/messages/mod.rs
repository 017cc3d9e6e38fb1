//! Messages: a list of them, one of them, searching by number, and sending.

pub mod find;
pub mod list;
pub mod message;
pub mod message_sender;
pub(super) mod send_message;

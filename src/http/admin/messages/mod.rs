//! Messages: a list of them, one of them, searching by number, sending, and feedback.

pub(super) mod evidence;
pub(super) mod feedback;
pub mod find;
pub mod list;
pub mod message;
pub(super) mod send_message;
pub(super) mod send_request;
pub mod sender;

//! The harness: a server of its own for each test, and the product's verbs to speak to it.

mod app;
mod bodies;
pub mod events;
mod http;
pub mod ledger;
mod sign;
pub mod twilio;

pub use app::{App, Command, OTHER_TOKEN};
pub use bodies::{ACCOUNT, MessageBody, OTHER_ACCOUNT, delivered, failed, sent, sid, status};
pub use http::{Answer, Request, assert_problem};
pub use sign::{
    SECONDARY_TOKEN, SHARED_KEY, TOKEN, json_signature, shared_key_signature, signature,
};

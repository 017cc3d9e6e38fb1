//! The test harness: a server or a ledger per test, signed callbacks, an HTTP client, a fake Twilio, and
//! databases of PostgreSQL.

mod app;
pub mod application;
mod bodies;
pub mod clock;
pub mod events;
mod http;
pub mod ledger;
pub mod postgres;
pub mod seals;
mod sign;
pub mod terminal;
pub mod twilio;
pub mod whole_story;

pub use app::{App, Command, OTHER_TOKEN};
pub use bodies::{ACCOUNT, MessageBody, OTHER_ACCOUNT, delivered, failed, sent, sid, status};
pub use http::{Request, Response, assert_problem};
pub use sign::{
    SECONDARY_TOKEN, SHARED_KEY, TOKEN, json_signature, shared_key_signature, signature,
};

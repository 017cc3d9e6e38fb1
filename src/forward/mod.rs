//! Forwarding: sends the events of the log to other applications, the targets, in the form in which they
//! arrived or as the state of their message.
//!
//! A target has a thread of its own, which reads the log from the target's position: it follows the log like a
//! reader of the API does, so nothing here can delay the response to a callback.

pub mod address;
pub mod answers;
pub mod client;
mod follower;
pub mod job;
pub mod metrics;
mod queue;
pub mod request;
mod resolver;
mod schedule;
pub mod selected;
pub mod single;
pub mod status;
pub mod target;
pub mod webhook_secret;
pub mod worker;

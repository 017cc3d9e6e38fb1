//! Responses that are streamed: by a thread in chunks, or as Server-Sent Events that follow the log.

pub mod chunks;
pub mod follow;
pub mod sse;

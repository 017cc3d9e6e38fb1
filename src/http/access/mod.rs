//! Access records of the admin listener. A record is written once the response has left, or its client has.

pub mod middleware;
mod recorded_body;
pub mod recorder;
pub mod returned;

//! Batches of events on their way into the views: read, hashed and folded before they are written.

pub mod messages;
pub mod noted;
pub mod prefetch;
pub mod prepare;

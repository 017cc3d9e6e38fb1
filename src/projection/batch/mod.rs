//! A batch of events on its way into the views: read, digested and folded, ahead of the write.

pub mod messages;
pub mod prefetch;
pub mod prepare;

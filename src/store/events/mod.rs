//! Events on their way into the log and out of it.

pub mod bytes;
pub mod pages;
pub mod salt;

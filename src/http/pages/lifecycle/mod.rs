//! The parts of the page of one message: the graph, its rows, the raw event and the reason for the status.

pub mod details;
pub mod facts;
pub mod graph;
pub mod mark;
pub mod raw;
pub mod reason;
pub mod sealed;
pub mod timeline;

//! Integration tests of the program and the library: a single test binary, so that it is linked only once.

// The JSON of a message has more members than `json!` can expand by default.
#![recursion_limit = "256"]

mod access;
mod build_script;
mod callbacks;
mod cli;
mod docs;
mod doctor;
mod erase;
mod event_streams;
mod evidence;
mod files;
mod forwarding;
mod import;
mod lifecycle;
mod log_format;
mod nodes;
mod pages;
mod projection;
mod reading;
mod reconcile;
mod reliability;
mod report;
mod running;
mod seal;
mod send;
mod shape;
mod starting;
mod store;
mod streams;
mod subaccounts;
mod support;
mod upgrading;
mod verify;

//! An event-sourced ledger of Twilio's status callbacks.
//!
//! The rooms, in the order a callback meets them:
//! `http` takes the bytes and `twilio` proves who sent them and what they say;
//! `domain` has the words (event, status, lifecycle) and the rules;
//! `store` appends the event to the log and is the only place with SQL;
//! `projection` reads on from there and keeps the views;
//! `wire` gives events and messages their JSON shape, `report` counts them, `export` streams them out,
//! `backup` keeps a copy;
//! `quarantine` keeps apart what was refused for its signature;
//! `twilio_api` asks Twilio, `send` makes messages through it;
//! `import` takes in records of elsewhere;
//! `simulate` is a fake Twilio to try all of it with;
//! `cli` is the same questions asked from a terminal, `config` and `telemetry` set both up.

pub mod background;

pub mod domain;
pub mod twilio;

pub mod store;

pub mod projection;

pub mod wire;

pub mod report;

pub mod export;

pub mod backup;

pub mod twilio_api;

pub mod send;

pub mod reconcile;

pub mod import;

pub mod quarantine;

pub mod http;

pub mod simulate;

pub mod config;
pub mod telemetry;

pub mod cli;

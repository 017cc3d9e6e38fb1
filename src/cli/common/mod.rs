//! Code shared by several commands: opening the ledger, filters, output, and requests to a running server.

pub mod attempt;
pub mod event_table;
pub mod flags;
pub mod http_client;
pub mod interrupt;
pub mod ledger;
pub mod progress;
pub mod table;
pub mod terminal;
pub mod text;

//! Code shared by several commands: opening the ledger, filters, output, and requests to a running server.

pub mod event_flags;
pub mod event_table;
pub mod filters;
pub mod flag;
pub mod http_client;
pub mod interrupt;
pub mod ledger;
pub mod options;
pub mod pager;
pub mod palette;
pub mod progress;
pub mod styled;
pub mod table;
pub mod terminal;
pub mod text;
pub mod time_zone;

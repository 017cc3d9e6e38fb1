//! What only PostgreSQL has.

mod claims;
mod commands;
mod failures;
mod ledger;
mod pair;
mod pooler;
mod role;
mod views;

//! What only PostgreSQL has.

mod ledger;
mod pair;
mod views;

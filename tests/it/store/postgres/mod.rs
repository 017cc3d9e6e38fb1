//! What only PostgreSQL has.

mod claims;
mod ledger;
mod pair;
mod views;

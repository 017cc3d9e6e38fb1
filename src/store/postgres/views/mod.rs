//! The views in PostgreSQL: a schema for each generation of them, and a row that says which one is in use.

mod check;
pub mod generation;
mod key_filter;
mod live;
pub mod open;
mod schema;
mod tables;
mod views_impl;

//! The views in SQLite: one file for each generation of them, and a symbolic link to the one in use.

pub mod error;
mod fresh;
pub mod generation;
pub mod indexes;
pub mod link;
mod live;
pub mod open;
mod tables;
mod views_impl;

pub use fresh::FreshViews;

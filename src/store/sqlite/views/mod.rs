//! The views in SQLite: one file for each generation of them, and a symbolic link to the one in use.

pub mod codec;
pub mod error;
mod fresh;
pub mod link;
mod live;
pub mod open;
pub mod rebuild;
mod tables;
mod views_impl;

pub use fresh::FreshViews;

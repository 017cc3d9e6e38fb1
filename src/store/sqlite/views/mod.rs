//! The views in SQLite: one file for each generation of them, and a symbolic link to the one in use.

pub mod codec;
pub mod error;
mod fresh;
pub mod link;
mod list;
mod live;
mod message_row;
pub mod open;
mod read;
pub mod rebuild;
mod rollups;
mod sid_table;
mod tables;
mod tag_index;
mod views_impl;
mod write;

pub use fresh::FreshViews;

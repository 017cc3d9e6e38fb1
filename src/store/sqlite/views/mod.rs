//! The views in their SQLite file.

pub mod codec;
pub mod error;
pub mod external_sort;
pub mod index;
pub mod index_buffer;
pub mod list;
pub mod message_row;
pub mod read;
pub mod rebuild;
pub mod rollup_read;
pub mod rollup_write;
pub mod table_set;
pub mod views_file;
pub mod write;

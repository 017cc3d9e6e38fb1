//! The product as its users meet it: one binary, so that it is linked once.

mod admin;
mod background;
mod backup;
mod callbacks;
mod cli;
mod clock;
mod hostile;
mod leftovers;
mod lifecycle;
mod lifecycle_page;
mod log_format;
mod odd_callbacks;
mod overload;
mod projection;
mod reliability;
mod serving;
mod shape;
mod signatures;
mod starting;
mod stopping;
mod store;
mod support;
mod verify;
mod wal;

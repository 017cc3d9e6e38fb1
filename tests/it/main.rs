//! The product as its users meet it: one binary, so that it is linked once.

mod lifecycle;
mod projection;
mod serving;
mod store;
mod support;
mod verify;

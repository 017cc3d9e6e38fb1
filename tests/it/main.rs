//! The product as its users meet it: one binary, so that it is linked once.

mod lifecycle;
mod serving;
mod support;
mod verify;

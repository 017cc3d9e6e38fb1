//! The product as its users meet it: one binary, so that it is linked once.

mod serving;
mod signatures;
mod support;

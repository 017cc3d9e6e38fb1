//! Evidence about one message: bundles, and checking them without a ledger.

mod bundles;
mod changed;
mod erased;
mod python;
mod vectors;

//! Evidence about one message: a bundle that somebody outside can check without a ledger, a network, or trust in
//! the operator. docs/EVIDENCE.md says how.
//!
//! [`make`] makes a [`bundle`] from a ledger, [`check`] checks one, and [`page`] shows what was checked.

pub mod bundle;
pub mod check;
pub mod make;
pub mod page;

//! Seals: signed statements of how many events a ledger has, and of their root, in the formats of C2SP
//! (<https://c2sp.org/signed-note>, <https://c2sp.org/tlog-checkpoint>).
//!
//! [`note`] has the pure part, which needs no ledger: keys, notes, seals, cosignatures and key changes.
//! [`sealer`] seals a ledger, [`stored`] reads what was sealed, and [`worker`] does both in a running server, with
//! what others attest: [`witness`].

pub mod attest;
pub mod authority;
mod client;
pub mod json;
pub mod metrics;
pub mod note;
pub mod notes_file;
pub mod sealer;
pub mod stored;
pub mod tiles;
pub mod timestamp;
pub mod witness;
pub mod worker;

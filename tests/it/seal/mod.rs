//! Seals, and what others attest about them.

mod attested;
mod notes;
mod sealing;
mod tiles;
mod timestamps;

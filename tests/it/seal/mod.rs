//! Seals, and what others attest about them.

mod timestamps;

//! The callback listener: which callbacks are stored, which are rejected, and what happens to those.

mod causes;
mod end_to_end;
mod flood;
pub mod hostile;
mod listener;
mod long_bodies;
mod quarantine;
mod rejected;
mod reported_cases;
mod signatures;
mod tags;
mod unusual;

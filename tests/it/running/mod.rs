//! A running server: what it does in the background, under load, and next to other processes; how it ends.

mod appending;
mod background;
mod clock;
mod fitness;
mod overload;
mod replaying;
mod stopping;
mod supervisor;
mod telemetry;

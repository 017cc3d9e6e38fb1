//! Tests of the promise that a callback with a 200 is on disk: kill -9, power cuts, failing disks.
//!
//! Instants and faults come from a seeded generator. `ATTACKS=20` runs twenty times as many, and `SEED=7`
//! different ones.

mod check;
mod cut;
mod damage;
mod disk;
mod faults;
mod kill;
mod power;
mod trace;
mod traffic;

use fastrand::Rng;

/// The number of attacks, given the usual number.
fn attacks(usual: usize) -> usize {
    let times = std::env::var("ATTACKS").map_or(1, |times| times.parse().expect("ATTACKS=NUMBER"));
    usual * times
}

/// The random generator of a test; a failure prints its seed.
fn chance(test: &str) -> Rng {
    let seed = std::env::var("SEED").map_or(1, |seed| seed.parse().expect("SEED=NUMBER"));
    eprintln!("{test}: SEED={seed}");
    Rng::with_seed(seed)
}

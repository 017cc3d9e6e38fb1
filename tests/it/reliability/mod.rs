//! "A 200 means that it is on disk", attacked: by kill -9, by power cuts, by disks that fail.
//!
//! Every instant and every fault comes from a seeded generator. The usual counts are quick;
//! `ATTACKS=20` makes twenty times as many, and `SEED=7` other ones.

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

/// The generator of a test's instants; its seed is printed with a failure.
fn chance(test: &str) -> Rng {
    let seed = std::env::var("SEED").map_or(1, |seed| seed.parse().expect("SEED=NUMBER"));
    eprintln!("{test}: SEED={seed}");
    Rng::with_seed(seed)
}

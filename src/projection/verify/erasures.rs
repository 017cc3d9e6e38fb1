//! Checks that an erasure names every event that has lost its content.

use std::collections::BTreeMap;

use super::findings::{FindingKind, Findings};
use crate::domain::Position;
use crate::projection::batch::noted::Erasing;

/// The erased events whose erasure has not been read yet: first and last positions, by the erasure's.
#[derive(Default)]
pub struct Erasures(BTreeMap<Position, Vec<(Position, Position)>>);

impl Erasures {
    /// Records an erased event, or compares those that this erasure should name.
    pub fn pass(&mut self, erasing: &Erasing, findings: &mut Findings) {
        match erasing {
            Erasing::Erased { position, erased_by } => self.add(*position, *erased_by),
            Erasing::Erasure { position, named } => self.compare(*position, named, findings),
        }
    }

    fn compare(
        &mut self,
        erasure: Position,
        named: &[(Position, Position)],
        findings: &mut Findings,
    ) {
        let Some(erased) = self.0.remove(&erasure) else { return };
        let is_named = |(first, last): &(Position, Position)| {
            named.iter().any(|(from, to)| from <= first && last <= to)
        };
        erased.iter().filter(|range| !is_named(range)).for_each(|range| {
            let detail = format!("the erasure at position {erasure} does not name it");
            report(*range, &detail, findings);
        });
    }

    /// Reports the erased events whose erasure is not in the log, which was read up to this position.
    pub fn finish(&mut self, at: Position, findings: &mut Findings) {
        for (erasure, erased) in std::mem::take(&mut self.0) {
            let detail = format!("there is no erasure at position {erasure}");
            let ranges = erased.into_iter().filter(|(_, last)| erasure <= at || *last >= erasure);
            ranges.for_each(|range| report(range, &detail, findings));
        }
    }

    fn add(&mut self, position: Position, erased_by: Position) {
        let ranges = self.0.entry(erased_by).or_default();
        match ranges.last_mut() {
            Some((_, last)) if *last + 1 == position => *last = position,
            _ => ranges.push((position, position)),
        }
    }
}

fn report((first, last): (Position, Position), why: &str, findings: &mut Findings) {
    let which = match first == last {
        true => format!("position {first} is erased"),
        false => format!("positions {first} to {last} are erased"),
    };
    findings.add(FindingKind::ErasedWithoutEvent, Some(first), format!("{which}, but {why}"));
}

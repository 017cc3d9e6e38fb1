//! Checks that an erasure names every event that has lost its content.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::findings::{FindingKind, Findings};
use crate::domain::{Position, RecordedEvent, Source};

/// The erased events whose erasure has not been read yet: first and last positions, by the erasure's.
#[derive(Default)]
pub struct Erasures(BTreeMap<Position, Vec<(Position, Position)>>);

/// The body of an erasure, as far as it is read here.
#[derive(Deserialize)]
struct Body {
    erased: Vec<(Position, Position)>,
}

impl Erasures {
    /// Records an erased event, or compares those that this erasure should name.
    pub fn pass(&mut self, event: &RecordedEvent, findings: &mut Findings) {
        if let Some(erased) = &event.erased {
            self.add(event.position, erased.erased_by);
        }
        if event.source == Source::Erasure
            && let Some(erased) = self.0.remove(&event.position)
        {
            let named =
                serde_json::from_slice(&event.body).map_or(Vec::new(), |Body { erased }| erased);
            let is_named = |(first, last): &(Position, Position)| {
                named.iter().any(|(from, to)| from <= first && last <= to)
            };
            erased.iter().filter(|range| !is_named(range)).for_each(|range| {
                let detail = format!("the erasure at position {} does not name it", event.position);
                report(*range, &detail, findings);
            });
        }
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

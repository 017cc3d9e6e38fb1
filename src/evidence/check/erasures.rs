//! Checks that erased events were erased by an erasure that the log has.

use serde::Deserialize;

use super::findings::{FindingKind, Findings};
use crate::domain::{Position, Source};
use crate::evidence::bundle::{Bundle, BundleEvent};

/// The body of an erasure, as far as it is read here.
#[derive(Deserialize)]
struct Body {
    erased: Vec<(Position, Position)>,
}

/// Every erased event has to be named by an erasure in the bundle, and every erasure has to name one.
pub fn check_erasures(bundle: &Bundle, findings: &mut Findings) {
    for erasure in &bundle.erasures {
        let position = erasure.event.position;
        if erasure.event.source != Source::Erasure || erasure.event.erased.is_some() {
            findings.at(FindingKind::BadErasure, position, "it is not an erasure");
        }
        let is_named = |event: &BundleEvent| {
            event.event.erased.is_some_and(|erased| erased.erased_by == position)
        };
        if !bundle.events.iter().any(is_named) {
            let detail = "no event of the bundle was erased by it";
            findings.at(FindingKind::BadErasure, position, detail);
        }
    }
    for event in &bundle.events {
        let Some(erased) = event.event.erased else { continue };
        let position = event.event.position;
        let erasure =
            bundle.erasures.iter().find(|erasure| erasure.event.position == erased.erased_by);
        let names = erasure.is_some_and(|erasure| {
            erasure.event.source == Source::Erasure
                && erasure.event.position > position
                && names(&erasure.event.body, position)
        });
        if !names {
            let detail = format!("no erasure at position {} names it", erased.erased_by);
            findings.at(FindingKind::BadErasure, position, detail);
        }
    }
}

fn names(body: &[u8], position: Position) -> bool {
    let ranges = serde_json::from_slice(body).map_or(Vec::new(), |Body { erased }| erased);
    ranges.iter().any(|(first, last)| (*first..=*last).contains(&position))
}

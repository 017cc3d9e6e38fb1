//! The roots that a log is compared with while it is read: one that was kept elsewhere, and those that were sealed.

use std::iter::Peekable;
use std::vec::IntoIter;

use super::Expected;
use super::findings::{FindingKind, Findings};
use crate::domain::Position;
use crate::domain::hash::Hash;
use crate::domain::statement::Statement;
use crate::store::seals::{SealQuery, SealRecordKind};
use crate::store::{Store, StoreError};

/// Roots that are still to be compared, by position.
pub struct Roots(Peekable<IntoIter<Root>>);

/// A root, and where it is from.
struct Root {
    expected: Expected,
    is_sealed: bool,
}

impl Roots {
    /// One that was kept elsewhere, those of seals in a file, and those of the log's seals of at most this many events.
    /// A record that is no seal is a finding.
    pub fn new(
        store: &dyn Store,
        kept: Option<Expected>,
        in_file: Vec<Expected>,
        sealed_up_to: Position,
        findings: &mut Findings,
    ) -> Result<Self, StoreError> {
        let query = SealQuery::of_sizes(SealRecordKind::Seal, 0..=sealed_up_to);
        let kept = kept.map(|expected| Root { expected, is_sealed: false });
        let in_file = in_file.into_iter().map(|expected| Root { expected, is_sealed: true });
        let mut roots: Vec<_> = kept.into_iter().chain(in_file).collect();
        for found in store.seal_records(&query)? {
            let text = str::from_utf8(&found.record.content).unwrap_or_default();
            let statement = text.find("\n\n").map(|end| Statement::parse(&text[..=end]));
            match statement {
                Some(Ok(Statement { size, root, .. })) if size == found.record.size => {
                    let expected = Expected { position: size, hash: root };
                    roots.push(Root { expected, is_sealed: true });
                }
                _ => {
                    let detail = format!("record {} of the seals is no seal", found.number);
                    findings.add(FindingKind::SealDiffers, Some(found.record.size), detail);
                }
            }
        }
        roots.sort_by_key(|root| root.expected.position);
        Ok(Self(roots.into_iter().peekable()))
    }

    /// Whether any root belongs to a position. Computing one takes several hashes.
    pub fn are_due(&mut self, at: Position) -> bool {
        self.0.peek().is_some_and(|root| root.expected.position <= at)
    }

    /// Compares the roots up to a position with that of the log there, if it has one.
    pub fn compare(&mut self, at: Position, found: Option<Hash>, findings: &mut Findings) {
        while let Some(root) = self.0.next_if(|root| root.expected.position <= at) {
            let found = found.filter(|_| root.expected.position == at);
            match found {
                Some(found) if found == root.expected.hash => {}
                Some(_) => root.report("the log has another root there", findings),
                None => root.report("the log has no root there", findings),
            }
        }
    }

    /// Reports the roots beyond the end of the log.
    pub fn finish(&mut self, findings: &mut Findings) {
        for root in self.0.by_ref() {
            root.report("the log ends before it", findings);
        }
    }
}

impl Root {
    fn report(&self, detail: &str, findings: &mut Findings) {
        let position = self.expected.position;
        match self.is_sealed {
            false => findings.unexpected(position, detail),
            true => {
                let detail =
                    format!("position {position} does not have the root that was sealed: {detail}");
                findings.add(FindingKind::SealDiffers, Some(position), detail);
            }
        }
    }
}

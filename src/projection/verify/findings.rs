//! The findings of a verification, limited in number.

use crate::domain::Position;
use crate::projection::compatibility::ViewsState;
use crate::store::{Checked, Damage, StoreError};

/// How many findings of one kind are listed; a damaged disk can produce millions.
const FINDINGS_MAX: usize = 100;

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The kind of the finding.
    pub kind: FindingKind,
    /// The position that it is about, if it is about one.
    pub position: Option<Position>,
    /// What was found, as a sentence for the user.
    pub detail: String,
}

/// The kind of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FindingKind {
    /// The log has no event at a position below its head.
    MissingPosition,
    /// The row of an event cannot be unpacked.
    UnreadableEvent,
    /// The hash of a range of events differs from the one in the views.
    ChangedEvents,
    /// A table, or a trigger that refuses changes, is missing or changed.
    GuardMissing,
    /// Log or views contain something that this program did not create.
    ForeignObject,
    /// SQLite's integrity check reports damage.
    EngineDamage,
    /// The views belong to another ledger.
    ViewsOfAnotherLedger,
    /// The views have read events that the log does not have.
    LogOlderThanViews,
    /// The log has another event at the views' checkpoint.
    LogExchanged,
    /// A fresh fold of the log gives other messages than the views have.
    ProjectionDiffers,
    /// The log has another root at the expected position, or ends before it.
    UnexpectedHash,
    /// An event lost its content, and no erasure in the log names it.
    ErasedWithoutEvent,
    /// The log has another root than was sealed, or ends before it.
    SealDiffers,
}

impl FindingKind {
    /// Its name in reports and answers.
    pub fn name(self) -> &'static str {
        match self {
            FindingKind::MissingPosition => "missing-position",
            FindingKind::UnreadableEvent => "unreadable-event",
            FindingKind::ChangedEvents => "changed-events",
            FindingKind::GuardMissing => "guard-missing",
            FindingKind::ForeignObject => "foreign-object",
            FindingKind::EngineDamage => "engine-damage",
            FindingKind::ViewsOfAnotherLedger => "views-of-another-ledger",
            FindingKind::LogOlderThanViews => "log-older-than-views",
            FindingKind::LogExchanged => "log-exchanged",
            FindingKind::ProjectionDiffers => "projection-differs",
            FindingKind::UnexpectedHash => "unexpected-hash",
            FindingKind::ErasedWithoutEvent => "erased-without-event",
            FindingKind::SealDiffers => "seal-differs",
        }
    }
}

/// Collects findings.
#[derive(Default)]
pub struct Findings {
    pub found: Vec<Finding>,
    /// The files whose engine check was given up.
    pub unfinished: Vec<&'static str>,
}

impl Findings {
    /// Notes a finding, unless there are many of its kind.
    pub fn add(&mut self, kind: FindingKind, position: Option<Position>, detail: String) {
        match self.found.iter().filter(|finding| finding.kind == kind).count() {
            FINDINGS_MAX => {}
            count if count + 1 == FINDINGS_MAX => {
                let detail = format!("{detail} (further findings of this kind are not listed)");
                self.found.push(Finding { kind, position, detail });
            }
            _ => self.found.push(Finding { kind, position, detail }),
        }
    }

    /// Adds the findings of another part of the verification.
    pub fn append(&mut self, other: Findings) {
        for Finding { kind, position, detail } in other.found {
            self.add(kind, position, detail);
        }
        self.unfinished.extend(other.unfinished);
    }

    /// Adds the damage that an engine found; returns true if its pages are sound.
    pub fn checked(&mut self, checked: Checked, what: &'static str) -> bool {
        let Checked { damages, finished } = checked;
        if !finished {
            self.unfinished.push(what);
        }
        let sound = !damages.iter().any(|damage| matches!(damage, Damage::Engine { .. }));
        for damage in damages {
            match damage {
                Damage::GuardMissing { name } => self.add(
                    FindingKind::GuardMissing,
                    None,
                    format!("{name} is missing from the {what}, or is not what it was made as"),
                ),
                Damage::Foreign { name } => self.add(
                    FindingKind::ForeignObject,
                    None,
                    format!("{name} in the {what} is nothing that delivery-ledger made"),
                ),
                Damage::Stray { table, rows } => self.add(
                    FindingKind::ProjectionDiffers,
                    None,
                    format!("{table} in the {what} has {rows} rows that belong to no message"),
                ),
                Damage::Engine { detail } => {
                    self.add(FindingKind::EngineDamage, None, format!("{what}: {detail}"));
                }
            }
        }
        sound
    }

    /// The value that was read from the views; `None`, with a finding, if they are damaged.
    pub fn of_views<T>(&mut self, read: Result<T, StoreError>) -> Result<Option<T>, StoreError> {
        match read {
            Err(StoreError::DamagedViews { detail }) => {
                self.add(FindingKind::ProjectionDiffers, None, detail);
                Ok(None)
            }
            read => read.map(Some),
        }
    }

    /// Whether the views can be compared with the log; adds a finding if not.
    pub fn check_state(&mut self, state: &Result<ViewsState, StoreError>) -> bool {
        let (kind, position) = match state {
            Ok(ViewsState::Current | ViewsState::OtherRule { .. }) => return true,
            // The walk reports the unreadable event.
            Err(_) => return true,
            Ok(ViewsState::OtherLedger { .. }) => (FindingKind::ViewsOfAnotherLedger, None),
            Ok(ViewsState::AheadOfLog { head, .. }) => {
                (FindingKind::LogOlderThanViews, Some(*head))
            }
            Ok(ViewsState::OtherHistory { checkpoint }) => {
                (FindingKind::LogExchanged, Some(*checkpoint))
            }
        };
        let detail = state.as_ref().map(ToString::to_string).unwrap_or_default();
        self.add(kind, position, detail);
        false
    }

    /// Adds a finding that an expected hash does not match.
    pub fn unexpected(&mut self, position: Position, detail: &str) {
        let detail = format!("position {position} does not have the expected hash: {detail}");
        self.add(FindingKind::UnexpectedHash, Some(position), detail);
    }
}

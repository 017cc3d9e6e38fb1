//! What a delivery report is: messages counted by one of their properties, with rates and times.
//!
//! docs/REPORTS.md defines every figure. A report is made of cells: of those that the projection
//! keeps, where the question is about nothing else, or else of one for each message that is scanned.

mod count;
mod key;
mod scan;
pub mod shape;
pub mod stuck;
mod sum;

use crate::domain::filter::MessageFilter;
use crate::domain::rollup::{Hour, RollupKey};
use crate::domain::{Position, Rule, Timestamp};
use crate::store::{Store, StoreError, Views};

pub use count::{Count, ratio};
pub use key::{By, Key};

use count::Counts;

/// What is asked for.
#[derive(Debug, Clone)]
pub struct Question {
    pub by: By,
    pub filter: MessageFilter,
}

/// The answer.
#[derive(Debug, Clone)]
pub struct Report {
    pub by: By,
    pub since: Option<Timestamp>,
    pub until: Option<Timestamp>,
    /// Up to where the log has been read. A scan takes a while, and counts each message as it stands
    /// when it is passed: so, or further.
    pub as_of_position: Position,
    pub rule: Rule,
    /// In order of time or code, or else the largest first.
    pub rows: Vec<(Key, Count)>,
    pub total: Count,
}

/// Answers from the cells where they know enough, or else by scanning the messages.
pub fn report(store: &dyn Store, question: &Question) -> Result<Report, StoreError> {
    match question.hours() {
        Some(hours) => from_cells(store.views(), question, hours),
        None => by_scan(store.views(), question),
    }
}

/// Answers by scanning every message.
pub fn by_scan(views: &dyn Views, question: &Question) -> Result<Report, StoreError> {
    let (checkpoint, counts) = scan::scan(views, question)?;
    Ok(question.answer(checkpoint.position, checkpoint.rule, counts))
}

fn from_cells(
    views: &dyn Views,
    question: &Question,
    (first, last): (Hour, Hour),
) -> Result<Report, StoreError> {
    let mut counts = Counts::new(question.by);
    let checkpoint = views.for_each_rollup(first..=last, &mut |cell, tally| {
        if question.wants(&cell) {
            counts.add(&cell, None, |count| count.add_tally(&cell, tally));
        }
    })?;
    Ok(question.answer(checkpoint.position, checkpoint.rule, counts))
}

impl Question {
    /// The first and the last hour that are asked for, where cells can tell all that is asked.
    fn hours(&self) -> Option<(Hour, Hour)> {
        let of_cells = MessageFilter {
            status: self.filter.status,
            error_code: self.filter.error_code,
            account_sid: self.filter.account_sid.clone(),
            channel: self.filter.channel.clone(),
            since: self.filter.since,
            until: self.filter.until,
            inbound: self.filter.inbound,
            simulated: self.filter.simulated,
            ..MessageFilter::default()
        };
        if self.by.needs_messages() || self.filter != of_cells {
            return None;
        }
        let first = self.filter.since.map_or(Some(Hour(i64::MIN)), Hour::beginning_at)?;
        let end = self.filter.until.map_or(Some(Hour(i64::MAX)), Hour::beginning_at)?;
        Some((first, Hour(end.0 - 1)))
    }

    /// Whether a cell of the hours asked for is.
    fn wants(&self, cell: &RollupKey<'_>) -> bool {
        let MessageFilter { status, error_code, account_sid, channel, inbound, simulated, .. } =
            &self.filter;
        let is = |wanted: &Option<bool>, is: bool| wanted.is_none_or(|wanted| wanted == is);
        status.is_none_or(|wanted| wanted == cell.status)
            && error_code.is_none_or(|wanted| cell.error_code == Some(wanted))
            && account_sid
                .as_ref()
                .is_none_or(|wanted| cell.account_sid.as_deref() == Some(wanted.as_str()))
            && is(inbound, cell.inbound)
            && is(simulated, cell.simulated)
            && channel.as_ref().is_none_or(|wanted| cell.channel == *wanted)
    }

    fn answer(&self, as_of_position: Position, rule: Rule, counts: Counts) -> Report {
        let (rows, total) = counts.finish();
        Report {
            by: self.by,
            since: self.filter.since,
            until: self.filter.until,
            as_of_position,
            rule,
            rows,
            total,
        }
    }
}

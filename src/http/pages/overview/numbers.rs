//! The numbers of the overview, from reports of one period and the one before.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::chart::outcomes;
use super::failures::{Failures, Traffic};
use super::period::Steps;
use super::sides::Side;
use super::verdict::{Question, Verdict};
use crate::domain::message::filter::MessageFilter;
use crate::domain::time::zone::Zone;
use crate::domain::{ErrorCode, ErrorCodes, Position, Rule};
use crate::http::admin::state::AdminState;
use crate::http::error::Problem;
use crate::http::pages::frame::stacks::Outcomes;
use crate::report::{Dimension, Figures, Period, Report, ReportQuery, Row, RowKey, reports};
use crate::wire::mask;

/// What the table of places may be by.
pub const PLACES: [&str; 3] = ["country", "channel", "account"];

/// The numbers.
pub struct Numbers {
    pub as_of_position: Position,
    pub rule: Rule,
    pub traffic: Traffic,
    pub total: Figures,
    pub before: Figures,
    pub sides: Vec<Side>,
    /// Failures by code, the most frequent first.
    pub codes: Vec<(Option<ErrorCode>, Failures)>,
    /// The countries, channels or accounts with most messages.
    pub places: Vec<Place>,
    /// The messages of each step.
    pub outcomes: Vec<Outcomes>,
    pub verdict: Verdict,
    pub error_codes: Arc<ErrorCodes>,
}

/// A country, a channel or an account.
pub struct Place {
    /// `None` for messages without one.
    pub name: Option<String>,
    /// The value to filter by; `None` if there is none, or if the client sees it masked.
    pub filter: Option<String>,
    pub now: Figures,
    pub before: Figures,
}

/// The property of a table of places.
pub fn place(name: &str) -> Option<Dimension> {
    PLACES.contains(&name).then(|| Dimension::parse(name)).flatten()
}

impl Numbers {
    /// Counts the messages of the period and of the one before.
    pub fn new(
        state: &AdminState,
        steps: Steps,
        by: Dimension,
        masked: bool,
    ) -> Result<Self, Problem> {
        let period = Period { since: steps.since(), until: steps.until() };
        let query = ReportQuery {
            filter: MessageFilter {
                since: Some(period.since),
                until: Some(period.until),
                inbound: Some(false),
                ..MessageFilter::default()
            },
            compare: Some(period.previous(&Zone::default())),
            error_codes: Arc::clone(&state.error_codes),
            ..ReportQuery::new([])
        };
        let [in_steps, faults, codes, channels, countries, places] = reports(
            &*state.store,
            &query,
            [
                vec![steps.dimension()],
                vec![Dimension::Fault, steps.dimension()],
                vec![Dimension::ErrorCode, steps.dimension()],
                vec![Dimension::Fault, Dimension::Channel],
                vec![Dimension::Fault, Dimension::Country],
                vec![by],
            ],
        )?;
        let (total, before) = (in_steps.total.clone(), compared(in_steps.compared_total.as_ref()));
        let traffic = Traffic { now: total.messages(), before: before.messages() };
        let sides = Side::all(&faults, steps);
        let codes = by_code(&codes, steps);
        let verdict = Verdict::new(&Question {
            total: &total,
            before: &before,
            traffic,
            steps,
            sides: &sides,
            codes: &codes,
            channels: &channels,
            countries: &countries,
            error_codes: &state.error_codes,
        });
        Ok(Self {
            as_of_position: in_steps.as_of_position,
            rule: in_steps.rule,
            traffic,
            total,
            before,
            sides,
            codes,
            places: places.rows.iter().map(|row| Place::new(row, state, masked)).collect(),
            outcomes: outcomes(&in_steps, steps),
            verdict: if masked { verdict.masked() } else { verdict },
            error_codes: Arc::clone(&state.error_codes),
        })
    }

    /// Failures of all sides.
    pub fn failed(&self) -> i64 {
        self.total.not_reached()
    }
}

impl Place {
    /// Masked, because a channel is a text that a sender may choose.
    fn new(row: &Row, state: &AdminState, masked: bool) -> Self {
        let value = match row.keys.first() {
            Some(RowKey::Text(value)) => Some(value.clone()),
            _ => None,
        };
        let names = state.account_names();
        let name = value.as_deref().map(|value| names.name(value).unwrap_or(value));
        Self {
            name: name.map(|name| if masked { mask::text(name) } else { name.to_owned() }),
            filter: value.filter(|value| !masked || !mask::could_be_number(value)),
            now: row.figures.clone(),
            before: compared(row.compared.as_ref()),
        }
    }

    /// The difference of the delivery rates in points; `None` if one is unknown.
    pub fn points(&self) -> Option<f64> {
        Some((self.now.delivery_rate()? - self.before.delivery_rate()?) * 100.0)
    }
}

/// The failures of each code, the most frequent first. Messages with a code that did not fail do not count.
fn by_code(report: &Report, steps: Steps) -> Vec<(Option<ErrorCode>, Failures)> {
    let mut codes = BTreeMap::new();
    for row in &report.rows {
        let code = match &row.keys[0] {
            RowKey::Number(code) => u32::try_from(*code).ok().and_then(ErrorCode::from_number),
            _ => None,
        };
        codes.entry(code.map(ErrorCode::number)).or_insert((code, row.keys[0].clone()));
    }
    let failures = |(code, wanted): (Option<ErrorCode>, RowKey)| {
        (code, Failures::of(report, |key| *key == wanted, steps))
    };
    let mut codes: Vec<_> = codes.into_values().map(failures).collect();
    codes.retain(|(_, failures)| failures.now > 0 || failures.before > 0);
    codes.sort_by_key(|(_, failures)| std::cmp::Reverse(failures.now));
    codes
}

fn compared(figures: Option<&Figures>) -> Figures {
    figures.cloned().unwrap_or_default()
}

//! The sentence of the overview: whose failures are up, and since when; or that nothing has changed.

use super::failures::{Failures, Traffic};
use super::period::Steps;
use super::sides::Side;
use crate::domain::error_code::Responsibility;
use crate::domain::{ErrorCode, ErrorCodes, Timestamp};
use crate::http::pages::frame::chance::rate_fell;
use crate::report::{Figures, Report, RowKey};

/// What is called most of a rise.
const MOST: f64 = 0.9;

/// The sentence.
pub enum Verdict {
    /// No message arrived in the period.
    Nothing,
    /// One side accounts for most of a rise of failures.
    Rose(Rise),
    /// The delivery rate fell by over a point, and no side accounts for it.
    Fell,
    /// Nothing stands out, and there are no messages before to compare with.
    First,
    /// The usual.
    Usual(Usual),
}

/// What there is to say although nothing happened.
pub struct Usual {
    /// True if no side and no code has changed beyond chance.
    pub is_unchanged: bool,
    /// The largest change of an error code.
    pub largest: Option<CodeChange>,
}

/// A rise of one side's failures.
pub struct Rise {
    /// The place of the side among all.
    pub side: usize,
    pub since_step: Option<usize>,
    pub since: Option<Timestamp>,
    /// The code, the channel and the country that account for most of it, if one does.
    pub code: Option<CodeChange>,
    pub channel: Option<String>,
    pub country: Option<String>,
    /// The sides that have not changed beyond chance.
    pub unchanged: Vec<&'static str>,
}

/// An error code and how its failures changed.
pub struct CodeChange {
    pub code: u32,
    pub title: String,
    pub now: i64,
    pub change: i64,
}

/// What the sentence is made from.
pub struct Question<'a> {
    pub total: &'a Figures,
    pub before: &'a Figures,
    pub traffic: Traffic,
    pub steps: Steps,
    pub sides: &'a [Side],
    /// Failures by error code; `None` for those without one.
    pub codes: &'a [(Option<ErrorCode>, Failures)],
    /// Reports by `fault` and channel, and by `fault` and country.
    pub channels: &'a Report,
    pub countries: &'a Report,
    pub error_codes: &'a ErrorCodes,
}

impl Verdict {
    /// Answers the question.
    pub fn new(question: &Question<'_>) -> Self {
        if question.total.messages() == 0 {
            return Verdict::Nothing;
        }
        let rose = Side::that_rose(question.sides, question.traffic);
        let side = rose.and_then(|rose| question.sides.iter().position(|it| it.name == rose.name));
        match side {
            Some(side) => Verdict::Rose(question.rise(side)),
            None if rate_fell(question.total, question.before) => Verdict::Fell,
            None if question.traffic.before == 0 => Verdict::First,
            None => Verdict::Usual(Usual {
                is_unchanged: question.is_unchanged(),
                largest: question.largest_change(),
            }),
        }
    }

    /// The rise, if there is one.
    pub fn rise(&self) -> Option<&Rise> {
        match self {
            Verdict::Rose(rise) => Some(rise),
            _ => None,
        }
    }

    /// True if nothing is to be highlighted.
    pub fn is_usual(&self) -> bool {
        matches!(self, Verdict::Nothing | Verdict::First | Verdict::Usual(_))
    }
}

fn unknown() -> String {
    Responsibility::Unknown.name().to_owned()
}

impl Question<'_> {
    fn rise(&self, place: usize) -> Rise {
        let side = &self.sides[place];
        let most = MOST * side.failures.rise(self.traffic);
        let has_code = |code: &Option<ErrorCode>| {
            let fault = self.error_codes.responsibility(*code).name();
            side.has(&RowKey::Text(fault.to_owned()))
        };
        let code = self
            .codes
            .iter()
            .find(|(code, failures)| has_code(code) && failures.rise(self.traffic) >= most);
        let since_step = side.failures.rose_in_step();
        let others = self.sides.iter().enumerate().filter(|(other, _)| *other != place);
        // Nobody is responsible for the unknown.
        let unchanged = others.filter(|(_, side)| {
            !side.failures.has_changed(self.traffic) && !side.has(&RowKey::Text(unknown()))
        });
        Rise {
            side: place,
            since_step,
            since: since_step.map(|step| self.steps.starts_at(step)),
            code: code.and_then(|(code, failures)| Some(self.change((*code)?, failures))),
            channel: self.most_of(self.channels, side, most),
            country: self.most_of(self.countries, side, most),
            unchanged: unchanged.map(|(_, side)| side.subject).collect(),
        }
    }

    /// The value of a report's second property that accounts for this many more failures of a side.
    fn most_of(&self, report: &Report, side: &Side, most: f64) -> Option<String> {
        let found = report.rows.iter().filter(|row| side.has(&row.keys[0])).find(|row| {
            let before = row.compared.as_ref().map_or(0, Figures::not_reached);
            row.figures.not_reached() as f64 - self.traffic.scaled(before) >= most
        });
        match found?.keys.get(1)? {
            RowKey::Text(value) => Some(value.clone()),
            RowKey::None | RowKey::Number(_) => None,
        }
    }

    fn change(&self, code: ErrorCode, failures: &Failures) -> CodeChange {
        CodeChange {
            code: code.number(),
            title: self.error_codes.title(code),
            now: failures.now,
            change: failures.change(),
        }
    }

    fn is_unchanged(&self) -> bool {
        let sides = self.sides.iter().map(|side| &side.failures);
        let mut failures = sides.chain(self.codes.iter().map(|(_, failures)| failures));
        !failures.any(|failures| failures.has_changed(self.traffic))
    }

    /// The code whose failures changed most.
    fn largest_change(&self) -> Option<CodeChange> {
        let codes = self.codes.iter().filter_map(|(code, failures)| Some(((*code)?, failures)));
        let most = codes.max_by_key(|(_, failures)| failures.change().abs());
        let (code, failures) = most.filter(|(_, failures)| failures.change() != 0)?;
        Some(self.change(code, failures))
    }
}

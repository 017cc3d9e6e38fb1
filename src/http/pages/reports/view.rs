//! The cells of a report's table as the page shows them.

use super::details::{self, Detail};
use super::links::Links;
use super::question::{Question, Show};
use super::table::{Pair, Table, TableRow, Value};
use super::words::{Head, Words};
use crate::domain::Status;
use crate::http::pages::frame::chance::{outcomes, rate_fell};
use crate::http::pages::frame::filters::{changed_of, count_of, duration_of, points_of, rate_of};
use crate::report::{Dimension, Figures, RowKey};

/// With fewer outcomes there is no rate: one message would be five points.
pub const RATED_MIN: i64 = 20;

/// The percentile of delivery times that is shown.
const PERCENTILE: u64 = 95;

/// The ends that the scale of the bars may have, as shares that failed.
const SCALES: [f64; 13] =
    [0.02, 0.03, 0.05, 0.08, 0.10, 0.12, 0.15, 0.20, 0.30, 0.40, 0.60, 0.80, 1.0];

/// The parts of the page that make cells.
pub struct Cells<'a> {
    pub question: &'a Question,
    pub links: &'a Links<'a>,
    pub words: &'a Words<'a>,
    pub scale: Scale,
}

/// What is at the end of each bar.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Scale {
    /// A share that failed.
    Share(f64),
    /// A number of failures, if the report is about these alone. Higher sums have no bar then.
    Failures(i64),
}

/// A cell.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Cell {
    pub figure: String,
    /// True if the rate is worse than before, beyond chance.
    pub is_worse: bool,
    /// True if there are too few outcomes for a rate.
    pub is_few: bool,
    /// The length of the bar: the share that failed, on the scale of all cells.
    pub bar: Option<f64>,
    pub messages: i64,
    /// The path and query of the list of its messages.
    pub target: Option<String>,
}

/// A row.
pub struct RowView {
    pub head: Head,
    /// The path and query of the page with this row in the chart; `None` for sums.
    pub choose: Option<String>,
    pub is_chosen: bool,
    pub cells: Vec<Cell>,
    /// What the bars of the cells show together, for narrow windows.
    pub spark: String,
    pub all: Cell,
    pub change: Change,
    /// The figures of a report by one property.
    pub single: Single,
}

/// The difference to the period before.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Change {
    pub text: String,
    pub is_worse: bool,
}

/// The figures of a row that has no columns.
#[derive(Default)]
pub struct Single {
    pub failed: i64,
    /// The list of those; there is one if they have one status.
    pub failed_target: Option<String>,
    pub open: i64,
    pub open_target: Option<String>,
    pub p95: String,
    /// The figures of the details that are known.
    pub details: Vec<(&'static Detail, String)>,
}

impl<'a> Cells<'a> {
    /// The cells of a table. The scale is round, and the same for all that are shown.
    pub fn new(
        question: &'a Question,
        links: &'a Links<'a>,
        words: &'a Words<'a>,
        table: &Table,
    ) -> Self {
        let scale = match question.is_about_failures() {
            true => Scale::Failures(most_failures(table)),
            false => Scale::Share(round_share(table)),
        };
        Self { question, links, words, scale }
    }

    /// The rows that are shown, `chosen` in the chart.
    pub fn rows(&self, table: &Table, chosen: Option<usize>) -> Vec<RowView> {
        let by = &self.question.by[0];
        let view = |(place, row): (usize, &TableRow)| {
            let head = self.words.row(by, &row.value);
            let mut view = self.row(table, head, row, &[(by, &row.value)]);
            view.choose = Some(self.question.with_row(&key_name(by, &row.value.key)));
            view.is_chosen = chosen == Some(place);
            view
        };
        table.rows.iter().enumerate().map(view).collect()
    }

    /// A row with this head, whose lists have these values.
    pub fn row(
        &self,
        table: &Table,
        head: Head,
        row: &TableRow,
        values: &[(&Dimension, &Value)],
    ) -> RowView {
        let by = &self.question.by[0];
        let columns = self.question.columns().into_iter().cycle().zip(&table.columns);
        let cell =
            |(place, ((by_column, column), pair)): (usize, ((&Dimension, &Value), &Pair))| {
                let values = [values, &[(by_column, column)]].concat();
                self.cell(&pair.now, table.before(by, row, Some(place)), &values)
            };
        let cells: Vec<_> = columns.zip(&row.cells).enumerate().map(cell).collect();
        let now = &row.all.now;
        RowView {
            spark: self.spark(table, &cells),
            all: self.cell(now, table.before(by, row, None), values),
            // Numbers, unlike rates, are compared with those of as long a time.
            change: match self.question.is_about_failures() {
                true => self.change(now, row.all.before.as_ref()),
                false => self.change(now, table.before(by, row, None)),
            },
            single: Single {
                failed: now.not_reached(),
                failed_target: self.failed_target(now, values),
                open: now.open(),
                open_target: self
                    .links
                    .list(values, &[("open", "true")])
                    .filter(|_| now.open() > 0),
                p95: p95(now),
                details: details::known(table)
                    .into_iter()
                    .map(|detail| (detail, (detail.figure)(now)))
                    .collect(),
            },
            choose: None,
            is_chosen: false,
            head,
            cells,
        }
    }

    fn cell(
        &self,
        now: &Figures,
        before: Option<&Figures>,
        values: &[(&Dimension, &Value)],
    ) -> Cell {
        let (messages, outcomes) = (now.messages(), outcomes(now));
        if messages == 0 {
            return Cell { figure: "-".to_owned(), ..Cell::default() };
        }
        let is_few = outcomes < RATED_MIN;
        let show = self.question.show();
        let few = || match outcomes {
            0 => "-".to_owned(),
            outcomes => format!("{} of {outcomes}", now.reached()),
        };
        let figure = match show {
            Show::Failures => count_of(now.not_reached()),
            Show::P95 => p95(now),
            Show::Rate if is_few => few(),
            Show::Rate => rate_of(now.delivery_rate()),
            Show::Change if is_few => "-".to_owned(),
            Show::Change => points_between(now, before),
            show => details::of_show(show).map_or(String::new(), |detail| (detail.figure)(now)),
        };
        let bar = match self.scale {
            Scale::Share(scale) => {
                let rate = now.failure_rate().filter(|_| !is_few);
                rate.map(|rate| (rate / scale).min(1.0))
            }
            Scale::Failures(most) => {
                let failures = now.not_reached();
                (failures <= most).then(|| failures as f64 / most.max(1) as f64)
            }
        };
        Cell {
            figure,
            is_worse: matches!(show, Show::Rate | Show::Failures | Show::Change)
                && self.is_worse(now, before),
            is_few: is_few && matches!(show, Show::Rate | Show::Change),
            bar,
            messages,
            target: self.links.list(values, &[]),
        }
    }

    fn failed_target(&self, now: &Figures, values: &[(&Dimension, &Value)]) -> Option<String> {
        let statuses = [Status::Undelivered, Status::Failed];
        let mut statuses = statuses.iter().filter(|status| now.of_status(Some(**status)) > 0);
        match (statuses.next(), statuses.next()) {
            (Some(status), None) => self.links.list(values, &[("status", status.name())]),
            _ => None,
        }
    }

    /// True if a rate is worse than that of the same row before, beyond chance.
    pub fn is_worse(&self, now: &Figures, before: Option<&Figures>) -> bool {
        !self.question.is_about_failures() && before.is_some_and(|before| rate_fell(now, before))
    }

    fn change(&self, now: &Figures, before: Option<&Figures>) -> Change {
        let Some(before) = before else { return Change::default() };
        let text = match self.question.is_about_failures() {
            true => changed_of(now.not_reached() - before.not_reached()),
            false if outcomes(now) < RATED_MIN || outcomes(before) < RATED_MIN => "-".to_owned(),
            false => points_between(now, Some(before)),
        };
        Change { text, is_worse: self.is_worse(now, Some(before)) }
    }

    /// What the bars of a row show, in words.
    fn spark(&self, table: &Table, cells: &[Cell]) -> String {
        let Some(by) = self.question.columns() else { return String::new() };
        let worse = table.columns.iter().zip(cells).filter(|(_, cell)| cell.is_worse);
        let worse: Vec<_> = worse
            .map(|(column, cell)| format!("{} {}", self.words.phrase(by, column), cell.figure))
            .collect();
        let by = super::words::name(by);
        let bars = if self.question.is_about_failures() { "Failures" } else { "Share failed" };
        match worse.is_empty() {
            _ if self.question.compared.is_none() || self.question.is_about_failures() => {
                format!("{bars} by {by}")
            }
            true => format!("{bars} by {by}, none of them worse than before"),
            false => format!("{bars} by {by}: worse {}", worse.join(", ")),
        }
    }
}

impl RowView {
    /// The same without lists: they would not be of this row.
    pub fn without_links(mut self) -> Self {
        self.cells.iter_mut().chain([&mut self.all]).for_each(|cell| cell.target = None);
        (self.single.open_target, self.single.failed_target) = (None, None);
        self
    }
}

/// The next round number from the highest share that failed of any cell.
fn round_share(table: &Table) -> f64 {
    let rows = table.rows.iter().chain([&table.total]);
    let shown = rows.flat_map(|row| row.cells.iter().chain([&row.all]));
    let rated = shown.filter(|pair| outcomes(&pair.now) >= RATED_MIN);
    let most = rated.filter_map(|pair| pair.now.failure_rate()).fold(0.0, f64::max);
    SCALES.into_iter().find(|scale| *scale >= most).unwrap_or(1.0)
}

/// The most failures of a cell that is no sum.
fn most_failures(table: &Table) -> i64 {
    let cells = table.rows.iter().flat_map(|row| match row.cells.is_empty() {
        true => std::slice::from_ref(&row.all),
        false => &row.cells[..],
    });
    cells.map(|pair| pair.now.not_reached()).max().unwrap_or_default()
}

/// The key of a row as `row` names it.
pub fn key_name(by: &Dimension, key: &RowKey) -> String {
    by.format(key, |second| second.to_string()).unwrap_or_else(|| "(none)".to_owned())
}

fn p95(figures: &Figures) -> String {
    let p95 = figures.sent_to_delivered().percentile_ms(PERCENTILE);
    p95.map_or("-".to_owned(), duration_of)
}

fn points_between(now: &Figures, before: Option<&Figures>) -> String {
    let rates = now.delivery_rate().zip(before.and_then(Figures::delivery_rate));
    rates.map_or("-".to_owned(), |(rate, was)| points_of((rate - was) * 100.0))
}

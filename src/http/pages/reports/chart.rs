//! One row of a report as a chart, with the table of its figures.

use super::links::Links;
use super::question::Question;
use super::sentence::Counted;
use super::table::{Pair, Table, TableRow, Value};
use super::words::{Head, Words};
use crate::domain::Status;
use crate::http::pages::frame::stacks::{Outcomes, Stacks};
use crate::report::{Dimension, Figures};

/// The bars of a chart of values that are no times.
const BARS_MAX: usize = 12;

/// The labels below the bars: with more bars only some have one.
const LABELS_MAX: usize = 12;

/// What the columns of the table count; the ones that are false are only there if there are any.
const COLUMNS: [(&str, Column, bool); 6] = [
    ("Delivered", Column::Status(Status::Delivered), true),
    ("Read", Column::Status(Status::Read), false),
    ("Open", Column::Open, true),
    ("Undelivered", Column::Status(Status::Undelivered), true),
    ("Failed", Column::Status(Status::Failed), true),
    ("Canceled", Column::Status(Status::Canceled), false),
];

#[derive(Debug, Clone, Copy)]
enum Column {
    Status(Status),
    Open,
}

impl Column {
    fn count(self, figures: &Figures) -> i64 {
        match self {
            Column::Status(status) => figures.of_status(Some(status)),
            Column::Open => figures.open(),
        }
    }

    fn filter(self) -> (&'static str, &'static str) {
        match self {
            Column::Status(status) => ("status", status.name()),
            Column::Open => ("open", "true"),
        }
    }
}

/// The chart.
pub struct Chart {
    /// What the bars are by.
    pub by: Dimension,
    /// The row that is shown; `None` for everything.
    pub row: Option<Head>,
    pub stacks: Stacks,
    pub bars: Vec<Bar>,
    /// The heads of the columns of counts.
    pub columns: Vec<&'static str>,
    pub is_compared: bool,
    /// The path and query of the same figures as CSV, if there is a filter for the row.
    pub csv: Option<String>,
    /// True if every bar has a label.
    pub are_labelled: bool,
}

/// The figures of one bar.
pub struct Bar {
    pub head: Head,
    pub messages: i64,
    pub target: Option<String>,
    pub counts: Vec<Counted>,
    pub rate: Option<f64>,
    pub before: Option<i64>,
    pub outcomes: Outcomes,
}

impl Chart {
    /// The chart of a row by columns, or of a report by one property by its rows.
    pub fn new(
        question: &Question,
        table: &Table,
        row: Option<&TableRow>,
        links: &Links<'_>,
        words: &Words<'_>,
    ) -> Option<Self> {
        let rows = &question.by[0];
        let of_row = |row: &TableRow| links.filters(rows, &row.value.key);
        let (by, bars, filters): (_, Vec<(&Value, &Pair)>, _) = match question.columns() {
            Some(by) => (by, table.columns.iter().zip(&row?.cells).collect(), of_row(row?)),
            None => {
                let bars = if rows.is_time() { table.rows.len() } else { BARS_MAX };
                let shown = table.rows.iter().take(bars).map(|row| (&row.value, &row.all));
                (rows, shown.collect(), Some(question.filters.clone()))
            }
        };
        let row = row.filter(|_| question.columns().is_some());
        let columns: Vec<_> = COLUMNS
            .into_iter()
            .filter(|(_, column, always)| {
                *always || bars.iter().any(|(_, pair)| column.count(&pair.now) > 0)
            })
            .collect();
        let was_nothing =
            table.total.all.before.as_ref().is_none_or(|before| before.messages() == 0);
        let bar = |(value, pair): &(&Value, &Pair)| {
            let of_row = row.map(|row| (rows, &row.value));
            let values: Vec<_> = of_row.into_iter().chain([(by, *value)]).collect();
            let list = |more: &[(&str, &str)]| links.list(&values, more);
            let count = |(name, column, _): &(&'static str, Column, bool)| {
                let messages = column.count(&pair.now);
                let target = list(&[column.filter()]).filter(|_| messages > 0);
                Counted { messages, status: name, target }
            };
            let (now, before) =
                (&pair.now, pair.before.as_ref().filter(|_| !was_nothing).map(Figures::messages));
            Bar {
                head: words.column(by, value),
                messages: now.messages(),
                target: list(&[]).filter(|_| now.messages() > 0),
                counts: columns.iter().map(count).collect(),
                rate: now.delivery_rate(),
                before,
                outcomes: Outcomes {
                    messages: now.messages(),
                    reached: now.reached(),
                    open: now.open(),
                    failed: now.not_reached(),
                    before,
                },
            }
        };
        let bars: Vec<_> = bars.iter().map(bar).collect();
        let outcomes: Vec<_> = bars.iter().map(|bar| bar.outcomes).collect();
        let csv =
            |filters| format!("{}&format=csv", question.api_by(std::slice::from_ref(by), &filters));
        Some(Self {
            by: by.clone(),
            row: row.map(|row| words.row(rows, &row.value)),
            stacks: Stacks::new(&outcomes),
            columns: columns.iter().map(|(name, ..)| *name).collect(),
            is_compared: !was_nothing,
            // A row that is a time has no filter, but a period.
            csv: filters.map(csv),
            are_labelled: bars.len() <= LABELS_MAX,
            bars,
        })
    }

    /// The labels below the chart: of every bar, or of some from the first to the last.
    pub fn labels(&self) -> Vec<&str> {
        const PARTS: usize = 4;
        let text = |place: usize| self.bars[place].head.text.as_str();
        match (self.are_labelled, self.bars.len()) {
            (true, bars) => (0..bars).map(text).collect(),
            (false, bars) => (0..=PARTS).map(|part| text((bars - 1) * part / PARTS)).collect(),
        }
    }
}

//! The sentence of a report: which row and column lost most deliveries, or that they are as usual.

use super::links::Links;
use super::question::Question;
use super::table::{Pair, Table, TableRow, Value};
use super::view::{Cells, RATED_MIN};
use super::words::{Words, name, plural};
use crate::domain::Status;
use crate::http::pages::frame::chance::outcomes;
use crate::report::{Dimension, Figures};

/// The sentence.
pub enum Sentence {
    /// No message arrived in the period.
    Nothing,
    Fell(Fall),
    /// No rate fell beyond chance; with the rate of everything.
    Usual(Option<f64>),
    /// A report about failures has no rates.
    Failures(Vec<Counted>),
}

/// What fell: the most precise that did beyond chance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// One row in one column.
    Cell,
    /// One row in all columns.
    Row,
    /// All rows in one column.
    Column,
    All,
}

/// The fall of a rate.
pub struct Fall {
    /// The place of the row; `None` for the sum of all.
    pub row: Option<usize>,
    pub level: Level,
    /// Which deliveries: ` to US`.
    pub which: String,
    /// When: ` this week`; empty if the columns are no times.
    pub when: String,
    pub rate: f64,
    pub was: f64,
    /// The messages that failed, by status.
    pub failed: Vec<Counted>,
    /// How many would not have failed at the rate before.
    pub more: i64,
    /// True if the rate is as before by now.
    pub has_recovered: bool,
    /// The next worst: which, its rate, and whether it has recovered.
    pub second: Option<(String, f64, bool)>,
    /// The further cells that are worse.
    pub further: usize,
}

/// Messages with a status, and their list.
pub struct Counted {
    pub messages: i64,
    pub status: &'static str,
    pub target: Option<String>,
}

/// A figure with the places of its row and column; without one it is a sum.
type Figure<'t> = (Option<(usize, &'t TableRow)>, Option<(usize, &'t Value)>, &'t Pair);

/// A figure that is worse than before.
struct Worse<'t> {
    /// The row and its place; `None` for the sum of all.
    row: Option<(usize, &'t TableRow)>,
    column: Option<(usize, &'t Value)>,
    now: &'t Figures,
    rate: f64,
    was: f64,
}

impl Worse<'_> {
    /// The deliveries that were lost.
    fn lost(&self) -> f64 {
        (self.was - self.rate) * outcomes(self.now) as f64
    }

    /// Its place among the times, or among the other values.
    fn place(&self, question: &Question, of_time: bool) -> Option<usize> {
        let column = self.column.map(|(place, _)| place);
        let mut places = question.by.iter().zip([self.row_place(), column]);
        places.find(|(by, _)| by.is_period() == of_time)?.1
    }

    fn row_place(&self) -> Option<usize> {
        self.row.map(|(place, _)| place)
    }
}

impl Sentence {
    /// The sentence about a table.
    pub fn new(question: &Question, table: &Table, cells: &Cells<'_>) -> Self {
        if table.total.all.now.messages() == 0 {
            return Sentence::Nothing;
        }
        if question.is_about_failures() {
            return Sentence::Failures(failed(&table.total.all.now, cells.links, &[]));
        }
        let (level, mut worse) = worse(table, cells);
        // The latest time first, in each what lost most.
        let time = |cell: &Worse<'_>| cell.place(question, true);
        let other = |cell: &Worse<'_>| cell.place(question, false);
        worse.sort_by(|a, b| time(b).cmp(&time(a)).then(b.lost().total_cmp(&a.lost())));
        let Some(first) = worse.first() else {
            return Sentence::Usual(table.total.all.now.delivery_rate());
        };
        // The second is of another row, or column if the rows are times; if that is as usual by now, it has
        // recovered.
        let others = worse.iter().filter(|cell| other(cell) != other(first));
        let second = others.max_by(|a, b| a.lost().total_cmp(&b.lost()));
        let (which, when) = phrases(question, cells.words, first);
        let values = values(question, first);
        Sentence::Fell(Fall {
            row: first.row_place(),
            level,
            which,
            when,
            rate: first.rate,
            was: first.was,
            failed: failed(first.now, cells.links, &values),
            more: first.lost().round() as i64,
            has_recovered: has_recovered(question, table, first),
            further: worse.len() - 1 - usize::from(second.is_some()),
            second: second.map(|second| {
                let (which, when) = phrases(question, cells.words, second);
                let has_recovered = time(second).is_some() && time(second) < time(first);
                (format!("{which}{when}"), second.rate, has_recovered)
            }),
        })
    }
}

/// The figures that are worse than before, of the first level that has one: single cells are more precise
/// than sums.
fn worse<'t>(table: &'t Table, cells: &Cells<'_>) -> (Level, Vec<Worse<'t>>) {
    let rows = || table.rows.iter().enumerate();
    let columns = |row: &'t TableRow| table.columns.iter().enumerate().map(Some).zip(&row.cells);
    let of_rows = rows().flat_map(|(place, row)| {
        columns(row).map(move |(column, pair)| (Some((place, row)), column, pair))
    });
    let all_of_rows = rows().map(|(place, row)| (Some((place, row)), None, &row.all));
    let of_columns = columns(&table.total).map(|(column, pair)| (None, column, pair));
    let everything = [(None, None, &table.total.all)];
    let by = &cells.question.by[0];
    let worse = |(row, column, pair): Figure<'t>| {
        let of_row = row.map_or(&table.total, |(_, row)| row);
        let of_column = column.map(|(place, _)| place);
        let before = table.before(by, of_row, of_column)?;
        let (rate, was) = (pair.now.delivery_rate()?, before.delivery_rate()?);
        cells.is_worse(&pair.now, Some(before)).then_some(Worse {
            row,
            column,
            now: &pair.now,
            rate,
            was,
        })
    };
    let levels: [(Level, Vec<_>); 4] = [
        (Level::Cell, of_rows.filter_map(worse).collect()),
        (Level::Row, all_of_rows.filter_map(worse).collect()),
        (Level::Column, of_columns.filter_map(worse).collect()),
        (Level::All, everything.into_iter().filter_map(worse).collect()),
    ];
    let found = levels.into_iter().find(|(_, worse)| !worse.is_empty());
    found.unwrap_or((Level::All, Vec::new()))
}

/// True if a figure of a later time has enough outcomes. It is not worse: the latest that is comes first.
fn has_recovered(question: &Question, table: &Table, cell: &Worse<'_>) -> bool {
    let is_rated = |pair: &Pair| outcomes(&pair.now) >= RATED_MIN;
    let (row, column) = (cell.row_place(), cell.column.map(|(place, _)| place));
    let is_by = |place: usize| question.by.get(place).is_some_and(Dimension::is_period);
    match (row, column) {
        (_, Some(column)) if is_by(1) => {
            let row = cell.row.map_or(&table.total, |(_, row)| row);
            row.cells[column + 1..].iter().any(is_rated)
        }
        (Some(row), None) if is_by(0) => table.rows[row + 1..].iter().any(|row| is_rated(&row.all)),
        (Some(row), Some(column)) if is_by(0) => {
            table.rows[row + 1..].iter().any(|row| is_rated(&row.cells[column]))
        }
        _ => false,
    }
}

fn values<'a>(question: &'a Question, cell: &Worse<'a>) -> Vec<(&'a Dimension, &'a Value)> {
    let row = cell.row.map(|(_, row)| (&question.by[0], &row.value));
    let column = question.columns().zip(cell.column).map(|(by, (_, column))| (by, column));
    row.into_iter().chain(column).collect()
}

/// Which deliveries, and when.
fn phrases(question: &Question, words: &Words<'_>, cell: &Worse<'_>) -> (String, String) {
    let (mut which, mut when) = (String::new(), String::new());
    for (by, value) in values(question, cell) {
        let phrases = if by.is_time() { &mut when } else { &mut which };
        phrases.push(' ');
        phrases.push_str(&words.phrase(by, value));
    }
    (which, when)
}

/// The messages that failed, by status. A list has one.
pub fn failed(
    figures: &Figures,
    links: &Links<'_>,
    values: &[(&Dimension, &Value)],
) -> Vec<Counted> {
    counted(&[Status::Undelivered, Status::Failed], figures, links, values)
}

/// The messages with these statuses, if there are any.
pub fn counted(
    statuses: &[Status],
    figures: &Figures,
    links: &Links<'_>,
    values: &[(&Dimension, &Value)],
) -> Vec<Counted> {
    let counted = statuses.iter().map(|status| Counted {
        messages: figures.of_status(Some(*status)),
        status: status.name(),
        target: links.list(values, &[("status", status.name())]),
    });
    counted.filter(|counted| counted.messages > 0).collect()
}

/// What a report is by: `country and ISO week`.
pub fn by_words(by: &[Dimension]) -> String {
    by.iter().map(name).collect::<Vec<_>>().join(" and ")
}

/// All values: `countries and weeks`.
pub fn all_words(by: &[Dimension]) -> String {
    by.iter().map(plural).collect::<Vec<_>>().join(" and ")
}

//! A report as a table: rows by the first property, columns by the second one.

use std::cmp::Reverse;
use std::collections::HashMap;

use super::question::Question;
use crate::domain::Timestamp;
use crate::http::error::Problem;
use crate::report::{Dimension, Figures, Report, Row, RowKey, Step};
use crate::wire::parameters::BadValue;

/// The rows of a page: more would not be read, and are in the CSV.
pub const ROWS_MAX: usize = 50;

/// The columns of a page: at 1280 pixels there is no room for more.
pub const COLUMNS_MAX: usize = 12;

/// The hours, days and so on of a period in all: those of a month by hour.
const STEPS_MAX: usize = 744;

/// Figures, and those of the period that they are compared with, if there is one.
#[derive(Debug, Clone, Default)]
pub struct Pair {
    pub now: Figures,
    pub before: Option<Figures>,
}

/// A value of a property.
#[derive(Debug, Clone)]
pub struct Value {
    pub key: RowKey,
    /// The hour, day and so on that the key is; `None` if it is none.
    pub step: Option<Step>,
    pub is_unfinished: bool,
}

/// A row: its value, its sum, and its figures in each column that is shown.
#[derive(Debug, Clone)]
pub struct TableRow {
    pub value: Value,
    pub all: Pair,
    pub cells: Vec<Pair>,
}

/// The rows that are not shown, as one.
#[derive(Debug, Clone)]
pub struct Others {
    pub number: usize,
    pub row: TableRow,
}

/// A table.
pub struct Table {
    pub rows: Vec<TableRow>,
    pub others: Option<Others>,
    /// The columns that are shown; none if the report is by one property.
    pub columns: Vec<Value>,
    /// The number of columns before the first one that is shown, and in all.
    pub columns_before: usize,
    pub columns_in_all: usize,
    /// The sum of everything, with its part in each column.
    pub total: TableRow,
}

impl Pair {
    fn add(&mut self, row: &Row) {
        self.now.add(&row.figures);
        if let Some(theirs) = &row.compared {
            self.before.get_or_insert_default().add(theirs);
        }
    }
}

impl Table {
    /// The table of a report.
    ///
    /// # Errors
    ///
    /// The period has too many hours, days and so on, or more columns are to be skipped than there are.
    pub fn new(report: &Report, question: &Question, now: Timestamp) -> Result<Self, Problem> {
        let rows = values(report, question, 0, now)?;
        let columns = match question.by.len() {
            1 => Vec::new(),
            _ => values(report, question, 1, now)?,
        };
        let columns_in_all = columns.len();
        if question.skip > 0 && question.skip >= columns_in_all {
            let expected = format!("less than {columns_in_all}, the number of columns");
            return Err(BadValue::new("skip", &question.skip.to_string(), expected).into());
        }
        let by_time = |place: usize| question.by.get(place).is_some_and(Dimension::is_period);
        // Of times the last ones are shown, of others the first.
        let rows_before = if by_time(0) { rows.len().saturating_sub(ROWS_MAX) } else { 0 };
        let columns_before = match by_time(1) {
            true => columns_in_all.saturating_sub(question.skip + COLUMNS_MAX),
            false => question.skip,
        };
        let columns_end = match by_time(1) {
            true => columns_in_all - question.skip,
            false => columns_in_all.min(question.skip + COLUMNS_MAX),
        };
        let columns = columns[columns_before..columns_end].to_vec();
        let rows_end = rows.len().min(rows_before + ROWS_MAX);
        let number = rows.len() - (rows_end - rows_before);
        let mut table = Self::empty(rows[rows_before..rows_end].to_vec(), columns, report);
        (table.columns_before, table.columns_in_all) = (columns_before, columns_in_all);
        table.count(report, &rows);
        if let Some(others) = &mut table.others {
            others.number = number;
        }
        table.others = table.others.filter(|others| others.number > 0);
        Ok(table)
    }

    fn empty(rows: Vec<Value>, columns: Vec<Value>, report: &Report) -> Self {
        let is_compared = report.compared_total.is_some();
        let none = || Pair { before: is_compared.then(Figures::default), ..Pair::default() };
        let nobody = || Value { key: RowKey::None, step: None, is_unfinished: false };
        let row = |value| TableRow { value, all: none(), cells: vec![none(); columns.len()] };
        Self {
            rows: rows.into_iter().map(row).collect(),
            others: Some(Others { number: 0, row: row(nobody()) }),
            columns_before: 0,
            columns_in_all: 0,
            total: TableRow {
                all: Pair { now: report.total.clone(), before: report.compared_total.clone() },
                ..row(nobody())
            },
            columns,
        }
    }

    fn count(&mut self, report: &Report, rows: &[Value]) {
        let shown = self.rows.iter().enumerate().map(|(at, row)| (row.value.key.clone(), Some(at)));
        let mut places: HashMap<RowKey, Option<usize>> =
            rows.iter().map(|row| (row.key.clone(), None)).collect();
        places.extend(shown);
        let columns = self.columns.iter().enumerate();
        let columns: HashMap<_, _> = columns.map(|(at, column)| (column.key.clone(), at)).collect();
        for row in &report.rows {
            let column = row.keys.get(1).and_then(|key| columns.get(key)).copied();
            if let Some(column) = column {
                self.total.cells[column].add(row);
            }
            let counted = match row.keys.first().and_then(|key| places.get(key)) {
                Some(Some(place)) => &mut self.rows[*place],
                Some(None) => match &mut self.others {
                    Some(others) => &mut others.row,
                    None => continue,
                },
                // A time that only the other period has.
                None => continue,
            };
            counted.all.add(row);
            if let Some(column) = column {
                counted.cells[column].add(row);
            }
        }
    }
}

impl Table {
    /// The figures that a cell is compared with, or the sum of a row if there is no column: those of the same
    /// row before. A row that is a time is compared with the whole other period, as one in a column is.
    pub fn before<'t>(
        &'t self,
        by: &Dimension,
        row: &'t TableRow,
        column: Option<usize>,
    ) -> Option<&'t Figures> {
        match (by.is_period(), column) {
            (false, _) => row.all.before.as_ref(),
            (true, Some(column)) => self.total.cells[column].before.as_ref(),
            (true, None) => self.total.all.before.as_ref(),
        }
    }
}

/// The values of a property in their order.
fn values(
    report: &Report,
    question: &Question,
    place: usize,
    now: Timestamp,
) -> Result<Vec<Value>, Problem> {
    let by = &question.by[place];
    let value = |key| Value { key, step: None, is_unfinished: false };
    Ok(match by {
        Dimension::Weekday => (0..7).map(|day| value(RowKey::Number(day))).collect(),
        Dimension::HourOfDay => (0..24).map(|hour| value(RowKey::Number(hour))).collect(),
        by if by.is_period() => {
            let steps = by.steps(question.period, &question.zone, STEPS_MAX);
            let steps = steps.ok_or_else(|| too_many(by, question))?;
            let has_ended = question.period.until <= now;
            let value = |step: Step| Value {
                key: step.key.clone(),
                is_unfinished: !has_ended && step.part.since <= now && now < step.whole.until,
                step: Some(step),
            };
            steps.into_iter().map(value).collect()
        }
        _ => in_order_of_size(report, question, place).into_iter().map(value).collect(),
    })
}

/// The values with the most messages first, or with the most failures if the report is about these.
fn in_order_of_size(report: &Report, question: &Question, place: usize) -> Vec<RowKey> {
    let by_failures = matches!(question.by[place], Dimension::ErrorCode | Dimension::Fault);
    let mut sizes: HashMap<&RowKey, (i64, i64)> = HashMap::new();
    for row in &report.rows {
        let Some(key) = row.keys.get(place) else { continue };
        let size = |figures: &Figures| match by_failures {
            true => figures.not_reached(),
            false => figures.messages(),
        };
        let (now, before) = sizes.entry(key).or_default();
        *now += size(&row.figures);
        *before += row.compared.as_ref().map_or(0, size);
    }
    let mut sizes: Vec<_> = sizes.into_iter().collect();
    sizes.sort_by_key(|(key, (now, before))| (Reverse(*now), Reverse(*before), *key));
    sizes.into_iter().map(|(key, _)| key.clone()).collect()
}

fn too_many(by: &Dimension, question: &Question) -> Problem {
    let longer = match by {
        Dimension::Hour => "choose day instead, or a shorter period",
        Dimension::Day => "choose week or month instead, or a shorter period",
        _ => "choose a shorter period",
    };
    let name = by.name();
    Problem::BadRequest(format!(
        "by: from {} on there are over {STEPS_MAX} values of `{name}`, the most in one report; {longer}",
        question.zone.local(question.period.since).date()
    ))
}

//! Tables that fit the terminal: columns take their short form, go below the row, or are left out,
//! before a line becomes too long. Nothing is cut off, and no word is broken.
//!
//! ```text
//! let mut table = Table::new([
//!     Column::right("position").short_heading("pos"),
//!     Column::time("received", &zone),
//!     Column::left("message"),
//!     Column::left("service").optional(),
//!     Column::prose("details"),
//! ]);
//! table.row([
//!     Cell::number(position),
//!     Cell::time(received_at, &zone),
//!     Cell::sid(&message_sid),
//!     Cell::text(&service),
//!     Cell::text(&details),
//! ]);
//! let mut out = terminal::stdout();
//! out.show(&table.fit(out.columns()))?;
//! ```
//!
//! Rows that arrive one by one are laid out before the first one: the columns say how wide their cells
//! will be ([`Column::expect`]), and [`Table::layout`] has the heading and each line.

mod cell;
mod layout;

use std::borrow::Cow;

pub use self::cell::Cell;
pub use self::layout::Layout;
use crate::cli::common::terminal::styled::Styled;
use crate::domain::time::zone::Zone;

/// One column: its heading, and what may happen to it if the terminal is too narrow.
#[derive(Debug, Clone)]
pub struct Column {
    heading: Cow<'static, str>,
    short_heading: Cow<'static, str>,
    is_right: bool,
    is_optional: bool,
    is_prose: bool,
    /// The widths of cells that are not known yet, in their full and short form.
    expected: (usize, usize),
}

impl Column {
    /// A column of words: aligned to the left.
    pub fn left(heading: impl Into<Cow<'static, str>>) -> Self {
        let heading = heading.into();
        Self {
            short_heading: heading.clone(),
            heading,
            is_right: false,
            is_optional: false,
            is_prose: false,
            expected: (0, 0),
        }
    }

    /// A column of numbers: aligned to the right.
    pub fn right(heading: &'static str) -> Self {
        Self { is_right: true, ..Self::left(heading) }
    }

    /// A column of sentences, which is the table's last one. On a narrow terminal they take several
    /// lines, broken between words, or lines of their own below the row. There is at most one.
    pub fn prose(heading: &'static str) -> Self {
        Self { is_prose: true, ..Self::left(heading) }
    }

    /// A column of times in this zone, which its headings name: `received at (Europe/Berlin)`, or
    /// `received (Berlin)` above the short form.
    pub fn time(verb: &str, zone: &Zone) -> Self {
        Self {
            heading: format!("{verb} at ({})", zone.name()).into(),
            ..Self::left("").short_heading(format!("{verb} ({})", zone.short_name()))
        }
    }

    /// The heading above cells in their short form.
    pub fn short_heading(self, short_heading: impl Into<Cow<'static, str>>) -> Self {
        Self { short_heading: short_heading.into(), ..self }
    }

    /// Leaves the column out if the short forms of all others do not make the table fit; the last such
    /// column first.
    pub fn optional(self) -> Self {
        Self { is_optional: true, ..self }
    }

    /// The widths to expect of cells that arrive after the layout was chosen, in their full and their
    /// short form. A longer cell moves the rest of its line to the right.
    pub fn expect(self, full: usize, short: usize) -> Self {
        Self { expected: (full, short), ..self }
    }
}

/// The columns and rows of a table.
#[derive(Debug, Clone)]
pub struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<Cell>>,
}

impl Table {
    /// A table with these columns and no rows.
    pub fn new(columns: impl IntoIterator<Item = Column>) -> Self {
        Self { columns: columns.into_iter().collect(), rows: Vec::new() }
    }

    /// Adds a row, with one cell for each column.
    pub fn row(&mut self, cells: impl IntoIterator<Item = Cell>) {
        let cells: Vec<_> = cells.into_iter().collect();
        assert_eq!(cells.len(), self.columns.len(), "each column has a cell");
        self.rows.push(cells);
    }

    /// The heading and the rows, one a line, on a screen with this many columns; `None`, for a pipe or a
    /// file, has every column in its full form.
    pub fn fit(&self, screen_columns: Option<usize>) -> Styled {
        let layout = self.layout(screen_columns);
        let mut text = layout.heading();
        self.rows.iter().for_each(|row| text.append(&layout.line(row)));
        text
    }

    /// The form of each column that makes the rows so far fit.
    pub fn layout(&self, screen_columns: Option<usize>) -> Layout {
        Layout::new(&self.columns, &self.rows, screen_columns)
    }
}

#[cfg(test)]
mod tests {
    use super::{Cell, Column, Table};
    use crate::domain::time::zone::Zone;
    use crate::domain::{Effect, Timestamp};

    const SID: &str = "SM0123456789abcdef0123456789abcdef";

    fn timeline() -> Table {
        let mut table = Table::new([
            Column::right("position").short_heading("pos"),
            Column::left("received at (UTC)").short_heading("received"),
            Column::left("message"),
            Column::left("effect"),
            Column::left("service").optional(),
            Column::prose("details"),
        ]);
        let at = Timestamp::parse("2026-11-25T10:00:03.25Z").unwrap();
        for (position, effect, details) in [
            (7, Effect::Advanced, "first event; delivered"),
            (12_345, Effect::Late, "ranks below the status already reported; stays delivered"),
        ] {
            table.row([
                Cell::number(position),
                Cell::time(at, &Zone::default()),
                Cell::sid(SID),
                Cell::effect(effect),
                Cell::text("MG1"),
                Cell::text(details),
            ]);
        }
        table
    }

    fn shown(columns: usize) -> String {
        timeline().fit(Some(columns)).plain()
    }

    const FULL: &str = "\
position  received at (UTC)            message                             effect    service  details
       7  2026-11-25T10:00:03.250000Z  SM0123456789abcdef0123456789abcdef  advanced  MG1      first event; delivered
  12,345  2026-11-25T10:00:03.250000Z  SM0123456789abcdef0123456789abcdef  late      MG1      ranks below the status already reported; stays delivered
";

    #[test]
    fn a_wide_terminal_and_a_pipe_show_everything_on_one_line() {
        assert_eq!(shown(200), FULL);
        assert_eq!(timeline().fit(None).plain(), FULL);
    }

    #[test]
    fn the_column_whose_short_form_suffices_and_saves_least_is_shortened_first() {
        let shown = shown(130);
        let expected = "\
position  received        message                             effect    service  details
       7  11-25 10:00:03  SM0123456789abcdef0123456789abcdef  advanced  MG1      first event; delivered
  12,345  11-25 10:00:03  SM0123456789abcdef0123456789abcdef  late      MG1      ranks below the status already reported; stays
                                                                                 delivered
";
        assert_eq!(shown, expected);
    }

    #[test]
    fn at_200_columns_nothing_is_shortened() {
        let mut table = Table::new([
            Column::left("message").expect(160, 9),
            Column::left("account"),
            Column::prose("details").expect(40, 40),
        ]);
        table.row([Cell::sid(SID), Cell::text("shop-eu"), Cell::text("first event")]);
        let shown = |columns| table.fit(Some(columns)).plain();
        assert!(shown(200).contains(SID) && !shown(199).contains(SID), "{}", shown(200));
    }

    #[test]
    fn at_80_columns_sentences_go_below_their_row_rather_than_breaking_words() {
        let expected = "   pos  received        message    effect    service  details
     7  11-25 10:00:03  SM01…cdef  advanced  MG1
        first event; delivered
12,345  11-25 10:00:03  SM01…cdef  late      MG1
        ranks below the status already reported; stays delivered
";
        assert_eq!(shown(80).lines().next(), expected.lines().next());
        assert!(shown(80).lines().all(|line| line.chars().count() <= 80), "{}", shown(80));
        assert_eq!(shown(64), expected);
    }

    #[test]
    fn an_optional_column_is_left_out_before_lines_become_too_long() {
        let expected = "   pos  received        message    effect
     7  11-25 10:00:03  SM01…cdef  advanced
        first event; delivered
12,345  11-25 10:00:03  SM01…cdef  late
        ranks below the status already
        reported; stays delivered
";
        assert_eq!(shown(45), expected);
    }

    #[test]
    fn the_same_table_takes_rows_that_arrive_one_by_one() {
        let table = Table::new([
            Column::right("position").expect(9, 9),
            Column::left("message").expect(34, 9),
            Column::left("to"),
        ]);
        let row = [Cell::number(7), Cell::sid(SID), Cell::text("+1\x1b[2J5")];
        for (columns, expected) in [
            (None, " position  message                             to\n"),
            (Some(40), " position  message    to\n"),
        ] {
            assert_eq!(table.layout(columns).heading().plain(), expected);
        }
        let expected = "        7  SM01…cdef  +1\\u{1b}[2J5\n";
        assert_eq!(table.layout(Some(40)).line(&row).plain(), expected);
    }

    #[test]
    fn wide_characters_count_as_two_columns() {
        let mut table = Table::new([Column::left("a"), Column::left("b")]);
        table.row([Cell::text("日本"), Cell::text("x")]);
        table.row([Cell::text("jp"), Cell::text("y")]);
        assert_eq!(table.fit(None).plain(), "a     b\n日本  x\njp    y\n");
    }

    #[test]
    fn styles_surround_the_words_and_not_the_blanks() {
        let mut table = Table::new([Column::left("status"), Column::right("n")]);
        table.row([Cell::status("failed"), Cell::number(1_000)]);
        table.row([Cell::status("sent"), Cell::number(20)]);
        let expected = "\
\x1b[1mstatus\x1b[0m      \x1b[1mn\x1b[0m
\x1b[31mfailed\x1b[0m  1,000
sent       20
";
        assert_eq!(table.fit(None).with_styles(), expected);
    }
}

//! Text for people: tables, numbers and progress bars.

use comfy_table::{Cell, CellAlignment, ContentArrangement, Table, presets};
use indicatif::{HumanCount, ProgressBar, ProgressStyle};

use crate::domain::{Position, event};

/// A number with commas between its thousands.
pub fn number(number: u64) -> String {
    HumanCount(number).to_string()
}

/// Parses a position, with or without commas: `51522` or `51,522`.
pub fn position(text: &str) -> Result<Position, String> {
    event::parse_position(text)
        .ok_or_else(|| "it is not a position, such as 42 or 51,522".to_owned())
}

/// A table with this header and without borders.
pub fn table<const N: usize>(header: [&str; N]) -> Table {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Disabled)
        .set_header(header);
    table
}

/// A cell for a number.
pub fn right(content: impl ToString) -> Cell {
    Cell::new(content).set_alignment(CellAlignment::Right)
}

/// The lines of a table without trailing blanks.
pub fn lines(table: &Table) -> String {
    let lines = table.to_string();
    let trimmed = lines.lines().map(|line| line.trim_end().strip_prefix(' ').unwrap_or(line));
    trimmed.map(|line| format!("{line}\n")).collect()
}

/// A progress bar on stderr over this many events; invisible if stderr is not a terminal.
pub fn progress_bar(events: u64, what: &'static str) -> ProgressBar {
    let style = "{msg} {bar:40} {human_pos}/{human_len} events  {per_sec}  {eta} left";
    let style =
        ProgressStyle::with_template(style).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(events).with_style(style).with_message(what)
}

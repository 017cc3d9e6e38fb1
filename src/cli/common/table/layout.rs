//! The layout of a table: which columns are shown, in which form, and how wide.

use std::borrow::Cow;

use unicode_width::UnicodeWidthStr;

use super::{Cell, Column};
use crate::cli::common::terminal::palette::HEADING;
use crate::cli::common::terminal::styled::Styled;

/// The blanks between two columns.
const GAP: usize = 2;

/// Other columns take their short form until sentences have this width, half of a usual line.
const PROSE_WANTED: usize = 40;

/// Narrower sentences would have two or three words a line, so they go below the row.
const PROSE_MIN: usize = 24;

/// On a screen of this width everything is shown in full, even if sentences become narrow.
const WIDE_SCREEN: usize = 200;

/// How far sentences below a row are indented.
const INDENT: usize = 8;

/// The chosen form of each column.
#[derive(Debug, Clone)]
pub struct Layout {
    shown: Vec<Shown>,
    prose: Prose,
}

/// A column that is shown.
#[derive(Debug, Clone)]
struct Shown {
    index: usize,
    heading: Cow<'static, str>,
    width: usize,
    is_right: bool,
    is_short: bool,
    is_prose: bool,
}

/// Where sentences are shown.
#[derive(Debug, Clone, Copy)]
enum Prose {
    OnOneLine,
    /// In their column, on lines of this width.
    Wrapped(usize),
    /// Below the row, on lines of this width.
    Below(usize),
}

/// The form of a column during the choice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Full,
    Short,
    LeftOut,
}

/// A column's widths in both forms.
struct Measured<'a> {
    column: &'a Column,
    full: usize,
    short: usize,
    form: Form,
}

impl Layout {
    /// Chooses the forms for a screen with this many columns.
    pub(super) fn new(columns: &[Column], rows: &[Vec<Cell>], screen: Option<usize>) -> Self {
        let mut measured: Vec<_> = columns
            .iter()
            .enumerate()
            .map(|(index, column)| measure(column, index, rows))
            .collect();
        let prose = match screen {
            None => Prose::OnOneLine,
            Some(screen) => {
                shorten(&mut measured, screen);
                place_prose(&measured, screen)
            }
        };
        let shown = measured.iter().enumerate().filter(|(_, of)| of.form != Form::LeftOut);
        let shown = shown.map(|(index, of)| Shown {
            index,
            heading: of.heading().clone(),
            width: of.width(),
            is_right: of.column.is_right,
            is_short: of.form == Form::Short,
            is_prose: of.column.is_prose,
        });
        Self { shown: shown.collect(), prose }
    }

    /// The line above the rows.
    pub fn heading(&self) -> Styled {
        let mut line = Line::default();
        for shown in &self.shown {
            let fits = match self.prose {
                Prose::Below(width) if shown.is_prose => {
                    line.reached + shown.heading.width() <= width + INDENT
                }
                _ => true,
            };
            line.cell(shown, HEADING, if fits { &shown.heading } else { "" });
        }
        line.end()
    }

    /// One row: a line, or several if its sentences need them.
    pub fn line(&self, cells: &[Cell]) -> Styled {
        let mut line = Line::default();
        let mut rest: Vec<&str> = Vec::new();
        let mut indent = INDENT;
        for shown in &self.shown {
            let cell = &cells[shown.index];
            let text = cell.form(shown.is_short);
            match self.prose {
                Prose::Wrapped(width) if shown.is_prose => {
                    let end = line.reached + width;
                    let begin = line.begin();
                    if end.saturating_sub(begin) < width.min(PROSE_MIN) {
                        // Wider cells than expected left no room.
                        rest = wrapped(text, end - INDENT);
                    } else {
                        let mut lines = wrapped(text, end - begin).into_iter();
                        line.cell(shown, cell.styled(), lines.next().unwrap_or_default());
                        rest = lines.collect();
                        indent = begin;
                    }
                }
                Prose::Below(width) if shown.is_prose => rest = wrapped(text, width),
                _ => line.cell(shown, cell.styled(), text),
            }
        }
        let style = self.shown.iter().find(|shown| shown.is_prose);
        let style = style.map(|shown| cells[shown.index].styled()).unwrap_or_default();
        let mut text = line.end();
        for below in rest.into_iter().filter(|below| !below.is_empty()) {
            text.push_blanks(indent);
            text.push_in(style, below);
            text.push("\n");
        }
        text
    }
}

fn measure<'a>(column: &'a Column, index: usize, rows: &[Vec<Cell>]) -> Measured<'a> {
    let widest = |is_short| rows.iter().map(|row| row[index].width(is_short)).max().unwrap_or(0);
    let full = widest(false).max(column.expected.0).max(column.heading.width());
    let short = widest(true).max(column.expected.1).max(column.short_heading.width());
    // A heading may be longer than the cells that it shortens.
    Measured { column, full, short: short.min(full), form: Form::Full }
}

impl Measured<'_> {
    fn width(&self) -> usize {
        match self.form {
            Form::Full => self.full,
            Form::Short => self.short,
            Form::LeftOut => 0,
        }
    }

    fn heading(&self) -> &Cow<'static, str> {
        match self.form {
            Form::Short => &self.column.short_heading,
            Form::Full | Form::LeftOut => &self.column.heading,
        }
    }

    /// What its short form saves; `None` if it has none, or has taken it.
    fn saves(&self) -> Option<usize> {
        let saved = self.full - self.short;
        (self.form == Form::Full && !self.column.is_prose && saved > 0).then_some(saved)
    }
}

/// The width of the columns that are shown, without sentences, and the gap after each.
fn width_without_prose(columns: &[Measured]) -> usize {
    let shown = columns.iter().filter(|of| of.form != Form::LeftOut && !of.column.is_prose);
    shown.map(|of| of.width() + GAP).sum()
}

/// The width that sentences ask for; `None` if no column has any.
fn prose_width(columns: &[Measured]) -> Option<usize> {
    columns.iter().find(|of| of.column.is_prose).map(|of| of.full)
}

/// Shortens columns, then leaves optional ones out, until the table fits. Of the short forms, the one
/// that suffices and saves least is taken, or else the one that saves most.
fn shorten(columns: &mut [Measured], screen: usize) {
    let prose_wanted = if screen < WIDE_SCREEN { PROSE_WANTED } else { PROSE_MIN };
    loop {
        let without_prose = width_without_prose(columns);
        let wanted = match prose_width(columns) {
            Some(width) => without_prose + width.min(prose_wanted),
            None => without_prose.saturating_sub(GAP),
        };
        let too_wide = wanted.saturating_sub(screen);
        if too_wide == 0 {
            return;
        }
        let can_save = columns.iter().enumerate();
        let can_save: Vec<_> =
            can_save.filter_map(|(index, of)| Some((of.saves()?, index))).collect();
        let suffices = can_save.iter().filter(|(saved, _)| *saved >= too_wide).min();
        if let Some((_, index)) = suffices.or_else(|| can_save.iter().max()) {
            columns[*index].form = Form::Short;
            continue;
        }
        // Sentences go below the row before a column is left out.
        let fits = without_prose.saturating_sub(GAP) <= screen;
        let left_out = columns.iter_mut().rev();
        let mut left_out = left_out.filter(|of| of.column.is_optional && of.form != Form::LeftOut);
        match left_out.next().filter(|_| !fits) {
            Some(column) => column.form = Form::LeftOut,
            None => return,
        }
    }
}

fn place_prose(columns: &[Measured], screen: usize) -> Prose {
    let Some(width) = prose_width(columns) else { return Prose::OnOneLine };
    match screen.saturating_sub(width_without_prose(columns)) {
        left if left >= width.min(PROSE_MIN) => Prose::Wrapped(left),
        _ => Prose::Below(screen.saturating_sub(INDENT).max(PROSE_MIN)),
    }
}

/// The lines of a text, broken between words; a word that is too long has a line of its own.
fn wrapped(text: &str, width: usize) -> Vec<&str> {
    let mut lines = Vec::new();
    let mut rest = text.trim();
    while rest.width() > width {
        let ends = rest.match_indices(' ').map(|(at, _)| at);
        let fits = |at: &usize| rest[..*at].width() <= width;
        let Some(end) = ends.clone().take_while(fits).last().or_else(|| ends.clone().next()) else {
            break;
        };
        lines.push(rest[..end].trim_end());
        rest = rest[end..].trim_start();
    }
    lines.push(rest);
    lines
}

/// A line that is being written. Blanks are written with the next word, so that none are at the end.
#[derive(Default)]
struct Line {
    text: Styled,
    /// Where the next column begins, unless the last cell was wider than its column.
    reached: usize,
    written: usize,
}

impl Line {
    /// Where the next cell begins.
    fn begin(&self) -> usize {
        self.reached.max(if self.written == 0 { 0 } else { self.written + GAP })
    }

    fn cell(&mut self, shown: &Shown, style: anstyle::Style, text: &str) {
        let width = text.width();
        let before = if shown.is_right { shown.width.saturating_sub(width) } else { 0 };
        let begin = self.begin().max(self.reached + before);
        self.reached += shown.width + GAP;
        if !text.is_empty() {
            self.text.push_blanks(begin - self.written);
            self.text.push_in(style, text);
            self.written = begin + width;
        }
    }

    /// The line; empty if every cell was.
    fn end(mut self) -> Styled {
        if self.written > 0 {
            self.text.push("\n");
        }
        self.text
    }
}

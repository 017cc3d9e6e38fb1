//! Output of the checks, as a page for people or as JSON.

use std::io::Write;

use anyhow::Result;
use unicode_width::UnicodeWidthStr;

use crate::checks::finding::{Checked, Outcome};
use crate::checks::report::{CheckReport, ChecksJson};
use crate::cli::common::table::{Cell, Column, Table};
use crate::cli::common::terminal::{self, palette};
use crate::text::printable;

/// Longer names, those with a SID, exceed the column instead of widening it for every line.
const NAME_WIDTH_MAX: usize = 30;

/// `fail` or `warn`, indented below its area.
const OUTCOME_WIDTH: usize = 6;

/// Details are sentences: they get what is left of a line if it is at least this much.
const DETAIL_WIDTH: usize = 40;

/// Prints one line per finding, grouped by area, with the advice below it.
pub fn for_people(report: &CheckReport) -> Result<()> {
    let made = &report.checked;
    let mut out = terminal::stdout();
    let widths = made.iter().map(|made| printable(&made.name).width());
    let width = widths.filter(|width| *width <= NAME_WIDTH_MAX).max().unwrap_or(0);
    let table = Table::new([
        Column::left("").expect(OUTCOME_WIDTH, OUTCOME_WIDTH),
        Column::left("").expect(width, width),
        Column::prose("").expect(DETAIL_WIDTH, DETAIL_WIDTH),
    ]);
    let layout = table.layout(out.columns());
    let mut area = "";
    for Checked { area: of, name, finding } in made {
        if area != *of {
            writeln!(out, "{}{of}", if area.is_empty() { "" } else { "\n" })?;
            area = of;
        }
        let outcome = finding.outcome.name();
        let style = match finding.outcome {
            Outcome::Ok => palette::GOOD,
            Outcome::Warn => palette::ODD,
            Outcome::Fail => palette::BAD,
        };
        let outcome = Cell::text(format!("  {outcome}")).style(style);
        out.show(&layout.line(&[outcome, Cell::text(name), Cell::text(finding.text())]))?;
        if let Some(advice) = &finding.advice {
            let advice = Cell::text(format!("→ {advice}"));
            out.show(&layout.line(&[Cell::text(""), Cell::text(""), advice]))?;
        }
    }
    let counts = [Outcome::Fail, Outcome::Warn, Outcome::Ok].map(|outcome| report.count(outcome));
    let [failed, warned, ok] = counts;
    writeln!(out, "\n{failed} failed, {warned} warnings, {ok} ok")?;
    Ok(())
}

/// Prints the findings as JSON.
pub fn as_json(report: &CheckReport) -> Result<()> {
    writeln!(terminal::stdout(), "{}", serde_json::to_string_pretty(&ChecksJson::from(report))?)?;
    Ok(())
}

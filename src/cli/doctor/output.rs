//! Output of the checks, as a page for people or as JSON.

use std::io::Write;

use anyhow::Result;
use serde_json::json;
use unicode_width::UnicodeWidthStr;

use super::finding::{Checked, Outcome};
use crate::cli::common::table::{Cell, Column, Table};
use crate::cli::common::{palette, terminal};
use crate::text::printable;

/// Longer names, those with a SID, exceed the column instead of widening it for every line.
const NAME_WIDTH_MAX: usize = 30;

/// `fail` or `warn`, indented below its area.
const OUTCOME_WIDTH: usize = 6;

/// Details are sentences: they get what is left of a line if it is at least this much.
const DETAIL_WIDTH: usize = 40;

/// Prints one line per finding, grouped by area, with the advice below it.
pub fn for_people(made: &[Checked]) -> Result<()> {
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
        out.show(&layout.line(&[outcome, Cell::text(name), Cell::text(&finding.detail)]))?;
        if let Some(advice) = &finding.advice {
            let advice = Cell::text(format!("→ {advice}"));
            out.show(&layout.line(&[Cell::text(""), Cell::text(""), advice]))?;
        }
    }
    let count = |outcome| made.iter().filter(|made| made.finding.outcome == outcome).count();
    let [failed, warned, ok] = [Outcome::Fail, Outcome::Warn, Outcome::Ok].map(count);
    writeln!(out, "\n{failed} failed, {warned} warnings, {ok} ok")?;
    Ok(())
}

/// Prints the findings as JSON.
pub fn as_json(made: &[Checked]) -> Result<()> {
    let count = |outcome| made.iter().filter(|made| made.finding.outcome == outcome).count();
    let check = |made: &Checked| {
        json!({
            "name": made.name,
            "area": made.area,
            "outcome": made.finding.outcome.name(),
            "detail": made.finding.detail,
            "advice": made.finding.advice,
        })
    };
    let page = json!({
        "checks": made.iter().map(check).collect::<Vec<_>>(),
        "failed": count(Outcome::Fail),
        "warned": count(Outcome::Warn),
    });
    writeln!(terminal::stdout(), "{page:#}")?;
    Ok(())
}

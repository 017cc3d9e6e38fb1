//! Output of the checks, as a page for people or as JSON.

use std::io::Write;

use anyhow::Result;
use serde_json::json;

use super::finding::{Checked, Outcome};
use crate::text::printable;

/// Longer names, those with a SID, exceed the column instead of widening it for every line.
const NAME_WIDTH_MAX: usize = 30;

/// Prints one line per finding, grouped by area, with the advice below it.
pub fn for_people(made: &[Checked]) -> Result<()> {
    let mut out = crate::cli::common::terminal::stdout();
    let widths = made.iter().map(|made| made.name.chars().count());
    let width = widths.filter(|width| *width <= NAME_WIDTH_MAX).max().unwrap_or(0);
    let mut area = "";
    for Checked { area: of, name, finding } in made {
        if area != *of {
            writeln!(out, "{}{of}", if area.is_empty() { "" } else { "\n" })?;
            area = of;
        }
        let outcome = finding.outcome.name();
        writeln!(
            out,
            "  {outcome:<4}  {:<width$}  {}",
            printable(name),
            printable(&finding.detail)
        )?;
        if let Some(advice) = &finding.advice {
            writeln!(out, "        {:<width$}  → {}", "", printable(advice))?;
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
    writeln!(crate::cli::common::terminal::stdout(), "{page:#}")?;
    Ok(())
}

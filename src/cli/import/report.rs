//! The result of an import, as a table or as JSON.

use std::io::Write;

use anyhow::Result;
use serde_json::{Value, json};

use crate::cli::Format;
use crate::cli::common::table::{Cell, Column, Table};
use crate::cli::common::terminal;
use crate::cli::common::terminal::styled::Styled;
use crate::cli::common::text::number;
use crate::import::{self, Counts, StagedImport};
use crate::text::printable;

/// The result of an import.
pub struct Report {
    pub format: Format,
    pub dry_run: bool,
    /// True if nothing was imported because rows were rejected.
    pub nothing_done: bool,
    pub counts: Counts,
    /// The head after the import; `None` if there is no ledger.
    pub head: Option<u64>,
}

impl Report {
    /// Prints the result and the rejected rows.
    pub fn print(&self, staged: &mut StagedImport) -> Result<()> {
        let mut out = terminal::stdout();
        match self.format {
            Format::Table => out.show(&self.for_people(staged, out.columns()))?,
            Format::Json => {
                let summary = self.as_json(staged).to_string();
                let (open, _closing) = summary.split_at(summary.len() - 1);
                write!(out, "{open},\"refusals\":[")?;
                let mut comma = "";
                staged.rejected.each_json(&mut |row| {
                    write!(out, "{comma}{row}")?;
                    comma = ",";
                    Ok(())
                })?;
                writeln!(out, "]}}")?;
            }
        }
        Ok(())
    }

    fn for_people(&self, staged: &StagedImport, screen_columns: Option<usize>) -> Styled {
        let mut files =
            Table::new([Column::left("file"), Column::left("format"), Column::right("rows")]);
        for file in &staged.files {
            let format = file.format.map_or("-", import::ImportFormat::name);
            files.row([Cell::text(&file.path), Cell::text(format), Cell::number(file.rows)]);
        }
        let Counts { appended, known, inbound, rejected, .. } = self.counts;
        let would = if self.dry_run { "would be " } else { "" };
        let mut text = files.fit(screen_columns);
        if !self.nothing_done {
            text.push(&format!(
                "\nappended  {would}{}\nknown     {}\n",
                number(appended),
                number(known)
            ));
        } else {
            text.push("\nNothing was imported.\n");
        }
        text.push(&format!("inbound   {}\nrefused   {}\n", number(inbound), number(rejected)));
        for row in staged.rejected.first() {
            let line = row.line.map_or(String::new(), |line| format!(":{line}"));
            let (file, reason) = (printable(&row.file), printable(&row.reason));
            text.push(&format!("  {file}{line}  {reason}\n"));
        }
        let more = rejected - staged.rejected.first().len() as u64;
        if more > 0 {
            text.push(&format!("  and {} more; --report json has all\n", number(more)));
        }
        text
    }

    fn as_json(&self, staged: &StagedImport) -> Value {
        let counts = self.counts;
        let files = staged.files.iter().map(|file| {
            json!({
                "path": file.path, "format": file.format.map(import::ImportFormat::name), "rows": file.rows,
                "ledger_id": file.ledger,
            })
        });
        json!({
            "files": files.collect::<Vec<_>>(), "dry_run": self.dry_run, "head": self.head,
            "rows": counts.rows, "appended": counts.appended, "known": counts.known,
            "inbound": counts.inbound, "refused": counts.rejected,
        })
    }
}

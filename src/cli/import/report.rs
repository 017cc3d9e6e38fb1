//! What came of an import, for people and for programs.

use std::io::Write;

use anyhow::Result;
use serde_json::{Value, json};

use crate::cli::Format;
use crate::cli::common::text::{lines, number, right, table};
use crate::import::{self, Counts, StagedImport};
use crate::text::printable;

/// See the module.
pub struct Report {
    pub format: Format,
    pub dry_run: bool,
    /// Rows were refused, and the others were not to be imported without them.
    pub nothing_done: bool,
    pub counts: Counts,
    /// The head after it.
    pub head: Option<u64>,
}

impl Report {
    /// Prints it, with the rows that were refused.
    pub fn print(&self, staged: &mut StagedImport) -> Result<()> {
        let mut out = crate::cli::common::terminal::stdout();
        match self.format {
            Format::Table => out.write_all(self.for_people(staged).as_bytes())?,
            Format::Json => {
                let summary = self.as_json(staged).to_string();
                let (open, _closing) = summary.split_at(summary.len() - 1);
                write!(out, "{open},\"refusals\":[")?;
                let mut comma = "";
                staged.refused.each_json(&mut |refusal| {
                    write!(out, "{comma}{refusal}")?;
                    comma = ",";
                    Ok(())
                })?;
                writeln!(out, "]}}")?;
            }
        }
        Ok(())
    }

    fn for_people(&self, staged: &StagedImport) -> String {
        let mut files = table(["file", "format", "rows"]);
        for file in &staged.files {
            let format = file.format.map_or("-", import::ImportFormat::name);
            let path = printable(&file.path).into_owned();
            files.add_row([path.into(), format.into(), right(number(file.rows))]);
        }
        let Counts { appended, known, inbound, refused, .. } = self.counts;
        let would = if self.dry_run { "would be " } else { "" };
        let mut text = lines(&files);
        if !self.nothing_done {
            text += &format!(
                "\nappended  {}{}\nknown     {}\n",
                would,
                number(appended),
                number(known)
            );
        } else {
            text += "\nNothing was imported.\n";
        }
        text += &format!("inbound   {}\nrefused   {}\n", number(inbound), number(refused));
        for refusal in staged.refused.first() {
            let line = refusal.line.map_or(String::new(), |line| format!(":{line}"));
            text +=
                &format!("  {}{line}  {}\n", printable(&refusal.file), printable(&refusal.reason));
        }
        let more = refused - staged.refused.first().len() as u64;
        if more > 0 {
            text += &format!("  and {} more; --report json has all\n", number(more));
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
            "inbound": counts.inbound, "refused": counts.refused,
        })
    }
}

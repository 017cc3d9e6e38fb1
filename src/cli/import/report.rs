//! What came of an import, for people and for programs.

use std::io::Write;

use anyhow::Result;
use serde_json::{Value, json};

use crate::cli::Format;
use crate::cli::text::{lines, number, right, table};
use crate::import::{self, Counts, Gathered};
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
    pub fn print(&self, gathered: &mut Gathered) -> Result<()> {
        let mut out = crate::cli::terminal::stdout();
        match self.format {
            Format::Table => out.write_all(self.for_people(gathered).as_bytes())?,
            Format::Json => {
                let summary = self.as_json(gathered).to_string();
                let (open, _closing) = summary.split_at(summary.len() - 1);
                write!(out, "{open},\"refusals\":[")?;
                let mut comma = "";
                gathered.refused.each_json(&mut |refusal| {
                    write!(out, "{comma}{refusal}")?;
                    comma = ",";
                    Ok(())
                })?;
                writeln!(out, "]}}")?;
            }
        }
        Ok(())
    }

    fn for_people(&self, gathered: &Gathered) -> String {
        let mut files = table(["file", "format", "rows"]);
        for file in &gathered.files {
            let format = file.format.map_or("-", import::Format::name);
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
        for refusal in gathered.refused.first() {
            let line = refusal.line.map_or(String::new(), |line| format!(":{line}"));
            text +=
                &format!("  {}{line}  {}\n", printable(&refusal.file), printable(&refusal.reason));
        }
        let more = refused - gathered.refused.first().len() as u64;
        if more > 0 {
            text += &format!("  and {} more; --report json has all\n", number(more));
        }
        text
    }

    fn as_json(&self, gathered: &Gathered) -> Value {
        let counts = self.counts;
        let files = gathered.files.iter().map(|file| {
            json!({
                "path": file.path, "format": file.format.map(import::Format::name), "rows": file.rows,
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

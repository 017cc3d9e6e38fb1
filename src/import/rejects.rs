//! The rejected rows of an import, each with its line and the reason.
//! The first few are held in memory for display, all of them in an unnamed temporary file.

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Seek, Write};
use std::path::Path;

use serde::Serialize;

/// The number of rows in the text output; the JSON report has all.
const SHOWN_MAX: usize = 20;

/// A rejected row, or file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RejectedRow {
    /// The name of the file.
    pub file: String,
    /// `None` if the whole file was rejected.
    pub line: Option<u64>,
    /// Why it was rejected, with the rejected value.
    pub reason: String,
}

/// The rejected rows and files of an import.
pub struct Rejects {
    first: Vec<RejectedRow>,
    count: u64,
    all: BufWriter<File>,
}

impl Rejects {
    /// Creates the temporary file in this folder.
    pub fn create(folder: &Path) -> io::Result<Self> {
        let all = BufWriter::new(tempfile::tempfile_in(folder)?);
        Ok(Self { first: Vec::new(), count: 0, all })
    }

    /// Adds a rejected row.
    pub fn push(&mut self, row: RejectedRow) -> io::Result<()> {
        serde_json::to_writer(&mut self.all, &row)?;
        self.all.write_all(b"\n")?;
        self.count += 1;
        if self.first.len() < SHOWN_MAX {
            self.first.push(row);
        }
        Ok(())
    }

    /// The number of rejected rows and files.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The first few rejected rows.
    pub fn first(&self) -> &[RejectedRow] {
        &self.first
    }

    /// Calls `each` with every rejected row as a JSON object.
    pub fn each_json(&mut self, each: &mut dyn FnMut(&str) -> io::Result<()>) -> io::Result<()> {
        self.all.flush()?;
        let mut file = self.all.get_ref();
        file.rewind()?;
        BufReader::new(file).lines().try_for_each(|line| each(&line?))
    }
}

//! The part of a configuration file that is valid, and everything that is wrong with the rest: for a
//! command that reports all mistakes at once.

use std::path::Path;

use anyhow::{Context, Result};
use serde::Deserialize;
use toml::{Table, Value};

use super::{ConfigFile, without_value};
use crate::config::{DEFAULT_FILE, Flags, Settings};

/// One setting of the file, or one table of a section such as `[accounts.AC…]`.
struct Piece {
    section: Option<String>,
    key: String,
    value: Value,
}

impl Settings {
    /// The same as [`Settings::load`], with what is valid of the file, and everything that is wrong with it.
    pub fn load_valid_part(file: Option<&Path>, flags: Flags) -> Result<(Self, Vec<String>)> {
        let default = Path::new(DEFAULT_FILE);
        let path = file.or_else(|| default.exists().then_some(default));
        let read = path.map(ConfigFile::read_valid_part).transpose()?;
        let (file, problems) = read.unwrap_or_default();
        let settings = Self::without_file(flags);
        Ok((Self { file, ..settings }, problems))
    }
}

impl ConfigFile {
    /// Reads the settings that are valid, each for itself. A file that is not TOML has none.
    ///
    /// # Errors
    ///
    /// The file cannot be read.
    pub fn read_valid_part(path: &Path) -> Result<(Self, Vec<String>)> {
        let problem = match Self::read(path) {
            Ok(file) => return Ok((file, Vec::new())),
            Err(problem) => problem,
        };
        let Ok(text) = std::fs::read_to_string(path) else { return Err(problem) };
        let Ok(table) = text.parse::<Table>() else {
            return Ok((Self::default(), vec![format!("{problem:#}")]));
        };
        let (mut valid, mut problems) = (Table::new(), Vec::new());
        let whole = Self::default().at(path, &text);
        for piece in pieces(table) {
            match Self::deserialize(piece.alone()) {
                Ok(_) => piece.add_to(&mut valid),
                Err(error) => {
                    let line = whole.line(&[&piece.path()]);
                    let line = line.map_or_else(String::new, |line| format!("line {line}: "));
                    let message = without_value(error.message());
                    problems.push(format!("{}: {line}{}: {message}", path.display(), piece.path()));
                }
            }
        }
        let valid = Self::deserialize(valid).context("each part is valid")?;
        Ok((valid.at(path, &text), problems))
    }
}

/// The settings of a file, those of its sections one by one.
fn pieces(table: Table) -> Vec<Piece> {
    let of_section = |(section, value): (String, Value)| match value {
        Value::Table(table) => {
            let piece = |(key, value)| Piece { section: Some(section.clone()), key, value };
            table.into_iter().map(piece).collect()
        }
        value => vec![Piece { section: None, key: section, value }],
    };
    table.into_iter().flat_map(of_section).collect()
}

impl Piece {
    fn path(&self) -> String {
        match &self.section {
            Some(section) => format!("{section}.{}", self.key),
            None => self.key.clone(),
        }
    }

    /// A file with nothing else.
    fn alone(&self) -> Table {
        let mut table = Table::new();
        self.add_to(&mut table);
        table
    }

    fn add_to(&self, table: &mut Table) {
        let (key, value) = (self.key.clone(), self.value.clone());
        let Some(section) = &self.section else {
            table.insert(key, value);
            return;
        };
        let section = table.entry(section.clone()).or_insert_with(|| Value::Table(Table::new()));
        section.as_table_mut().expect("a section is a table").insert(key, value);
    }
}

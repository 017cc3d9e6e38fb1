//! A file to which every seal is appended. It may be on another machine, or on a medium that can be written
//! once: nothing in it is ever changed.

use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use super::note::Note;
use crate::domain::statement::Statement;

/// Who may read the file, which names nobody: the owner and the group.
const MODE: u32 = 0o640;

/// The last statement about an origin in the file; `None` if it has none, or does not exist. What is no seal, such
/// as the rest of one that was being written when the machine stopped, is passed over.
pub fn last_statement(path: &Path, origin: &str) -> io::Result<Option<Statement>> {
    Ok(statements(path, origin)?.pop())
}

/// All statements about an origin in the file, in its order; none if it does not exist.
pub fn statements(path: &Path, origin: &str) -> io::Result<Vec<Statement>> {
    let text = match fs::read(path) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let statements = notes(&text).filter_map(|note| Statement::parse(&note.text).ok());
    Ok(statements.filter(|statement| statement.origin == origin).collect())
}

/// The notes in a text, one after another.
fn notes(text: &str) -> impl Iterator<Item = Note> {
    let lines: Vec<&str> = text.lines().collect();
    let begins = move |at: &usize| lines.get(at + 3) == Some(&"");
    let lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let count = lines.len();
    (0..count).filter(begins).filter_map(move |at| {
        let is_signature = |line: &&String| line.starts_with('—');
        let signatures = lines[at + 4..].iter().take_while(is_signature).count();
        let note = lines[at..at + 4 + signatures].join("\n") + "\n";
        Note::parse(&note).ok()
    })
}

/// Appends a note, and returns once it is on disk.
pub fn append(path: &Path, note: &Note) -> io::Result<()> {
    let mut file = OpenOptions::new().append(true).create(true).mode(MODE).open(path)?;
    // After a write that was interrupted, a line of it may have no end.
    let torn = fs::read(path)?.last().is_some_and(|last| *last != b'\n');
    let separator = if torn { "\n" } else { "" };
    file.write_all(format!("{separator}{note}").as_bytes())?;
    file.sync_all()
}

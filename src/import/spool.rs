//! The spool of checked rows: an unnamed temporary file, which is deleted when the process ends.
//! With it an import reads its input only once, even from a pipe, and no row can change between the
//! check and the append.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, Write};
use std::path::Path;

/// One row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpooledRow {
    pub kind: RowKind,
    /// The index of the file, from 0.
    pub file: u32,
    pub line: u64,
    /// The repairs made to it; empty for most rows.
    pub repaired: String,
    pub bytes: Vec<u8>,
}

/// The kind of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowKind {
    /// A line of `export events`.
    Event,
    /// A message of Twilio's records.
    Record,
    /// A message of Twilio's records, without its text.
    RecordWithoutText,
}

impl RowKind {
    const ALL: [RowKind; 3] = [RowKind::Event, RowKind::Record, RowKind::RecordWithoutText];
}

/// Rows in the order in which they were pushed.
pub struct Spool {
    writer: BufWriter<File>,
}

impl Spool {
    /// Creates the temporary file in this folder.
    pub fn create(folder: &Path) -> io::Result<Self> {
        Ok(Self { writer: BufWriter::new(tempfile::tempfile_in(folder)?) })
    }

    /// Appends a row.
    pub fn push(&mut self, row: &SpooledRow) -> io::Result<()> {
        self.writer.write_all(&[row.kind as u8])?;
        self.writer.write_all(&row.file.to_be_bytes())?;
        self.writer.write_all(&row.line.to_be_bytes())?;
        self.push_bytes(row.repaired.as_bytes())?;
        self.push_bytes(&row.bytes)
    }

    fn push_bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        let length = u32::try_from(bytes.len()).map_err(io::Error::other)?;
        self.writer.write_all(&length.to_be_bytes())?;
        self.writer.write_all(bytes)
    }

    /// All rows from the first on.
    pub fn rows(&mut self) -> io::Result<impl Iterator<Item = io::Result<SpooledRow>> + '_> {
        self.writer.flush()?;
        let mut file = self.writer.get_ref();
        file.rewind()?;
        let mut reader = BufReader::new(file);
        Ok(std::iter::from_fn(move || read_row(&mut reader).transpose()))
    }
}

fn read_row(reader: &mut impl Read) -> io::Result<Option<SpooledRow>> {
    let mut kind = [0];
    if reader.read(&mut kind)? == 0 {
        return Ok(None);
    }
    let kind = RowKind::ALL.get(usize::from(kind[0])).ok_or(io::ErrorKind::InvalidData)?;
    let (mut file, mut line) = ([0; 4], [0; 8]);
    reader.read_exact(&mut file)?;
    reader.read_exact(&mut line)?;
    let repaired = String::from_utf8(read_bytes(reader)?).map_err(io::Error::other)?;
    let bytes = read_bytes(reader)?;
    let (file, line) = (u32::from_be_bytes(file), u64::from_be_bytes(line));
    Ok(Some(SpooledRow { kind: *kind, file, line, repaired, bytes }))
}

fn read_bytes(reader: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut length = [0; 4];
    reader.read_exact(&mut length)?;
    let mut bytes = vec![0; u32::from_be_bytes(length) as usize];
    reader.read_exact(&mut bytes)?;
    Ok(bytes)
}

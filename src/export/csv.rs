//! Encoder of CSV (RFC 4180): a header, then one line per row.

use super::cell::Cell;
use super::columns::FlatColumn;
use super::{Encoder, ExportError, ExportRow, Sink};
use crate::wire::csv::end_cell;

/// Encodes rows as lines of CSV.
pub struct Csv {
    columns: Vec<FlatColumn>,
}

impl Csv {
    /// With these columns.
    pub fn new(columns: Vec<FlatColumn>) -> Self {
        Self { columns }
    }

    /// The line with the columns' names.
    pub fn header(&self) -> Vec<u8> {
        let mut line = Vec::new();
        for (place, column) in self.columns.iter().enumerate() {
            line.extend((place > 0).then_some(b','));
            let start = line.len();
            line.extend_from_slice(column.name().as_bytes());
            end_cell(&mut line, start);
        }
        line.extend_from_slice(b"\r\n");
        line
    }

    /// Writes these rows, after the header.
    pub fn write<'r>(
        &self,
        rows: impl IntoIterator<Item = ExportRow<'r>>,
        out: Sink<'_>,
    ) -> Result<(), ExportError> {
        let mut lines = self.header();
        for row in rows {
            self.row(&row, &mut lines);
            out.write_all(&lines)?;
            lines.clear();
        }
        Ok(out.write_all(&lines)?)
    }
}

impl Encoder for Csv {
    type Part = Vec<u8>;

    fn row(&self, row: &ExportRow<'_>, part: &mut Vec<u8>) {
        for (place, column) in self.columns.iter().enumerate() {
            if place > 0 {
                part.push(b',');
            }
            let start = part.len();
            let cell = column.cell(row);
            cell.push_text(part);
            if needs_care(&cell) {
                end_cell(part, start);
            }
        }
        part.extend_from_slice(b"\r\n");
    }
}

/// Whether the cell could be a formula, or have to be quoted.
fn needs_care(cell: &Cell<'_>) -> bool {
    match cell {
        Cell::Text(_) | Cell::Tags(_) => true,
        Cell::Time(time) => !time.has_rfc3339(),
        _ => false,
    }
}

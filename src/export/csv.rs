//! CSV writer (RFC 4180): a header, then one line per row.

use super::columns::FlatColumn;
use super::{ExportError, RowWriter, Sink};
use crate::export::ExportRow;
use crate::wire::csv::{escape_formula, write_error};

/// Writes rows as CSV.
pub struct Csv<'w> {
    columns: Vec<FlatColumn>,
    writer: csv::Writer<Sink<'w>>,
}

impl<'w> Csv<'w> {
    /// Begins with the columns' names.
    pub fn begin(columns: Vec<FlatColumn>, out: Sink<'w>) -> Result<Self, ExportError> {
        let mut writer =
            csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(out);
        writer.write_record(columns.iter().map(FlatColumn::name)).map_err(failed)?;
        Ok(Self { columns, writer })
    }
}

impl RowWriter for Csv<'_> {
    fn row(&mut self, row: &ExportRow) -> Result<(), ExportError> {
        let row = row.as_object()?;
        for column in &self.columns {
            let cell = column.text(&row).map(escape_formula).unwrap_or_default();
            self.writer.write_field(cell.as_bytes()).map_err(failed)?;
        }
        self.writer.write_record(None::<&[u8]>).map_err(failed)
    }

    fn finish(mut self: Box<Self>) -> Result<(), ExportError> {
        Ok(self.writer.flush()?)
    }
}

fn failed(error: csv::Error) -> ExportError {
    ExportError::Write(write_error(error))
}

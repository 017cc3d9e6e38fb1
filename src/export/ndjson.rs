//! NDJSON writer: one JSON object per line.

use super::{ExportError, ExportRow, RowWriter, Sink};

/// Writes rows as NDJSON.
pub struct Ndjson<'w>(pub Sink<'w>);

impl RowWriter for Ndjson<'_> {
    fn row(&mut self, row: &ExportRow) -> Result<(), ExportError> {
        // serde_json's error hides the closed pipe inside it.
        serde_json::to_writer(&mut self.0, row).map_err(std::io::Error::from)?;
        Ok(self.0.write_all(b"\n")?)
    }

    fn finish(self: Box<Self>) -> Result<(), ExportError> {
        Ok(self.0.flush()?)
    }
}

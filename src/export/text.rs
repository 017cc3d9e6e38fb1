//! Writer of the formats that are text: their parts are their bytes.

use super::{ExportError, PartWriter, Sink};

/// Writes texts one after the other.
pub struct Text<'w>(pub Sink<'w>);

impl PartWriter for Text<'_> {
    type Part = Vec<u8>;

    fn write(&mut self, part: &mut Vec<u8>) -> Result<(), ExportError> {
        self.0.write_all(part)?;
        part.clear();
        Ok(())
    }

    fn finish(self) -> Result<(), ExportError> {
        Ok(self.0.flush()?)
    }
}

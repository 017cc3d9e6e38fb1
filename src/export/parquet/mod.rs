//! Encoder and writer of Parquet, compressed with snappy.

mod buffer;
mod schema;
mod tags;
mod texts;

use std::sync::Arc;

use parquet::basic::Compression;
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;

use self::buffer::Rows;
use super::columns::Column;
use super::{Encoder, ExportError, ExportRow, PartWriter, Sink};

/// How many rows one row group has at most; readers skip and parallelise by row group.
const GROUP_ROWS: usize = 20_000;

/// How much text a row group gathers before it is written, which bounds the memory of an export.
const GROUP_BYTES: usize = 16 << 20;

/// Encodes rows as columns.
pub struct Columns(pub &'static [Column]);

impl Encoder for Columns {
    type Part = Rows;

    fn row(&self, row: &ExportRow<'_>, part: &mut Rows) {
        part.push(self.0, |column| column.cell(row));
    }
}

/// Writes columns as Parquet.
pub struct Parquet<'w> {
    writer: SerializedFileWriter<Sink<'w>>,
    /// The row group in the making, and its bytes of text.
    group: Rows,
    bytes: usize,
}

impl<'w> Parquet<'w> {
    /// Begins a file with these columns.
    pub fn begin(Columns(columns): &Columns, out: Sink<'w>) -> Result<Self, ExportError> {
        let properties = WriterProperties::builder()
            .set_compression(Compression::SNAPPY)
            .set_created_by("delivery-ledger".to_owned())
            .build();
        let schema = schema::schema(columns).map_err(failed)?;
        let writer = SerializedFileWriter::new(out, schema, Arc::new(properties));
        Ok(Self { writer: writer.map_err(failed)?, group: Rows::default(), bytes: 0 })
    }

    fn write_group(&mut self) -> Result<(), ExportError> {
        let mut group = self.writer.next_row_group().map_err(failed)?;
        self.group.write(&mut group).map_err(failed)?;
        group.close().map_err(failed)?;
        self.bytes = 0;
        Ok(())
    }
}

impl PartWriter for Parquet<'_> {
    type Part = Rows;

    fn write(&mut self, part: &mut Rows) -> Result<(), ExportError> {
        let mut from = 0;
        for row in 0..part.bytes.len() {
            self.bytes += part.bytes[row];
            let rows = self.group.bytes.len() + row + 1 - from;
            if rows >= GROUP_ROWS || self.bytes >= GROUP_BYTES {
                self.group.append(part, from..row + 1);
                self.write_group()?;
                from = row + 1;
            }
        }
        self.group.append(part, from..part.bytes.len());
        part.clear();
        Ok(())
    }

    fn finish(mut self) -> Result<(), ExportError> {
        if !self.group.bytes.is_empty() {
            self.write_group()?;
        }
        self.writer.finish().map_err(failed)?;
        Ok(self.writer.inner_mut().flush()?)
    }
}

fn failed(error: ParquetError) -> ExportError {
    match error {
        ParquetError::External(error) => match error.downcast::<std::io::Error>() {
            Ok(error) => ExportError::Write(*error),
            Err(error) => ExportError::Write(std::io::Error::other(error)),
        },
        other => ExportError::Write(std::io::Error::other(other)),
    }
}

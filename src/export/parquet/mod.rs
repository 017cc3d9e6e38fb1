//! Parquet writer: flat apart from the tags, every column optional, compressed with snappy.

mod tags;

use std::sync::Arc;

use parquet::basic::{
    Compression, ConvertedType, LogicalType, Repetition, TimeUnit, Type as Physical,
};
use parquet::column::writer::ColumnWriter;
use parquet::data_type::ByteArray;
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::types::Type;
use serde_json::{Map, Value};

use self::tags::TagsBuffer;
use super::columns::{Column, ColumnKind};
use super::{ExportError, ExportRow, RowWriter, Sink};
use crate::domain::price::{Amount, DECIMALS};
use crate::domain::{Status, Timestamp};

/// How many rows one row group has at most; readers skip and parallelise by row group.
const GROUP_ROWS: usize = 20_000;

/// How much text a row group gathers before it is written, which bounds the memory of an export.
const GROUP_BYTES: usize = 16 << 20;

/// The digits of an amount: as many as a DECIMAL of 8 bytes may have.
const AMOUNT_DIGITS: i32 = 18;

/// The first amount with more digits, in billionths: a billion.
const AMOUNT_MAX: u64 = 10_u64.pow(AMOUNT_DIGITS as u32);

/// Writes rows as Parquet.
pub struct Parquet<'w> {
    writer: SerializedFileWriter<Sink<'w>>,
    columns: Vec<Buffer>,
    rows: usize,
    bytes: usize,
}

/// The values of a column, or of the tags, of the row group in the making.
enum Buffer {
    Flat(Box<ColumnBuffer>),
    Tags(TagsBuffer),
}

/// One column's values of the row group in the making.
struct ColumnBuffer {
    name: String,
    /// The field of a row, and the member in it where the column is one of several.
    field: Column,
    member: Option<&'static str>,
    values: Values,
    /// 1 where a row has a value, 0 where it has none.
    present: Vec<i16>,
}

enum Values {
    Text(Vec<ByteArray>),
    Integer(Vec<i64>),
    Boolean(Vec<bool>),
    /// In billionths.
    Amount(Vec<i64>),
    Time(Vec<i64>),
}

impl<'w> Parquet<'w> {
    /// Begins a file with these columns.
    pub fn begin(columns: &'static [Column], out: Sink<'w>) -> Result<Self, ExportError> {
        let columns: Vec<_> = columns.iter().flat_map(buffers).collect();
        let fields = columns.iter().map(Buffer::schema).collect::<Result<Vec<_>, _>>();
        let schema = Type::group_type_builder("row").with_fields(fields.map_err(failed)?).build();
        let properties = WriterProperties::builder()
            .set_compression(Compression::SNAPPY)
            .set_created_by("delivery-ledger".to_owned())
            .build();
        let schema = Arc::new(schema.map_err(failed)?);
        let writer = SerializedFileWriter::new(out, schema, Arc::new(properties));
        Ok(Self { writer: writer.map_err(failed)?, columns, rows: 0, bytes: 0 })
    }

    fn write_group(&mut self) -> Result<(), ParquetError> {
        let mut group = self.writer.next_row_group()?;
        for column in &mut self.columns {
            column.write(&mut group)?;
        }
        group.close()?;
        (self.rows, self.bytes) = (0, 0);
        Ok(())
    }
}

impl RowWriter for Parquet<'_> {
    fn row(&mut self, row: &ExportRow) -> Result<(), ExportError> {
        let row = row.as_object()?;
        self.bytes += self.columns.iter_mut().map(|column| column.take(&row)).sum::<usize>();
        self.rows += 1;
        match self.rows >= GROUP_ROWS || self.bytes >= GROUP_BYTES {
            true => self.write_group().map_err(failed),
            false => Ok(()),
        }
    }

    fn finish(mut self: Box<Self>) -> Result<(), ExportError> {
        if self.rows > 0 {
            self.write_group().map_err(failed)?;
        }
        self.writer.finish().map_err(failed)?;
        Ok(self.writer.inner_mut().flush()?)
    }
}

fn buffers(column: &Column) -> Vec<Buffer> {
    let one = |name: String, member, kind| ColumnBuffer {
        name,
        field: *column,
        member,
        values: match kind {
            ColumnKind::Integer => Values::Integer(Vec::new()),
            ColumnKind::Boolean => Values::Boolean(Vec::new()),
            ColumnKind::Decimal => Values::Amount(Vec::new()),
            ColumnKind::Time | ColumnKind::Times(_) => Values::Time(Vec::new()),
            ColumnKind::Text | ColumnKind::List | ColumnKind::Json | ColumnKind::Tags => {
                Values::Text(Vec::new())
            }
        },
        present: Vec::new(),
    };
    let one = |name, member, kind| Buffer::Flat(Box::new(one(name, member, kind)));
    match column.kind {
        ColumnKind::Times(end) => {
            let names = Status::ALL.map(Status::name);
            names.map(|name| one(format!("{name}{end}"), Some(name), ColumnKind::Time)).into()
        }
        ColumnKind::Tags => vec![Buffer::Tags(TagsBuffer::new(column.name))],
        kind => vec![one(column.name.to_owned(), None, kind)],
    }
}

impl Buffer {
    fn schema(&self) -> Result<Arc<Type>, ParquetError> {
        match self {
            Buffer::Flat(column) => column.schema(),
            Buffer::Tags(tags) => tags.schema(),
        }
    }

    /// Takes in a row; returns how many bytes of text that were.
    fn take(&mut self, row: &Map<String, Value>) -> usize {
        match self {
            Buffer::Flat(column) => column.take(row),
            Buffer::Tags(tags) => tags.take(row),
        }
    }

    fn write(
        &mut self,
        group: &mut SerializedRowGroupWriter<'_, Sink<'_>>,
    ) -> Result<(), ParquetError> {
        let column = match self {
            Buffer::Flat(column) => column,
            Buffer::Tags(tags) => return tags.write(group),
        };
        let mut writer = group.next_column()?.ok_or_else(|| {
            ParquetError::General(format!("there is no column {} to write", column.name))
        })?;
        column.write(writer.untyped())?;
        writer.close()
    }
}

impl ColumnBuffer {
    fn schema(&self) -> Result<Arc<Type>, ParquetError> {
        let (precision, scale) = match self.values {
            Values::Amount(_) => (AMOUNT_DIGITS, DECIMALS as i32),
            _ => (-1, -1),
        };
        let (physical, logical) = match self.values {
            Values::Text(_) => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
            Values::Integer(_) => (Physical::INT64, None),
            Values::Boolean(_) => (Physical::BOOLEAN, None),
            Values::Amount(_) => (Physical::INT64, Some(LogicalType::decimal(scale, precision))),
            Values::Time(_) => {
                (Physical::INT64, Some(LogicalType::timestamp(true, TimeUnit::MICROS)))
            }
        };
        Type::primitive_type_builder(&self.name, physical)
            .with_repetition(Repetition::OPTIONAL)
            .with_logical_type(logical)
            .with_converted_type(ConvertedType::NONE)
            .with_precision(precision)
            .with_scale(scale)
            .build()
            .map(Arc::new)
    }

    fn take(&mut self, row: &Map<String, Value>) -> usize {
        let value = match self.member {
            Some(member) => row.get(self.field.name).and_then(|members| members.get(member)),
            None => row.get(self.field.name),
        };
        let (mut bytes, mut present) = (0, true);
        match (&mut self.values, value) {
            (_, None | Some(Value::Null)) => present = false,
            (Values::Text(values), Some(_)) => {
                let text = self.field.text(row).unwrap_or_default();
                bytes = text.len();
                values.push(ByteArray::from(text.as_bytes().to_vec()));
            }
            (Values::Boolean(values), Some(value)) => values.push(value == true),
            (Values::Integer(values), Some(value)) => match value.as_i64() {
                Some(number) => values.push(number),
                None => present = false,
            },
            (Values::Amount(values), Some(value)) => {
                match value.as_str().and_then(Amount::parse).map(Amount::billionths) {
                    Some(amount) if amount.unsigned_abs() < AMOUNT_MAX => values.push(amount),
                    // A price that nobody pays; the JSON shows it as it is.
                    _ => present = false,
                }
            }
            (Values::Time(values), Some(value)) => {
                match value.as_str().and_then(Timestamp::parse) {
                    Some(time) => values.push(time.micros()),
                    // A moment that no calendar has; the JSON shows it as it is.
                    None => present = false,
                }
            }
        }
        self.present.push(i16::from(present));
        bytes
    }

    fn write(&mut self, writer: &mut ColumnWriter<'_>) -> Result<(), ParquetError> {
        let present = Some(&self.present[..]);
        match (&mut self.values, writer) {
            (Values::Text(values), ColumnWriter::ByteArrayColumnWriter(writer)) => {
                writer.write_batch(values, present, None)?;
                values.clear();
            }
            (Values::Boolean(values), ColumnWriter::BoolColumnWriter(writer)) => {
                writer.write_batch(values, present, None)?;
                values.clear();
            }
            (
                Values::Integer(values) | Values::Amount(values) | Values::Time(values),
                ColumnWriter::Int64ColumnWriter(writer),
            ) => {
                writer.write_batch(values, present, None)?;
                values.clear();
            }
            _ => return Err(ParquetError::General(format!("{} is of another type", self.name))),
        }
        self.present.clear();
        Ok(())
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

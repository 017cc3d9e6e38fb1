//! The values of the columns of some rows, on their way into a row group.

use std::ops::Range;

use parquet::column::writer::ColumnWriter;
use parquet::errors::ParquetError;
use parquet::file::writer::SerializedRowGroupWriter;

use super::tags::TagsBuffer;
use super::texts::{Texts, missing};
use crate::domain::Status;
use crate::domain::price::Amount;
use crate::export::Sink;
use crate::export::cell::{Cell, each_time};
use crate::export::columns::{Column, ColumnKind};

/// The digits of an amount: as many as a DECIMAL of 8 bytes may have.
pub const AMOUNT_DIGITS: i32 = 18;

/// The first amount with more digits, in billionths: a billion.
const AMOUNT_MAX: u64 = 10_u64.pow(AMOUNT_DIGITS as u32);

/// Rows as columns.
#[derive(Default)]
pub struct Rows {
    buffers: Vec<Buffer>,
    /// The bytes of text of each row.
    pub bytes: Vec<usize>,
}

/// The values of a column, of one for each status, or of the tags.
enum Buffer {
    Flat(FlatBuffer),
    Times(Vec<FlatBuffer>),
    Tags(TagsBuffer),
}

/// The values of one column.
struct FlatBuffer {
    values: Values,
    /// 1 where a row has a value, 0 where it has none.
    present: Vec<i16>,
}

enum Values {
    Text(Texts),
    Integer(Vec<i64>),
    Boolean(Vec<bool>),
    /// In billionths.
    Amount(Vec<i64>),
    /// In microseconds.
    Time(Vec<i64>),
}

impl Rows {
    /// Adds a row of these columns.
    pub fn push<'r>(&mut self, columns: &[Column], cell: impl Fn(&Column) -> Cell<'r>) {
        if self.buffers.is_empty() {
            self.buffers = columns.iter().map(|column| Buffer::new(column.kind)).collect();
        }
        let mut bytes = 0;
        for (column, to) in columns.iter().zip(&mut self.buffers) {
            bytes += to.push(&cell(column));
        }
        self.bytes.push(bytes);
    }

    /// Adds some of other rows.
    pub fn append(&mut self, from: &Self, rows: Range<usize>) {
        if self.buffers.is_empty() {
            self.buffers = from.buffers.iter().map(Buffer::like).collect();
        }
        self.bytes.extend_from_slice(&from.bytes[rows.clone()]);
        for (to, from) in self.buffers.iter_mut().zip(&from.buffers) {
            to.append(from, rows.clone());
        }
    }

    /// Writes the rows as a row group, and forgets them.
    pub fn write(
        &mut self,
        group: &mut SerializedRowGroupWriter<'_, Sink<'_>>,
    ) -> Result<(), ParquetError> {
        self.buffers.iter_mut().try_for_each(|buffer| buffer.write(group))?;
        self.bytes.clear();
        Ok(())
    }

    /// Forgets the rows, but keeps their memory.
    pub fn clear(&mut self) {
        self.buffers.iter_mut().for_each(Buffer::clear);
        self.bytes.clear();
    }
}

impl Buffer {
    fn new(kind: ColumnKind) -> Self {
        let values = match kind {
            ColumnKind::Integer => Values::Integer(Vec::new()),
            ColumnKind::Boolean => Values::Boolean(Vec::new()),
            ColumnKind::Decimal => Values::Amount(Vec::new()),
            ColumnKind::Time => Values::Time(Vec::new()),
            ColumnKind::Text | ColumnKind::List | ColumnKind::Json => {
                Values::Text(Texts::default())
            }
            ColumnKind::Times(_) => {
                let time = |_| FlatBuffer::new(Values::Time(Vec::new()));
                return Buffer::Times(Status::ALL.map(time).into());
            }
            ColumnKind::Tags => return Buffer::Tags(TagsBuffer::default()),
        };
        Buffer::Flat(FlatBuffer::new(values))
    }

    /// An empty one for the same column.
    fn like(&self) -> Self {
        match self {
            Buffer::Flat(buffer) => Buffer::Flat(buffer.like()),
            Buffer::Times(buffers) => Buffer::Times(buffers.iter().map(FlatBuffer::like).collect()),
            Buffer::Tags(_) => Buffer::Tags(TagsBuffer::default()),
        }
    }

    /// Adds a row; returns how many bytes of text that were.
    fn push(&mut self, cell: &Cell<'_>) -> usize {
        match (self, cell) {
            (Buffer::Flat(buffer), cell) => buffer.push(cell),
            (Buffer::Tags(tags), cell) => tags.push(cell),
            (Buffer::Times(buffers), cell) => {
                let times = if let Cell::Times(times) = cell { *times } else { None };
                let mut times = each_time(times).peekable();
                for (buffer, status) in buffers.iter_mut().zip(Status::ALL) {
                    let at = times.next_if(|(of, _)| *of == status).map(|(_, at)| at);
                    buffer.push(&Cell::time(at));
                }
                0
            }
        }
    }

    fn append(&mut self, from: &Self, rows: Range<usize>) {
        match (self, from) {
            (Buffer::Flat(to), Buffer::Flat(from)) => to.append(from, rows),
            (Buffer::Tags(to), Buffer::Tags(from)) => to.append(from, rows),
            (Buffer::Times(to), Buffer::Times(from)) => {
                to.iter_mut().zip(from).for_each(|(to, from)| to.append(from, rows.clone()));
            }
            _ => unreachable!("rows have the same columns"),
        }
    }

    fn write(
        &mut self,
        group: &mut SerializedRowGroupWriter<'_, Sink<'_>>,
    ) -> Result<(), ParquetError> {
        match self {
            Buffer::Flat(buffer) => buffer.write(group),
            Buffer::Times(buffers) => buffers.iter_mut().try_for_each(|buffer| buffer.write(group)),
            Buffer::Tags(tags) => tags.write(group),
        }
    }

    fn clear(&mut self) {
        match self {
            Buffer::Flat(buffer) => buffer.clear(),
            Buffer::Times(buffers) => buffers.iter_mut().for_each(FlatBuffer::clear),
            Buffer::Tags(tags) => tags.clear(),
        }
    }
}

impl FlatBuffer {
    fn new(values: Values) -> Self {
        Self { values, present: Vec::new() }
    }

    fn like(&self) -> Self {
        Self::new(match self.values {
            Values::Text(_) => Values::Text(Texts::default()),
            Values::Integer(_) => Values::Integer(Vec::new()),
            Values::Boolean(_) => Values::Boolean(Vec::new()),
            Values::Amount(_) => Values::Amount(Vec::new()),
            Values::Time(_) => Values::Time(Vec::new()),
        })
    }

    fn push(&mut self, cell: &Cell<'_>) -> usize {
        let (mut bytes, mut present) = (0, true);
        match (&mut self.values, cell) {
            (_, Cell::Empty) => present = false,
            (Values::Text(texts), cell) => bytes = texts.push(|text| cell.push_text(text)),
            (Values::Boolean(values), Cell::Boolean(value)) => values.push(*value),
            (Values::Integer(values), Cell::Integer(number)) => match i64::try_from(*number) {
                Ok(number) => values.push(number),
                Err(_) => present = false,
            },
            (Values::Amount(values), Cell::Amount(amount)) if has_digits(*amount) => {
                values.push(amount.billionths());
            }
            (Values::Time(values), cell) => match cell.as_time() {
                Some(time) => values.push(time.micros()),
                // A moment that no calendar has; the JSON shows it as it is.
                None => present = false,
            },
            // Such as a price that nobody pays; the JSON shows it as it is.
            _ => present = false,
        }
        self.present.push(i16::from(present));
        bytes
    }

    fn append(&mut self, from: &Self, rows: Range<usize>) {
        let count = |present: &[i16]| present.iter().filter(|present| **present == 1).count();
        let present = &from.present[rows.clone()];
        let first = count(&from.present[..rows.start]);
        let values = first..first + count(present);
        self.present.extend_from_slice(present);
        match (&mut self.values, &from.values) {
            (Values::Text(to), Values::Text(from)) => to.append(from, values),
            (Values::Boolean(to), Values::Boolean(from)) => to.extend_from_slice(&from[values]),
            (Values::Integer(to), Values::Integer(from))
            | (Values::Amount(to), Values::Amount(from))
            | (Values::Time(to), Values::Time(from)) => to.extend_from_slice(&from[values]),
            _ => unreachable!("rows have the same columns"),
        }
    }

    fn write(
        &mut self,
        group: &mut SerializedRowGroupWriter<'_, Sink<'_>>,
    ) -> Result<(), ParquetError> {
        let mut writer = group.next_column()?.ok_or_else(missing)?;
        let present = Some(&self.present[..]);
        match (&mut self.values, writer.untyped()) {
            (Values::Text(texts), ColumnWriter::ByteArrayColumnWriter(writer)) => {
                writer.write_batch(&texts.take(), present, None)?;
            }
            (Values::Boolean(values), ColumnWriter::BoolColumnWriter(writer)) => {
                writer.write_batch(values, present, None)?;
            }
            (
                Values::Integer(values) | Values::Amount(values) | Values::Time(values),
                ColumnWriter::Int64ColumnWriter(writer),
            ) => {
                writer.write_batch(values, present, None)?;
            }
            _ => return Err(missing()),
        }
        writer.close()?;
        self.clear();
        Ok(())
    }

    fn clear(&mut self) {
        match &mut self.values {
            Values::Text(texts) => texts.clear(),
            Values::Integer(values) | Values::Amount(values) | Values::Time(values) => {
                values.clear();
            }
            Values::Boolean(values) => values.clear(),
        }
        self.present.clear();
    }
}

/// Whether a DECIMAL has as many digits.
fn has_digits(amount: Amount) -> bool {
    amount.billionths().unsigned_abs() < AMOUNT_MAX
}

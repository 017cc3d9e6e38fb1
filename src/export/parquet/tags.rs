//! The column of tags in Parquet: a map from each name to the list of its values
//! (<https://github.com/apache/parquet-format/blob/master/LogicalTypes.md#maps>).

use std::ops::Range;
use std::sync::Arc;

use parquet::basic::{LogicalType, Repetition, Type as Physical};
use parquet::column::writer::ColumnWriter;
use parquet::errors::ParquetError;
use parquet::file::writer::SerializedRowGroupWriter;
use parquet::schema::types::Type;

use super::texts::{Texts, missing};
use crate::export::Sink;
use crate::export::cell::Cell;

/// How deeply a row is defined: it has no map, an empty one, or a name. A name always has a value, which
/// is one level deeper.
const NO_MAP: i16 = 0;
const EMPTY_MAP: i16 = 1;
const A_NAME: i16 = 2;
const A_VALUE: i16 = 3;

/// What an entry continues: nothing, the map with another name, or the name with another value.
const NEW_ROW: i16 = 0;
const NEXT_NAME: i16 = 1;
const NEXT_VALUE: i16 = 2;

/// The tags of some rows.
#[derive(Default)]
pub struct TagsBuffer {
    names: Leaf,
    values: Leaf,
}

/// A column of texts, with how each entry is nested.
#[derive(Default)]
struct Leaf {
    texts: Texts,
    definition: Vec<i16>,
    repetition: Vec<i16>,
}

/// The type of the column with this name.
pub fn schema(column: &str) -> Result<Arc<Type>, ParquetError> {
    let text = |name| {
        Type::primitive_type_builder(name, Physical::BYTE_ARRAY)
            .with_repetition(Repetition::REQUIRED)
            .with_logical_type(Some(LogicalType::String))
            .build()
            .map(Arc::new)
    };
    let group = |name, repetition, logical: Option<LogicalType>, fields| {
        Type::group_type_builder(name)
            .with_repetition(repetition)
            .with_logical_type(logical)
            .with_fields(fields)
            .build()
            .map(Arc::new)
    };
    let list = group("list", Repetition::REPEATED, None, vec![text("element")?])?;
    let value = group("value", Repetition::REQUIRED, Some(LogicalType::List), vec![list])?;
    let entry = group("key_value", Repetition::REPEATED, None, vec![text("key")?, value])?;
    group(column, Repetition::OPTIONAL, Some(LogicalType::Map), vec![entry])
}

impl TagsBuffer {
    /// Adds a row; returns how many bytes of text that were.
    pub fn push(&mut self, cell: &Cell<'_>) -> usize {
        let tags = match cell {
            Cell::Tags(tags) if !tags.is_empty() => tags,
            empty => {
                let level = if let Cell::Tags(_) = empty { EMPTY_MAP } else { NO_MAP };
                self.names.push(None, level, NEW_ROW);
                self.values.push(None, level, NEW_ROW);
                return 0;
            }
        };
        let (mut bytes, mut continues) = (0, NEW_ROW);
        for pairs in tags.chunk_by(|(a, _), (b, _)| a == b) {
            bytes += self.names.push(Some(pairs[0].0), A_NAME, continues);
            for (_, value) in pairs {
                bytes += self.values.push(Some(value), A_VALUE, continues);
                continues = NEXT_VALUE;
            }
            continues = NEXT_NAME;
        }
        bytes
    }

    /// Adds some of other rows.
    pub fn append(&mut self, from: &Self, rows: Range<usize>) {
        self.names.append(&from.names, A_NAME, rows.clone());
        self.values.append(&from.values, A_VALUE, rows);
    }

    /// Writes the rows to the next columns of a row group, and forgets them.
    pub fn write(
        &mut self,
        group: &mut SerializedRowGroupWriter<'_, Sink<'_>>,
    ) -> Result<(), ParquetError> {
        for leaf in [&mut self.names, &mut self.values] {
            let mut writer = group.next_column()?.ok_or_else(missing)?;
            let ColumnWriter::ByteArrayColumnWriter(typed) = writer.untyped() else {
                return Err(missing());
            };
            let texts = leaf.texts.take();
            typed.write_batch(&texts, Some(&leaf.definition), Some(&leaf.repetition))?;
            writer.close()?;
        }
        self.clear();
        Ok(())
    }

    /// Forgets the rows.
    pub fn clear(&mut self) {
        for Leaf { texts, definition, repetition } in [&mut self.names, &mut self.values] {
            texts.clear();
            definition.clear();
            repetition.clear();
        }
    }
}

impl Leaf {
    fn push(&mut self, text: Option<&str>, definition: i16, repetition: i16) -> usize {
        self.definition.push(definition);
        self.repetition.push(repetition);
        let Some(text) = text else { return 0 };
        self.texts.push(|texts| texts.extend_from_slice(text.as_bytes()))
    }

    /// Adds some rows; entries with a text are defined as deeply as `with_text`.
    fn append(&mut self, from: &Self, with_text: i16, rows: Range<usize>) {
        let starts = from.repetition.iter().enumerate().filter(|(_, level)| **level == NEW_ROW);
        let mut starts = starts.map(|(entry, _)| entry).chain([from.repetition.len()]);
        let start = starts.nth(rows.start).unwrap_or_default();
        let end = match rows.len().checked_sub(1) {
            Some(further) => starts.nth(further).unwrap_or(start),
            None => start,
        };
        let texts = |entries: &[i16]| entries.iter().filter(|level| **level == with_text).count();
        let first = texts(&from.definition[..start]);
        let definition = &from.definition[start..end];
        self.texts.append(&from.texts, first..first + texts(definition));
        self.definition.extend_from_slice(definition);
        self.repetition.extend_from_slice(&from.repetition[start..end]);
    }
}

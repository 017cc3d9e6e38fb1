//! The column of tags in Parquet: a map from each name to the list of its values
//! (<https://github.com/apache/parquet-format/blob/master/LogicalTypes.md#maps>).

use std::sync::Arc;

use parquet::basic::{LogicalType, Repetition, Type as Physical};
use parquet::column::writer::ColumnWriter;
use parquet::data_type::ByteArray;
use parquet::errors::ParquetError;
use parquet::file::writer::SerializedRowGroupWriter;
use parquet::schema::types::Type;
use serde_json::{Map, Value};

use crate::export::Sink;

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

/// The tags of the row group in the making.
pub struct TagsBuffer {
    column: &'static str,
    names: Leaf,
    values: Leaf,
}

/// A column of texts, with how each entry is nested.
#[derive(Default)]
struct Leaf {
    texts: Vec<ByteArray>,
    definition: Vec<i16>,
    repetition: Vec<i16>,
}

impl TagsBuffer {
    /// No rows yet.
    pub fn new(column: &'static str) -> Self {
        Self { column, names: Leaf::default(), values: Leaf::default() }
    }

    /// The column's type.
    pub fn schema(&self) -> Result<Arc<Type>, ParquetError> {
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
        group(self.column, Repetition::OPTIONAL, Some(LogicalType::Map), vec![entry])
    }

    /// Takes in a row; returns how many bytes of text that were.
    pub fn take(&mut self, row: &Map<String, Value>) -> usize {
        let tags = match row.get(self.column).and_then(Value::as_object) {
            Some(tags) if !tags.is_empty() => tags,
            empty => {
                let level = if empty.is_some() { EMPTY_MAP } else { NO_MAP };
                self.names.push(None, level, NEW_ROW);
                self.values.push(None, level, NEW_ROW);
                return 0;
            }
        };
        let (mut bytes, mut continues) = (0, NEW_ROW);
        for (name, values) in tags {
            bytes += self.names.push(Some(name), A_NAME, continues);
            let values = values.as_array().into_iter().flatten().filter_map(Value::as_str);
            for value in values {
                bytes += self.values.push(Some(value), A_VALUE, continues);
                continues = NEXT_VALUE;
            }
            continues = NEXT_NAME;
        }
        bytes
    }

    /// Writes the rows to the next columns of a row group, and forgets them.
    pub fn write(
        &mut self,
        group: &mut SerializedRowGroupWriter<'_, Sink<'_>>,
    ) -> Result<(), ParquetError> {
        for leaf in [&mut self.names, &mut self.values] {
            let mut writer = group.next_column()?.ok_or_else(|| missing(self.column))?;
            let ColumnWriter::ByteArrayColumnWriter(typed) = writer.untyped() else {
                return Err(missing(self.column));
            };
            let Leaf { texts, definition, repetition } = std::mem::take(leaf);
            typed.write_batch(&texts, Some(&definition), Some(&repetition))?;
            writer.close()?;
        }
        Ok(())
    }
}

impl Leaf {
    fn push(&mut self, text: Option<&str>, definition: i16, repetition: i16) -> usize {
        self.texts.extend(text.map(|text| ByteArray::from(text.as_bytes().to_vec())));
        self.definition.push(definition);
        self.repetition.push(repetition);
        text.map_or(0, str::len)
    }
}

fn missing(column: &str) -> ParquetError {
    ParquetError::General(format!("there is no column {column} to write"))
}

//! The schema: flat apart from the tags, every column optional.

use std::sync::Arc;

use parquet::basic::{ConvertedType, LogicalType, Repetition, TimeUnit, Type as Physical};
use parquet::errors::ParquetError;
use parquet::schema::types::Type;

use super::buffer::AMOUNT_DIGITS;
use super::tags;
use crate::domain::Status;
use crate::domain::price::DECIMALS;
use crate::export::columns::{Column, ColumnKind};

/// The schema of rows with these columns.
pub fn schema(columns: &[Column]) -> Result<Arc<Type>, ParquetError> {
    let mut all = Vec::new();
    for column in columns {
        match column.kind {
            ColumnKind::Times(end) => {
                for status in Status::ALL {
                    all.push(field(&format!("{}{end}", status.name()), ColumnKind::Time)?);
                }
            }
            ColumnKind::Tags => all.push(tags::schema(column.name)?),
            kind => all.push(field(column.name, kind)?),
        }
    }
    Type::group_type_builder("row").with_fields(all).build().map(Arc::new)
}

fn field(name: &str, kind: ColumnKind) -> Result<Arc<Type>, ParquetError> {
    let (precision, scale) = match kind {
        ColumnKind::Decimal => (AMOUNT_DIGITS, DECIMALS as i32),
        _ => (-1, -1),
    };
    let (physical, logical) = match kind {
        ColumnKind::Integer => (Physical::INT64, None),
        ColumnKind::Boolean => (Physical::BOOLEAN, None),
        ColumnKind::Decimal => (Physical::INT64, Some(LogicalType::decimal(scale, precision))),
        ColumnKind::Time | ColumnKind::Times(_) => {
            (Physical::INT64, Some(LogicalType::timestamp(true, TimeUnit::MICROS)))
        }
        ColumnKind::Text | ColumnKind::List | ColumnKind::Json | ColumnKind::Tags => {
            (Physical::BYTE_ARRAY, Some(LogicalType::String))
        }
    };
    Type::primitive_type_builder(name, physical)
        .with_repetition(Repetition::OPTIONAL)
        .with_logical_type(logical)
        .with_converted_type(ConvertedType::NONE)
        .with_precision(precision)
        .with_scale(scale)
        .build()
        .map(Arc::new)
}

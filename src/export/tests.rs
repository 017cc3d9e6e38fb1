//! What every format has to agree on.

use std::borrow::Cow;

use proptest::prelude::*;
use serde_json::Value;

use super::columns::{ColumnKind, FlatColumn};
use super::csv::Csv;
use super::message_columns::MESSAGES;
use super::ndjson::Ndjson;
use super::{Encoder, ExportRow};
use crate::domain::any_lifecycle::any_lifecycle;
use crate::domain::message::message_ref::WholeMessage;
use crate::domain::{AccountSid, ErrorCodes, Lifecycle, MessageKey, MessageSid};
use crate::wire::csv::escape_formula;
use crate::wire::mask::{self, MaskedTexts};
use crate::wire::{self, MessageRow};

const AS_OF_POSITION: u64 = 42;

fn any_key() -> impl Strategy<Value = MessageKey> {
    ("\\PC{1,40}", "\\PC{0,40}").prop_map(|(message_sid, account_sid)| MessageKey {
        account_sid: AccountSid::parse(&account_sid),
        message_sid: MessageSid::parse(&message_sid).unwrap(),
    })
}

/// The JSON of a message, as the API returns it without its timeline.
fn json(key: &MessageKey, lifecycle: &Lifecycle, masked: bool) -> String {
    let message = wire::Message::new(key, lifecycle, AS_OF_POSITION, &ErrorCodes::default());
    let message = if masked { mask::message(message) } else { message };
    serde_json::to_string(&message).unwrap()
}

/// The line that an encoder makes of a message.
fn line(
    encoder: &impl Encoder<Part = Vec<u8>>,
    key: &MessageKey,
    lifecycle: &Lifecycle,
    masked: bool,
) -> String {
    let (whole, codes) = (WholeMessage::new(key, lifecycle), ErrorCodes::default());
    let row = MessageRow::new(&whole, AS_OF_POSITION, &codes);
    let texts = MaskedTexts::new(&row.texts);
    let row = if masked { row.with_texts(texts.texts()) } else { row };
    let mut part = Vec::new();
    encoder.row(&ExportRow::Message(&row), &mut part);
    String::from_utf8(part).unwrap()
}

/// The text of a value in a column of CSV.
fn text(kind: ColumnKind, value: &Value) -> String {
    let plain = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    match (kind, value) {
        (_, Value::Null) => String::new(),
        (ColumnKind::Tags, value) => value.to_string(),
        (_, Value::Array(members)) => members.iter().map(plain).collect::<Vec<_>>().join(" "),
        (_, Value::Object(pairs)) => {
            let pairs = pairs.iter().map(|(name, value)| format!("{name}={}", plain(value)));
            pairs.collect::<Vec<_>>().join(" ")
        }
        (_, value) => plain(value),
    }
}

proptest! {
    #[test]
    fn a_line_of_ndjson_is_the_json_of_the_api(
        key in any_key(),
        lifecycle in any_lifecycle(),
        masked in any::<bool>(),
    ) {
        let line = line(&Ndjson::new(MESSAGES), &key, &lifecycle, masked);
        prop_assert_eq!(line, json(&key, &lifecycle, masked) + "\n");
    }

    #[test]
    fn a_row_of_csv_has_the_values_of_the_json(key in any_key(), lifecycle in any_lifecycle()) {
        let tag = lifecycle.evidence.tags.iter().next().map(|(name, _)| name.to_owned());
        let columns = FlatColumn::all(MESSAGES, tag.as_slice());
        let object: Value = serde_json::from_str(&json(&key, &lifecycle, false)).unwrap();
        let expected: Vec<_> = columns
            .iter()
            .map(|column| match column {
                FlatColumn::Field(column) => text(column.kind, &object[column.name]),
                FlatColumn::StatusTime(status) => {
                    text(ColumnKind::Time, &object["status_times"][status.name()])
                }
                FlatColumn::Tag(name, _) => text(ColumnKind::List, &object["tags"][name]),
            })
            .map(|cell| escape_formula(Cow::Owned(cell)).into_owned())
            .collect();

        let line = line(&Csv::new(columns), &key, &lifecycle, false);
        let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(line.as_bytes());
        let row = reader.records().next().unwrap().unwrap();

        prop_assert_eq!(row.iter().collect::<Vec<_>>(), expected);
    }
}

/// Row groups end after the same rows, whatever the size of the pages that were read.
#[cfg(feature = "parquet")]
#[test]
fn the_bytes_of_parquet_do_not_depend_on_the_size_of_parts() {
    use super::PartWriter;
    use super::parquet::{Columns, Parquet};

    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;

    const ROWS: u64 = 20_500;
    let mut runner = TestRunner::deterministic();
    let mut any = || any_lifecycle().new_tree(&mut runner).unwrap().current();
    let lifecycles: Vec<_> = (0..10).map(|_| any()).collect();
    let key = MessageKey { account_sid: None, message_sid: MessageSid::parse("SM1").unwrap() };
    let whole: Vec<_> = lifecycles.iter().map(|one| WholeMessage::new(&key, one)).collect();
    let codes = ErrorCodes::default();
    let written = |part_rows: u64| {
        let (mut out, encoder) = (Vec::new(), Columns(MESSAGES));
        let mut writer = Parquet::begin(&encoder, &mut out).unwrap();
        let mut part = Default::default();
        for position in 0..ROWS {
            let row = MessageRow::new(&whole[position as usize % 10], position, &codes);
            encoder.row(&ExportRow::Message(&row), &mut part);
            if position % part_rows == part_rows - 1 {
                writer.write(&mut part).unwrap();
            }
        }
        writer.write(&mut part).unwrap();
        writer.finish().unwrap();
        out
    };

    let of_one_part = written(ROWS);

    assert_eq!(&of_one_part[..4], b"PAR1");
    assert!(written(700) == of_one_part, "the bytes differ");
}

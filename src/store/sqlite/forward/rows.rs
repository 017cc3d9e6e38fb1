//! The rows of targets, unaccepted events and answers, as they are read.

use rusqlite::Row;
use rusqlite::types::Type;
use uuid::Uuid;

use crate::domain::Timestamp;
use crate::store::forward::{Answer, AnswerCount, ReadTo, TargetState, UnacceptedEvent};

/// The columns of a target, as [`target`] reads them.
macro_rules! select_target {
    ($rest:literal) => {
        concat!(
            "SELECT name, ledger_id, position, event_id, version, failing_since, answered_at, \
             answer, accepted \
             FROM targets ",
            $rest
        )
    };
}

/// The columns of an unaccepted event, as [`unaccepted`] reads them.
macro_rules! select_unaccepted {
    ($rest:literal) => {
        concat!(
            "SELECT position, order_key, attempts, first_attempt_at, due_at, answered_at, answer, \
             failed_at \
             FROM unaccepted ",
            $rest
        )
    };
}

pub(super) use {select_target, select_unaccepted};

pub fn target(row: &Row<'_>) -> rusqlite::Result<TargetState> {
    let event_id: Option<Vec<u8>> = row.get(3)?;
    Ok(TargetState {
        name: row.get(0)?,
        ledger_id: uuid(1, &row.get::<_, Vec<u8>>(1)?)?,
        read_to: ReadTo {
            position: row.get(2)?,
            event_id: event_id.map(|id| uuid(3, &id)).transpose()?,
        },
        version: row.get(4)?,
        failing_since: time(row, 5)?,
        last_answer: answer(row, 6)?,
        accepted: row.get(8)?,
    })
}

pub fn unaccepted(row: &Row<'_>) -> rusqlite::Result<UnacceptedEvent> {
    Ok(UnacceptedEvent {
        position: row.get(0)?,
        order_key: row.get(1)?,
        attempts: row.get(2)?,
        first_attempt_at: time(row, 3)?,
        due_at: Timestamp::from_micros(row.get(4)?),
        last_answer: answer(row, 5)?,
        failed_at: time(row, 7)?,
    })
}

pub fn answer_count(row: &Row<'_>) -> rusqlite::Result<AnswerCount> {
    Ok(AnswerCount {
        hour: row.get(0)?,
        answer: row.get(1)?,
        status: row.get(2)?,
        attempts: row.get(3)?,
        last_position: row.get(4)?,
    })
}

/// An answer from two columns, its time and its text.
fn answer(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Answer>> {
    let text: Option<String> = row.get(column + 1)?;
    Ok(time(row, column)?.zip(text).map(|(at, text)| Answer { at, text }))
}

fn time(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Timestamp>> {
    Ok(row.get::<_, Option<i64>>(column)?.map(Timestamp::from_micros))
}

fn uuid(column: usize, bytes: &[u8]) -> rusqlite::Result<Uuid> {
    Uuid::from_slice(bytes).map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(column, Type::Blob, Box::new(error))
    })
}

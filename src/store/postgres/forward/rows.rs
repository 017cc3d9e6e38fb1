//! The rows of targets, unaccepted events and answers, as they are read.

use tokio_postgres::Row;

use crate::domain::{Position, Timestamp};
use crate::store::forward::{Answer, AnswerCount, ReadTo, TargetState, UnacceptedEvent};
use crate::store::postgres::connect::error::Failure;

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

pub fn target(row: &Row) -> Result<TargetState, Failure> {
    Ok(TargetState {
        name: row.try_get(0)?,
        ledger_id: row.try_get(1)?,
        read_to: ReadTo { position: number(row, 2)?, event_id: row.try_get(3)? },
        version: number(row, 4)?,
        failing_since: time(row, 5)?,
        last_answer: answer(row, 6)?,
        accepted: number(row, 8)?,
    })
}

pub fn unaccepted(row: &Row) -> Result<UnacceptedEvent, Failure> {
    let order_key: &[u8] = row.try_get(1)?;
    Ok(UnacceptedEvent {
        position: number(row, 0)?,
        order_key: order_key.try_into().map_err(|_| Failure::NotA("the key of a message"))?,
        attempts: row.try_get::<_, i32>(2)? as u32,
        first_attempt_at: time(row, 3)?,
        due_at: Timestamp::from_micros(row.try_get(4)?),
        last_answer: answer(row, 5)?,
        failed_at: time(row, 7)?,
    })
}

pub fn answer_count(row: &Row) -> Result<AnswerCount, Failure> {
    Ok(AnswerCount {
        hour: row.try_get(0)?,
        answer: row.try_get(1)?,
        status: row.try_get(2)?,
        attempts: number(row, 3)?,
        last_position: number(row, 4)?,
    })
}

/// An answer from two columns, its time and its text.
fn answer(row: &Row, column: usize) -> Result<Option<Answer>, Failure> {
    let text: Option<String> = row.try_get(column + 1)?;
    Ok(time(row, column)?.zip(text).map(|(at, text)| Answer { at, text }))
}

fn time(row: &Row, column: usize) -> Result<Option<Timestamp>, Failure> {
    Ok(row.try_get::<_, Option<i64>>(column)?.map(Timestamp::from_micros))
}

fn number(row: &Row, column: usize) -> Result<Position, Failure> {
    Ok(row.try_get::<_, i64>(column)? as Position)
}

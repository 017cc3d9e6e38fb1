//! What a target has done since its last step, written in one transaction.

use rusqlite::{Transaction, named_params, params};
use uuid::Uuid;

use crate::domain::{Position, Timestamp};
use crate::store::forward::{AnswerCount, Step, UnacceptedEvent};

/// Writes a step; `false` if the target has another version, or does not exist.
pub fn write(
    transaction: &Transaction<'_>,
    name: &str,
    version: u64,
    step: &Step,
) -> rusqlite::Result<bool> {
    if !update_target(transaction, name, version, step)? {
        return Ok(false);
    }
    write_unaccepted(transaction, name, &step.unaccepted)?;
    remove_finished(transaction, name, &step.finished)?;
    count_answers(transaction, name, &step.answers)?;
    Ok(true)
}

fn update_target(
    transaction: &Transaction<'_>,
    name: &str,
    version: u64,
    step: &Step,
) -> rusqlite::Result<bool> {
    let sql = "UPDATE targets
               SET position = coalesce(:position, position),
                   event_id = iif(:position IS NULL, event_id, :event_id),
                   failing_since = :failing_since,
                   answered_at = coalesce(:answered_at, answered_at),
                   answer = coalesce(:answer, answer),
                   accepted = accepted + :accepted
               WHERE name = :name AND version = :version";
    let answer = step.last_answer.as_ref();
    let rows = transaction.prepare_cached(sql)?.execute(named_params! {
        ":name": name,
        ":version": version,
        ":position": step.read_to.map(|to| to.position),
        ":event_id": step.read_to.and_then(|to| to.event_id).map(Uuid::into_bytes),
        ":failing_since": step.failing_since.map(Timestamp::micros),
        ":answered_at": answer.map(|answer| answer.at.micros()),
        ":answer": answer.map(|answer| &answer.text),
        ":accepted": step.accepted,
    })?;
    Ok(rows > 0)
}

fn write_unaccepted(
    transaction: &Transaction<'_>,
    name: &str,
    events: &[UnacceptedEvent],
) -> rusqlite::Result<()> {
    let mut statement = transaction.prepare_cached(
        "INSERT INTO unaccepted(target, position, order_key, attempts, first_attempt_at, due_at,
                                answered_at, answer, failed_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
         ON CONFLICT(target, position) DO UPDATE
         SET order_key = excluded.order_key,
             attempts = excluded.attempts,
             first_attempt_at = excluded.first_attempt_at,
             due_at = excluded.due_at,
             answered_at = excluded.answered_at,
             answer = excluded.answer,
             failed_at = excluded.failed_at",
    )?;
    for event in events {
        let answer = event.last_answer.as_ref();
        statement.execute(params![
            name,
            event.position,
            event.order_key,
            event.attempts,
            event.first_attempt_at.map(Timestamp::micros),
            event.due_at.micros(),
            answer.map(|answer| answer.at.micros()),
            answer.map(|answer| &answer.text),
            event.failed_at.map(Timestamp::micros),
        ])?;
    }
    Ok(())
}

fn remove_finished(
    transaction: &Transaction<'_>,
    name: &str,
    positions: &[Position],
) -> rusqlite::Result<()> {
    let sql = "DELETE FROM unaccepted WHERE target = ?1 AND position = ?2";
    let mut statement = transaction.prepare_cached(sql)?;
    positions.iter().try_for_each(|position| statement.execute(params![name, position]).map(|_| ()))
}

fn count_answers(
    transaction: &Transaction<'_>,
    name: &str,
    counts: &[AnswerCount],
) -> rusqlite::Result<()> {
    let mut statement = transaction.prepare_cached(
        "INSERT INTO answers(target, hour, answer, status, attempts, last_position)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT(target, hour, answer, status) DO UPDATE
         SET attempts = attempts + excluded.attempts,
             last_position = max(last_position, excluded.last_position)",
    )?;
    for count in counts {
        let AnswerCount { hour, answer, status, attempts, last_position } = count;
        statement.execute(params![name, hour, answer, status, attempts, last_position])?;
    }
    Ok(())
}

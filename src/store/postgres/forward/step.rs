//! What a target has done since its last step, written in one transaction.

use std::collections::BTreeMap;

use uuid::Uuid;

use crate::domain::{Position, Timestamp};
use crate::store::forward::{AnswerCount, Step, UnacceptedEvent};
use crate::store::postgres::connect::connection::Connection;
use crate::store::postgres::connect::error::Failure;

/// Writes a step; `false` if the target has another version, or does not exist.
pub fn write(
    transaction: &Connection,
    name: &str,
    version: u64,
    step: &Step,
) -> Result<bool, Failure> {
    if !update_target(transaction, name, version, step)? {
        return Ok(false);
    }
    write_unaccepted(transaction, name, &step.unaccepted)?;
    remove_finished(transaction, name, &step.finished)?;
    count_answers(transaction, name, &step.answers)?;
    Ok(true)
}

fn update_target(
    transaction: &Connection,
    name: &str,
    version: u64,
    step: &Step,
) -> Result<bool, Failure> {
    let sql = "UPDATE targets
               SET position = coalesce($3, position),
                   event_id = CASE WHEN $3::bigint IS NULL THEN event_id ELSE $4 END,
                   failing_since = $5,
                   answered_at = coalesce($6, answered_at),
                   answer = coalesce($7, answer),
                   accepted = accepted + $8
               WHERE name = $1 AND version = $2";
    let answer = step.last_answer.as_ref();
    let position = step.read_to.map(|to| to.position as i64);
    let event_id: Option<Uuid> = step.read_to.and_then(|to| to.event_id);
    let failing_since = step.failing_since.map(Timestamp::micros);
    let answered_at = answer.map(|answer| answer.at.micros());
    let answer = answer.map(|answer| answer.text.as_str());
    let (version, accepted) = (version as i64, step.accepted as i64);
    let rows = transaction.execute(
        sql,
        &[&name, &version, &position, &event_id, &failing_since, &answered_at, &answer, &accepted],
    )?;
    Ok(rows > 0)
}

fn write_unaccepted(
    transaction: &Connection,
    name: &str,
    events: &[UnacceptedEvent],
) -> Result<(), Failure> {
    if events.is_empty() {
        return Ok(());
    }
    let micros = |time: Option<Timestamp>| time.map(Timestamp::micros);
    // One statement cannot write a row twice; the last state counts.
    let last: BTreeMap<Position, &UnacceptedEvent> =
        events.iter().map(|event| (event.position, event)).collect();
    let each = || last.values().copied();
    let answers = || each().map(|event| event.last_answer.as_ref());
    let positions: Vec<_> = each().map(|event| event.position as i64).collect();
    let order_keys: Vec<_> = each().map(|event| &event.order_key[..]).collect();
    let attempts: Vec<_> = each().map(|event| event.attempts as i32).collect();
    let first_attempts: Vec<_> = each().map(|event| micros(event.first_attempt_at)).collect();
    let due: Vec<_> = each().map(|event| event.due_at.micros()).collect();
    let answered: Vec<_> =
        answers().map(|answer| answer.map(|answer| answer.at.micros())).collect();
    let texts: Vec<_> = answers().map(|answer| answer.map(|answer| answer.text.as_str())).collect();
    let failed: Vec<_> = each().map(|event| micros(event.failed_at)).collect();
    transaction.execute(
        "INSERT INTO unaccepted(target, position, order_key, attempts, first_attempt_at, due_at,
                                answered_at, answer, failed_at)
         SELECT $1, * FROM unnest($2::bigint[], $3::bytea[], $4::integer[], $5::bigint[],
                                  $6::bigint[], $7::bigint[], $8::text[], $9::bigint[])
         ON CONFLICT(target, position) DO UPDATE
         SET order_key = excluded.order_key,
             attempts = excluded.attempts,
             first_attempt_at = excluded.first_attempt_at,
             due_at = excluded.due_at,
             answered_at = excluded.answered_at,
             answer = excluded.answer,
             failed_at = excluded.failed_at",
        &[
            &name,
            &positions,
            &order_keys,
            &attempts,
            &first_attempts,
            &due,
            &answered,
            &texts,
            &failed,
        ],
    )?;
    Ok(())
}

fn remove_finished(
    transaction: &Connection,
    name: &str,
    positions: &[Position],
) -> Result<(), Failure> {
    if positions.is_empty() {
        return Ok(());
    }
    let positions: Vec<_> = positions.iter().map(|position| *position as i64).collect();
    let sql = "DELETE FROM unaccepted WHERE target = $1 AND position = ANY($2)";
    transaction.execute(sql, &[&name, &positions]).map(|_rows| ())
}

fn count_answers(
    transaction: &Connection,
    name: &str,
    counts: &[AnswerCount],
) -> Result<(), Failure> {
    for AnswerCount { hour, answer, status, attempts, last_position } in counts {
        transaction.execute(
            "INSERT INTO answers(target, hour, answer, status, attempts, last_position)
             VALUES ($1, $2, $3, $4, $5, $6)
             ON CONFLICT(target, hour, answer, status) DO UPDATE
             SET attempts = answers.attempts + excluded.attempts,
                 last_position = greatest(answers.last_position, excluded.last_position)",
            &[&name, hour, answer, status, &(*attempts as i64), &(*last_position as i64)],
        )?;
    }
    Ok(())
}

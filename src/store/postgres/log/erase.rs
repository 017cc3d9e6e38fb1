//! Erases events: the only code that changes the log.

use std::collections::HashSet;
use std::ops::ControlFlow;

use crate::domain::hash::Hash;
use crate::domain::{NewEvent, Position, Timestamp};
use crate::store::StoreError;
use crate::store::codec::envelope::Envelope;
use crate::store::erase::{ErasedEvent, UnusedEnvelopes};
use crate::store::postgres::connect::connection::Connection;
use crate::store::postgres::connect::error::{Failure, engine};
use crate::store::postgres::log::append::Appender;
use crate::store::postgres::log::log_tables::Log;

/// Maximum rows of one statement that looks for the envelopes in use.
const ROWS_MAX: i64 = 65_536;

/// The columns of erased events, each as an array.
#[derive(Default)]
struct Erased<'e> {
    position: Vec<i64>,
    message: Vec<&'e [u8]>,
    content: Vec<&'e [u8]>,
    envelope: Vec<i32>,
    variables: Vec<Vec<u8>>,
}

impl Log {
    /// See [`crate::store::erase::Erasing::erase`].
    pub fn erase(
        &self,
        erasure: &NewEvent,
        events: &[ErasedEvent],
        unused: Option<&UnusedEnvelopes>,
    ) -> Result<Position, StoreError> {
        self.write("cannot erase", |appender| appender.erase(erasure, events, unused))
    }
}

impl Appender {
    fn erase(
        &mut self,
        erasure: &NewEvent,
        events: &[ErasedEvent],
        unused: Option<&UnusedEnvelopes>,
    ) -> Result<Position, StoreError> {
        let (act, new) = ("erase events", [(erasure, None)]);
        loop {
            let columns = self.columns(&new, &[]).map_err(engine(act))?;
            let erased = self.erased(events).map_err(engine(act))?;
            self.connection.take_warning();
            let written = self.connection.transaction("BEGIN", || {
                let position = self.write(&columns, true)?;
                if let Some(position) = position {
                    change(&self.connection, &erased, position)?;
                    unused.map_or(Ok(()), |unused| empty(&self.connection, unused))?;
                }
                Ok::<_, Failure>(position)
            });
            self.connection.refuse_warning()?;
            let position = written.map_err(engine(act))?;
            // Its own erasure counts, too.
            self.read_envelopes_again()?;
            if let Some(position) = position {
                return self.written(&new, position);
            }
        }
    }

    fn erased<'e>(&mut self, events: &'e [ErasedEvent]) -> Result<Erased<'e>, Failure> {
        let mut erased = Erased::default();
        for event in events {
            let envelope = Envelope::of_erased(event.source, event.verified_by.as_deref());
            let (envelope, variables) = self.place(envelope, Vec::new(), false)?;
            erased.position.push(event.position as i64);
            erased.message.push(&event.message);
            erased.content.push(&event.content);
            erased.envelope.push(envelope);
            erased.variables.push(variables);
        }
        Ok(erased)
    }
}

fn change(
    connection: &Connection,
    erased: &Erased<'_>,
    erased_by: Position,
) -> Result<(), Failure> {
    let Erased { position, message, content, envelope, variables } = erased;
    connection.execute(
        "INSERT INTO erased(position, message, content, erased_by)
         SELECT e.position, e.message, e.content, $4
         FROM unnest($1::bigint[], $2::bytea[], $3::bytea[]) e(position, message, content)",
        &[position, message, content, &(erased_by as i64)],
    )?;
    connection.execute(
        "UPDATE events
         SET salt = NULL, envelope = e.envelope, variables = e.variables, body = ''
         FROM unnest($1::bigint[], $2::integer[], $3::bytea[]) e(position, envelope, variables)
         WHERE events.position = e.position",
        &[position, envelope, variables],
    )?;
    Ok(())
}

/// Empties envelopes, except those that an event has taken since. One that is no JSON is never shared.
fn empty(connection: &Connection, unused: &UnusedEnvelopes) -> Result<(), Failure> {
    let mut taken = HashSet::new();
    add_used(connection, unused.up_to, i64::MAX, &[], &mut taken)?;
    let unused = unused.ids.iter().filter(|id| !taken.contains(*id));
    let unused: Vec<i32> = unused.filter_map(|id| i32::try_from(*id).ok()).collect();
    let sql = "UPDATE envelopes SET envelope = convert_to(id::text, 'UTF8') WHERE id = ANY($1)";
    connection.execute(sql, &[&unused]).map(|_rows| ())
}

/// See [`crate::store::erase::Erasing::unused_envelopes`].
pub fn unused_envelopes(
    connection: &Connection,
    apart_from: &[Position],
) -> Result<UnusedEnvelopes, Failure> {
    let mut ids = Vec::new();
    for row in connection.query("SELECT id, envelope FROM envelopes", &[])? {
        // An empty one is no JSON.
        let envelope = serde_json::from_slice::<Envelope<'_>>(row.try_get(1)?);
        if envelope.is_ok_and(|envelope| envelope.has_content()) {
            ids.push(i64::from(row.try_get::<_, i32>(0)?));
        }
    }
    let (mut used, mut up_to) = (HashSet::new(), 0);
    while ids.iter().any(|id| !used.contains(id)) {
        match add_used(connection, up_to, ROWS_MAX, apart_from, &mut used)? {
            Some(last) => up_to = last,
            None => break,
        }
    }
    let ids = ids.into_iter().filter(|id| !used.contains(id)).collect();
    Ok(UnusedEnvelopes { ids, up_to })
}

/// Adds the envelopes of at most `limit` events after a position; returns the last position, if there is one.
fn add_used(
    connection: &Connection,
    after: Position,
    limit: i64,
    apart_from: &[Position],
    used: &mut HashSet<i64>,
) -> Result<Option<Position>, Failure> {
    let sql = "SELECT position, envelope FROM events
               WHERE position > $1 ORDER BY position LIMIT $2";
    let mut last = None;
    connection.for_each_row(sql, &[&(after as i64), &limit], &mut |row| {
        let position = row.try_get::<_, i64>(0)? as Position;
        if apart_from.binary_search(&position).is_err() {
            used.insert(i64::from(row.try_get::<_, i32>(1)?));
        }
        last = Some(position);
        Ok::<_, Failure>(ControlFlow::Continue(()))
    })?;
    Ok(last)
}

/// See [`crate::store::erase::Erasing::erased_by`].
pub fn erased_by(
    connection: &Connection,
    messages: &[Hash],
) -> Result<Vec<Option<Position>>, Failure> {
    let messages: Vec<&[u8]> = messages.iter().map(|message| &message[..]).collect();
    let rows = connection.query(
        "SELECT (SELECT max(erased_by) FROM erased WHERE erased.message = asked.message)
         FROM unnest($1::bytea[]) WITH ORDINALITY asked(message, place)
         ORDER BY place",
        &[&messages],
    )?;
    let last = |row: &tokio_postgres::Row| {
        Ok(row.try_get::<_, Option<i64>>(0)?.map(|last| last as Position))
    };
    rows.iter().map(last).collect()
}

/// See [`crate::store::erase::Erasing::has_erased`].
pub fn has_erased(connection: &Connection) -> Result<bool, Failure> {
    let row = connection.query_one("SELECT EXISTS (SELECT 1 FROM erased)", &[])?;
    Ok(row.try_get(0)?)
}

/// See [`crate::store::erase::Erasing::erased_between`].
pub fn erased_between(
    connection: &Connection,
    since: Timestamp,
    until: Timestamp,
) -> Result<u64, Failure> {
    let row = connection.query_one(
        "SELECT count(*)
         FROM erased JOIN events USING (position)
         WHERE received_at >= $1 AND received_at < $2",
        &[&since.micros(), &until.micros()],
    )?;
    Ok(row.try_get::<_, i64>(0)? as u64)
}

/// See [`crate::store::erase::Erasing::erased_count`].
pub fn erased_count(connection: &Connection) -> Result<u64, Failure> {
    let row = connection.query_one("SELECT count(*) FROM erased", &[])?;
    Ok(row.try_get::<_, i64>(0)? as u64)
}

/// See [`crate::store::erase::Erasing::erased_after`].
pub fn erased_after(
    connection: &Connection,
    position: Position,
    limit: usize,
) -> Result<Vec<(Position, Position)>, Failure> {
    let rows = connection.query(
        "SELECT position, erased_by FROM erased
         WHERE position > $1 ORDER BY position LIMIT $2",
        &[&(position as i64), &(limit as i64)],
    )?;
    let pair = |row: &tokio_postgres::Row| {
        let (position, erased_by): (i64, i64) = (row.try_get(0)?, row.try_get(1)?);
        Ok((position as Position, erased_by as Position))
    };
    rows.iter().map(pair).collect()
}

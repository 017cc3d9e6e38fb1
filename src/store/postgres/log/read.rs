//! Reads the log by position, in short statements: a long one would keep dead rows from being removed.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::{Arc, PoisonError, RwLock};

use tokio_postgres::Row;
use uuid::Uuid;

use crate::domain::event::Erased;
use crate::domain::{Position, RecordedEvent};
use crate::store::StoreError;
use crate::store::codec::envelope::{self, Content, Envelope, INLINE};
use crate::store::codec::values::Values;
use crate::store::postgres::connect::connection::Connection;
use crate::store::postgres::connect::error::{Failure, engine};
use crate::store::postgres::connect::pool::Readers;

/// Maximum bytes per read, for large bodies. A usual event has half a KiB.
const READ_BYTES_MAX: usize = 8 << 20;

/// Reads one log through a pool of connections.
pub struct LogReader {
    readers: Readers,
    /// Envelopes that were read; they never change.
    envelopes: RwLock<HashMap<i32, Arc<Envelope<'static>>>>,
}

impl LogReader {
    /// Reads through this pool.
    pub fn new(readers: Readers) -> Self {
        Self { readers, envelopes: RwLock::default() }
    }

    /// Runs a short read on a connection.
    pub fn with_connection<T>(
        &self,
        act: impl FnOnce(&Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        act(&*self.readers.get()?)
    }

    /// The last position; 0 in an empty log.
    pub fn head(&self) -> Result<Position, StoreError> {
        let connection = self.readers.get()?;
        let head = connection.query_one("SELECT position FROM log_head", &[]);
        let head = head.and_then(|row| Ok(row.try_get::<_, i64>(0)?));
        head.map(|head| head as Position).map_err(engine("read the head of the log"))
    }

    /// Lends at most `limit` events after a position, in order.
    pub fn scan(
        &self,
        mut after: Position,
        limit: usize,
        each: &mut dyn FnMut(&RecordedEvent) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        let (mut lent, mut bytes, mut left) = (Lent::new(), 0, limit);
        loop {
            let (from, most) = (i64::try_from(after).unwrap_or(i64::MAX), left as i64);
            let mut fill = |row: &Row| {
                let event = lent.fill(self, row)?;
                (after, left) = (event.position, left - 1);
                bytes += event.body.len() + event.url.len();
                Ok::<_, Unfilled>(match each(event).is_break() || bytes >= READ_BYTES_MAX {
                    true => ControlFlow::Break(()),
                    false => ControlFlow::Continue(()),
                })
            };
            let sql = format!("{EVENT_ROWS} WHERE position > $1 ORDER BY position LIMIT $2");
            let connection = self.readers.get()?;
            let outcome = connection.for_each_row(&sql, &[&from, &most], &mut fill);
            // No statement can run on this connection while it still sends rows.
            drop(connection);
            match outcome {
                Err(Unfilled::Envelope(id, position)) => self.read_envelope(id, position)?,
                // Those of all that may follow, so that the statement is not repeated for each of them.
                Err(Unfilled::Erased(position)) => {
                    lent.erased = self.read_erased(position, left)?;
                }
                outcome => return outcome.map_err(|error| error.during("read the log")),
            }
        }
    }

    /// The events at these positions.
    pub fn read_at(&self, positions: &[Position]) -> Result<Vec<RecordedEvent>, StoreError> {
        let act = "read the log";
        let wanted: Vec<i64> = positions.iter().map(|position| *position as i64).collect();
        let sql = format!("{EVENT_ROWS} WHERE position = ANY($1)");
        let rows = self.readers.get()?.query(&sql, &[&wanted]).map_err(engine(act))?;
        let mut by_position: HashMap<i64, &Row> = HashMap::new();
        for row in &rows {
            by_position.insert(row.try_get(0).map_err(Failure::from).map_err(engine(act))?, row);
        }
        let read = |position: &Position| {
            let row = by_position.get(&(*position as i64));
            let row = row.ok_or(StoreError::NoSuchEvent { position: *position })?;
            self.whole(row)
        };
        positions.iter().map(read).collect()
    }

    fn whole(&self, row: &Row) -> Result<RecordedEvent, StoreError> {
        let mut lent = Lent::new();
        loop {
            match lent.fill(self, row) {
                Ok(_) => return Ok(lent.event),
                Err(Unfilled::Envelope(id, position)) => self.read_envelope(id, position)?,
                Err(Unfilled::Erased(position)) => lent.erased = self.read_erased(position, 1)?,
                Err(error) => return Err(error.during("read the log")),
            }
        }
    }

    fn known_envelope(&self, id: i32) -> Option<Arc<Envelope<'static>>> {
        self.envelopes.read().unwrap_or_else(PoisonError::into_inner).get(&id).cloned()
    }

    /// Reads an envelope, which is known from then on.
    fn read_envelope(&self, id: i32, position: Position) -> Result<(), StoreError> {
        let unreadable = |detail| StoreError::Unreadable { position, detail };
        let sql = "SELECT envelope FROM envelopes WHERE id = $1";
        let row = self.readers.get()?.query_opt(sql, &[&id]).map_err(engine("read an envelope"))?;
        let row = row.ok_or_else(|| unreadable(format!("its envelope {id} is not there")))?;
        let bytes = row.try_get(0).map_err(Failure::from).map_err(engine("read an envelope"))?;
        let read: Envelope<'static> = serde_json::from_slice(bytes)
            .map_err(|error| unreadable(format!("its envelope {id}: {error}")))?;
        let mut envelopes = self.envelopes.write().unwrap_or_else(PoisonError::into_inner);
        envelopes.insert(id, Arc::new(read));
        Ok(())
    }

    /// Reads what remains of the erased events among so many from a position on, which is one of them.
    fn read_erased(
        &self,
        from: Position,
        count: usize,
    ) -> Result<HashMap<Position, Erased>, StoreError> {
        let sql = "SELECT position, message, content, erased_by FROM erased
             WHERE position >= $1 AND position < $2";
        let (first, end) = (from as i64, (from as i64).saturating_add(count as i64));
        let read = || {
            let rows = self.readers.get()?.query(sql, &[&first, &end])?;
            rows.iter().map(erased).collect::<Result<HashMap<_, _>, Failure>>()
        };
        let erased = read().map_err(engine("read what remains of erased events"))?;
        match erased.contains_key(&from) {
            true => Ok(erased),
            false => Err(StoreError::Unreadable {
                position: from,
                detail: "it has no salt, and is not erased".to_owned(),
            }),
        }
    }
}

/// A row of the table of erased events.
fn erased(row: &Row) -> Result<(Position, Erased), Failure> {
    let hash = |column| {
        let bytes: &[u8] = row.try_get(column)?;
        bytes.try_into().map_err(|_| Failure::NotA("a hash of 32 bytes"))
    };
    let (position, erased_by): (i64, i64) = (row.try_get(0)?, row.try_get(3)?);
    let (message, content) = (hash(1)?, hash(2)?);
    Ok((position as Position, Erased { message, content, erased_by: erased_by as Position }))
}

/// Why a row did not become an event.
enum Unfilled {
    /// Its envelope has to be read first.
    Envelope(i32, Position),
    /// What remains of it has to be read first.
    Erased(Position),
    Failed(Failure),
}

impl From<Failure> for Unfilled {
    fn from(failure: Failure) -> Self {
        Unfilled::Failed(failure)
    }
}

impl From<StoreError> for Unfilled {
    fn from(error: StoreError) -> Self {
        Unfilled::Failed(error.into())
    }
}

impl From<tokio_postgres::Error> for Unfilled {
    fn from(error: tokio_postgres::Error) -> Self {
        Unfilled::Failed(error.into())
    }
}

impl Unfilled {
    fn during(self, act: &str) -> StoreError {
        match self {
            Unfilled::Failed(failure) => failure.during(act),
            Unfilled::Envelope(id, position) => StoreError::Unreadable {
                position,
                detail: format!("its envelope {id} was not read"),
            },
            Unfilled::Erased(position) => StoreError::Unreadable {
                position,
                detail: "what remains of it was not read".to_owned(),
            },
        }
    }
}

/// An event that is reused for every row, so that its envelope is filled in only when it changes.
struct Lent {
    event: RecordedEvent,
    /// The envelope the event was last filled with.
    envelope: Option<(i32, Arc<Envelope<'static>>)>,
    /// What remains of erased events, from the last one on that was reported as unfilled.
    erased: HashMap<Position, Erased>,
}

impl Lent {
    fn new() -> Self {
        Self { event: envelope::blank(), envelope: None, erased: HashMap::new() }
    }

    /// Fills the event with a row of [`EVENT_ROWS`].
    fn fill(&mut self, reader: &LogReader, row: &Row) -> Result<&RecordedEvent, Unfilled> {
        let position = row.try_get::<_, i64>(0)? as Position;
        let unreadable = |detail| StoreError::Unreadable { position, detail };
        let event_id: Uuid = row.try_get(1)?;
        let envelope: i32 = row.try_get(4)?;
        let mut values = Values::new(row.try_get(5)?);
        let known = self.envelope.as_ref().is_some_and(|(id, _)| *id == envelope);
        let inline = i64::from(envelope) == INLINE;
        if !known || inline {
            let read = match inline {
                true => Arc::new(envelope::read_inline(&mut values).map_err(unreadable)?),
                false => {
                    reader.known_envelope(envelope).ok_or(Unfilled::Envelope(envelope, position))?
                }
            };
            envelope::share(&read, &mut self.event.event).map_err(unreadable)?;
            self.envelope = Some((envelope, read));
        }
        let (_, shared) = self.envelope.as_ref().expect("it was just filled in");
        let content = self.content(row, position)?;
        let received_at = row.try_get(2)?;
        let rest = envelope::Row { position, event_id: event_id.as_bytes(), received_at, content };
        envelope::join(shared, values, rest, &mut self.event).map_err(unreadable)?;
        Ok(&self.event)
    }

    fn content<'r>(&self, row: &'r Row, position: Position) -> Result<Content<'r>, Unfilled> {
        let (salt, body): (Option<&[u8]>, &[u8]) = (row.try_get(3)?, row.try_get(6)?);
        if let Some(salt) = salt {
            return Ok(Content::Whole { salt, body });
        }
        match self.erased.get(&position) {
            None => Err(Unfilled::Erased(position)),
            Some(erased) if body.is_empty() => Ok(Content::Erased(*erased)),
            Some(_) => {
                let detail = "it is erased, but still has a body".to_owned();
                Err(StoreError::Unreadable { position, detail }.into())
            }
        }
    }
}

/// The columns of [`Lent::fill`]. What remains of erased events is read on its own, because they are rare.
const EVENT_ROWS: &str =
    "SELECT position, event_id, received_at, salt, envelope, variables, body FROM events";

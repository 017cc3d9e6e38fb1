//! Erasing in PostgreSQL: the log's rows. The server's files follow its own retention.

use crate::domain::hash::Hash;
use crate::domain::{NewEvent, Position, Timestamp};
use crate::store::StoreError;
use crate::store::erase::{CleanUp, ErasedEvent, Erasing, UnusedEnvelopes};
use crate::store::postgres::PostgresStore;
use crate::store::postgres::connect::connection::Connection;
use crate::store::postgres::connect::error::engine;
use crate::store::postgres::log::erase as rows;

/// What the server itself keeps.
const SERVER_KEEPS: &str = "PostgreSQL's WAL and its archive, standbys, base backups and freed pages have what \
                            was erased for as long as they are kept";

/// Frees the rows that were replaced. Each is a table of its own here, and takes no lock that others wait for.
const VACUUM: &str = "VACUUM events, envelopes, requests";

impl Erasing for PostgresStore {
    fn check_may_erase(&self) -> Result<(), StoreError> {
        let may = self.read("look for the right to erase", |connection| {
            let row = connection.query_one(
                "SELECT has_table_privilege('events', 'UPDATE')
                    AND has_table_privilege('envelopes', 'UPDATE')",
                &[],
            )?;
            Ok(row.try_get(0)?)
        })?;
        match may {
            true => Ok(()),
            false => Err(StoreError::NotWritable {
                detail: "this role must not change the log, and erasing takes the role that owns \
                         its tables"
                    .to_owned(),
            }),
        }
    }

    fn unused_envelopes(&self, apart_from: &[Position]) -> Result<UnusedEnvelopes, StoreError> {
        self.read("look for unused envelopes", |log| rows::unused_envelopes(log, apart_from))
    }

    fn erase(
        &self,
        erasure: &NewEvent,
        events: &[ErasedEvent],
        unused: Option<&UnusedEnvelopes>,
    ) -> Result<Position, StoreError> {
        self.log.erase(erasure, events, unused)
    }

    fn forget_claims(&self, keys: &[String]) -> Result<(), StoreError> {
        self.read("forget idempotency keys", |connection| {
            let sql = "DELETE FROM claims WHERE key = ANY($1)";
            connection.execute(sql, &[&keys]).map(|_rows| ())
        })
    }

    fn erased_by(&self, messages: &[Hash]) -> Result<Vec<Option<Position>>, StoreError> {
        self.read("look for erased messages", |log| rows::erased_by(log, messages))
    }

    fn has_erased(&self) -> Result<bool, StoreError> {
        self.read("look for erased events", rows::has_erased)
    }

    fn erased_between(&self, since: Timestamp, until: Timestamp) -> Result<u64, StoreError> {
        self.read("count the erased events", |log| rows::erased_between(log, since, until))
    }

    fn erased_count(&self) -> Result<u64, StoreError> {
        self.read("count the erased events", rows::erased_count)
    }

    fn erased_after(
        &self,
        position: Position,
        limit: usize,
    ) -> Result<Vec<(Position, Position)>, StoreError> {
        self.read("read the erased events", |log| rows::erased_after(log, position, limit))
    }

    fn clean_up(&self) -> Result<CleanUp, StoreError> {
        let act = "vacuum the log";
        let connection = Connection::open(self.log.url()).map_err(engine(act))?;
        connection.batch_execute_patiently(VACUUM).map_err(engine(act))?;
        Ok(CleanUp::ServerKeeps(SERVER_KEEPS))
    }
}

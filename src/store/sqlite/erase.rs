//! Erasing in SQLite: the log's rows, and what its files may still have of them.

use crate::domain::hash::Hash;
use crate::domain::{NewEvent, Position, Timestamp};
use crate::store::StoreError;
use crate::store::erase::{CleanUp, ErasedEvent, Erasing, UnusedEnvelopes};
use crate::store::sqlite::log::erase as rows;
use crate::store::sqlite::{SqliteStore, engine};

/// What to do if a reader keeps a WAL.
const WAL_IS_READ: &str = "another process is reading the log, and its write-ahead log still has what was \
                           erased; let that process end, and run the command again";

/// What to do if another program checkpoints the WAL.
const WAL_IS_EXTERNAL: &str = "the log's write-ahead log, which still has what was erased, is left to \
                               another program (wal_checkpoints = \"external\"); let that program \
                               checkpoint and truncate it, such as by stopping it and running the command \
                               again with DELIVERY_LEDGER_WAL_CHECKPOINTS=own";

impl Erasing for SqliteStore {
    fn check_may_erase(&self) -> Result<(), StoreError> {
        Ok(())
    }

    fn unused_envelopes(&self, apart_from: &[Position]) -> Result<UnusedEnvelopes, StoreError> {
        self.log.reader().with_connection(|log| {
            rows::unused_envelopes(log, apart_from).map_err(engine("look for unused envelopes"))
        })
    }

    fn erase(
        &self,
        erasure: &NewEvent,
        events: &[ErasedEvent],
        unused: Option<&UnusedEnvelopes>,
    ) -> Result<Position, StoreError> {
        self.log.erase(erasure, events, unused)
    }

    fn erased_by(&self, messages: &[Hash]) -> Result<Vec<Option<Position>>, StoreError> {
        self.log.reader().with_connection(|log| {
            rows::erased_by(log, messages).map_err(engine("look for erased messages"))
        })
    }

    fn has_erased(&self) -> Result<bool, StoreError> {
        self.log
            .reader()
            .with_connection(|log| rows::has_erased(log).map_err(engine("look for erased events")))
    }

    fn erased_between(&self, since: Timestamp, until: Timestamp) -> Result<u64, StoreError> {
        self.log.reader().with_connection(|log| {
            rows::erased_between(log, since, until).map_err(engine("count the erased events"))
        })
    }

    fn erased_count(&self) -> Result<u64, StoreError> {
        self.log.reader().with_connection(|log| {
            rows::erased_count(log).map_err(engine("count the erased events"))
        })
    }

    fn erased_after(
        &self,
        position: Position,
        limit: usize,
    ) -> Result<Vec<(Position, Position)>, StoreError> {
        self.log.reader().with_connection(|log| {
            rows::erased_after(log, position, limit).map_err(engine("read the erased events"))
        })
    }

    fn clean_up(&self) -> Result<CleanUp, StoreError> {
        {
            // The views that were replaced.
            let _lock = self.views_link.lock()?;
            self.views_link.try_to_remove_leftovers()?;
        }
        match self.log.empty_wal() {
            Ok(true) => Ok(CleanUp::Done),
            Ok(false) => Ok(CleanUp::Blocked(WAL_IS_EXTERNAL)),
            Err(StoreError::Busy) => Ok(CleanUp::Blocked(WAL_IS_READ)),
            Err(error) => Err(error),
        }
    }
}

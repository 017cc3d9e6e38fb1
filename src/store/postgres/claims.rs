//! Claims of idempotency keys in PostgreSQL: rows, which all processes of a ledger share.

use std::sync::atomic::{AtomicI64, Ordering};

use crate::domain::Timestamp;
use crate::store::StoreError;
use crate::store::claims::{Claim, Claimed, Claims, KeptSince};
use crate::store::postgres::connect::connection::{Connection, Parameter};
use crate::store::postgres::connect::error::{Failure, engine};
use crate::store::postgres::connect::pool::Readers;

/// The time between two removals of claims that nobody asks for any more.
const REMOVAL_INTERVAL_MICROS: i64 = 60 * 60 * 1_000_000;

/// The claims in a database.
pub struct PostgresClaims {
    connections: Readers,
    /// Up to which time claims were removed.
    removed_before: AtomicI64,
}

impl PostgresClaims {
    /// The claims in the database of these connections.
    pub fn new(connections: Readers) -> Self {
        Self { connections, removed_before: AtomicI64::new(i64::MIN) }
    }

    fn remove_old(&self, connection: &Connection, before: Timestamp) -> Result<(), Failure> {
        let removed = self.removed_before.load(Ordering::Relaxed);
        if before.micros() >= removed.saturating_add(REMOVAL_INTERVAL_MICROS) {
            let sql = "DELETE FROM claims WHERE claimed_at < $1";
            connection.execute(sql, &[&before.micros()])?;
            self.removed_before.store(before.micros(), Ordering::Relaxed);
        }
        Ok(())
    }
}

impl Claims for PostgresClaims {
    fn claim(&self, claim: &Claim, kept: KeptSince) -> Result<Claimed, StoreError> {
        let act = "claim an idempotency key";
        let connection = self.connections.get()?;
        self.remove_old(&connection, kept.with_outcome).map_err(engine(act))?;
        connection.take_warning();
        let claimed = loop {
            // None if another process has given the key back meanwhile.
            if let Some(claimed) = try_claim(&connection, claim, kept).map_err(engine(act))? {
                break claimed;
            }
        };
        // A claim that only the primary has would be lost with it.
        connection.refuse_warning()?;
        Ok(claimed)
    }

    fn is_held(&self, claim: &Claim) -> Result<bool, StoreError> {
        let sql = "SELECT EXISTS (SELECT 1 FROM claims WHERE key = $1 AND claimed_at = $2)";
        let connection = self.connections.get()?;
        let row = connection.query_one(sql, &[&claim.key, &claim.at.micros()]);
        row.and_then(|row| Ok(row.try_get(0)?)).map_err(engine("look for an idempotency key"))
    }

    fn settle(&self, claim: &Claim, outcome: &[u8]) -> Result<(), StoreError> {
        let sql = "UPDATE claims SET request_hash = $2, outcome = $3 WHERE key = $1";
        let settled =
            self.connections.get()?.execute(sql, &[&claim.key, &claim.request_hash, &outcome]);
        settled.map(|_rows| ()).map_err(engine("store the outcome of an idempotency key"))
    }

    fn release(&self, claim: &Claim) -> Result<(), StoreError> {
        let sql = "DELETE FROM claims WHERE key = $1 AND claimed_at = $2";
        let released = self.connections.get()?.execute(sql, &[&claim.key, &claim.at.micros()]);
        released.map(|_rows| ()).map_err(engine("give back an idempotency key"))
    }
}

/// Three statements, because only the first tells a new key from one that is taken over. Each commits.
fn try_claim(
    connection: &Connection,
    claim: &Claim,
    kept: KeptSince,
) -> Result<Option<Claimed>, Failure> {
    let Claim { key, request_hash, at } = claim;
    let insert = "INSERT INTO claims(key, claimed_at, request_hash)
                  VALUES ($1, $2, $3)
                  ON CONFLICT (key) DO NOTHING";
    if connection.execute(insert, &[key, &at.micros(), request_hash])? == 1 {
        return Ok(Some(Claimed::New));
    }
    let take_over = "UPDATE claims
                     SET claimed_at = $2, request_hash = $3, outcome = NULL
                     WHERE key = $1
                       AND claimed_at < CASE WHEN outcome IS NULL THEN $4::bigint ELSE $5::bigint END";
    let (in_flight, with_outcome) = (kept.in_flight.micros(), kept.with_outcome.micros());
    let parameters: [Parameter<'_>; 5] =
        [key, &at.micros(), request_hash, &in_flight, &with_outcome];
    if connection.execute(take_over, &parameters)? == 1 {
        return Ok(Some(Claimed::TakenOver));
    }
    let read = "SELECT request_hash, outcome FROM claims WHERE key = $1";
    let row = connection.query_opt(read, &[key])?;
    row.map(|row| Ok(Claimed::Kept { request_hash: row.try_get(0)?, outcome: row.try_get(1)? }))
        .transpose()
}

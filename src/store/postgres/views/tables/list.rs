//! Finds messages by the indexes of the views, for lists.

use std::ops::ControlFlow;

use tokio_postgres::Row;

use crate::domain::message::filter::MessageFilter;
use crate::store::codec::address::{AddressBuffers, ReversedAddress};
use crate::store::codec::flags::Flag;
use crate::store::list::{AddressColumn, Index, MessageIndexes, greatest};
use crate::store::postgres::connect::connection::Parameter;
use crate::store::postgres::connect::error::Failure;
use crate::store::postgres::views::tables::Tables;
use crate::store::postgres::views::tables::message_row::{self, REF_COLUMNS};
use crate::store::{Checkpoint, Message};

/// The number of messages with a flag that are passed at a time, to find those without it.
const FLAGGED_AT_A_TIME: usize = 4096;

impl MessageIndexes for Tables<'_> {
    type Error = Failure;

    fn checkpoint(&self) -> Result<Checkpoint, Failure> {
        Tables::checkpoint(self)
    }

    fn ids_below(&self, index: &Index, before: u64, limit: usize) -> Result<Vec<u64>, Failure> {
        let (before, limit_number) = (before as i64, limit as i64);
        let schema = self.schema;
        match index {
            Index::All => {
                let sql = format!(
                    "SELECT id FROM {schema}.messages WHERE id < $1 ORDER BY id DESC LIMIT $2"
                );
                ids(*self, &sql, &[&before, &limit_number])
            }
            Index::With(flag) => with(*self, *flag, before as u64, limit),
            Index::Without(flag) => without(*self, *flag, before as u64, limit),
            Index::Tagged(hash) => {
                let sql = format!(
                    "SELECT message
                     FROM {schema}.tags
                     WHERE hash = $3 AND message < $1
                     ORDER BY message DESC
                     LIMIT $2"
                );
                ids(*self, &sql, &[&before, &limit_number, hash])
            }
            Index::Address(column, addresses) => {
                // Each address by its index: all together would be sorted whole.
                let sql = format!(
                    "SELECT found.id
                     FROM unnest($3::bytea[]) AS given(address), LATERAL (
                       SELECT id
                       FROM {schema}.messages
                       WHERE {} = given.address AND id < $1
                       ORDER BY id DESC
                       LIMIT $2) AS found",
                    column.name()
                );
                let addresses: Vec<_> = addresses.iter().map(|address| &address[..]).collect();
                let found = ids(*self, &sql, &[&before, &limit_number, &addresses])?;
                Ok(greatest(found, limit))
            }
        }
    }

    fn addresses_ending_with(
        &self,
        column: AddressColumn,
        end: &ReversedAddress,
        limit: usize,
    ) -> Result<Vec<ReversedAddress>, Failure> {
        // From one address to the next, without reading the entries in between.
        let (name, schema) = (column.name(), self.schema);
        let next = |after: &str| {
            format!(
                "(SELECT {name} FROM {schema}.messages WHERE {name} > {after} ORDER BY {name} LIMIT 1)"
            )
        };
        let sql = format!(
            "WITH RECURSIVE address(bytes) AS (
               SELECT {}
               UNION ALL
               SELECT {} FROM address WHERE substr(bytes, 1, length($1)) = $1
             )
             SELECT bytes FROM address WHERE substr(bytes, 1, length($1)) = $1 LIMIT $2",
            next("$1::bytea"),
            next("address.bytes")
        );
        let rows = self.connection.query(&sql, &[&&end[..], &(limit as i64)])?;
        let address = |row: &Row| Ok(ReversedAddress::from_slice(row.try_get(0)?));
        rows.iter().map(address).collect()
    }

    fn matching(
        &self,
        checkpoint: &Checkpoint,
        ids: &[u64],
        filter: &MessageFilter,
        limit: usize,
    ) -> Result<Vec<Message>, Failure> {
        let accounts = self.accounts()?;
        let wanted: Vec<_> = ids.iter().map(|id| *id as i64).collect();
        let sql = format!(
            "SELECT {REF_COLUMNS}, id
             FROM {}.messages
             WHERE id = ANY($1)
             ORDER BY id DESC",
            self.schema
        );
        let (mut buffers, mut found) = (AddressBuffers::default(), Vec::new());
        let mut look = |row: &Row| {
            let account_sid = accounts.sid_ref(row.try_get(0)?)?;
            if filter.matches(&message_row::message_ref(row, account_sid, &mut buffers)?) {
                found.push(row.try_get::<_, i64>(5)? as u64);
            }
            Ok::<_, Failure>(match found.len() == limit {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            })
        };
        if limit > 0 {
            self.connection.for_each_row(&sql, &[&wanted], &mut look)?;
        }
        let mut messages = self.by_ids(checkpoint.rule, &found)?;
        Ok(found.iter().filter_map(|id| messages.remove(id)).collect())
    }
}

fn ids(tables: Tables<'_>, sql: &str, parameters: &[Parameter<'_>]) -> Result<Vec<u64>, Failure> {
    let rows = tables.connection.query(sql, parameters)?;
    rows.iter().map(|row| Ok(row.try_get::<_, i64>(0)? as u64)).collect()
}

/// The greatest ids below one that do not have a flag. Ids are dense, so these are the gaps between the
/// messages that have it, and a long run of those is passed without reading any message.
fn without(tables: Tables<'_>, flag: Flag, before: u64, limit: usize) -> Result<Vec<u64>, Failure> {
    let mut next = before.min(tables.last_id()? + 1);
    let mut found = Vec::with_capacity(limit);
    while found.len() < limit && next > 1 {
        // The server sends every row of a query, also those that nobody waits for.
        let mut flagged = with(tables, flag, next, FLAGGED_AT_A_TIME)?;
        if flagged.len() < FLAGGED_AT_A_TIME {
            flagged.push(0);
        }
        for skipped in flagged {
            while next > skipped + 1 && found.len() < limit {
                next -= 1;
                found.push(next);
            }
            next = next.min(skipped);
        }
    }
    Ok(found)
}

/// The greatest ids below one that have a flag.
fn with(tables: Tables<'_>, flag: Flag, before: u64, limit: usize) -> Result<Vec<u64>, Failure> {
    let sql = format!(
        "SELECT id
         FROM {}.flagged
         WHERE flag = $1 AND id < $2
         ORDER BY id DESC
         LIMIT $3",
        tables.schema
    );
    ids(tables, &sql, &[&(flag as i16), &(before as i64), &(limit as i64)])
}

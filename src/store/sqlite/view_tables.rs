//! The statements on one set of the views' tables, within a transaction that the caller holds.

use std::collections::{BTreeMap, HashMap};

use rusqlite::{Connection, OptionalExtension, Row, params};
use uuid::Uuid;

use super::message_row::{self, COLUMNS, pack_sid};
use super::query_value;
use crate::domain::digest::Hash;
use crate::domain::lifecycle::Trace;
use crate::domain::{AccountSid, MessageKey, MessageSid, Position, Rule};
use crate::store::{Batch, Changed, Checkpoint, Message};

/// The number that stands for "no account" in the views.
const NO_ACCOUNT: i64 = 0;

/// The statements, on whichever set of tables.
pub struct Tables<'c> {
    pub connection: &'c Connection,
    /// Behind the tables' names.
    pub suffix: &'static str,
}

impl Tables<'_> {
    /// How far these tables have read.
    pub fn checkpoint(&self) -> rusqlite::Result<Checkpoint> {
        let sql = format!(
            "SELECT ledger_id, rule, position, event_id, chain
             FROM checkpoint{}",
            self.suffix
        );
        self.connection.prepare_cached(&sql)?.query_row([], |row| {
            Ok(Checkpoint {
                ledger_id: uuid_column(row, 0)?,
                rule: Rule::parse(&row.get::<_, String>(1)?).ok_or_else(|| damaged(1, "a rule"))?,
                position: row.get(2)?,
                event_id: row
                    .get::<_, Option<Vec<u8>>>(3)?
                    .map(|_| uuid_column(row, 3))
                    .transpose()?,
                chain: row.get(4)?,
            })
        })
    }

    /// Writes how far these tables have read.
    pub fn put_checkpoint(&self, checkpoint: &Checkpoint) -> rusqlite::Result<()> {
        let sql = format!(
            "INSERT OR REPLACE INTO checkpoint{}(id, ledger_id, rule, position, event_id, chain)
             VALUES (1, ?1, ?2, ?3, ?4, ?5)",
            self.suffix
        );
        self.connection.prepare_cached(&sql)?.execute(params![
            checkpoint.ledger_id.as_bytes(),
            checkpoint.rule.name(),
            checkpoint.position,
            checkpoint.event_id.map(|id| *id.as_bytes()),
            checkpoint.chain,
        ])?;
        Ok(())
    }

    /// One message with its trail.
    pub fn message(&self, rule: Rule, key: &MessageKey) -> rusqlite::Result<Option<Message>> {
        let Some(account) = self.account_number(key.account_sid.as_ref())? else { return Ok(None) };
        let sql = format!("SELECT id FROM sids{} WHERE sid = ?1 AND account = ?2", self.suffix);
        let id: Option<u64> = self
            .connection
            .prepare_cached(&sql)?
            .query_row(params![pack_sid(&key.message_sid), account], |row| row.get(0))
            .optional()?;
        id.map(|id| self.message_by_id(rule, id)).transpose()
    }

    /// Every message with this SID, in order of first arrival.
    pub fn messages_with(&self, rule: Rule, sid: &MessageSid) -> rusqlite::Result<Vec<Message>> {
        let sql = format!("SELECT id FROM sids{} WHERE sid = ?1 ORDER BY id", self.suffix);
        let mut statement = self.connection.prepare_cached(&sql)?;
        let ids = statement.query_map([pack_sid(sid)], |row| row.get(0))?;
        let ids = ids.collect::<rusqlite::Result<Vec<u64>>>()?;
        ids.into_iter().map(|id| self.message_by_id(rule, id)).collect()
    }

    fn message_by_id(&self, rule: Rule, id: u64) -> rusqlite::Result<Message> {
        let trail = self.trails(id, id)?.remove(&id).unwrap_or_default();
        let sql = format!("SELECT {COLUMNS} FROM messages{} WHERE id = ?1", self.suffix);
        let mut statement = self.connection.prepare_cached(&sql)?;
        statement.query_row([id], |row| {
            message_row::from_row(row, rule, trail, |account| self.account_sid(account))
        })
    }

    /// At most `limit` messages after an id.
    pub fn page(&self, rule: Rule, after: u64, limit: usize) -> rusqlite::Result<Vec<Message>> {
        // Ids are dense, so a range of ids is a page.
        let last = after.saturating_add(limit as u64).min(i64::MAX as u64);
        let mut trails = self.trails(after + 1, last)?;
        let sql = format!(
            "SELECT {COLUMNS}
             FROM messages{}
             WHERE id > ?1 AND id <= ?2
             ORDER BY id",
            self.suffix
        );
        let mut statement = self.connection.prepare_cached(&sql)?;
        let rows = statement.query_map([after, last], |row| {
            let trail = trails.remove(&row.get(0)?).unwrap_or_default();
            message_row::from_row(row, rule, trail, |account| self.account_sid(account))
        })?;
        rows.collect()
    }

    fn trails(&self, first: u64, last: u64) -> rusqlite::Result<HashMap<u64, Vec<Trace>>> {
        let sql = format!(
            "SELECT id, position, fingerprint
             FROM trails{}
             WHERE id BETWEEN ?1 AND ?2
             ORDER BY id, position",
            self.suffix
        );
        let mut statement = self.connection.prepare_cached(&sql)?;
        let mut rows = statement.query([first, last])?;
        let mut trails: HashMap<u64, Vec<Trace>> = HashMap::new();
        while let Some(row) = rows.next()? {
            // SQLite's integers are signed; the bits are the fingerprint's.
            let fingerprint = row.get::<_, i64>(2)? as u64;
            let trace = Trace { position: row.get(1)?, fingerprint };
            trails.entry(row.get(0)?).or_default().push(trace);
        }
        Ok(trails)
    }

    /// Every stored value of the chain.
    pub fn chain_marks(&self) -> rusqlite::Result<BTreeMap<Position, Hash>> {
        let sql = format!("SELECT position, chain FROM chain_marks{}", self.suffix);
        let mut statement = self.connection.prepare_cached(&sql)?;
        statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
    }

    fn account_number(&self, account: Option<&AccountSid>) -> rusqlite::Result<Option<i64>> {
        let Some(account) = account else { return Ok(Some(NO_ACCOUNT)) };
        let sql = format!("SELECT id FROM accounts{} WHERE account_sid = ?1", self.suffix);
        let mut statement = self.connection.prepare_cached(&sql)?;
        statement.query_row([account.as_str()], |row| row.get(0)).optional()
    }

    fn account_sid(&self, number: i64) -> rusqlite::Result<Option<AccountSid>> {
        if number == NO_ACCOUNT {
            return Ok(None);
        }
        let sql = format!("SELECT account_sid FROM accounts{} WHERE id = ?1", self.suffix);
        let mut statement = self.connection.prepare_cached(&sql)?;
        let text: String = statement.query_row([number], |row| row.get(0))?;
        Ok(AccountSid::parse(&text))
    }

    /// Writes a batch; the caller's transaction makes it all or none.
    pub fn write(&self, batch: &Batch) -> rusqlite::Result<()> {
        let sql = format!("SELECT coalesce(max(id), 0) FROM messages{}", self.suffix);
        let mut last_id: u64 = query_value(self.connection, &sql)?;
        let mut new_sids = Vec::new();
        for changed in &batch.messages {
            let account = self.account_number_or_new(changed.message.key.account_sid.as_ref())?;
            let mut message = changed.message.clone();
            if message.id == 0 {
                last_id += 1;
                message.id = last_id;
                new_sids.push((pack_sid(&message.key.message_sid), account, message.id));
            }
            self.put_message(&message, account)?;
            self.put_trail(message.id, changed)?;
        }
        self.put_sids(new_sids)?;
        self.put_chain_marks(&batch.chain_marks)?;
        self.put_checkpoint(&batch.to)
    }

    fn account_number_or_new(&self, account: Option<&AccountSid>) -> rusqlite::Result<i64> {
        if let Some(number) = self.account_number(account)? {
            return Ok(number);
        }
        let sql = format!("INSERT INTO accounts{}(account_sid) VALUES (?1)", self.suffix);
        let text = account.map_or("", AccountSid::as_str);
        self.connection.prepare_cached(&sql)?.insert([text])
    }

    fn put_message(&self, message: &Message, account: i64) -> rusqlite::Result<()> {
        let sql = format!(
            "INSERT OR REPLACE INTO messages{}({COLUMNS})
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10,
                     ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20)",
            self.suffix
        );
        let values = message_row::to_row(message, account);
        self.connection.prepare_cached(&sql)?.execute(rusqlite::params_from_iter(values))?;
        Ok(())
    }

    fn put_trail(&self, id: u64, changed: &Changed) -> rusqlite::Result<()> {
        let sql = format!(
            "INSERT INTO trails{}(id, position, fingerprint)
             VALUES (?1, ?2, ?3)",
            self.suffix
        );
        let mut statement = self.connection.prepare_cached(&sql)?;
        for trace in changed.new_trail() {
            statement.execute(params![id, trace.position, trace.fingerprint as i64])?;
        }
        Ok(())
    }

    /// In key order, so that neighbours go to the same page.
    fn put_sids(&self, mut sids: Vec<(Vec<u8>, i64, u64)>) -> rusqlite::Result<()> {
        sids.sort_unstable();
        let sql = format!("INSERT INTO sids{}(sid, account, id) VALUES (?1, ?2, ?3)", self.suffix);
        let mut statement = self.connection.prepare_cached(&sql)?;
        for (sid, account, id) in sids {
            statement.execute(params![sid, account, id])?;
        }
        Ok(())
    }

    fn put_chain_marks(&self, marks: &[(Position, Hash)]) -> rusqlite::Result<()> {
        let sql =
            format!("INSERT INTO chain_marks{}(position, chain) VALUES (?1, ?2)", self.suffix);
        let mut statement = self.connection.prepare_cached(&sql)?;
        for (position, chain) in marks {
            statement.execute(params![position, chain])?;
        }
        Ok(())
    }
}

fn uuid_column(row: &Row<'_>, index: usize) -> rusqlite::Result<Uuid> {
    let bytes: Vec<u8> = row.get(index)?;
    Uuid::from_slice(&bytes).map_err(|_| damaged(index, "a UUID"))
}

fn damaged(column: usize, what: &str) -> rusqlite::Error {
    let detail = format!("this is not {what}");
    let kind = rusqlite::types::Type::Blob;
    rusqlite::Error::FromSqlConversionFailure(column, kind, detail.into())
}

//! Reading one set of the views' tables, within a transaction that the caller holds.

use std::collections::{BTreeMap, HashMap};

use foldhash::fast::RandomState;
use rusqlite::{CachedStatement, Connection, OptionalExtension, Row, params};
use uuid::Uuid;

use crate::domain::digest::Hash;
use crate::domain::filter::MessageFilter;
use crate::domain::message_ref::MessageRef;
use crate::domain::{AccountSid, MessageKey, MessageSid, Position, Rule};
use crate::store::sqlite::views::index::{Key, of_sid};
use crate::store::sqlite::views::index_buffer::IndexBuffer;
use crate::store::sqlite::views::message_row::{self, COLUMNS, STANDING_COLUMNS, pack_sid};
use crate::store::{Checkpoint, Message};

/// The number that stands for "no account" in the views.
pub const NO_ACCOUNT: i64 = 0;

/// Which set of tables, on which connection.
#[derive(Clone, Copy)]
pub struct Tables<'c> {
    pub connection: &'c Connection,
    /// Behind the tables' names.
    pub suffix: &'static str,
}

/// The accounts by their numbers; there are as many as are configured.
pub struct Accounts {
    by_number: HashMap<i64, AccountSid, RandomState>,
}

/// Statements that read messages, prepared once for as many as are wanted.
pub struct MessageReader<'c> {
    rule: Rule,
    accounts: Accounts,
    id: CachedStatement<'c>,
    row: CachedStatement<'c>,
    standing: CachedStatement<'c>,
}

impl<'c> Tables<'c> {
    /// How far these tables have read.
    pub fn checkpoint(&self) -> rusqlite::Result<Checkpoint> {
        let mut statement = self.prepare(
            "SELECT ledger_id, generation, rule, position, event_id, chain, first_real, last_simulated
             FROM checkpoint{}",
        )?;
        statement.query_row([], |row| {
            let event_id: Option<Vec<u8>> = row.get(4)?;
            Ok(Checkpoint {
                ledger_id: uuid_column(row, 0)?,
                generation: uuid_column(row, 1)?,
                rule: Rule::parse(&row.get::<_, String>(2)?).ok_or_else(|| damaged(2, "a rule"))?,
                position: row.get(3)?,
                event_id: event_id.map(|_| uuid_column(row, 4)).transpose()?,
                chain: row.get(5)?,
                first_real: row.get(6)?,
                last_simulated: row.get(7)?,
            })
        })
    }

    /// Every stored value of the chain.
    pub fn chain_marks(&self) -> rusqlite::Result<BTreeMap<Position, Hash>> {
        let mut statement = self.prepare("SELECT position, chain FROM chain_marks{}")?;
        statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
    }

    /// Reads messages that this rule has folded.
    pub fn messages(&self, rule: Rule) -> rusqlite::Result<MessageReader<'c>> {
        Ok(MessageReader {
            rule,
            accounts: self.accounts()?,
            id: self.prepare("SELECT id FROM sids{} WHERE sid = ?1 AND account = ?2")?,
            row: self.prepare(&format!("SELECT {COLUMNS} FROM messages{{}} WHERE id = ?1"))?,
            standing: self
                .prepare(&format!("SELECT {STANDING_COLUMNS} FROM messages{{}} WHERE id = ?1"))?,
        })
    }

    /// Every message with this SID, in order of first arrival.
    pub fn messages_with(&self, rule: Rule, sid: &MessageSid) -> rusqlite::Result<Vec<Message>> {
        let mut statement = self.prepare("SELECT id FROM sids{} WHERE sid = ?1 ORDER BY id")?;
        let ids = statement.query_map([&pack_sid(sid)[..]], |row| row.get(0))?;
        let ids = ids.collect::<rusqlite::Result<Vec<u64>>>()?;
        let mut reader = self.messages(rule)?;
        ids.into_iter().map(|id| reader.by_id(id)).collect()
    }

    /// At most `limit` messages after an id.
    pub fn page(&self, rule: Rule, after: u64, limit: usize) -> rusqlite::Result<Vec<Message>> {
        // Ids are dense, so a range of ids is a page.
        let last = after.saturating_add(limit as u64).min(i64::MAX as u64);
        let accounts = self.accounts()?;
        let mut statement = self.prepare(&format!(
            "SELECT {COLUMNS}
             FROM messages{{}}
             WHERE id > ?1 AND id <= ?2
             ORDER BY id"
        ))?;
        let rows = statement.query_map([after, last], |row| {
            message_row::from_row(row, rule, |number| accounts.sid(number))
        })?;
        rows.collect()
    }

    /// Lends each message with an id after one and up to another.
    pub fn for_each_message(
        &self,
        after: u64,
        last: u64,
        each: &mut dyn FnMut(&MessageRef<'_>),
    ) -> rusqlite::Result<()> {
        let accounts = self.accounts()?;
        let mut statement = self.prepare(&format!(
            "SELECT {STANDING_COLUMNS}
             FROM messages{{}}
             WHERE id > ?1 AND id <= ?2
             ORDER BY id"
        ))?;
        let mut rows = statement.query([after, last])?;
        while let Some(row) = rows.next()? {
            each(&message_row::standing_of_row(row, |number| accounts.sid_ref(number))?);
        }
        Ok(())
    }

    /// The id given last, which is how many messages there are.
    pub fn last_id(&self) -> rusqlite::Result<u64> {
        self.prepare("SELECT coalesce(max(id), 0) FROM messages{}")?.query_row([], |row| row.get(0))
    }

    /// The accounts so far.
    pub fn accounts(&self) -> rusqlite::Result<Accounts> {
        let mut statement = self.prepare("SELECT id, account_sid FROM accounts{}")?;
        let rows = statement.query_map([], |row| {
            let sid: String = row.get(1)?;
            Ok((row.get(0)?, AccountSid::parse(&sid).ok_or_else(|| damaged(1, "an account"))?))
        })?;
        Ok(Accounts { by_number: rows.collect::<rusqlite::Result<_>>()? })
    }

    /// Prepares a statement, `{}` in it being the tables' suffix.
    pub fn prepare(&self, sql: &str) -> rusqlite::Result<CachedStatement<'c>> {
        self.connection.prepare_cached(&sql.replace("{}", self.suffix))
    }
}

impl Accounts {
    /// The number of an account, where it has one already.
    pub fn number(&self, account: Option<&AccountSid>) -> Option<i64> {
        match account {
            None => Some(NO_ACCOUNT),
            Some(sid) => {
                self.by_number.iter().find(|(_, have)| *have == sid).map(|(number, _)| *number)
            }
        }
    }

    /// Notes an account's new number.
    pub fn insert(&mut self, number: i64, account: AccountSid) {
        self.by_number.insert(number, account);
    }

    fn sid(&self, number: i64) -> rusqlite::Result<Option<AccountSid>> {
        self.sid_ref(number).map(Option::<&AccountSid>::cloned)
    }

    /// The account with this number; nothing is no account.
    pub fn sid_ref(&self, number: i64) -> rusqlite::Result<Option<&AccountSid>> {
        match self.by_number.get(&number) {
            Some(sid) => Ok(Some(sid)),
            None if number == NO_ACCOUNT => Ok(None),
            None => Err(damaged(1, "an account's number")),
        }
    }
}

impl MessageReader<'_> {
    /// Each of these messages that is there, in the order asked for. They are looked up in the order
    /// of the index: neighbours are on one page, which a large index has not in memory.
    pub fn by_keys(
        &mut self,
        keys: &[&MessageKey],
        pending: &IndexBuffer,
    ) -> rusqlite::Result<Vec<Option<Message>>> {
        let (mut wanted, mut messages) = (Vec::new(), Vec::new());
        for (place, MessageKey { account_sid, message_sid }) in keys.iter().enumerate() {
            messages.push(None);
            if let Some(account) = self.accounts.number(account_sid.as_ref()) {
                wanted.push(((pack_sid(message_sid), account), place));
            }
        }
        wanted.sort_unstable();
        for ((sid, account), place) in wanted {
            messages[place] = match self.pending(keys[place], &of_sid(&sid, account), pending)? {
                None => {
                    let id = self.id.query_row(params![&sid[..], account], |row| row.get(0));
                    id.optional()?.map(|id| self.by_id(id)).transpose()?
                }
                pending => pending,
            };
        }
        Ok(messages)
    }

    /// The message with this key, if it cannot be found by its SID yet.
    fn pending(
        &mut self,
        key: &MessageKey,
        sid: &Key,
        pending: &IndexBuffer,
    ) -> rusqlite::Result<Option<Message>> {
        for id in pending.ids(sid) {
            let message = self.by_id(id)?;
            if message.key == *key {
                return Ok(Some(message));
            }
        }
        Ok(None)
    }

    /// Whether the message with this id is asked for.
    pub fn is_wanted(&mut self, id: u64, wanted: &MessageFilter) -> rusqlite::Result<bool> {
        let accounts = &self.accounts;
        self.standing.query_row([id], |row| {
            let standing = message_row::standing_of_row(row, |number| accounts.sid_ref(number))?;
            Ok(wanted.matches(&standing))
        })
    }

    /// The message with this id.
    pub fn by_id(&mut self, id: u64) -> rusqlite::Result<Message> {
        self.row.query_row([id], |row| {
            message_row::from_row(row, self.rule, |number| self.accounts.sid(number))
        })
    }
}

fn uuid_column(row: &Row<'_>, index: usize) -> rusqlite::Result<Uuid> {
    let bytes: Vec<u8> = row.get(index)?;
    Uuid::from_slice(&bytes).map_err(|_| damaged(index, "a UUID"))
}

/// A column that holds what it cannot hold.
pub fn damaged(column: usize, what: &str) -> rusqlite::Error {
    let detail = format!("this is not {what}");
    let kind = rusqlite::types::Type::Blob;
    rusqlite::Error::FromSqlConversionFailure(column, kind, detail.into())
}

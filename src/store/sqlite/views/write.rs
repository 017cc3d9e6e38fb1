//! Writing one set of the views' tables, within a transaction that the caller holds.

use rusqlite::params;

use crate::domain::AccountSid;
use crate::domain::digest::Hash;
use crate::domain::event::Position;
use crate::store::sqlite::views::index::{self, Entry, Way};
use crate::store::sqlite::views::message_row::{COLUMNS, MessageInsert, pack_sid};
use crate::store::sqlite::views::read::{Accounts, NO_ACCOUNT, Tables};
use crate::store::sqlite::views::rollup_write;
use crate::store::{Batch, Checkpoint, Message, MessageChange};

/// How many entries most new messages have: SID, To, From, and whether they are open.
const ENTRIES_A_MESSAGE: usize = 4;

/// Writes a batch but for the entries it returns, which are written in the order of their own keys,
/// now or with those of others; the caller's transaction makes it all or none.
pub fn batch(tables: Tables<'_>, batch: &Batch, listed: bool) -> rusqlite::Result<Vec<Entry>> {
    let entries = put_messages(tables, &batch.messages, listed)?;
    rollup_write::move_messages(tables, &batch.messages)?;
    put_chain_marks(tables, &batch.chain_marks)?;
    checkpoint(tables, &batch.to)?;
    Ok(entries)
}

/// Writes how far these tables have read.
pub fn checkpoint(tables: Tables<'_>, checkpoint: &Checkpoint) -> rusqlite::Result<()> {
    let mut statement = tables.prepare(
        "INSERT OR REPLACE INTO checkpoint{}
             (id, ledger_id, generation, rule, position, event_id, chain, first_real, last_simulated)
         VALUES (1, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?;
    statement.execute(params![
        checkpoint.ledger_id.as_bytes(),
        checkpoint.generation.as_bytes(),
        checkpoint.rule.name(),
        checkpoint.position,
        checkpoint.event_id.map(|id| *id.as_bytes()),
        checkpoint.chain,
        checkpoint.first_real,
        checkpoint.last_simulated,
    ])?;
    Ok(())
}

fn put_messages(
    tables: Tables<'_>,
    messages: &[MessageChange],
    listed: bool,
) -> rusqlite::Result<Vec<Entry>> {
    let mut accounts = tables.accounts()?;
    let mut last_id = tables.last_id()?;
    let entries_a_message = if listed { ENTRIES_A_MESSAGE } else { 1 };
    let mut entries = Vec::with_capacity(messages.len() * entries_a_message);
    let put = |verb| {
        let sql = format!("{verb} INTO messages{{}}({COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5)");
        tables.prepare(&sql).map(MessageInsert::new)
    };
    let (mut insert, mut replace) = (put("INSERT")?, put("REPLACE")?);
    for MessageChange { before, message: Message { id, key, lifecycle } } in messages {
        let account = account_number(tables, &mut accounts, key.account_sid.as_ref())?;
        let sid = pack_sid(&key.message_sid);
        let id = match *id {
            0 => {
                last_id += 1;
                insert.put(last_id, account, &sid, lifecycle)?;
                let key = index::of_sid(&sid, account);
                entries.push(Entry { way: Way::Sids, key, id: last_id, gained: true });
                last_id
            }
            id => {
                replace.put(id, account, &sid, lifecycle)?;
                id
            }
        };
        if listed {
            index::add_entries(&mut entries, id, before.as_deref(), lifecycle);
        }
    }
    Ok(entries)
}

/// The number of an account, which is given one where it has none.
pub fn account_number(
    tables: Tables<'_>,
    accounts: &mut Accounts,
    account: Option<&AccountSid>,
) -> rusqlite::Result<i64> {
    match (accounts.number(account), account) {
        (Some(number), _) => Ok(number),
        (None, None) => Ok(NO_ACCOUNT),
        (None, Some(sid)) => {
            let mut statement =
                tables.prepare("INSERT INTO accounts{}(account_sid) VALUES (?1)")?;
            let number = statement.insert([sid.as_str()])?;
            accounts.insert(number, sid.clone());
            Ok(number)
        }
    }
}

fn put_chain_marks(tables: Tables<'_>, marks: &[(Position, Hash)]) -> rusqlite::Result<()> {
    let mut statement =
        tables.prepare("INSERT INTO chain_marks{}(position, chain) VALUES (?1, ?2)")?;
    for (position, chain) in marks {
        statement.execute(params![position, chain])?;
    }
    Ok(())
}

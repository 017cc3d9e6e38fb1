//! Writing one set of the views' tables, within a transaction that the caller holds.

use rusqlite::params;

use super::message_row::{self, COLUMNS, pack_sid};
use super::pending::NewSid;
use super::query_value;
use super::view_read::{Accounts, NO_ACCOUNT, Tables};
use crate::domain::AccountSid;
use crate::domain::digest::Hash;
use crate::domain::event::Position;
use crate::store::{Batch, Checkpoint, Message};

/// Writes a batch but for the new SIDs, which it returns; the caller's transaction makes it all or
/// none.
pub fn batch(tables: Tables<'_>, batch: &Batch) -> rusqlite::Result<Vec<NewSid>> {
    let new_sids = put_messages(tables, &batch.messages)?;
    put_chain_marks(tables, &batch.chain_marks)?;
    checkpoint(tables, &batch.to)?;
    Ok(new_sids)
}

/// Writes how far these tables have read.
pub fn checkpoint(tables: Tables<'_>, checkpoint: &Checkpoint) -> rusqlite::Result<()> {
    let mut statement = tables.prepare(
        "INSERT OR REPLACE INTO checkpoint{}(id, ledger_id, rule, position, event_id, chain)
         VALUES (1, ?1, ?2, ?3, ?4, ?5)",
    )?;
    statement.execute(params![
        checkpoint.ledger_id.as_bytes(),
        checkpoint.rule.name(),
        checkpoint.position,
        checkpoint.event_id.map(|id| *id.as_bytes()),
        checkpoint.chain,
    ])?;
    Ok(())
}

fn put_messages(tables: Tables<'_>, messages: &[Message]) -> rusqlite::Result<Vec<NewSid>> {
    let mut accounts = tables.accounts()?;
    let max_id = format!("SELECT coalesce(max(id), 0) FROM messages{}", tables.suffix);
    let mut last_id: u64 = query_value(tables.connection, &max_id)?;
    let mut new_sids = Vec::new();
    let put = |verb| {
        tables.prepare(&format!(
            "{verb} INTO messages{{}}({COLUMNS})
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10,
                     ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21)"
        ))
    };
    let (mut insert, mut replace) = (put("INSERT")?, put("REPLACE")?);
    for message in messages {
        let account = account_number(tables, &mut accounts, message.key.account_sid.as_ref())?;
        let sid = pack_sid(&message.key.message_sid);
        if message.id > 0 {
            message_row::put(&mut replace, message.id, account, &sid, &message.lifecycle)?;
            continue;
        }
        last_id += 1;
        message_row::put(&mut insert, last_id, account, &sid, &message.lifecycle)?;
        new_sids.push(NewSid { sid, account, id: last_id });
    }
    Ok(new_sids)
}

fn account_number(
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

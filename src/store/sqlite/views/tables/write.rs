//! Writes the tables of one set of views, within a transaction that the caller holds.

use rusqlite::params;

use crate::domain::hash::Hash;
use crate::domain::tree::Node;
use crate::store::codec::sid::pack_sid;
use crate::store::codec::tag_index;
use crate::store::sqlite::views::tables::Tables;
use crate::store::sqlite::views::tables::message_row::MessageWriter;
use crate::store::sqlite::views::tables::tag_index::TagWriter;
use crate::store::sqlite::views::tables::{logged_errors, rollups, silent_events};
use crate::store::{Batch, Checkpoint, Message, MessageChange};

/// Writes a batch and its checkpoint.
pub fn batch(tables: Tables<'_>, batch: &Batch) -> rusqlite::Result<()> {
    put_messages(tables, batch)?;
    rollups::move_messages(tables, &batch.messages)?;
    put_tree_nodes(tables, &batch.tree_nodes)?;
    logged_errors::count(tables, &batch.logged_errors)?;
    silent_events::add(tables, &batch.silent_events)?;
    checkpoint(tables, &batch.to)
}

/// Writes the checkpoint of these tables.
pub fn checkpoint(tables: Tables<'_>, checkpoint: &Checkpoint) -> rusqlite::Result<()> {
    let mut statement = tables.prepare(
        "INSERT OR REPLACE INTO checkpoint
             (id, ledger_id, generation, rule, position, event_id, right_edge, first_real, last_simulated,
              indexed_tags)
         VALUES (1, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    )?;
    statement.execute(params![
        checkpoint.ledger_id.as_bytes(),
        checkpoint.generation.as_bytes(),
        checkpoint.rule.name(),
        checkpoint.position,
        checkpoint.event_id.map(|id| *id.as_bytes()),
        checkpoint.tree.hashes().concat(),
        checkpoint.first_real,
        checkpoint.last_simulated,
        tag_index::to_column(&checkpoint.indexed_tags),
    ])?;
    Ok(())
}

fn put_messages(tables: Tables<'_>, batch: &Batch) -> rusqlite::Result<()> {
    let mut accounts = tables.accounts()?;
    let mut last_id = tables.last_id()?;
    let mut writer = MessageWriter::new(tables)?;
    let mut tags = TagWriter::new(tables, batch.to.indexed_tags.clone())?;
    for MessageChange { before, message: Message { id, key, lifecycle } } in &batch.messages {
        if *id != 0 {
            writer.update(*id, before.as_deref(), lifecycle)?;
            let tags_before = before.as_deref().map(|before| &before.evidence.tags);
            tags.write(*id, tags_before, &lifecycle.evidence.tags)?;
            continue;
        }
        let account = accounts.number_or_insert(tables, key.account_sid.as_ref())?;
        let sid = pack_sid(&key.message_sid);
        last_id += 1;
        writer.insert(last_id, account, &sid, lifecycle)?;
        tags.write(last_id, None, &lifecycle.evidence.tags)?;
        if let Some(sids) = tables.sids {
            sids.borrow_mut().insert(&sid, account, last_id);
        }
    }
    Ok(())
}

fn put_tree_nodes(tables: Tables<'_>, nodes: &[(Node, Hash)]) -> rusqlite::Result<()> {
    let mut statement =
        tables.prepare("INSERT INTO tree_nodes(level, idx, hash) VALUES (?1, ?2, ?3)")?;
    for (Node { level, index }, hash) in nodes {
        statement.execute(params![level, index, hash])?;
    }
    Ok(())
}

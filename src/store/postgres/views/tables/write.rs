//! Writes the tables of one set of views, within a transaction that the caller holds.

use crate::domain::hash::Hash;
use crate::domain::tree::Node;
use crate::store::codec::sid::pack_sid;
use crate::store::codec::tag_index;
use crate::store::postgres::connect::error::Failure;
use crate::store::postgres::views::tables::Tables;
use crate::store::postgres::views::tables::message_writer::MessageWriter;
use crate::store::postgres::views::tables::tag_index::TagWriter;
use crate::store::postgres::views::tables::{logged_errors, rollups, silent_events};
use crate::store::{Batch, Checkpoint, Message, MessageChange};

/// Writes a batch and its checkpoint.
pub fn batch(tables: Tables<'_>, batch: &Batch) -> Result<(), Failure> {
    put_messages(tables, batch)?;
    rollups::move_messages(tables, &batch.messages)?;
    put_tree_nodes(tables, &batch.tree_nodes)?;
    logged_errors::count(tables, &batch.logged_errors)?;
    silent_events::add(tables, &batch.silent_events)?;
    checkpoint(tables, &batch.to)
}

/// Writes the checkpoint of a new set, which is not in use.
pub fn insert_checkpoint(
    tables: Tables<'_>,
    start: &Checkpoint,
    format: &str,
) -> Result<(), Failure> {
    tables.connection.execute(
        "INSERT INTO projections(views, in_use, ledger_id, generation, rule, position, right_edge,
                                 first_real, last_simulated, format)
         VALUES ($1, false, $2, $3, $4, 0, '', 0, 0, $5)",
        &[&tables.schema, &start.ledger_id, &start.generation, &start.rule.name(), &format],
    )?;
    checkpoint(tables, start)
}

/// Writes the checkpoint of these tables.
pub fn checkpoint(tables: Tables<'_>, checkpoint: &Checkpoint) -> Result<(), Failure> {
    let position = checkpoint.position as i64;
    let first_real = checkpoint.first_real as i64;
    let last_simulated = checkpoint.last_simulated as i64;
    let updated = tables.connection.execute(
        "UPDATE projections
         SET ledger_id = $2, generation = $3, rule = $4, position = $5, event_id = $6, right_edge = $7,
             first_real = $8, last_simulated = $9, indexed_tags = $10
         WHERE views = $1",
        &[
            &tables.schema,
            &checkpoint.ledger_id,
            &checkpoint.generation,
            &checkpoint.rule.name(),
            &position,
            &checkpoint.event_id,
            &checkpoint.tree.hashes().concat(),
            &first_real,
            &last_simulated,
            &tag_index::to_column(&checkpoint.indexed_tags),
        ],
    )?;
    if updated == 1 { Ok(()) } else { Err(Failure::NotA("a set of views")) }
}

fn put_messages(tables: Tables<'_>, batch: &Batch) -> Result<(), Failure> {
    let mut accounts = tables.accounts()?;
    let mut last_id = tables.last_id()?;
    let mut writer = MessageWriter::default();
    let mut tags = TagWriter::new(batch.to.indexed_tags.clone());
    for MessageChange { before, message: Message { id, key, lifecycle } } in &batch.messages {
        if *id != 0 {
            writer.update(*id, before.as_deref(), lifecycle);
            let tags_before = before.as_deref().map(|before| &before.evidence.tags);
            tags.add(*id, tags_before, &lifecycle.evidence.tags);
            continue;
        }
        let account = accounts.number_or_insert(tables, key.account_sid.as_ref())?;
        last_id += 1;
        writer.insert(last_id, account, &pack_sid(&key.message_sid), lifecycle);
        tags.add(last_id, None, &lifecycle.evidence.tags);
    }
    writer.write(tables)?;
    tags.write(tables)
}

fn put_tree_nodes(tables: Tables<'_>, nodes: &[(Node, Hash)]) -> Result<(), Failure> {
    if nodes.is_empty() {
        return Ok(());
    }
    let levels: Vec<_> = nodes.iter().map(|(node, _)| i16::from(node.level)).collect();
    let indexes: Vec<_> = nodes.iter().map(|(node, _)| node.index as i64).collect();
    let hashes: Vec<_> = nodes.iter().map(|(_, hash)| &hash[..]).collect();
    let sql = format!(
        "INSERT INTO {}.tree_nodes(level, idx, hash)
         SELECT * FROM unnest($1::smallint[], $2::bigint[], $3::bytea[])",
        tables.schema
    );
    tables.connection.execute(&sql, &[&levels, &indexes, &hashes]).map(|_rows| ())
}

//! Writes the messages of a batch, those of each kind in one statement.

use crate::domain::Lifecycle;
use crate::store::codec::message::{self, WrittenColumns};
use crate::store::postgres::connect::copy::CopyRows;
use crate::store::postgres::connect::error::Failure;
use crate::store::postgres::views::tables::Tables;

/// The columns of a new message.
const COLUMNS: &str = "id, account, flags, sid, status, recipient, sender, lifecycle";
/// From this number of new messages on, COPY takes a third less of the server's time than INSERT.
const COPIED_MIN: usize = 256;

/// The rows of messages, a list for each column.
#[derive(Default)]
struct Rows {
    id: Vec<i64>,
    flags: Vec<i16>,
    status: Vec<Option<&'static str>>,
    recipient: Vec<Option<Vec<u8>>>,
    sender: Vec<Option<Vec<u8>>>,
    lifecycle: Vec<Vec<u8>>,
    /// Of new messages only.
    account: Vec<i32>,
    sid: Vec<Vec<u8>>,
}

/// The changes of one batch.
#[derive(Default)]
pub struct MessageWriter {
    new: Rows,
    changed: Rows,
    /// The flags of new messages.
    new_flags: (Vec<i16>, Vec<i64>),
    /// Changed messages that have a flag now, or no longer.
    flagged: (Vec<i16>, Vec<i64>),
    unflagged: (Vec<i16>, Vec<i64>),
}

impl MessageWriter {
    /// Adds a new message.
    pub fn insert(&mut self, id: u64, account: i32, packed_sid: &[u8], lifecycle: &Lifecycle) {
        let flags = self.new.push(id, lifecycle);
        self.new.account.push(account);
        self.new.sid.push(packed_sid.to_vec());
        for bit in bits(flags) {
            self.new_flags.0.push(bit);
            self.new_flags.1.push(id as i64);
        }
    }

    /// Adds a message that has changed from `before`, if that is known.
    pub fn update(&mut self, id: u64, before: Option<&Lifecycle>, lifecycle: &Lifecycle) {
        let flags = self.changed.push(id, lifecycle);
        // Without it, any flag may have been set.
        let flags_before = before.map_or(u8::MAX, crate::store::codec::flags::flags);
        for bit in bits(flags_before ^ flags) {
            let is_set = i16::from(flags) & bit != 0;
            let list = if is_set { &mut self.flagged } else { &mut self.unflagged };
            list.0.push(bit);
            list.1.push(id as i64);
        }
    }

    /// Writes everything.
    pub fn write(&self, tables: Tables<'_>) -> Result<(), Failure> {
        self.write_new(tables)?;
        self.write_changed(tables)?;
        self.write_flags(tables)
    }

    fn write_new(&self, tables: Tables<'_>) -> Result<(), Failure> {
        match self.new.id.len() {
            0 => Ok(()),
            // No timeout ends a COPY whose client is frozen, and with it its hold of tables that others need.
            COPIED_MIN.. if !tables.shared => self.copy_new(tables),
            _ => self.insert_new(tables),
        }
    }

    fn copy_new(&self, Tables { connection, schema, .. }: Tables<'_>) -> Result<(), Failure> {
        let Rows { id, flags, status, recipient, sender, lifecycle, account, sid } = &self.new;
        let sql = format!("COPY {schema}.messages({COLUMNS}) FROM STDIN (FORMAT binary)");
        let mut rows = CopyRows::new(8);
        for n in 0..id.len() {
            rows.begin_row();
            rows.push(Some(&id[n].to_be_bytes()));
            rows.push(Some(&account[n].to_be_bytes()));
            rows.push(Some(&flags[n].to_be_bytes()));
            rows.push(Some(&sid[n]));
            rows.push(status[n].map(str::as_bytes));
            rows.push(recipient[n].as_deref());
            rows.push(sender[n].as_deref());
            rows.push(Some(&lifecycle[n]));
        }
        connection.copy_in(&sql, rows.finish())
    }

    fn insert_new(&self, Tables { connection, schema, .. }: Tables<'_>) -> Result<(), Failure> {
        let Rows { id, flags, status, recipient, sender, lifecycle, account, sid } = &self.new;
        let sql = format!(
            "INSERT INTO {schema}.messages({COLUMNS})
             SELECT * FROM unnest($1::bigint[], $2::integer[], $3::smallint[], $4::bytea[], $5::text[],
                                  $6::bytea[], $7::bytea[], $8::bytea[])"
        );
        connection
            .execute(&sql, &[id, account, flags, sid, status, recipient, sender, lifecycle])
            .map(|_rows| ())
    }

    fn write_changed(&self, Tables { connection, schema, .. }: Tables<'_>) -> Result<(), Failure> {
        let Rows { id, flags, status, recipient, sender, lifecycle, .. } = &self.changed;
        if id.is_empty() {
            return Ok(());
        }
        // Addresses rarely change, and only a change of them writes an index.
        let sql = format!(
            "UPDATE {schema}.messages AS message
             SET flags = new.flags, status = new.status, recipient = new.recipient, sender = new.sender,
                 lifecycle = new.lifecycle
             FROM unnest($1::bigint[], $2::smallint[], $3::text[], $4::bytea[], $5::bytea[], $6::bytea[])
               AS new(id, flags, status, recipient, sender, lifecycle)
             WHERE message.id = new.id"
        );
        connection.execute(&sql, &[id, flags, status, recipient, sender, lifecycle]).map(|_rows| ())
    }

    fn write_flags(&self, Tables { connection, schema, .. }: Tables<'_>) -> Result<(), Failure> {
        let (flags, ids) = &self.new_flags;
        if !ids.is_empty() {
            // Without ON CONFLICT it takes half the time.
            let sql = format!(
                "INSERT INTO {schema}.flagged(flag, id)
                 SELECT * FROM unnest($1::smallint[], $2::bigint[])"
            );
            connection.execute(&sql, &[flags, ids])?;
        }
        let (flags, ids) = &self.unflagged;
        if !ids.is_empty() {
            let sql = format!(
                "DELETE FROM {schema}.flagged AS flagged
                 USING unnest($1::smallint[], $2::bigint[]) AS old(flag, id)
                 WHERE flagged.flag = old.flag AND flagged.id = old.id"
            );
            connection.execute(&sql, &[flags, ids])?;
        }
        let (flags, ids) = &self.flagged;
        if !ids.is_empty() {
            let sql = format!(
                "INSERT INTO {schema}.flagged(flag, id)
                 SELECT * FROM unnest($1::smallint[], $2::bigint[])
                 ON CONFLICT DO NOTHING"
            );
            connection.execute(&sql, &[flags, ids])?;
        }
        Ok(())
    }
}

/// The bits that are set, one by one.
fn bits(flags: u8) -> impl Iterator<Item = i16> {
    (0..8).map(|bit| 1 << bit).filter(move |bit| i16::from(flags) & bit != 0)
}

impl Rows {
    /// Adds what both kinds have, and returns the flags.
    fn push(&mut self, id: u64, lifecycle: &Lifecycle) -> u8 {
        let mut packed = Vec::new();
        let WrittenColumns { status, addresses: [recipient, sender], flags } =
            message::pack(lifecycle, &mut packed);
        self.id.push(id as i64);
        self.flags.push(flags.into());
        self.status.push(status);
        self.recipient.push(recipient.map(|address| address.to_vec()));
        self.sender.push(sender.map(|address| address.to_vec()));
        self.lifecycle.push(packed);
        flags
    }
}

//! Everything there is, streamed out as NDJSON: one JSON object a line, in bounded memory,
//! by short reads that keep nobody waiting.

pub mod file;

use std::borrow::Cow;
use std::io::{self, Write};

use crate::domain::Position;
use crate::projection;
use crate::store::{Store, StoreError};
use crate::wire;

/// How many rows are in memory at a time.
const PAGE_ROWS: usize = 1000;

/// Why an export ended early.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("cannot write the export")]
    Write(#[from] io::Error),
}

/// Every event up to the head at the start, every field of it, the body byte for byte.
/// Returns how many there were.
pub fn events(store: &dyn Store, out: &mut dyn Write) -> Result<u64, ExportError> {
    let head = store.head()?;
    let (mut after, mut count): (Position, u64) = (0, 0);
    while after < head {
        let limit = PAGE_ROWS.min((head - after) as usize);
        let events = store.read(after, limit)?;
        let Some(last) = events.last() else { break };
        after = last.position;
        for event in events.into_iter().filter(|event| event.position <= head) {
            let reading = projection::read(&event);
            let account_sid = reading.account_sid.map(Cow::into_owned);
            let message_sid = reading.message_sid.map(Cow::into_owned);
            line(out, &wire::Event::new(event, account_sid, message_sid))?;
            count += 1;
        }
    }
    out.flush()?;
    Ok(count)
}

/// Every message of the views, in order of first arrival. Returns how many there were.
pub fn messages(store: &dyn Store, out: &mut dyn Write) -> Result<u64, ExportError> {
    let (mut after, mut count) = (0, 0);
    loop {
        let (checkpoint, messages) = store.views().page(after, PAGE_ROWS)?;
        let Some(last) = messages.last() else { break };
        after = last.id;
        for message in messages {
            let shown = wire::Message::new(&message.key, &message.lifecycle, checkpoint.position);
            line(out, &shown)?;
            count += 1;
        }
    }
    out.flush()?;
    Ok(count)
}

fn line(out: &mut dyn Write, value: &impl serde::Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *out, value)?;
    out.write_all(b"\n")
}

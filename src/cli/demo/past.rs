//! The past of the demo: written as another ledger would export it, then imported as `import` does.
//! So these events are labelled as imported, and keep the times at which that ledger would have received them.

use std::borrow::Cow;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::ops::ControlFlow;
use std::path::Path;

use anyhow::{Context, Result, bail};
use fastrand::Rng;
use uuid::Builder;

use crate::cli::common::progress;
use crate::domain::event::Headers;
use crate::domain::{NewEvent, Position, RecordedEvent, Source, Timestamp};
use crate::import::{ImportFormat, Options, stage};
use crate::simulate::{Arrival, Signer};
use crate::store::{self, Access, Database, append_when_free, new_salt};
use crate::twilio::event_sids::EventSids;
use crate::wire::event::Event;

/// The exported file. It is deleted once it has been imported.
const FILE: &str = "past.ndjson";

/// Imports these callbacks into the ledger, which is created, and returns their number.
pub fn import(
    database: &Database,
    folder: &Path,
    past: &[Arrival],
    signer: &Signer,
    now: Timestamp,
) -> Result<u64> {
    let path = folder.join(FILE);
    export(&path, past, signer).with_context(|| format!("write {}", path.display()))?;
    let options = Options {
        format: Some(ImportFormat::Events),
        keep_content: false,
        account_sid: None,
        now,
        spool_folder: folder.to_owned(),
    };
    let bar = progress::over_bytes(path.metadata()?.len(), "read");
    let mut staged = stage(std::slice::from_ref(&path), options, &mut |bytes| {
        bar.set_position(bytes);
        ControlFlow::Continue(())
    })?;
    bar.finish_and_clear();
    if let Some(row) = staged.rejected.first().first() {
        bail!("the past cannot be imported: {}", row.reason);
    }
    let store = store::open(database, Access::Create)?;
    let bar = progress::over_events(staged.staged(), "import");
    let mut append = |events: &[NewEvent]| append_when_free(&*store, events).map(|_| ());
    let (counts, outcome) = staged.append(None, &mut append, &mut |row| {
        bar.set_position(row);
        ControlFlow::Continue(())
    });
    outcome?;
    bar.finish_and_clear();
    std::fs::remove_file(&path).with_context(|| format!("delete {}", path.display()))?;
    Ok(counts.appended)
}

/// Writes the callbacks as `export events` would on the ledger that received them.
fn export(path: &Path, past: &[Arrival], signer: &Signer) -> Result<()> {
    let mut file = BufWriter::new(File::create(path)?);
    for (position, arrival) in (1..).zip(past) {
        let event = received(position, arrival, signer);
        let sids = EventSids::parse(&event);
        let text = |sid: Option<Cow<'_, str>>| sid.map(Cow::into_owned);
        let (account_sid, message_sid) = (text(sids.account_sid), text(sids.message_sid));
        serde_json::to_writer(&mut file, &Event::new(event, account_sid, message_sid))?;
        file.write_all(b"\n")?;
    }
    Ok(file.flush()?)
}

/// The event of a callback.
fn received(
    position: Position,
    Arrival { at, callback }: &Arrival,
    signer: &Signer,
) -> RecordedEvent {
    let headers = signer.headers(callback);
    let headers = headers.map(|(name, value)| (name.to_owned(), value.into_bytes()));
    let millis = u64::try_from(at.micros() / 1000).unwrap_or(0);
    let mut random = [0; 10];
    Rng::with_seed(position).fill(&mut random);
    let event = NewEvent {
        event_id: Builder::from_unix_timestamp_millis(millis, &random).into_uuid(),
        received_at: *at,
        source: Source::Callback,
        method: "POST".to_owned(),
        url: signer.url(callback),
        headers: Headers::new(headers),
        body: callback.body.clone().into_bytes(),
        verified_by: Some("primary".to_owned()),
        notes: Default::default(),
        salt: new_salt(),
    };
    RecordedEvent::new(position, event)
}

//! The events of an export, read in short steps, and its output.

use std::borrow::Cow;

use super::{Encoder, ExportError, ExportProgress, ExportRow, ExportView, PartWriter};
use crate::domain::Position;
use crate::domain::event::filter::EventFilter;
use crate::projection;
use crate::projection::message_query::BeyondHead;
use crate::projection::throttle::{self, Throttle};
use crate::store::{EventPages, Store};
use crate::wire;

/// The bytes of bodies after which events are written: a page of events may have megabytes of them.
const PART_BODY_BYTES: usize = 64 << 10;

/// The output of an export: the writer of its rows, and the receiver of its progress.
pub struct Output<'o, W> {
    pub writer: W,
    pub progress: &'o mut dyn ExportProgress,
}

impl<W: PartWriter> Output<'_, W> {
    /// Writes these many rows.
    pub fn write(&mut self, part: &mut W::Part, rows: u64) -> Result<(), ExportError> {
        self.progress.rows(rows);
        self.writer.write(part)
    }

    /// Reports that these many messages or events of all were read.
    pub fn page(&mut self, read: u64, all: u64) -> Result<(), ExportError> {
        match self.progress.page(read, all).is_break() {
            true => Err(ExportError::Stopped),
            false => Ok(()),
        }
    }
}

/// Writes every event up to the pin that matches the filter, every field of it, the body byte for byte.
/// Returns how many there were.
pub fn events<E: Encoder>(
    store: &dyn Store,
    filter: &EventFilter,
    ExportView { pin, masked }: ExportView,
    encoder: &E,
    output: &mut Output<'_, impl PartWriter<Part = E::Part>>,
) -> Result<u64, ExportError> {
    throttle::lower_priority(throttle::NICE);
    let mut callbacks = Throttle::of_threads(1, head_from(store, pin)?);
    let (mut read, mut count, mut part) = (0, 0, E::Part::default());
    for events in EventPages::new(store, 1..=pin) {
        let (mut rows, mut bytes) = (0, 0);
        for event in events? {
            read += 1;
            bytes += event.event.body.len();
            let reading = projection::read(&event);
            if filter.matches(reading.with_event(&event)) {
                let account_sid = reading.account_sid.map(Cow::into_owned);
                let message_sid = reading.message_sid.map(Cow::into_owned);
                let reported = reading.reported;
                let reported = reported.as_ref();
                let row = wire::ShownEvent::new(event, account_sid, message_sid, reported, masked);
                encoder.row(&ExportRow::Event(&row), &mut part);
                rows += 1;
            }
            if bytes >= PART_BODY_BYTES {
                output.write(&mut part, rows)?;
                count += rows;
                (rows, bytes) = (0, 0);
            }
        }
        output.write(&mut part, rows)?;
        count += rows;
        output.page(read, pin)?;
        callbacks.pause(store)?;
    }
    Ok(count)
}

/// The head of the log, unless the pin is beyond it.
pub fn head_from(store: &dyn Store, pin: Position) -> Result<Position, ExportError> {
    match store.head()? {
        head if pin > head => Err(BeyondHead { asked_for: pin, head }.into()),
        head => Ok(head),
    }
}

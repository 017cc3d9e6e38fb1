//! The rows of an export: messages or events as they were at its position, read in short steps.

use std::borrow::Cow;

use super::{ExportError, ExportProgress, ExportRow, ExportView, RowWriter};
use crate::domain::event::filter::EventFilter;
use crate::domain::message::filter::MessageFilter;
use crate::domain::message::message_ref::MessageRef;
use crate::domain::{ErrorCodes, Position};
use crate::projection::erased::leave_out;
use crate::projection::message_query::BeyondHead;
use crate::projection::throttle::{self, Throttle};
use crate::projection::{self, fold::fold};
use crate::store::{EventPages, Message, Store, StoreError};
use crate::wire::{self, mask};

/// The number of messages in memory at a time.
const PAGE_ROWS: usize = 1000;

/// The output of an export: the writer of its rows, and the receiver of its progress.
pub struct Output<'w> {
    pub writer: Box<dyn RowWriter + 'w>,
    pub progress: &'w mut dyn ExportProgress,
}

impl Output<'_> {
    fn row(&mut self, row: ExportRow) -> Result<(), ExportError> {
        self.progress.row();
        self.writer.row(&row)
    }

    fn page(&mut self, read: u64, all: u64) -> Result<(), ExportError> {
        match self.progress.page(read, all).is_break() {
            true => Err(ExportError::Stopped),
            false => Ok(()),
        }
    }
}

/// Writes every event up to the pin that matches the filter, every field of it, the body byte for byte.
/// Returns how many there were.
pub fn events(
    store: &dyn Store,
    filter: &EventFilter,
    ExportView { pin, masked }: ExportView,
    output: &mut Output<'_>,
) -> Result<u64, ExportError> {
    throttle::lower_priority(throttle::NICE);
    refuse_beyond_head(store, pin)?;
    let mut callbacks = Throttle::begin(store)?;
    let (mut read, mut count) = (0, 0);
    for events in EventPages::new(store, 1..=pin) {
        for event in events? {
            read += 1;
            let reading = projection::read(&event);
            if filter.matches(reading.with_event(&event)) {
                let account_sid = reading.account_sid.map(Cow::into_owned);
                let message_sid = reading.message_sid.map(Cow::into_owned);
                let reported = reading.reported;
                let reported = reported.as_ref();
                let row = wire::ShownEvent::new(event, account_sid, message_sid, reported, masked);
                output.row(ExportRow::Event(Box::new(row)))?;
                count += 1;
            }
        }
        output.page(read, pin)?;
        callbacks.pause(store)?;
    }
    Ok(count)
}

/// Writes every message that matches the filter, as it was at the pin, in order of first arrival. Returns
/// how many there were.
///
/// The views may have read on: a message that began after the pin is left out, and one that had later
/// events is folded again from those up to the pin.
pub fn messages(
    store: &dyn Store,
    filter: &MessageFilter,
    ExportView { pin, masked }: ExportView,
    error_codes: &ErrorCodes,
    output: &mut Output<'_>,
) -> Result<u64, ExportError> {
    throttle::lower_priority(throttle::NICE);
    refuse_beyond_head(store, pin)?;
    let mut callbacks = Throttle::begin(store)?;
    let (mut after, mut count) = (0, 0);
    let all = store.views().count()?;
    loop {
        callbacks.pause(store)?;
        let (checkpoint, mut messages) = store.views().page(after, PAGE_ROWS)?;
        if checkpoint.position < pin {
            return Err(ExportError::Behind { pin });
        }
        let Some(last) = messages.last() else { return Ok(count) };
        after = last.id;
        leave_out(store, &mut messages)?;
        for message in messages {
            let Some(message) = as_of(store, message, pin)? else { return Ok(count) };
            if filter.matches(&MessageRef::new(&message.key, &message.lifecycle)) {
                let row = wire::Message::new(&message.key, &message.lifecycle, pin, error_codes);
                let row = if masked { mask::message(row) } else { row };
                output.row(ExportRow::Message(Box::new(row)))?;
                count += 1;
            }
        }
        // Messages may have been added since they were counted.
        output.page(after.min(all), all)?;
    }
}

/// The message as it was at the pin; `None` if it began later, as did all that follow.
fn as_of(
    store: &dyn Store,
    message: Message,
    pin: Position,
) -> Result<Option<Message>, StoreError> {
    let positions = message.lifecycle.history.iter().map(|trace| trace.position);
    let up_to_pin: Vec<_> = positions.filter(|position| *position <= pin).collect();
    if up_to_pin.len() == message.lifecycle.history.len() {
        return Ok(Some(message));
    }
    if up_to_pin.is_empty() {
        return Ok(None);
    }
    let rule = message.lifecycle.evidence.rule;
    let folded = fold(rule, &message.key, store.read_at(&up_to_pin)?);
    Ok(folded.map(|folded| Message { lifecycle: folded.lifecycle, ..message }))
}

fn refuse_beyond_head(store: &dyn Store, pin: Position) -> Result<(), ExportError> {
    match store.head()? {
        head if pin > head => Err(BeyondHead { asked_for: pin, head }.into()),
        _ => Ok(()),
    }
}

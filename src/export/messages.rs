//! The messages of an export as they were at its position: read and encoded on several threads, page by page,
//! and written in order.

use std::ops::ControlFlow;
use std::thread::{self, available_parallelism};

use super::in_order::InOrder;
use super::rows::{Output, head_from};
use super::{Encoder, ExportError, ExportRow, ExportView, PartWriter};
use crate::domain::message::filter::MessageFilter;
use crate::domain::message::message_ref::WholeMessage;
use crate::domain::{ErrorCodes, Position};
use crate::projection::erased::{ErasureState, leave_out};
use crate::projection::fold::fold;
use crate::projection::throttle::{self, Throttle};
use crate::store::{Checkpoint, Message, Store, StoreError};
use crate::wire::MessageRow;
use crate::wire::mask::MaskedTexts;

/// The number of messages of a page: some milliseconds of reading.
const PAGE_ROWS: u64 = 1000;

/// The threads that read and encode pages, if there are as many cores. A server needs the others.
const THREADS_MAX: usize = 2;

/// The pages that are requested beyond one for each thread, so that none waits for the one that writes.
const READY_MAX: usize = 2;

/// The messages of an export.
pub struct Messages<'a> {
    pub store: &'a dyn Store,
    pub filter: &'a MessageFilter,
    pub view: ExportView,
    pub error_codes: &'a ErrorCodes,
}

/// The messages of a page, encoded.
struct Page<P> {
    part: P,
    rows: u64,
    /// True if no message of a later page began up to the pin.
    is_last: bool,
}

impl Messages<'_> {
    /// Writes every message that matches the filter, as it was at the pin, in order of first arrival.
    /// Returns how many there were.
    ///
    /// The views may have read on: a message that began after the pin is left out, and one that had later
    /// events is folded again from those up to the pin.
    pub fn write<E: Encoder>(
        &self,
        encoder: &E,
        output: &mut Output<'_, impl PartWriter<Part = E::Part>>,
    ) -> Result<u64, ExportError> {
        throttle::lower_priority(throttle::NICE);
        let head = head_from(self.store, self.view.pin)?;
        let all = self.store.views().count()?;
        let threads = available_parallelism().map_or(1, usize::from).min(THREADS_MAX);
        thread::scope(|scope| {
            let mut pages = InOrder::begin(scope, threads, threads + READY_MAX, move || {
                throttle::lower_priority(throttle::NICE);
                let mut callbacks = Throttle::of_threads(threads, head);
                move |(after, part)| {
                    callbacks.pause(self.store)?;
                    self.page(after, encoder, part)
                }
            });
            // Ids are dense, so a range of ids is a page.
            let mut after = 0;
            let mut request = |pages: &mut InOrder<_, _>, part| {
                pages.request((after, part));
                after += PAGE_ROWS;
            };
            (0..threads + READY_MAX).for_each(|_| request(&mut pages, E::Part::default()));
            let (mut read, mut count) = (0, 0);
            while let Some(page) = pages.next() {
                let Page { mut part, rows, is_last } = page?;
                output.write(&mut part, rows)?;
                count += rows;
                if is_last {
                    break;
                }
                read += PAGE_ROWS;
                // Messages may have been added since they were counted.
                output.page(read.min(all), all)?;
                request(&mut pages, part);
            }
            Ok(count)
        })
    }

    fn page<E: Encoder>(
        &self,
        after: u64,
        encoder: &E,
        part: E::Part,
    ) -> Result<Page<E::Part>, ExportError> {
        match self.page_as_it_is(after, encoder, part)? {
            Some(page) => Ok(page),
            None => self.page_as_it_was(after, encoder),
        }
    }

    /// A page straight from the rows of the views; `None` if it has a message with events after the pin, or
    /// may have an erased one.
    fn page_as_it_is<E: Encoder>(
        &self,
        after: u64,
        encoder: &E,
        part: E::Part,
    ) -> Result<Option<Page<E::Part>>, ExportError> {
        let (mut page, mut has_later_events) = (Page { part, rows: 0, is_last: true }, false);
        let views = self.store.views();
        let checkpoint =
            views.for_each_whole_message(after, after + PAGE_ROWS, &mut |message| {
                page.is_last = false;
                has_later_events = message.last_position > self.view.pin;
                if has_later_events {
                    return ControlFlow::Break(());
                }
                self.encode(message, encoder, &mut page);
                ControlFlow::Continue(())
            })?;
        self.refuse_behind(&checkpoint)?;
        let is_it = !has_later_events && !ErasureState::read(self.store)?.unfinished;
        Ok(is_it.then_some(page))
    }

    /// The same page without erased messages, and folded again where messages had later events.
    fn page_as_it_was<E: Encoder>(
        &self,
        after: u64,
        encoder: &E,
    ) -> Result<Page<E::Part>, ExportError> {
        let (checkpoint, mut messages) = self.store.views().page(after, PAGE_ROWS as usize)?;
        self.refuse_behind(&checkpoint)?;
        let is_last = messages.is_empty();
        let mut page = Page { part: E::Part::default(), rows: 0, is_last };
        leave_out(self.store, &mut messages)?;
        for message in messages {
            let Some(message) = as_of(self.store, message, self.view.pin)? else {
                page.is_last = true;
                break;
            };
            self.encode(&message.whole(), encoder, &mut page);
        }
        Ok(page)
    }

    /// Adds a message to a page, if it matches the filter.
    fn encode<E: Encoder>(
        &self,
        message: &WholeMessage<'_>,
        encoder: &E,
        page: &mut Page<E::Part>,
    ) {
        if !self.filter.matches(&message.state) {
            return;
        }
        page.rows += 1;
        let row = MessageRow::new(message, self.view.pin, self.error_codes);
        if self.view.masked {
            let masked = MaskedTexts::new(&row.texts);
            let row = row.with_texts(masked.texts());
            encoder.row(&ExportRow::Message(&row), &mut page.part);
        } else {
            encoder.row(&ExportRow::Message(&row), &mut page.part);
        }
    }

    fn refuse_behind(&self, checkpoint: &Checkpoint) -> Result<(), ExportError> {
        match checkpoint.position < self.view.pin {
            true => Err(ExportError::Behind { pin: self.view.pin }),
            false => Ok(()),
        }
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

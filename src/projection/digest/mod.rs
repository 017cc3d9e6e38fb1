//! The digest of a projection: one SHA-256 over all its messages. It is the same for the same log and rule, on
//! every engine and machine.

pub mod pages_ahead;

use std::thread;

use sha2::{Digest, Sha256};

use self::pages_ahead::PagesAhead;
use crate::domain::digest::Encoding;
use crate::domain::hash::Hash;
use crate::domain::message::click::Click;
use crate::domain::message::details::{Details, FeedbackOutcome, KnownDetails};
use crate::domain::message::kinds::EventKinds;
use crate::domain::message::lifecycle::Counts;
use crate::domain::message::status_reported::Addressing;
use crate::domain::{ErrorCode, Lifecycle, Rule, Status};
use crate::store::{Message, StoreError, Views};

/// Prefix of the encoding; a different encoding gets a different number.
const PROJECTION_V4: &[u8] = b"delivery-ledger projection 4\n";

/// Computes a digest from messages in the order of their first arrival.
pub struct ProjectionDigest {
    hash: Sha256,
    /// The encoding of one message; reused.
    encoding: Encoding,
}

impl ProjectionDigest {
    /// A digest for this rule, without messages yet.
    pub fn new(rule: Rule) -> Self {
        let mut encoding = Encoding::default();
        encoding.restart(PROJECTION_V4).text(rule.name());
        Self { hash: Sha256::new_with_prefix(encoding.as_bytes()), encoding }
    }

    /// Adds the next message.
    pub fn add(&mut self, message: &Message) {
        let encoding = self.encoding.restart(b"");
        encoding.number(message.id);
        encoding.optional(message.key.account_sid.as_ref().map(|sid| sid.as_str()));
        encoding.text(message.key.message_sid.as_str());
        add_lifecycle(encoding, &message.lifecycle);
        self.hash.update(encoding.as_bytes());
    }

    /// The digest of all messages so far.
    pub fn finish(self) -> Hash {
        self.hash.finalize().into()
    }
}

/// The digest of views, whose messages must not change meanwhile.
pub fn digest(views: &dyn Views) -> Result<Hash, StoreError> {
    let mut digest = ProjectionDigest::new(views.checkpoint()?.rule);
    thread::scope(|scope| {
        let (mut pages, mut after) = (PagesAhead::begin(scope, views), 0);
        loop {
            let (_, messages) = pages.after(after)?;
            let Some(last) = messages.last() else { return Ok(digest.finish()) };
            after = last.id;
            messages.iter().for_each(|message| digest.add(message));
        }
    })
}

fn add_lifecycle(encoding: &mut Encoding, lifecycle: &Lifecycle) {
    let Lifecycle { evidence, first_received_at, last_received_at, counts, history } = lifecycle;
    encoding.count(evidence.deciding.iter().len() + evidence.address_fallbacks.len());
    for event in evidence.deciding.iter().chain(&evidence.address_fallbacks) {
        add_status(encoding, event.status);
        add_code(encoding, event.error_code);
        encoding.number(event.position).number(event.doubt.to_byte().into());
        let Addressing { from, to, channel, channel_is_explicit, messaging_service_sid } =
            &event.addressed;
        encoding.optional(from.as_deref()).optional(to.as_deref()).text(channel);
        encoding.number(u64::from(*channel_is_explicit));
        encoding.optional(messaging_service_sid.as_deref());
    }
    encoding.count(evidence.status_times.iter().len());
    for (status, at) in evidence.status_times.iter() {
        encoding.text(status.name()).number(at.micros() as u64);
    }
    encoding.count(evidence.codes.len());
    for (code, status) in &evidence.codes {
        add_code(encoding, Some(*code));
        add_status(encoding, *status);
    }
    let receipt = evidence.receipt.as_ref();
    encoding.optional(receipt.map(|receipt| receipt.raw_dlr_done_date.as_str()));
    add_status(encoding, receipt.and_then(|receipt| receipt.status));
    encoding.number(first_received_at.micros() as u64).number(last_received_at.micros() as u64);
    add_kinds(encoding, evidence.kinds);
    encoding.count(evidence.tags.iter().len());
    for (name, value) in evidence.tags.iter() {
        encoding.text(name).text(value);
    }
    encoding.number(evidence.tags.has_dropped().into());
    add_details(encoding, &evidence.details);
    let Counts { events, duplicates, late, unrecognised } = *counts;
    encoding.number(events).number(duplicates).number(late).number(unrecognised);
    encoding.count(history.len());
    for trace in history {
        encoding.number(trace.position).number(trace.fingerprint.bits());
    }
}

/// Adds 0, or 1 and the details if any are known.
fn add_details(encoding: &mut Encoding, details: &Details) {
    encoding.count(details.known().iter().len());
    let Some(known) = details.known() else { return };
    let KnownDetails { occurred_times, segments, price, carrier, clicks, feedback } = known;
    encoding.count(occurred_times.iter().len());
    for (status, at) in occurred_times.iter() {
        encoding.text(status.name()).number(at.micros() as u64);
    }
    encoding.number(segments.map_or(0, u64::from));
    encoding.optional(price.as_ref().map(|price| price.currency.as_str()));
    encoding.number(price.map_or(0, |price| price.amount.billionths() as u64));
    let carrier = carrier.as_ref();
    encoding.optional(carrier.map(|of| of.carrier.mcc()));
    encoding.optional(carrier.map(|of| of.carrier.mnc()));
    add_status(encoding, carrier.and_then(|of| of.status));
    encoding.count(clicks.iter().len());
    for Click { at, id, is_preview } in clicks.iter() {
        encoding.count(at.iter().len()).number(at.map_or(0, |at| at.micros() as u64));
        encoding.number(id).number(is_preview.into());
    }
    encoding.optional(feedback.map(FeedbackOutcome::name));
}

fn add_kinds(encoding: &mut Encoding, kinds: EventKinds) {
    let EventKinds { outbound, inbound, real, imported, by_callback, by_stream, created_at } =
        kinds;
    for is in [outbound, inbound, real, imported, by_callback, by_stream] {
        encoding.number(is.into());
    }
    encoding.number(created_at.map_or(0, |at| at.micros() as u64));
}

fn add_status(encoding: &mut Encoding, status: Option<Status>) {
    encoding.optional(status.map(Status::name));
}

fn add_code(encoding: &mut Encoding, code: Option<ErrorCode>) {
    encoding.number(code.map_or(0, |code| 1 + u64::from(code.number())));
}

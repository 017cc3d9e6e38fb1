//! The encoding of a message's details, a part of its lifecycle's.
//!
//! A byte with a bit for each detail that is known; then, if known, the number of statuses with Twilio's time,
//! and of each its byte and the time; the segments; the price's amount and currency; the carrier's two codes
//! and the byte of its status; the number of clicks, and of each a byte with two bits, the time if it is
//! known, and the id.

use crate::domain::carrier::Carrier;
use crate::domain::message::click::{Click, Clicks};
use crate::domain::message::details::{Details, FeedbackOutcome, KnownDetails, RankedCarrier};
use crate::domain::message::status_times::StatusTimes;
use crate::domain::price::{Amount, Currency, Price};
use crate::domain::{Status, Timestamp};
use crate::store::codec::lifecycle::event::{push_text, read_text};
use crate::store::codec::lifecycle::status::{status_byte, status_of};
use crate::store::codec::varint::{self, Reader};

const TIMES: u8 = 1;
const SEGMENTS: u8 = 2;
const PRICE: u8 = 4;
const CARRIER: u8 = 8;
const CLICKS: u8 = 16;
const CONFIRMED: u8 = 32;
const UNCONFIRMED: u8 = 64;

/// The bits in the byte of a click.
const IS_PREVIEW: u8 = 1;
const HAS_TIME: u8 = 2;

/// Adds details to bytes: a single 0 if there are none. Times are relative to the first arrival.
pub fn push(bytes: &mut Vec<u8>, first: u64, details: &Details) {
    let Some(known) = details.known() else { return bytes.push(0) };
    let KnownDetails { occurred_times, segments, price, carrier, clicks, feedback } = known;
    let bits = [
        (occurred_times.iter().len() > 0, TIMES),
        (segments.is_some(), SEGMENTS),
        (price.is_some(), PRICE),
        (carrier.is_some(), CARRIER),
        (clicks.iter().len() > 0, CLICKS),
        (*feedback == Some(FeedbackOutcome::Confirmed), CONFIRMED),
        (*feedback == Some(FeedbackOutcome::Unconfirmed), UNCONFIRMED),
    ];
    bytes.push(bits.iter().filter(|(is, _)| *is).map(|(_, bit)| bit).sum());
    if occurred_times.iter().len() > 0 {
        push_times(bytes, first, occurred_times);
    }
    if let Some(segments) = segments {
        varint::push(bytes, (*segments).into());
    }
    if let Some(Price { amount, currency }) = price {
        varint::push_near(bytes, 0, amount.billionths() as u64);
        bytes.extend_from_slice(currency.as_str().as_bytes());
    }
    if let Some(RankedCarrier { status, carrier }) = carrier {
        push_text(bytes, Some(carrier.mcc()));
        push_text(bytes, Some(carrier.mnc()));
        bytes.push(status_byte(*status));
    }
    if clicks.iter().len() > 0 {
        push_clicks(bytes, first, clicks);
    }
}

/// Reads details; `None` if the bytes are something else.
pub fn read(reader: &mut Reader<'_>, first: u64) -> Option<Details> {
    let bits = reader.byte()?;
    if bits == 0 {
        return Some(Details::default());
    }
    let has = |bit| bits & bit != 0;
    let mut known = KnownDetails {
        feedback: match (has(CONFIRMED), has(UNCONFIRMED)) {
            (true, _) => Some(FeedbackOutcome::Confirmed),
            (false, true) => Some(FeedbackOutcome::Unconfirmed),
            (false, false) => None,
        },
        ..KnownDetails::default()
    };
    if has(TIMES) {
        known.occurred_times = times(reader, first)?;
    }
    if has(SEGMENTS) {
        known.segments = Some(u32::try_from(reader.number()?).ok()?);
    }
    if has(PRICE) {
        let amount = Amount::from_billionths(reader.number_near(0)? as i64);
        let currency = Currency::parse(std::str::from_utf8(reader.bytes(3)?).ok()?)?;
        known.price = Some(Price { amount, currency });
    }
    if has(CARRIER) {
        let carrier = Carrier::parse(read_text(reader)??, read_text(reader)??)?;
        known.carrier = Some(RankedCarrier { status: status_of(reader.byte()?)?, carrier });
    }
    if has(CLICKS) {
        known.clicks = clicks(reader, first)?;
    }
    (bits < 2 * UNCONFIRMED).then(|| Details::from_known(known))
}

fn push_times(bytes: &mut Vec<u8>, first: u64, times: &StatusTimes) {
    varint::push(bytes, times.iter().len() as u64);
    for (status, at) in times.iter() {
        bytes.push(status_byte(Some(status)));
        varint::push_near(bytes, first, at.micros() as u64);
    }
}

/// Statuses with a time each, as `push_times` writes them; `None` if the bytes are something else.
fn times(reader: &mut Reader<'_>, first: u64) -> Option<StatusTimes> {
    let count = reader.number()?;
    let entry = |_| -> Option<(Status, Timestamp)> {
        let status = status_of(reader.byte()?)??;
        Some((status, Timestamp::from_micros(reader.number_near(first)? as i64)))
    };
    (0..count).map(entry).collect()
}

fn push_clicks(bytes: &mut Vec<u8>, first: u64, clicks: &Clicks) {
    varint::push(bytes, clicks.iter().len() as u64);
    for Click { at, id, is_preview } in clicks.iter() {
        let preview = if is_preview { IS_PREVIEW } else { 0 };
        bytes.push(preview | if at.is_some() { HAS_TIME } else { 0 });
        if let Some(at) = at {
            varint::push_near(bytes, first, at.micros() as u64);
        }
        bytes.extend_from_slice(&id.to_be_bytes());
    }
}

fn clicks(reader: &mut Reader<'_>, first: u64) -> Option<Clicks> {
    let mut clicks = Clicks::default();
    for _ in 0..reader.number()? {
        let bits = reader.byte()?;
        let at = match bits & HAS_TIME {
            0 => None,
            _ => Some(Timestamp::from_micros(reader.number_near(first)? as i64)),
        };
        let id = u64::from_be_bytes(reader.bytes(8)?.try_into().ok()?);
        clicks.insert(Click { at, id, is_preview: bits & IS_PREVIEW != 0 });
    }
    Some(clicks)
}

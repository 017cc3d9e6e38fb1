//! The encoding of a lifecycle as one value of its message's row. No query needs what is in it, and a
//! row of few columns is quicker to write than one of many.
//!
//! In this order, numbers in the form of [`varint`]:
//! 1. the deciding event: its position, and what it says; then the number of events below it that
//!    have what it lacks, and of each its position, the byte of its status, and what it says: error
//!    code, a byte with its doubt and whether it reports its channel, From, To, channel,
//!    MessagingServiceSid;
//! 2. the receipt's text and, if there is a receipt, the status it came with;
//! 3. the times of the first and the last arrival, in microseconds; a byte with a bit for each kind of
//!    event, and the time of creation if it is known;
//! 4. the number of statuses reported, and of each its byte and the time of its first arrival;
//! 5. the number of error codes reported, and of each its number and the byte of its status;
//! 6. twice the number of tags, plus 1 if the message has further tags, and of each tag its name and
//!    its value;
//! 7. the details, as `details` describes them;
//! 8. the numbers of events, duplicates, late and unrecognised ones;
//! 9. the number of events of the history, and of each its position, fingerprint and status byte, which is
//!    254 or 255 for feedback and clicks.
//!
//! This is format 5. The views' migration has the number too, so that views in another are rebuilt.
//!
//! Positions are relative to the one before, times to the first. What may be absent is one more than
//! its number or length, or 0. The deciding event's status, and From and To of the message, are columns.
//! From and To of an event are 0 if absent, 1 if they are the column's, else two more than their length.

use smol_str::SmolStr;

use crate::domain::message::lifecycle::{
    Counts, DeliveryReceipt, Evidence, ReportedCodes, shown_error_code,
};
use crate::domain::message::message_ref::MessageRef;
use crate::domain::message::status_times::StatusTimes;
use crate::domain::{ErrorCode, Lifecycle, Rule, Status, Timestamp};
use crate::store::sqlite::views::codec::event::{
    ShownFacts, push_facts, push_text, read_facts, read_text,
};
use crate::store::sqlite::views::codec::status::{status_byte, status_of};
use crate::store::sqlite::views::codec::varint::{self, Reader};
use crate::store::sqlite::views::codec::{details, history, kinds, tags};

pub use crate::store::sqlite::views::codec::event::Addresses;

/// Adds a lifecycle, of which at least one event is known, to bytes.
pub fn push(bytes: &mut Vec<u8>, lifecycle: &Lifecycle) {
    let Lifecycle { evidence, first_received_at, last_received_at, counts, history } = lifecycle;
    let deciding = evidence.deciding.as_ref().expect("a message has at least one event");
    let columns = Addresses::from_lifecycle(lifecycle);
    varint::push(bytes, deciding.position);
    push_facts(bytes, deciding, columns);
    varint::push(bytes, evidence.address_fallbacks.len() as u64);
    for event in &evidence.address_fallbacks {
        varint::push_near(bytes, deciding.position, event.position);
        bytes.push(status_byte(event.status));
        push_facts(bytes, event, columns);
    }
    let receipt = evidence.receipt.as_ref();
    push_text(bytes, receipt.map(|receipt| receipt.raw_dlr_done_date.as_str()));
    bytes.extend(receipt.map(|receipt| status_byte(receipt.status)));
    let first = first_received_at.micros() as u64;
    varint::push(bytes, first);
    varint::push_near(bytes, first, last_received_at.micros() as u64);
    kinds::push(bytes, first, evidence.kinds);
    varint::push(bytes, evidence.status_times.iter().len() as u64);
    for (status, at) in evidence.status_times.iter() {
        bytes.push(status_byte(Some(status)));
        varint::push_near(bytes, first, at.micros() as u64);
    }
    varint::push(bytes, evidence.codes.len() as u64);
    for (code, status) in &evidence.codes {
        varint::push(bytes, code.number().into());
        bytes.push(status_byte(*status));
    }
    tags::push(bytes, &evidence.tags);
    details::push(bytes, first, &evidence.details);
    let Counts { events, duplicates, late, unrecognised } = *counts;
    for count in [events, duplicates, late, unrecognised] {
        varint::push(bytes, count);
    }
    history::push(bytes, deciding.position, history);
}

/// The lifecycle of these bytes and columns; `None` if they are something else.
pub fn read(
    bytes: &[u8],
    rule: Rule,
    status: Option<Status>,
    columns: Addresses<'_>,
) -> Option<Lifecycle> {
    let mut reader = Reader::new(bytes);
    let position = reader.number()?;
    let deciding = read_facts(&mut reader, columns)?.into_event(position, status);
    let address_fallbacks = (0..reader.number()?).map(|_| {
        let position = reader.number_near(position)?;
        let status = status_of(reader.byte()?)?;
        Some(read_facts(&mut reader, columns)?.into_event(position, status))
    });
    let address_fallbacks = address_fallbacks.collect::<Option<_>>()?;
    let receipt = match read_text(&mut reader)?.map(SmolStr::new) {
        Some(raw_dlr_done_date) => {
            Some(DeliveryReceipt { status: status_of(reader.byte()?)?, raw_dlr_done_date })
        }
        None => None,
    };
    let first = reader.number()?;
    let last = reader.number_near(first)?;
    let kinds = kinds::read(&mut reader, first)?;
    let lifecycle = Lifecycle {
        first_received_at: Timestamp::from_micros(first as i64),
        last_received_at: Timestamp::from_micros(last as i64),
        evidence: Evidence {
            rule,
            status_times: status_times(&mut reader, first)?,
            codes: codes(&mut reader)?,
            tags: tags::read(&mut reader)?,
            details: details::read(&mut reader, first)?,
            deciding: Some(deciding),
            address_fallbacks,
            receipt,
            kinds,
        },
        counts: Counts {
            events: reader.number()?,
            duplicates: reader.number()?,
            late: reader.number()?,
            unrecognised: reader.number()?,
        },
        history: history::read(&mut reader, position)?,
    };
    reader.finish()?;
    Some(lifecycle)
}

/// The part of a lifecycle that filters and reports need; `None` if the bytes are something else.
pub fn message_ref<'a>(
    bytes: &'a [u8],
    account_sid: Option<&'a str>,
    status: Option<Status>,
    columns: Addresses<'a>,
) -> Option<MessageRef<'a>> {
    let mut reader = Reader::new(bytes);
    let _position = reader.number()?;
    let mut shown = read_facts(&mut reader, columns)?;
    for _ in 0..reader.number()? {
        let (_position, _status) = (reader.number()?, reader.byte()?);
        shown.complete(read_facts(&mut reader, columns)?);
    }
    let ShownFacts { from, to, channel, messaging_service_sid, .. } = shown;
    if read_text(&mut reader)?.is_some() {
        let _of_receipt = reader.byte()?;
    }
    let first = reader.number()?;
    let _last = reader.number()?;
    let kinds = kinds::read(&mut reader, first)?;
    let (status_times, codes) = (status_times(&mut reader, first)?, codes(&mut reader)?);
    let (tags, _dropped) = tags::refs(&mut reader)?;
    let details = details::read(&mut reader, first)?;
    let (_events, duplicates, late) = (reader.number()?, reader.number()?, reader.number()?);
    Some(MessageRef {
        account_sid,
        status,
        error_code: shown_error_code(&status_times, &codes, status),
        from,
        to,
        channel,
        messaging_service_sid,
        first_received_at: Timestamp::from_micros(first as i64),
        status_times,
        late: late > 0,
        duplicate: duplicates > 0,
        kinds,
        tags,
        details,
    })
}

fn status_times(reader: &mut Reader<'_>, first: u64) -> Option<StatusTimes> {
    let count = reader.number()?;
    let entry = |_| {
        let status = status_of(reader.byte()?)??;
        Some((status, Timestamp::from_micros(reader.number_near(first)? as i64)))
    };
    (0..count).map(entry).collect()
}

fn codes(reader: &mut Reader<'_>) -> Option<ReportedCodes> {
    let count = reader.number()?;
    let entry = |_| {
        let number = u32::try_from(reader.number()?).ok()?;
        Some((ErrorCode::from_number(number)?, status_of(reader.byte()?)?))
    };
    (0..count).map(entry).collect()
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::option;
    use proptest::prelude::*;
    use proptest::sample::select;

    use super::*;
    use crate::domain::carrier::Carrier;
    use crate::domain::message::click::Click;
    use crate::domain::message::details::{Details, FeedbackOutcome, KnownDetails, RankedCarrier};
    use crate::domain::message::event_ref::{EventRef, Fingerprint, Subject};
    use crate::domain::message::kinds::EventKinds;
    use crate::domain::message::lifecycle::DecidingEvent;
    use crate::domain::message::status_reported::{Addressing, Doubt};
    use crate::domain::message::tags::Tags;
    use crate::domain::price::{Amount, Currency, Price};
    use crate::domain::{AccountSid, MessageKey, MessageSid};

    fn any_status() -> impl Strategy<Value = Option<Status>> {
        option::of(select(&Status::ALL[..]))
    }

    fn any_code() -> impl Strategy<Value = ErrorCode> {
        (1..1_000_000_000_u32).prop_map(|number| ErrorCode::from_number(number).unwrap())
    }

    fn any_deciding() -> impl Strategy<Value = DecidingEvent> {
        let text = || option::of(".{0,20}".prop_map(SmolStr::from));
        let doubt = (any::<bool>(), 0..4_usize, 0..16_usize);
        let doubt =
            doubt.prop_map(|(spliced, missing, unknown)| Doubt::new(spliced, missing, unknown));
        let texts = (text(), text(), (".{0,40}", any::<bool>()), text());
        (any::<u64>(), any_status(), doubt, option::of(any_code()), texts).prop_map(
            |(position, status, doubt, error_code, texts)| {
                let (from, to, (channel, channel_is_explicit), messaging_service_sid) = texts;
                let channel = channel.into();
                let addressed =
                    Addressing { from, to, channel, channel_is_explicit, messaging_service_sid };
                DecidingEvent { position, status, doubt, error_code, addressed }
            },
        )
    }

    fn any_evidence() -> impl Strategy<Value = Evidence> {
        let status_times = vec((select(&Status::ALL[..]), any_moment()), 0..5);
        let codes = vec((any_code(), any_status()), 0..4);
        let receipt = option::of((any_status(), ".{0,12}".prop_map(SmolStr::from)));
        let created_at = option::of(any_moment());
        let kinds = (any::<[bool; 6]>(), created_at).prop_map(|(kinds, created_at)| {
            let [outbound, inbound, real, imported, by_callback, by_stream] = kinds;
            EventKinds { outbound, inbound, real, imported, by_callback, by_stream, created_at }
        });
        let tags = vec((".{1,20}", ".{0,20}"), 0..6).prop_map(|pairs| {
            let mut tags = Tags::default();
            pairs.iter().for_each(|(name, value)| tags.insert(name, value));
            tags
        });
        let events = (any_deciding(), vec(any_deciding(), 0..3));
        let all = (events, status_times, codes, receipt, (kinds, tags, any_details()));
        all.prop_map(|((deciding, fallbacks), status_times, codes, receipt, others)| {
            let (kinds, tags, details) = others;
            Evidence {
                kinds,
                tags,
                details,
                rule: Rule::default(),
                status_times: status_times.into_iter().collect(),
                codes: codes.into_iter().collect(),
                deciding: Some(deciding),
                address_fallbacks: fallbacks,
                receipt: receipt.map(|(status, raw_dlr_done_date)| DeliveryReceipt {
                    status,
                    raw_dlr_done_date,
                }),
            }
        })
    }

    fn any_details() -> impl Strategy<Value = Details> {
        let times = vec((select(&Status::ALL[..]), any_moment()), 0..3);
        let price = option::of((any::<i64>(), select(vec!["USD", "EUR"])));
        let carrier = option::of((any_status(), "[0-9]{3}", "[0-9]{2,3}"));
        let clicks = vec((option::of(any_moment()), any::<u64>(), any::<bool>()), 0..3);
        let feedback = option::of(select(&FeedbackOutcome::ALL[..]));
        let all = (times, option::of(any::<u32>()), price, carrier, clicks, feedback);
        all.prop_map(|(times, segments, price, carrier, clicks, feedback)| {
            let mut known = KnownDetails { segments, feedback, ..KnownDetails::default() };
            known.occurred_times = times.into_iter().collect();
            known.price = price.map(|(billionths, currency)| Price {
                amount: Amount::from_billionths(billionths),
                currency: Currency::parse(currency).unwrap(),
            });
            known.carrier = carrier.map(|(status, mcc, mnc)| RankedCarrier {
                status,
                carrier: Carrier::parse(&mcc, &mnc).unwrap(),
            });
            for (at, id, is_preview) in clicks {
                known.clicks.insert(Click { at, id, is_preview });
            }
            Details::from_known(known)
        })
    }

    fn any_moment() -> impl Strategy<Value = Timestamp> {
        any::<i64>().prop_map(Timestamp::from_micros)
    }

    fn any_event_ref() -> impl Strategy<Value = EventRef> {
        let subject = select(vec![Subject::Status, Subject::Click, Subject::Feedback]);
        let all = (any::<u64>(), any::<u64>(), subject, any_status());
        all.prop_map(|(position, fingerprint, subject, status)| EventRef {
            position,
            fingerprint: Fingerprint::from_bits(fingerprint),
            subject,
            status: status.filter(|_| subject == Subject::Status),
        })
    }

    fn any_lifecycle() -> impl Strategy<Value = Lifecycle> {
        let history = vec(any_event_ref(), 0..5);
        (any_evidence(), any::<[i64; 2]>(), any::<[u64; 4]>(), history).prop_map(
            |(evidence, [first, last], [events, duplicates, late, unrecognised], history)| {
                Lifecycle {
                    evidence,
                    first_received_at: Timestamp::from_micros(first),
                    last_received_at: Timestamp::from_micros(last),
                    counts: Counts { events, duplicates, late, unrecognised },
                    history: history.into_iter().collect(),
                }
            },
        )
    }

    fn pushed(lifecycle: &Lifecycle) -> Vec<u8> {
        let mut bytes = Vec::new();
        push(&mut bytes, lifecycle);
        bytes
    }

    /// The parts of a lifecycle that have columns of their own.
    fn columns(lifecycle: &Lifecycle) -> (Option<Status>, Addresses<'_>) {
        (lifecycle.evidence.status(), Addresses::from_lifecycle(lifecycle))
    }

    #[test]
    fn the_views_migration_names_this_format_so_that_a_change_rebuilds_them() {
        let migration = include_str!("../../../../../migrations/sqlite/views/0001_messages.sql");
        let this_file = include_str!("lifecycle.rs");
        assert!(migration.contains("in format 5 of"));
        assert!(this_file.contains("//! This is format 5."));
    }

    proptest! {
        #[test]
        fn any_lifecycle_is_read_as_it_was(lifecycle in any_lifecycle()) {
            let (status, columns) = columns(&lifecycle);
            let read = read(&pushed(&lifecycle), Rule::default(), status, columns);
            prop_assert_eq!(read, Some(lifecycle));
        }

        #[test]
        fn a_message_ref_is_the_same_as_that_of_the_whole_lifecycle(lifecycle in any_lifecycle()) {
            let key = MessageKey {
                account_sid: AccountSid::parse("AC1"),
                message_sid: MessageSid::parse("SM1").unwrap(),
            };
            let bytes = pushed(&lifecycle);
            let (status, columns) = columns(&lifecycle);
            let read = message_ref(&bytes, Some("AC1"), status, columns);
            prop_assert_eq!(read, Some(MessageRef::new(&key, &lifecycle)));
        }

        #[test]
        fn no_lifecycle_is_read_from_less_or_more_of_it(
            lifecycle in any_lifecycle(),
            cut in any::<proptest::sample::Index>(),
        ) {
            let mut bytes = pushed(&lifecycle);
            let (_, columns) = columns(&lifecycle);
            let read = |bytes: &[u8]| read(bytes, Rule::default(), None, columns);
            prop_assert_eq!(read(&bytes[..cut.index(bytes.len())]), None);
            bytes.push(0);
            prop_assert_eq!(read(&bytes), None);
        }

        #[test]
        fn whatever_the_bytes_are_nothing_panics(
            lifecycle in any_lifecycle(),
            at in any::<proptest::sample::Index>(),
            changed in any::<u8>(),
            any in vec(any::<u8>(), 0..80),
        ) {
            let mut bytes = pushed(&lifecycle);
            let at = at.index(bytes.len());
            bytes[at] = changed;
            for columns in [columns(&lifecycle).1, Addresses { to: None, from: None }] {
                for bytes in [&any, &bytes] {
                    read(bytes, Rule::default(), None, columns);
                    message_ref(bytes, None, None, columns);
                }
            }
        }
    }
}

//! A lifecycle in one value of its message's row. SQL asks for none of what is in it, and a row of
//! few columns is quicker to write than one of many.
//!
//! One after the other, numbers as [`varint`] has them:
//! 1. the deciding event: position, error code, From, To, channel, MessagingServiceSid;
//! 2. the receipt's text and, where there is one, the status it came with;
//! 3. the moments of the first and the last arrival, in microseconds;
//!    a byte with a bit for each kind of event, and the moment of creation if it is known;
//! 4. the statuses heard: how many, and of each its byte and the moment of its first arrival;
//! 5. the error codes heard: how many, and of each its number and the byte of its status;
//! 6. how many events, duplicates, late and unrecognised ones there were;
//! 7. the trail: how many events, and of each position, fingerprint in 8 bytes, and status byte.
//!
//! Positions lie near the one before, moments near the first. What may be absent is one more than
//! its number or length, or 0. The deciding event's status is not here: it is a column.

use smol_str::SmolStr;

use super::varint::{self, Reader};
use crate::domain::event::Position;
use crate::domain::heard::Heard;
use crate::domain::kinds::Kinds;
use crate::domain::lifecycle::{
    Codes, Counts, Deciding, Evidence, Receipt, Trace, Trail, shown_error_code,
};
use crate::domain::reported::Addressed;
use crate::domain::standing::Standing;
use crate::domain::{ErrorCode, Lifecycle, Rule, Status, Timestamp};

/// Adds a lifecycle, of which at least one event is known, to bytes.
pub fn push(bytes: &mut Vec<u8>, lifecycle: &Lifecycle) {
    let Lifecycle { evidence, first_received_at, last_received_at, counts, trail } = lifecycle;
    let deciding = evidence.deciding.as_ref().expect("a message has at least one event");
    varint::push(bytes, deciding.position);
    push_code(bytes, deciding.error_code);
    let Addressed { from, to, channel, messaging_service_sid } = &deciding.addressed;
    push_text(bytes, from.as_deref());
    push_text(bytes, to.as_deref());
    push_text(bytes, Some(channel));
    push_text(bytes, messaging_service_sid.as_deref());
    let receipt = evidence.receipt.as_ref();
    push_text(bytes, receipt.map(|receipt| receipt.raw_dlr_done_date.as_str()));
    bytes.extend(receipt.map(|receipt| status_byte(receipt.status)));
    let first = first_received_at.micros() as u64;
    varint::push(bytes, first);
    varint::push_near(bytes, first, last_received_at.micros() as u64);
    push_kinds(bytes, first, evidence.kinds);
    varint::push(bytes, evidence.heard.iter().len() as u64);
    for (status, at) in evidence.heard.iter() {
        bytes.push(status_byte(Some(status)));
        varint::push_near(bytes, first, at.micros() as u64);
    }
    varint::push(bytes, evidence.codes.len() as u64);
    for (code, status) in &evidence.codes {
        varint::push(bytes, code.number().into());
        bytes.push(status_byte(*status));
    }
    let Counts { events, duplicates, late, unrecognised } = *counts;
    for count in [events, duplicates, late, unrecognised] {
        varint::push(bytes, count);
    }
    push_trail(bytes, deciding.position, trail);
}

/// The lifecycle of these bytes; nothing where they are none.
pub fn read(bytes: &[u8], rule: Rule, status: Option<Status>) -> Option<Lifecycle> {
    let mut reader = Reader::of(bytes);
    let position = reader.number()?;
    let deciding = Deciding {
        position,
        status,
        error_code: code(&mut reader)?,
        addressed: Addressed {
            from: text(&mut reader)?,
            to: text(&mut reader)?,
            channel: text(&mut reader)??,
            messaging_service_sid: text(&mut reader)?,
        },
    };
    let receipt = match text(&mut reader)? {
        Some(raw_dlr_done_date) => {
            Some(Receipt { status: status_of(reader.byte()?)?, raw_dlr_done_date })
        }
        None => None,
    };
    let first = reader.number()?;
    let last = reader.number_near(first)?;
    let kinds = kinds(&mut reader, first)?;
    let lifecycle = Lifecycle {
        first_received_at: Timestamp::from_micros(first as i64),
        last_received_at: Timestamp::from_micros(last as i64),
        evidence: Evidence {
            rule,
            heard: heard(&mut reader, first)?,
            codes: codes(&mut reader)?,
            deciding: Some(deciding),
            receipt,
            kinds,
        },
        counts: Counts {
            events: reader.number()?,
            duplicates: reader.number()?,
            late: reader.number()?,
            unrecognised: reader.number()?,
        },
        trail: trail(&mut reader, position)?,
    };
    reader.finish()?;
    Some(lifecycle)
}

/// What of the lifecycle of these bytes filters and reports ask for; nothing where they are none.
pub fn standing<'a>(
    bytes: &'a [u8],
    account_sid: Option<&'a str>,
    status: Option<Status>,
) -> Option<Standing<'a>> {
    let mut reader = Reader::of(bytes);
    let (_position, _of_deciding) = (reader.number()?, code(&mut reader)?);
    let (from, to) = (lent(&mut reader)?, lent(&mut reader)?);
    let (channel, messaging_service_sid) = (lent(&mut reader)??, lent(&mut reader)?);
    if lent(&mut reader)?.is_some() {
        let _of_receipt = reader.byte()?;
    }
    let first = reader.number()?;
    let _last = reader.number()?;
    let kinds = kinds(&mut reader, first)?;
    let (heard, codes) = (heard(&mut reader, first)?, codes(&mut reader)?);
    let (_events, duplicates, late) = (reader.number()?, reader.number()?, reader.number()?);
    Some(Standing {
        account_sid,
        status,
        error_code: shown_error_code(&heard, &codes, status),
        from,
        to,
        channel,
        messaging_service_sid,
        first_received_at: Timestamp::from_micros(first as i64),
        heard,
        late: late > 0,
        duplicate: duplicates > 0,
        kinds,
    })
}

const OUTBOUND: u8 = 1;
const INBOUND: u8 = 2;
const REAL: u8 = 4;
const CREATED: u8 = 8;

fn push_kinds(bytes: &mut Vec<u8>, first: u64, kinds: Kinds) {
    let Kinds { outbound, inbound, real, created_at } = kinds;
    let bits =
        [(outbound, OUTBOUND), (inbound, INBOUND), (real, REAL), (created_at.is_some(), CREATED)];
    bytes.push(bits.iter().filter(|(is, _)| *is).map(|(_, bit)| bit).sum());
    if let Some(created_at) = created_at {
        varint::push_near(bytes, first, created_at.micros() as u64);
    }
}

fn kinds(reader: &mut Reader<'_>, first: u64) -> Option<Kinds> {
    let bits = reader.byte()?;
    let created_at = match bits & CREATED {
        0 => None,
        _ => Some(Timestamp::from_micros(reader.number_near(first)? as i64)),
    };
    (bits < 2 * CREATED).then_some(Kinds {
        outbound: bits & OUTBOUND != 0,
        inbound: bits & INBOUND != 0,
        real: bits & REAL != 0,
        created_at,
    })
}

fn heard(reader: &mut Reader<'_>, first: u64) -> Option<Heard> {
    let count = reader.number()?;
    let entry = |_| {
        let status = status_of(reader.byte()?)??;
        Some((status, Timestamp::from_micros(reader.number_near(first)? as i64)))
    };
    (0..count).map(entry).collect()
}

fn codes(reader: &mut Reader<'_>) -> Option<Codes> {
    let count = reader.number()?;
    let entry = |_| {
        let number = u32::try_from(reader.number()?).ok()?;
        Some((ErrorCode::of_number(number)?, status_of(reader.byte()?)?))
    };
    (0..count).map(entry).collect()
}

fn push_trail(bytes: &mut Vec<u8>, deciding: Position, trail: &[Trace]) {
    varint::push(bytes, trail.len() as u64);
    let mut near = deciding;
    for Trace { position, fingerprint, status } in trail {
        varint::push_near(bytes, near, *position);
        bytes.extend_from_slice(&fingerprint.to_be_bytes());
        bytes.push(status_byte(*status));
        near = *position;
    }
}

fn trail(reader: &mut Reader<'_>, deciding: Position) -> Option<Trail> {
    let (count, mut near) = (reader.number()?, deciding);
    let trace = |_| {
        near = reader.number_near(near)?;
        let fingerprint = u64::from_be_bytes(reader.bytes(8)?.try_into().ok()?);
        Some(Trace { position: near, fingerprint, status: status_of(reader.byte()?)? })
    };
    (0..count).map(trace).collect()
}

fn push_text(bytes: &mut Vec<u8>, text: Option<&str>) {
    varint::push(bytes, text.map_or(0, |text| 1 + text.len() as u64));
    bytes.extend_from_slice(text.unwrap_or_default().as_bytes());
}

fn text(reader: &mut Reader<'_>) -> Option<Option<SmolStr>> {
    lent(reader).map(|text| text.map(SmolStr::new))
}

fn lent<'a>(reader: &mut Reader<'a>) -> Option<Option<&'a str>> {
    let Some(length) = reader.number()?.checked_sub(1) else { return Some(None) };
    let bytes = reader.bytes(usize::try_from(length).ok()?)?;
    std::str::from_utf8(bytes).ok().map(Some)
}

fn push_code(bytes: &mut Vec<u8>, code: Option<ErrorCode>) {
    varint::push(bytes, code.map_or(0, |code| 1 + u64::from(code.number())));
}

fn code(reader: &mut Reader<'_>) -> Option<Option<ErrorCode>> {
    let Some(number) = reader.number()?.checked_sub(1) else { return Some(None) };
    ErrorCode::of_number(u32::try_from(number).ok()?).map(Some)
}

/// A status as its place among all of them, from 1; 0 is none. Another order of them, or a new one
/// in between, takes a change of the views' migration, so that views written before are made anew.
fn status_byte(status: Option<Status>) -> u8 {
    status.map_or(0, |status| 1 + status as u8)
}

fn status_of(byte: u8) -> Option<Option<Status>> {
    match byte.checked_sub(1) {
        None => Some(None),
        Some(place) => Status::ALL.get(usize::from(place)).copied().map(Some),
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::option;
    use proptest::prelude::*;
    use proptest::sample::select;

    use super::*;
    use crate::domain::{AccountSid, MessageKey, MessageSid};

    fn any_status() -> impl Strategy<Value = Option<Status>> {
        option::of(select(&Status::ALL[..]))
    }

    fn any_code() -> impl Strategy<Value = ErrorCode> {
        (0..1_000_000_000_u32).prop_map(|number| ErrorCode::of_number(number).unwrap())
    }

    fn any_deciding() -> impl Strategy<Value = Deciding> {
        let text = || option::of(".{0,20}".prop_map(SmolStr::from));
        (any::<u64>(), any_status(), option::of(any_code()), text(), text(), ".{0,40}", text())
            .prop_map(|(position, status, error_code, from, to, channel, service)| Deciding {
                position,
                status,
                error_code,
                addressed: Addressed {
                    from,
                    to,
                    channel: channel.into(),
                    messaging_service_sid: service,
                },
            })
    }

    fn any_evidence() -> impl Strategy<Value = Evidence> {
        let moment = any::<i64>().prop_map(Timestamp::from_micros);
        let heard = vec((select(&Status::ALL[..]), moment), 0..5);
        let codes = vec((any_code(), any_status()), 0..4);
        let receipt = option::of((any_status(), ".{0,12}".prop_map(SmolStr::from)));
        let created_at = option::of(any::<i64>().prop_map(Timestamp::from_micros));
        let kinds = (any::<[bool; 3]>(), created_at).prop_map(|(kinds, created_at)| {
            let [outbound, inbound, real] = kinds;
            Kinds { outbound, inbound, real, created_at }
        });
        let all = (any_deciding(), heard, codes, receipt, kinds);
        all.prop_map(|(deciding, heard, codes, receipt, kinds)| Evidence {
            kinds,
            rule: Rule::default(),
            heard: heard.into_iter().collect(),
            codes: codes.into_iter().collect(),
            deciding: Some(deciding),
            receipt: receipt
                .map(|(status, raw_dlr_done_date)| Receipt { status, raw_dlr_done_date }),
        })
    }

    fn any_lifecycle() -> impl Strategy<Value = Lifecycle> {
        let trace = (any::<u64>(), any::<u64>(), any_status());
        let trail = vec(trace, 0..5);
        (any_evidence(), any::<[i64; 2]>(), any::<[u64; 4]>(), trail).prop_map(
            |(evidence, [first, last], [events, duplicates, late, unrecognised], trail)| {
                let trace =
                    |(position, fingerprint, status)| Trace { position, fingerprint, status };
                Lifecycle {
                    evidence,
                    first_received_at: Timestamp::from_micros(first),
                    last_received_at: Timestamp::from_micros(last),
                    counts: Counts { events, duplicates, late, unrecognised },
                    trail: trail.into_iter().map(trace).collect(),
                }
            },
        )
    }

    fn pushed(lifecycle: &Lifecycle) -> Vec<u8> {
        let mut bytes = Vec::new();
        push(&mut bytes, lifecycle);
        bytes
    }

    proptest! {
        #[test]
        fn any_lifecycle_is_read_as_it_was(lifecycle in any_lifecycle()) {
            let read = read(&pushed(&lifecycle), Rule::default(), lifecycle.evidence.status());
            prop_assert_eq!(read, Some(lifecycle));
        }

        #[test]
        fn where_it_stands_is_told_as_the_whole_tells_it(lifecycle in any_lifecycle()) {
            let key = MessageKey {
                account_sid: AccountSid::parse("AC1"),
                message_sid: MessageSid::parse("SM1").unwrap(),
            };
            let bytes = pushed(&lifecycle);
            let told = standing(&bytes, Some("AC1"), lifecycle.evidence.status());
            prop_assert_eq!(told, Some(Standing::of(&key, &lifecycle)));
        }

        #[test]
        fn no_lifecycle_is_read_from_less_or_more_of_it(
            lifecycle in any_lifecycle(),
            cut in any::<proptest::sample::Index>(),
        ) {
            let mut bytes = pushed(&lifecycle);
            prop_assert_eq!(read(&bytes[..cut.index(bytes.len())], Rule::default(), None), None);
            bytes.push(0);
            prop_assert_eq!(read(&bytes, Rule::default(), None), None);
        }

        #[test]
        fn whatever_the_bytes_are_nothing_panics(
            lifecycle in any_lifecycle(),
            at in any::<proptest::sample::Index>(),
            changed in any::<u8>(),
            any in vec(any::<u8>(), 0..80),
        ) {
            read(&any, Rule::default(), None);
            standing(&any, None, None);
            let mut bytes = pushed(&lifecycle);
            let at = at.index(bytes.len());
            bytes[at] = changed;
            read(&bytes, Rule::default(), None);
            standing(&bytes, None, None);
        }
    }
}

//! Encodes an event as one run of bytes, for copies in memory; this is never stored. An event itself has
//! a dozen allocations, and freeing those later would cost a twentieth of the ingest rate.

use uuid::Uuid;

use crate::domain::event::{Headers, Salt};
use crate::domain::{NewEvent, Source, Timestamp};

/// Appends an event's encoding.
pub fn write(event: &NewEvent, bytes: &mut Vec<u8>) {
    bytes.extend_from_slice(event.event_id.as_bytes());
    bytes.extend_from_slice(event.salt.as_bytes());
    bytes.extend_from_slice(&event.received_at.micros().to_le_bytes());
    for text in [event.source.name(), &event.method, &event.url] {
        put(text.as_bytes(), bytes);
    }
    put(&event.body, bytes);
    put_number(event.verified_by.iter().len(), bytes);
    event.verified_by.iter().for_each(|name| put(name.as_bytes(), bytes));
    put_number(event.headers.iter().len(), bytes);
    for (name, value) in event.headers.iter() {
        put(name.as_bytes(), bytes);
        put(value, bytes);
    }
    put_number(event.notes.len(), bytes);
    for (name, value) in &event.notes {
        put(name.as_bytes(), bytes);
        put(value.as_bytes(), bytes);
    }
}

/// Decodes an event; `None` if [`write()`] did not write these bytes.
pub fn read(bytes: &[u8]) -> Option<NewEvent> {
    let mut rest = Rest(bytes);
    Some(NewEvent {
        event_id: Uuid::from_slice(rest.take(16)?).ok()?,
        salt: Salt::from_bytes(rest.take(Salt::BYTES)?.try_into().ok()?),
        received_at: Timestamp::from_micros(i64::from_le_bytes(rest.take(8)?.try_into().ok()?)),
        source: Source::parse(&rest.text()?)?,
        method: rest.text()?,
        url: rest.text()?,
        body: rest.piece()?.to_vec(),
        verified_by: rest.many(Rest::text)?.pop(),
        headers: Headers::new(rest.many(|rest| Some((rest.text()?, rest.piece()?.to_vec())))?),
        notes: rest.many(|rest| Some((rest.text()?, rest.text()?)))?.into_iter().collect(),
    })
}

fn put(piece: &[u8], bytes: &mut Vec<u8>) {
    put_number(piece.len(), bytes);
    bytes.extend_from_slice(piece);
}

fn put_number(number: usize, bytes: &mut Vec<u8>) {
    bytes.extend_from_slice(&(number as u32).to_le_bytes());
}

/// The bytes that are still to be decoded.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn number(&mut self) -> Option<usize> {
        let bytes = self.take(size_of::<u32>())?.try_into().ok()?;
        usize::try_from(u32::from_le_bytes(bytes)).ok()
    }

    fn piece(&mut self) -> Option<&'a [u8]> {
        let length = self.number()?;
        self.take(length)
    }

    fn text(&mut self) -> Option<String> {
        String::from_utf8(self.piece()?.to_vec()).ok()
    }

    fn many<T>(&mut self, mut next: impl FnMut(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        (0..self.number()?).map(|_| next(self)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_comes_back_as_it_was() {
        let event = NewEvent {
            event_id: Uuid::from_u128(7),
            received_at: Timestamp::from_micros(-1),
            source: Source::Reconcile,
            method: "POST".to_owned(),
            url: "https://h.example.com/é?a=1".to_owned(),
            headers: Headers::new([
                ("x-twilio-a".to_owned(), b"\xff".to_vec()),
                ("x-twilio-a".to_owned(), Vec::new()),
            ]),
            body: b"a=\x00\xff".to_vec(),
            verified_by: Some("primary".to_owned()),
            notes: [("a".to_owned(), "b".to_owned())].into(),
            salt: Salt::from_bytes([7; Salt::BYTES]),
        };
        let unverified = NewEvent { verified_by: None, body: Vec::new(), ..event.clone() };
        for event in [event, unverified] {
            let mut bytes = Vec::new();
            write(&event, &mut bytes);
            assert_eq!(read(&bytes).as_ref(), Some(&event));
            assert_eq!(read(&bytes[..bytes.len() - 1]), None);
        }
    }
}

//! A compact encoding for a sequence of header values: a signature takes 21 bytes instead of 28, a token
//! 17 instead of 36. A value is packed only if unpacking restores exactly the same bytes.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use uuid::Uuid;

const EMPTY: u8 = 0;
/// 20 bytes that are shown as base64: an HMAC-SHA1.
const BASE64_OF_20: u8 = 1;
/// 32 bytes that are shown as base64: an HMAC-SHA256.
const BASE64_OF_32: u8 = 2;
/// 16 bytes that are shown as a hyphenated UUID in lower case.
const UUID: u8 = 3;
/// A length of 4 bytes, big-endian, and that many bytes.
const LITERAL: u8 = 4;
/// A length of 1 byte, and that many bytes.
const SHORT_LITERAL: u8 = 5;

/// Adds a value to a row.
pub fn push(row: &mut Vec<u8>, value: &[u8]) {
    if value.is_empty() {
        row.push(EMPTY);
    } else if let Some(raw) = as_base64(value) {
        row.push(if raw.len() == 20 { BASE64_OF_20 } else { BASE64_OF_32 });
        row.extend_from_slice(&raw);
    } else if let Some(uuid) = as_uuid(value) {
        row.push(UUID);
        row.extend_from_slice(uuid.as_bytes());
    } else if let Ok(length) = u8::try_from(value.len()) {
        row.extend_from_slice(&[SHORT_LITERAL, length]);
        row.extend_from_slice(value);
    } else {
        let length = u32::try_from(value.len()).expect("a request's values are below 4 GiB");
        row.push(LITERAL);
        row.extend_from_slice(&length.to_be_bytes());
        row.extend_from_slice(value);
    }
}

fn as_base64(value: &[u8]) -> Option<Vec<u8>> {
    let length_fits = value.len() == 28 || value.len() == 44;
    let raw = length_fits.then(|| STANDARD.decode(value).ok()).flatten()?;
    let exact = matches!(raw.len(), 20 | 32) && STANDARD.encode(&raw).as_bytes() == value;
    exact.then_some(raw)
}

fn add_base64<const LENGTH: usize>(text: &mut Vec<u8>, raw: &[u8]) {
    let mut encoded = [0; LENGTH];
    STANDARD.encode_slice(raw, &mut encoded).expect("the length is that of the encoding");
    text.extend_from_slice(&encoded);
}

fn as_uuid(value: &[u8]) -> Option<Uuid> {
    let uuid = Uuid::try_parse_ascii(value).ok()?;
    let exact = uuid.hyphenated().encode_lower(&mut Uuid::encode_buffer()).as_bytes() == value;
    exact.then_some(uuid)
}

/// Reads the values of a row, in order.
pub struct Values<'a>(&'a [u8]);

impl<'a> Values<'a> {
    /// Reads these bytes.
    pub fn new(row: &'a [u8]) -> Self {
        Self(row)
    }

    /// Whether all values were read.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The next value; the error says what is wrong with the row.
    pub fn take(&mut self) -> Result<Vec<u8>, String> {
        let mut value = Vec::new();
        self.add_to(&mut value)?;
        Ok(value)
    }

    /// Adds the next value to others; the error says what is wrong with the row.
    pub fn add_to(&mut self, text: &mut Vec<u8>) -> Result<(), String> {
        match self.bytes(1)?[0] {
            EMPTY => {}
            BASE64_OF_20 => add_base64::<28>(text, self.bytes(20)?),
            BASE64_OF_32 => add_base64::<44>(text, self.bytes(32)?),
            UUID => {
                let uuid = Uuid::from_slice(self.bytes(16)?).map_err(|error| error.to_string())?;
                let mut hyphenated = Uuid::encode_buffer();
                let hyphenated = uuid.hyphenated().encode_lower(&mut hyphenated);
                text.extend_from_slice(hyphenated.as_bytes());
            }
            LITERAL => {
                let length = self.bytes(4)?.iter().fold(0, |sum, byte| sum << 8 | *byte as usize);
                text.extend_from_slice(self.bytes(length)?);
            }
            SHORT_LITERAL => {
                let length = self.bytes(1)?[0];
                text.extend_from_slice(self.bytes(length.into())?);
            }
            kind => return Err(format!("there is no kind {kind} of packed value")),
        }
        Ok(())
    }

    /// Fails if any values are left.
    pub fn finish(self) -> Result<(), String> {
        match self.0.len() {
            0 => Ok(()),
            left => Err(format!("{left} bytes too many after its packed values")),
        }
    }

    fn bytes(&mut self, count: usize) -> Result<&'a [u8], String> {
        let (bytes, rest) = self.0.split_at_checked(count).ok_or("its packed values end early")?;
        self.0 = rest;
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Values, push};

    fn any_value() -> impl Strategy<Value = Vec<u8>> {
        prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..60),
            "[A-Za-z0-9+/]{27}=".prop_map(String::into_bytes),
            "[A-Za-z0-9+/]{43}=".prop_map(String::into_bytes),
            "[0-9a-fA-F]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
                .prop_map(String::into_bytes),
            "[0-9a-f]{32}".prop_map(String::into_bytes),
        ]
    }

    proptest! {
        #[test]
        fn what_was_packed_is_unpacked(values in proptest::collection::vec(any_value(), 0..6)) {
            let mut row = Vec::new();
            for value in &values {
                push(&mut row, value);
            }
            let mut unpacked = Values::new(&row);
            for value in &values {
                prop_assert_eq!(&unpacked.take().unwrap(), value);
            }
            prop_assert!(unpacked.finish().is_ok());
        }
    }

    #[test]
    fn a_signature_takes_21_bytes_and_a_token_17() {
        let mut row = Vec::new();
        push(&mut row, b"L/OH5YylLD5NRKLltdqwSvS0BnU=");
        push(&mut row, b"32e709c9-0e95-47c0-8f0d-c6c868cf6241");
        assert_eq!(row.len(), 21 + 17);
    }
}

//! A message's SID as 17 bytes.

use smallvec::SmallVec;
use uuid::Uuid;

use crate::domain::MessageSid;

/// The number of hex digits in a SID of the usual form.
const SID_DIGITS: usize = 32;

/// A packed SID; the usual one needs no memory of its own.
pub type PackedSid = SmallVec<[u8; 17]>;

/// Packs a SID: 17 bytes for the usual form in lower case, otherwise a 0 and its text.
/// SM… and MM… with the same digits stay two messages.
pub fn pack_sid(sid: &MessageSid) -> PackedSid {
    let text = sid.as_str().as_bytes();
    match text.split_first_chunk() {
        Some((b"SM", hex)) => raw_of_hex(hex).map(|raw| packed(1, &raw)),
        Some((b"MM", hex)) => raw_of_hex(hex).map(|raw| packed(2, &raw)),
        _ => None,
    }
    .unwrap_or_else(|| packed(0, text))
}

fn packed(kind: u8, rest: &[u8]) -> PackedSid {
    let mut packed = PackedSid::with_capacity(1 + rest.len());
    packed.push(kind);
    packed.extend_from_slice(rest);
    packed
}

/// The SID of these bytes; `None` if they are not a packed SID.
pub fn unpack_sid(packed: &[u8]) -> Option<MessageSid> {
    MessageSid::parse(sid_text(packed, &mut SidBuffer::default())?)
}

/// A buffer for the text of a SID of the usual form.
pub struct SidBuffer([u8; 2 + SID_DIGITS]);

impl Default for SidBuffer {
    fn default() -> Self {
        Self([0; 2 + SID_DIGITS])
    }
}

/// The text of a packed SID, if need be in a buffer; `None` if the bytes are not a packed SID.
pub fn sid_text<'a>(packed: &'a [u8], buffer: &'a mut SidBuffer) -> Option<&'a str> {
    let (kind, rest) = packed.split_first()?;
    let kind = match kind {
        0 => return std::str::from_utf8(rest).ok().filter(|text| !text.is_empty()),
        1 => b"SM",
        2 => b"MM",
        _ => return None,
    };
    let SidBuffer(sid) = buffer;
    sid[..2].copy_from_slice(kind);
    Uuid::from_slice(rest).ok()?.simple().encode_lower(&mut sid[2..]);
    std::str::from_utf8(sid).ok()
}

/// The first and the last packed SID of those that begin with this text; `None` if no SID of the usual form
/// does. Letter case does not matter.
pub fn packed_range(text: &str) -> Option<(PackedSid, PackedSid)> {
    let (kind, digits) = text.split_at_checked(2)?;
    let (kind, digits) = (kind.to_ascii_uppercase(), digits.to_ascii_lowercase());
    let sid = |rest: char| {
        let missing = SID_DIGITS.checked_sub(digits.len())?;
        MessageSid::parse(&format!("{kind}{digits}{}", rest.to_string().repeat(missing)))
    };
    let (first, last) = (pack_sid(&sid('0')?), pack_sid(&sid('f')?));
    (first[0] != 0).then_some((first, last))
}

/// The 16 bytes that exactly 32 hex digits in lower case stand for: a UUID without its hyphens.
fn raw_of_hex(hex: &[u8]) -> Option<[u8; 16]> {
    // No early return, so that the compiler compares many digits at a time.
    let lower = |all, byte: &u8| all & (byte.is_ascii_digit() | (b'a'..=b'f').contains(byte));
    let fits = hex.len() == 32 && hex.iter().fold(true, lower);
    fits.then(|| Uuid::try_parse_ascii(hex).ok()).flatten().map(Uuid::into_bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{pack_sid, packed_range, unpack_sid};
    use crate::domain::MessageSid;

    #[test]
    fn a_range_has_the_sids_that_begin_with_a_text() {
        let sid = MessageSid::parse("SM2f9b6c0e4d7a41f8b3c95e1a7d60f482").unwrap();
        let is_in = |text: &str| {
            packed_range(text).is_some_and(|(first, last)| (first..=last).contains(&pack_sid(&sid)))
        };
        for text in ["SM", "SM2", "sm2F9b6", sid.as_str()] {
            assert!(is_in(text), "{text}");
        }
        for text in ["", "S", "MM2", "SM3", "SMx", "2f9b", "SM2f9b6c0e4d7a41f8b3c95e1a7d60f4820"] {
            assert!(!is_in(text), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_sid_is_unpacked_as_it_was(text in "(SM|MM|XX)?[0-9a-fA-F]{30,34}|.{1,40}") {
            let sid = MessageSid::parse(&text).unwrap();
            prop_assert_eq!(unpack_sid(&pack_sid(&sid)), Some(sid));
        }
    }
}

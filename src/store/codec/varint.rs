//! Numbers in as few bytes as they need: seven bits a byte, the lowest first, and the high bit set
//! in each but the last (LEB128).

/// Adds a number.
pub fn push(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

/// Adds a number relative to another one: their difference in zigzag encoding, so that small
/// negative ones are short too.
pub fn push_near(bytes: &mut Vec<u8>, near: u64, number: u64) {
    let ahead = number.wrapping_sub(near) as i64;
    push(bytes, (ahead << 1 ^ ahead >> 63) as u64);
}

/// Reads numbers and bytes in the order in which they were added; `None` if the bytes are something
/// else.
pub struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// A reader of these bytes.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// The next number. Most are lengths and counts, of one byte.
    #[inline]
    pub fn number(&mut self) -> Option<u64> {
        match self.0 {
            [byte @ ..0x80, rest @ ..] => {
                self.0 = rest;
                Some(u64::from(*byte))
            }
            _ => self.long_number(),
        }
    }

    /// The next two numbers, such as the distance and the count of a bucket.
    #[inline]
    pub fn two_numbers(&mut self) -> Option<(u64, u64)> {
        match self.0 {
            [first @ ..0x80, second @ ..0x80, rest @ ..] => {
                self.0 = rest;
                Some((u64::from(*first), u64::from(*second)))
            }
            _ => Some((self.number()?, self.number()?)),
        }
    }

    fn long_number(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..u64::BITS).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            // Only one bit of the tenth byte fits.
            if bits << shift >> shift != bits {
                return None;
            }
            number |= bits << shift;
            if byte < 0x80 {
                return Some(number);
            }
        }
        None
    }

    /// The next number, which was added relative to this one.
    pub fn number_near(&mut self, near: u64) -> Option<u64> {
        let doubled = self.number()?;
        let ahead = (doubled >> 1) ^ (doubled & 1).wrapping_neg();
        Some(near.wrapping_add(ahead))
    }

    /// The next byte as it is.
    pub fn byte(&mut self) -> Option<u8> {
        let (byte, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*byte)
    }

    /// The next bytes as they are.
    pub fn bytes(&mut self, count: usize) -> Option<&'a [u8]> {
        let (bytes, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(bytes)
    }

    /// Makes sure that nothing is left over.
    pub fn finish(self) -> Option<()> {
        self.0.is_empty().then_some(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Reader, push, push_near};

    fn any_number() -> impl Strategy<Value = u64> {
        prop_oneof![any::<u64>(), 0..1000_u64, (0..64_u32).prop_map(|shift| 1 << shift)]
    }

    proptest! {
        #[test]
        fn any_number_is_read_as_it_was(near in any_number(), number in any_number()) {
            let mut bytes = Vec::new();
            push(&mut bytes, number);
            push_near(&mut bytes, near, number);
            let mut reader = Reader::new(&bytes);
            prop_assert_eq!(reader.number(), Some(number));
            prop_assert_eq!(reader.number_near(near), Some(number));
            prop_assert_eq!(reader.finish(), Some(()));
        }

        #[test]
        fn two_numbers_are_read_as_one_after_the_other(first in any_number(), second in any_number()) {
            let mut bytes = Vec::new();
            push(&mut bytes, first);
            push(&mut bytes, second);
            let mut reader = Reader::new(&bytes);
            prop_assert_eq!(reader.two_numbers(), Some((first, second)));
            prop_assert_eq!(reader.finish(), Some(()));
        }
    }

    #[test]
    fn a_number_of_more_than_64_bits_is_none() {
        let nine_full = [0xff; 9];
        assert_eq!(Reader::new(&[&nine_full[..], &[1]].concat()).number(), Some(u64::MAX));
        assert_eq!(Reader::new(&[&nine_full[..], &[2]].concat()).number(), None);
        assert_eq!(Reader::new(&[&nine_full[..], &[0x81, 0]].concat()).number(), None);
        assert_eq!(Reader::new(&nine_full).number(), None);
    }
}

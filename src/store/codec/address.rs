//! Addresses with their bytes reversed, so that an index finds numbers by their last digits.

use smallvec::SmallVec;

/// An address with its bytes reversed; the usual one needs no memory of its own.
pub type ReversedAddress = SmallVec<[u8; 24]>;

/// Reverses an address, so that those with the same last digits are neighbours in an index.
pub fn reversed(address: &str) -> ReversedAddress {
    let mut reversed = ReversedAddress::from_slice(address.as_bytes());
    reversed.reverse();
    reversed
}

/// Buffers for the addresses of a row.
#[derive(Default)]
pub struct AddressBuffers {
    /// For the recipient.
    pub recipient: Vec<u8>,
    /// For the sender.
    pub sender: Vec<u8>,
}

/// The address of these reversed bytes, in a buffer; `None` if it is not UTF-8.
pub fn address<'b>(reversed: &[u8], buffer: &'b mut Vec<u8>) -> Option<&'b str> {
    buffer.clear();
    buffer.extend(reversed.iter().rev());
    std::str::from_utf8(buffer).ok()
}

//! Text encodings: UTF-8 with or without a byte order mark, and UTF-16, which is converted to UTF-8.
//! Windows-1252 is only named in an error, because it cannot be distinguished from similar
//! encodings.

use std::io::{self, BufRead, Read};

use encoding_rs::{Decoder, DecoderResult, UTF_16BE, UTF_16LE};

const UTF_8_MARK: &[u8] = &[0xef, 0xbb, 0xbf];

/// The error for a text that is not UTF-8.
pub const NOT_UTF_8: &str = "it is not UTF-8, but perhaps Windows-1252 (Latin-1): save the file as \
                             `CSV UTF-8`, or convert it with `iconv -f WINDOWS-1252 -t UTF-8`";

/// The encoding of a text, as detected from its beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// UTF-8, with a byte order mark of this length, or invalid UTF-8, which is found later.
    Utf8 {
        mark_bytes: usize,
    },
    Utf16Reader(ByteOrder),
}

/// The byte order of UTF-16.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ByteOrder {
    LittleEndian,
    BigEndian,
}

/// The error for a text that ends within a character, or has an unpaired surrogate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the UTF-16 text is damaged or cut off here")]
pub struct DamagedUtf16;

impl Encoding {
    /// Detects the encoding. UTF-16 without a byte order mark is recognised by its zero bytes, because
    /// every importable file begins with ASCII.
    pub fn detect(beginning: &[u8]) -> Self {
        match beginning {
            [0xff, 0xfe, 0, 0, ..] => Encoding::Utf8 { mark_bytes: 0 }, // UTF-32, which is refused
            [0xff, 0xfe, ..] => Encoding::Utf16Reader(ByteOrder::LittleEndian),
            [0xfe, 0xff, ..] => Encoding::Utf16Reader(ByteOrder::BigEndian),
            [1..=0x7f, 0, 1..=0x7f, 0, ..] => Encoding::Utf16Reader(ByteOrder::LittleEndian),
            [0, 1..=0x7f, 0, 1..=0x7f, ..] => Encoding::Utf16Reader(ByteOrder::BigEndian),
            _ if beginning.starts_with(UTF_8_MARK) => {
                Encoding::Utf8 { mark_bytes: UTF_8_MARK.len() }
            }
            _ => Encoding::Utf8 { mark_bytes: 0 },
        }
    }
}

/// A reader that converts UTF-16 to UTF-8. Invalid input is an error; nothing is replaced.
pub struct Utf16Reader<R> {
    from: R,
    decoder: Decoder,
    ended: bool,
    damaged: bool,
}

impl<R: BufRead> Utf16Reader<R> {
    /// Reads from the beginning of a text, its mark included.
    pub fn new(from: R, order: ByteOrder) -> Self {
        let encoding = match order {
            ByteOrder::LittleEndian => UTF_16LE,
            ByteOrder::BigEndian => UTF_16BE,
        };
        Self {
            from,
            decoder: encoding.new_decoder_with_bom_removal(),
            ended: false,
            damaged: false,
        }
    }
}

impl<R: BufRead> Read for Utf16Reader<R> {
    /// `buffer` has room for a few characters, as that of a [`std::io::BufReader`] around it has.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while !self.ended && !self.damaged {
            let bytes = self.from.fill_buf()?;
            let last = bytes.is_empty();
            let (result, read, written) =
                self.decoder.decode_to_utf8_without_replacement(bytes, buffer, last);
            self.from.consume(read);
            self.ended = last && result == DecoderResult::InputEmpty;
            self.damaged = matches!(result, DecoderResult::Malformed(..));
            if written > 0 {
                return Ok(written);
            }
        }
        match self.damaged {
            true => Err(io::Error::new(io::ErrorKind::InvalidData, DamagedUtf16)),
            false => Ok(0),
        }
    }
}

//! The heads of a connection's requests, looked at before the HTTP library has them.
//!
//! The library answers some requests by itself, before any code of ours sees them, and reads others
//! more generously than they should be read. This follows the bytes from head to head (RFC 9112), says
//! of each whether it is signed and what is wrong with it, and makes targets readable that the library
//! would reject, so that the request can be answered, counted and kept like any other. It decides
//! nothing about a request that is written well.

use memchr::memchr;

use crate::twilio::signature::SIGNATURE_HEADER;

/// How much of a line is kept that arrives in parts: longer than a target that Twilio calls, and
/// little for each of thousands of connections.
const LINE_BYTES_MAX: usize = 8192;

/// What stands for a byte that the library would not take in a target.
const STAND_IN: u8 = b'_';

/// What was seen of one request's head.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Head {
    /// It has an X-Twilio-Signature.
    pub is_signed: bool,
    /// What is wrong with it, though it can be read.
    pub fault: Option<Fault>,
}

/// What is wrong with a head that can be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    pub reason: &'static str,
    /// The target as it was; `None` if it is what the library has, or is not UTF-8.
    pub target: Option<String>,
}

/// A line of the head ends with a line feed alone.
pub const BARE_LINE_FEED: &str =
    "a line of the request's head ends with a line feed alone; HTTP ends lines with CR LF";
/// The target has a fragment.
pub const FRAGMENT: &str =
    "the request's target has a fragment (#…), which is no part of the URL that a client calls";
/// The target has other bytes that may not stand in it.
pub const BARE_CHARACTERS: &str =
    "the request's target has characters that have to be percent-encoded, such as \", <, > or `";

/// Where in the connection's bytes the next one is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    RequestLine,
    Header,
    /// In a body, with so many bytes to go.
    Body(u64),
    ChunkSize,
    Chunk(u64),
    ChunkEnd,
    Trailer,
    /// What comes cannot be told apart; the library ends the connection.
    Lost,
}

/// See the module.
#[derive(Debug)]
pub struct Heads {
    at: At,
    /// The beginning of a line whose end has not arrived.
    line: Vec<u8>,
    head: Head,
    body_bytes: u64,
    is_chunked: bool,
}

impl Default for Heads {
    fn default() -> Self {
        let (line, head) = Default::default();
        Self { at: At::RequestLine, line, head, body_bytes: 0, is_chunked: false }
    }
}

impl Heads {
    /// Takes the next bytes of the connection. Each head that ends in them is passed to `seen`.
    pub fn read(&mut self, mut bytes: &mut [u8], seen: &mut dyn FnMut(Head)) {
        while !bytes.is_empty() {
            let taken = match self.at {
                At::Lost => return,
                At::Body(left) | At::Chunk(left) => self.pass(left, bytes.len()),
                _ => self.take_line(bytes, seen),
            };
            bytes = &mut bytes[taken..];
        }
    }

    /// Whether a signed head has begun and not ended.
    pub fn is_in_signed_head(&self) -> bool {
        self.at == At::Header && self.head.is_signed
    }

    fn pass(&mut self, left: u64, there: usize) -> usize {
        let passed = left.min(there as u64);
        let left = left - passed;
        self.at = match (self.at, left) {
            (At::Chunk(_), 0) => At::ChunkEnd,
            (At::Chunk(_), left) => At::Chunk(left),
            (_, 0) => At::RequestLine,
            (_, left) => At::Body(left),
        };
        passed as usize
    }

    fn take_line(&mut self, bytes: &mut [u8], seen: &mut dyn FnMut(Head)) -> usize {
        let Some(end) = memchr(b'\n', bytes) else {
            self.keep(bytes);
            return bytes.len();
        };
        if self.line.is_empty() {
            self.line_ended(&mut bytes[..end], true, seen);
        } else {
            self.keep(&bytes[..end]);
            let mut line = std::mem::take(&mut self.line);
            self.line_ended(&mut line, false, seen);
        }
        end + 1
    }

    fn keep(&mut self, part: &[u8]) {
        let room = LINE_BYTES_MAX.saturating_sub(self.line.len());
        self.line.extend_from_slice(&part[..part.len().min(room)]);
    }

    /// A line without its line feed. Only of one that is `changeable` the library has nothing yet.
    fn line_ended(&mut self, line: &mut [u8], changeable: bool, seen: &mut dyn FnMut(Head)) {
        let (line, ends_well) = match line.split_last_mut() {
            Some((b'\r', line)) => (line, true),
            _ => (line, false),
        };
        if !ends_well && matches!(self.at, At::RequestLine | At::Header) {
            self.fault(BARE_LINE_FEED, None);
        }
        match self.at {
            // Before a request, empty lines are passed over (RFC 9112, 2.2).
            At::RequestLine if line.is_empty() => {}
            At::RequestLine => {
                self.request_line(line, changeable);
                self.at = At::Header;
            }
            At::Header if line.is_empty() => self.head_ended(seen),
            At::Header => self.header(line),
            At::ChunkSize => self.chunk_size(line),
            At::ChunkEnd => self.at = At::ChunkSize,
            At::Trailer if line.is_empty() => self.at = At::RequestLine,
            At::Trailer | At::Body(_) | At::Chunk(_) | At::Lost => {}
        }
    }

    fn request_line(&mut self, line: &mut [u8], changeable: bool) {
        let Some(begin) = memchr(b' ', line).map(|space| space + 1) else { return };
        let end = memchr(b' ', &line[begin..]).map_or(line.len(), |space| begin + space);
        let target = &mut line[begin..end];
        let Some(reason) = wrong_in(target) else { return };
        let original = String::from_utf8(target.to_vec()).ok();
        if changeable {
            target
                .iter_mut()
                .filter(|byte| is_suspicious(**byte))
                .for_each(|byte| *byte = STAND_IN);
        }
        self.fault(reason, original);
    }

    /// The first fault is the one that is reported, but the original target is kept in any case.
    fn fault(&mut self, reason: &'static str, target: Option<String>) {
        let fault = self.head.fault.get_or_insert(Fault { reason, target: None });
        if target.is_some() {
            fault.target = target;
        }
    }

    fn header(&mut self, line: &[u8]) {
        let Some(colon) = memchr(b':', line) else { return };
        let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
        if name.eq_ignore_ascii_case(b"content-length") {
            let length = std::str::from_utf8(value).ok().and_then(|text| text.parse().ok());
            self.body_bytes = length.unwrap_or_default();
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            self.is_chunked = value.eq_ignore_ascii_case(b"chunked");
        } else if name.eq_ignore_ascii_case(SIGNATURE_HEADER.as_bytes()) {
            self.head.is_signed = true;
        }
    }

    fn head_ended(&mut self, seen: &mut dyn FnMut(Head)) {
        self.at = match (self.is_chunked, self.body_bytes) {
            (true, _) => At::ChunkSize,
            (false, 0) => At::RequestLine,
            (false, bytes) => At::Body(bytes),
        };
        (self.is_chunked, self.body_bytes) = (false, 0);
        seen(std::mem::take(&mut self.head));
    }

    fn chunk_size(&mut self, line: &[u8]) {
        let digits = line.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
        let digits = std::str::from_utf8(digits).ok();
        self.at = match digits.and_then(|digits| u64::from_str_radix(digits, 16).ok()) {
            None => At::Lost,
            Some(0) => At::Trailer,
            Some(bytes) => At::Chunk(bytes),
        };
    }
}

/// Bytes that a target rarely has; whether they may stand there depends on where.
fn is_suspicious(byte: u8) -> bool {
    matches!(byte, b'"' | b'#' | b'<' | b'>' | b'`') || !byte.is_ascii_graphic()
}

/// What is wrong in a target. The library reads a quotation mark in a path, and a grave accent in a
/// query, as they are; so they are taken.
fn wrong_in(target: &[u8]) -> Option<&'static str> {
    if !target.iter().any(|byte| is_suspicious(*byte)) {
        return None;
    }
    if target.contains(&b'#') {
        return Some(FRAGMENT);
    }
    let query = memchr(b'?', target).unwrap_or(target.len());
    let (path, query) = target.split_at(query);
    let path = path.iter().any(|byte| is_suspicious(*byte) && *byte != b'"');
    let query = query.iter().any(|byte| is_suspicious(*byte) && *byte != b'`');
    (path || query).then_some(BARE_CHARACTERS)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIGNED: &str = "POST /a?b=1 HTTP/1.1\r\nHost: h\r\nX-Twilio-Signature: s\r\n";

    fn read(parts: &[&str]) -> (Vec<Head>, String) {
        let (mut heads, mut seen, mut passed_on) = (Heads::default(), Vec::new(), String::new());
        for part in parts {
            let mut bytes = part.as_bytes().to_vec();
            heads.read(&mut bytes, &mut |head| seen.push(head));
            passed_on += std::str::from_utf8(&bytes).unwrap();
        }
        (seen, passed_on)
    }

    fn faults(text: &str) -> Vec<Option<&'static str>> {
        let (whole, _) = read(&[text]);
        let whole: Vec<_> =
            whole.into_iter().map(|head| head.fault.map(|fault| fault.reason)).collect();
        let bytes: Vec<_> = text.split_inclusive(|_| true).collect();
        let (by_byte, _) = read(&bytes);
        let by_byte: Vec<_> =
            by_byte.into_iter().map(|head| head.fault.map(|fault| fault.reason)).collect();
        assert_eq!(whole, by_byte, "however the bytes arrive");
        whole
    }

    #[test]
    fn heads_are_told_from_bodies_by_length_and_by_chunks() {
        let line_feeds_in_bodies = format!(
            "{SIGNED}Content-Length: 13\r\n\r\na=1\n\nGET / x\n\
             {SIGNED}transfer-encoding: Chunked\r\n\r\n4;x=y\r\na\n\n\n\r\nA\r\n0123456789\r\n0\r\n\r\n\
             GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n"
        );
        assert_eq!(faults(&line_feeds_in_bodies), [None, None, None]);
        let (heads, _) = read(&[&line_feeds_in_bodies]);
        assert_eq!(
            heads.iter().map(|head| head.is_signed).collect::<Vec<_>>(),
            [true, true, false]
        );
    }

    #[test]
    fn a_line_feed_alone_is_a_fault_wherever_it_ends_a_line_of_the_head() {
        for text in [
            "POST / HTTP/1.1\nHost: h\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: h\n\r\n",
            "POST / HTTP/1.1\r\nHost: h\r\n\n",
            "\nPOST / HTTP/1.1\r\nHost: h\r\n\r\n",
        ] {
            assert_eq!(faults(text), [Some(BARE_LINE_FEED)], "{text:?}");
        }
        let second = format!("{SIGNED}Content-Length: 2\r\n\r\nabPOST / HTTP/1.1\nHost: h\r\n\r\n");
        assert_eq!(faults(&second), [None, Some(BARE_LINE_FEED)]);
    }

    #[test]
    fn a_target_that_the_library_would_not_read_is_made_readable_and_kept() {
        for (target, readable, reason) in [
            ("/a?b=\"c\"", "/a?b=_c_", Some(BARE_CHARACTERS)),
            ("/a?b=<c>", "/a?b=_c_", Some(BARE_CHARACTERS)),
            ("/a`b", "/a_b", Some(BARE_CHARACTERS)),
            ("/a?b=1#c", "/a?b=1_c", Some(FRAGMENT)),
            ("/a?b=é", "/a?b=__", Some(BARE_CHARACTERS)),
            ("/a\"b?c=`d", "/a\"b?c=`d", None),
            ("/a%22?b=%23&c={|}[]^\\~'()*", "/a%22?b=%23&c={|}[]^\\~'()*", None),
        ] {
            let text = format!("POST {target} HTTP/1.1\r\nHost: h\r\n\r\n");
            let (heads, passed_on) = read(&[&text]);
            assert_eq!(passed_on, format!("POST {readable} HTTP/1.1\r\nHost: h\r\n\r\n"));
            let expected = reason.map(|reason| Fault { reason, target: Some(target.to_owned()) });
            assert_eq!(heads, [Head { is_signed: false, fault: expected }], "{target}");
        }
    }

    #[test]
    fn a_signed_head_that_does_not_end_is_known() {
        let mut heads = Heads::default();
        heads.read(&mut SIGNED.as_bytes().to_vec(), &mut |_| panic!("it has not ended"));
        assert!(heads.is_in_signed_head());
    }
}

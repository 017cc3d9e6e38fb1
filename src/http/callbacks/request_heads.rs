//! The scanner of request heads, which reads a connection's bytes before the HTTP library does.
//!
//! The library rejects some malformed requests before our handlers run, and accepts others too
//! leniently. The scanner follows the bytes from head to head (RFC 9112) and records whether each is
//! signed and whether it is malformed. It replaces the characters of a target that the library would
//! reject, so that the request can be counted, logged and quarantined like any other. It does not change
//! well-formed heads.

use memchr::memchr;

use crate::twilio::signature::SIGNATURE_HEADER;

/// The number of bytes buffered of a line that arrives in parts: more than any target that Twilio calls,
/// and little for each of thousands of connections.
const LINE_BYTES_MAX: usize = 8192;

/// Replaces a byte that the library would not accept in a target.
const REPLACEMENT: u8 = b'_';

/// The result of scanning one request's head.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RequestHead {
    /// Whether it has an X-Twilio-Signature.
    pub is_signed: bool,
    /// The reason it is malformed, if it is.
    pub error: Option<HeadError>,
}

/// The reason a head is malformed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeadError {
    pub reason: &'static str,
    /// The original target; `None` if it was not changed, or is not UTF-8.
    pub target: Option<String>,
}

const BARE_LINE_FEED: &str =
    "a line of the request's head ends with a line feed alone; HTTP ends lines with CR LF";
const FRAGMENT: &str = "the request's target has a fragment (#…), which clients must not send";
const BARE_CHARACTERS: &str =
    "the request's target has characters that have to be percent-encoded, such as \", <, > or `";

/// The part of a request that the next byte belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    RequestLine,
    Header,
    /// A body with this many bytes left.
    Body(u64),
    ChunkSize,
    Chunk(u64),
    ChunkEnd,
    Trailer,
    /// Unknown, because the request is broken; the library closes the connection.
    Lost,
}

/// Scans the bytes of one connection.
#[derive(Debug)]
pub struct HeadReader {
    at: State,
    /// The beginning of a line whose end has not arrived yet.
    line: Vec<u8>,
    head: RequestHead,
    body_bytes: u64,
    is_chunked: bool,
}

impl Default for HeadReader {
    fn default() -> Self {
        let (line, head) = Default::default();
        Self { at: State::RequestLine, line, head, body_bytes: 0, is_chunked: false }
    }
}

impl HeadReader {
    /// Scans the next bytes of the connection, and passes each head that ends in them to `seen`.
    pub fn read(&mut self, mut bytes: &mut [u8], seen: &mut dyn FnMut(RequestHead)) {
        while !bytes.is_empty() {
            let taken = match self.at {
                State::Lost => return,
                State::Body(left) | State::Chunk(left) => self.skip_body(left, bytes.len()),
                _ => self.take_line(bytes, seen),
            };
            bytes = &mut bytes[taken..];
        }
    }

    /// True if a signed head has begun and not ended.
    pub fn is_in_signed_head(&self) -> bool {
        self.at == State::Header && self.head.is_signed
    }

    fn skip_body(&mut self, left: u64, available: usize) -> usize {
        let passed = left.min(available as u64);
        let left = left - passed;
        self.at = match (self.at, left) {
            (State::Chunk(_), 0) => State::ChunkEnd,
            (State::Chunk(_), left) => State::Chunk(left),
            (_, 0) => State::RequestLine,
            (_, left) => State::Body(left),
        };
        passed as usize
    }

    fn take_line(&mut self, bytes: &mut [u8], seen: &mut dyn FnMut(RequestHead)) -> usize {
        let Some(end) = memchr(b'\n', bytes) else {
            self.buffer(bytes);
            return bytes.len();
        };
        if self.line.is_empty() {
            self.line_ended(&mut bytes[..end], true, seen);
        } else {
            self.buffer(&bytes[..end]);
            let mut line = std::mem::take(&mut self.line);
            self.line_ended(&mut line, false, seen);
        }
        end + 1
    }

    fn buffer(&mut self, part: &[u8]) {
        let room = LINE_BYTES_MAX.saturating_sub(self.line.len());
        self.line.extend_from_slice(&part[..part.len().min(room)]);
    }

    /// Handles a line without its line feed. It is `changeable` if no part of it was passed on yet.
    fn line_ended(&mut self, line: &mut [u8], changeable: bool, seen: &mut dyn FnMut(RequestHead)) {
        let (line, ends_well) = match line.split_last_mut() {
            Some((b'\r', line)) => (line, true),
            _ => (line, false),
        };
        if !ends_well && matches!(self.at, State::RequestLine | State::Header) {
            self.add_error(BARE_LINE_FEED, None);
        }
        match self.at {
            // Empty lines before a request are ignored (RFC 9112, 2.2).
            State::RequestLine if line.is_empty() => {}
            State::RequestLine => {
                self.request_line(line, changeable);
                self.at = State::Header;
            }
            State::Header if line.is_empty() => self.head_ended(seen),
            State::Header => self.header(line),
            State::ChunkSize => self.chunk_size(line),
            State::ChunkEnd => self.at = State::ChunkSize,
            State::Trailer if line.is_empty() => self.at = State::RequestLine,
            State::Trailer | State::Body(_) | State::Chunk(_) | State::Lost => {}
        }
    }

    fn request_line(&mut self, line: &mut [u8], changeable: bool) {
        let Some(begin) = memchr(b' ', line).map(|space| space + 1) else { return };
        let end = memchr(b' ', &line[begin..]).map_or(line.len(), |space| begin + space);
        let target = &mut line[begin..end];
        let Some(reason) = target_error(target) else { return };
        let original = String::from_utf8(target.to_vec()).ok();
        if changeable {
            target
                .iter_mut()
                .filter(|byte| is_suspicious(**byte))
                .for_each(|byte| *byte = REPLACEMENT);
        }
        self.add_error(reason, original);
    }

    /// Records an error. The first one is reported; the original target is recorded in any case.
    fn add_error(&mut self, reason: &'static str, target: Option<String>) {
        let error = self.head.error.get_or_insert(HeadError { reason, target: None });
        if target.is_some() {
            error.target = target;
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

    fn head_ended(&mut self, seen: &mut dyn FnMut(RequestHead)) {
        self.at = match (self.is_chunked, self.body_bytes) {
            (true, _) => State::ChunkSize,
            (false, 0) => State::RequestLine,
            (false, bytes) => State::Body(bytes),
        };
        (self.is_chunked, self.body_bytes) = (false, 0);
        seen(std::mem::take(&mut self.head));
    }

    fn chunk_size(&mut self, line: &[u8]) {
        let digits = line.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
        let digits = std::str::from_utf8(digits).ok();
        self.at = match digits.and_then(|digits| u64::from_str_radix(digits, 16).ok()) {
            None => State::Lost,
            Some(0) => State::Trailer,
            Some(bytes) => State::Chunk(bytes),
        };
    }
}

/// True if a byte is not allowed everywhere in a target.
fn is_suspicious(byte: u8) -> bool {
    matches!(byte, b'"' | b'#' | b'<' | b'>' | b'`') || !byte.is_ascii_graphic()
}

/// The reason a target is malformed; `None` if it is not. The library accepts a quotation mark in a path
/// and a grave accent in a query, so these are not errors.
fn target_error(target: &[u8]) -> Option<&'static str> {
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

    fn read(parts: &[&str]) -> (Vec<RequestHead>, String) {
        let (mut heads, mut seen, mut passed_on) =
            (HeadReader::default(), Vec::new(), String::new());
        for part in parts {
            let mut bytes = part.as_bytes().to_vec();
            heads.read(&mut bytes, &mut |head| seen.push(head));
            passed_on += std::str::from_utf8(&bytes).unwrap();
        }
        (seen, passed_on)
    }

    fn errors(text: &str) -> Vec<Option<&'static str>> {
        let (whole, _) = read(&[text]);
        let whole: Vec<_> =
            whole.into_iter().map(|head| head.error.map(|error| error.reason)).collect();
        let bytes: Vec<_> = text.split_inclusive(|_| true).collect();
        let (by_byte, _) = read(&bytes);
        let by_byte: Vec<_> =
            by_byte.into_iter().map(|head| head.error.map(|error| error.reason)).collect();
        assert_eq!(whole, by_byte, "however the bytes arrive");
        whole
    }

    #[test]
    fn bodies_are_skipped_by_length_and_by_chunks() {
        let line_feeds_in_bodies = format!(
            "{SIGNED}Content-Length: 13\r\n\r\na=1\n\nGET / x\n\
             {SIGNED}transfer-encoding: Chunked\r\n\r\n4;x=y\r\na\n\n\n\r\nA\r\n0123456789\r\n0\r\n\r\n\
             GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n"
        );
        assert_eq!(errors(&line_feeds_in_bodies), [None, None, None]);
        let (heads, _) = read(&[&line_feeds_in_bodies]);
        assert_eq!(
            heads.iter().map(|head| head.is_signed).collect::<Vec<_>>(),
            [true, true, false]
        );
    }

    #[test]
    fn a_bare_line_feed_is_an_error_after_every_line_of_the_head() {
        for text in [
            "POST / HTTP/1.1\nHost: h\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: h\n\r\n",
            "POST / HTTP/1.1\r\nHost: h\r\n\n",
            "\nPOST / HTTP/1.1\r\nHost: h\r\n\r\n",
        ] {
            assert_eq!(errors(text), [Some(BARE_LINE_FEED)], "{text:?}");
        }
        let second = format!("{SIGNED}Content-Length: 2\r\n\r\nabPOST / HTTP/1.1\nHost: h\r\n\r\n");
        assert_eq!(errors(&second), [None, Some(BARE_LINE_FEED)]);
    }

    #[test]
    fn a_malformed_target_is_made_readable_and_its_original_is_kept() {
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
            let expected =
                reason.map(|reason| HeadError { reason, target: Some(target.to_owned()) });
            assert_eq!(heads, [RequestHead { is_signed: false, error: expected }], "{target}");
        }
    }

    #[test]
    fn an_unfinished_signed_head_is_noticed() {
        let mut heads = HeadReader::default();
        heads.read(&mut SIGNED.as_bytes().to_vec(), &mut |_| panic!("it has not ended"));
        assert!(heads.is_in_signed_head());
    }
}

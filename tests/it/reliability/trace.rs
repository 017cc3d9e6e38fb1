//! The trace recorded by `disk.c`: every change, every sync, and every request and response, in order.

use std::collections::HashMap;
use std::path::Path;

use super::check::Sent;

/// A recorded operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    Folder {
        inode: u64,
        name: String,
    },
    Create {
        inode: u64,
        name: String,
    },
    Write {
        inode: u64,
        at: usize,
        bytes: Vec<u8>,
    },
    Truncate {
        inode: u64,
        to: usize,
    },
    Sync {
        inode: u64,
        of_folder: bool,
    },
    /// A failed sync: its data may be lost, and no later sync reports that.
    LostSync {
        inode: u64,
    },
    Unlink {
        name: String,
    },
    Symlink {
        name: String,
        target: String,
    },
    Rename {
        from: String,
        to: String,
    },
    /// A callback has come in.
    Arrived(Sent),
    /// The callback got 200.
    Acknowledged(Sent),
}

impl Step {
    /// A description without the bytes.
    pub fn kind(&self) -> String {
        let whole = format!("{self:?}");
        whole.split([' ', '(']).next().unwrap_or_default().to_owned()
    }
}

/// Reads a trace.
pub fn read(path: &Path) -> Vec<Step> {
    let bytes = std::fs::read(path).expect("the server has written a trace");
    let mut connections: HashMap<u64, Connection> = HashMap::new();
    let (mut steps, mut rest) = (Vec::new(), &bytes[..]);
    while let Some((head, tail)) = rest.split_at_checked(21) {
        let inode = u64::from_ne_bytes(head[1..9].try_into().unwrap());
        let at = u64::from_ne_bytes(head[9..17].try_into().unwrap()) as usize;
        let length = u32::from_ne_bytes(head[17..21].try_into().unwrap()) as usize;
        // A kill may have truncated the last record.
        let Some((bytes, tail)) = tail.split_at_checked(length) else { break };
        rest = tail;
        let name = || String::from_utf8(bytes.to_vec()).unwrap();
        let step = match head[0] {
            b'D' => Step::Folder { inode, name: name() },
            b'C' => Step::Create { inode, name: name() },
            b'W' => Step::Write { inode, at, bytes: bytes.to_vec() },
            b'T' => Step::Truncate { inode, to: at },
            b'S' => Step::Sync { inode, of_folder: at == 1 },
            b'L' => Step::LostSync { inode },
            b'U' => Step::Unlink { name: name() },
            b'Y' => {
                let name = name();
                let (name, target) = name.split_once('\0').unwrap();
                Step::Symlink { name: name.to_owned(), target: target.to_owned() }
            }
            b'N' => {
                let name = name();
                let (from, to) = name.split_once('\0').unwrap();
                Step::Rename { from: from.to_owned(), to: to.to_owned() }
            }
            b'A' | b'X' => {
                connections.remove(&inode);
                continue;
            }
            b'R' => {
                let arrived = connections.entry(inode).or_default().received(bytes);
                steps.extend(arrived.into_iter().map(Step::Arrived));
                continue;
            }
            b'a' => {
                let acknowledged = connections.entry(inode).or_default().answered(bytes);
                steps.extend(acknowledged.map(Step::Acknowledged));
                continue;
            }
            other => panic!("`{}` is no kind of record", char::from(other)),
        };
        steps.push(step);
    }
    steps
}

/// A connection: its incomplete request, and the callbacks waiting for a response.
#[derive(Default)]
struct Connection {
    received: Vec<u8>,
    waiting: Vec<Option<Sent>>,
}

impl Connection {
    fn received(&mut self, bytes: &[u8]) -> Vec<Sent> {
        self.received.extend_from_slice(bytes);
        let mut arrived = Vec::new();
        while let Some((request, length)) = request(&self.received) {
            self.received.drain(..length);
            arrived.extend(request.clone());
            self.waiting.push(request);
        }
        arrived
    }

    fn answered(&mut self, bytes: &[u8]) -> Option<Sent> {
        if !bytes.starts_with(b"HTTP/1.1 ") || self.waiting.is_empty() {
            return None;
        }
        let request = self.waiting.remove(0);
        request.filter(|_| bytes.starts_with(b"HTTP/1.1 200 "))
    }
}

/// Parses the first complete request: the callback, if it is one, and its length.
fn request(bytes: &[u8]) -> Option<(Option<Sent>, usize)> {
    let head_end = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(&bytes[..head_end]).into_owned();
    let header = |wanted: &str| {
        let headers = head.lines().filter_map(|line| line.split_once(':'));
        let mut values = headers.filter(|(name, _)| name.eq_ignore_ascii_case(wanted));
        values.next().map_or(String::new(), |(_, value)| value.trim().to_owned())
    };
    let length = header("content-length").parse().unwrap_or(0);
    let body = bytes.get(head_end + 4..head_end + 4 + length)?;
    let callback = head.starts_with("POST /message-status ");
    let sent = || Sent { token: header("i-twilio-idempotency-token"), body: body.to_vec() };
    Some((callback.then(sent), head_end + 4 + length))
}

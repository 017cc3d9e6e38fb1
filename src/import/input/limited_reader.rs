//! A reader that limits the bytes of one row and counts lines.
//! Parsers around it would otherwise buffer a row of any length, and cannot say where a row begins.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io::{self, Read};
use std::rc::Rc;

/// A reader that fails once a row exceeds its limit, and that counts lines.
pub struct LimitedReader<R> {
    from: R,
    left: Rc<Cell<u64>>,
    ends: Rc<RefCell<Ends>>,
    bytes: u64,
}

/// Offsets of line ends that have not been counted yet.
#[derive(Default)]
struct Ends {
    passed: u64,
    at: VecDeque<u64>,
}

/// Controls a [`LimitedReader`] that a parser owns, and reads its line counts.
#[derive(Clone)]
pub struct LimitHandle {
    left: Rc<Cell<u64>>,
    ends: Rc<RefCell<Ends>>,
}

impl LimitHandle {
    /// Sets the limit of the next row.
    pub fn allow(&self, bytes: u64) {
        self.left.set(bytes);
    }

    /// The number of lines that have ended.
    pub fn lines(&self) -> u64 {
        self.line_of(u64::MAX) - 1
    }

    /// The line, from 1, that the byte at this offset is in; a line feed is in the line it ends.
    /// Offsets must not go backwards.
    pub fn line_of(&self, offset: u64) -> u64 {
        let mut ends = self.ends.borrow_mut();
        while ends.at.front().is_some_and(|end| *end < offset) {
            ends.at.pop_front();
            ends.passed += 1;
        }
        1 + ends.passed
    }
}

impl<R: Read> LimitedReader<R> {
    /// Wraps a reader.
    pub fn new(from: R) -> (Self, LimitHandle) {
        let bound = LimitHandle { left: Rc::default(), ends: Rc::default() };
        let LimitHandle { left, ends } = bound.clone();
        (Self { from, left, ends, bytes: 0 }, bound)
    }
}

impl<R: Read> Read for LimitedReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.from.read(buffer)?;
        let left = self.left.get().checked_sub(length as u64);
        self.left.set(left.ok_or_else(|| io::Error::from(io::ErrorKind::FileTooLarge))?);
        let mut ends = self.ends.borrow_mut();
        for at in memchr::memchr_iter(b'\n', &buffer[..length]) {
            ends.at.push_back(self.bytes + at as u64);
        }
        self.bytes += length as u64;
        Ok(length)
    }
}

//! A reader for parsers that would take as much memory as a row asks for, and that cannot say in
//! which line a row begins.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io::{self, Read};
use std::rc::Rc;

/// A reader that gives up where one row takes more than it may, and counts lines.
pub struct LimitedReader<R> {
    from: R,
    left: Rc<Cell<u64>>,
    ends: Rc<RefCell<Ends>>,
    bytes: u64,
}

/// Where lines end, as far as nobody has asked beyond.
#[derive(Default)]
struct Ends {
    passed: u64,
    at: VecDeque<u64>,
}

/// What is told to, and heard of, a bounded reader while another has it.
#[derive(Clone)]
pub struct LimitHandle {
    left: Rc<Cell<u64>>,
    ends: Rc<RefCell<Ends>>,
}

impl LimitHandle {
    /// The next row may take this much.
    pub fn allow(&self, bytes: u64) {
        self.left.set(bytes);
    }

    /// How many lines have ended.
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
    /// Reads from this.
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

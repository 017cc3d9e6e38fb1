//! A reader for parsers that would take as much memory as a row asks for.

use std::cell::Cell;
use std::io::{self, Read};
use std::rc::Rc;

/// A reader that gives up where one row takes more than it may, and counts lines.
pub struct Bounded<R> {
    from: R,
    left: Rc<Cell<u64>>,
    lines: Rc<Cell<u64>>,
}

/// What is told to, and heard of, a bounded reader while another has it.
#[derive(Clone)]
pub struct Bound {
    left: Rc<Cell<u64>>,
    lines: Rc<Cell<u64>>,
}

impl Bound {
    /// The next row may take this much.
    pub fn allow(&self, bytes: u64) {
        self.left.set(bytes);
    }

    /// How many lines have ended.
    pub fn lines(&self) -> u64 {
        self.lines.get()
    }
}

impl<R: Read> Bounded<R> {
    /// Reads from this.
    pub fn new(from: R) -> (Self, Bound) {
        let bound = Bound { left: Rc::default(), lines: Rc::default() };
        (Self { from, left: Rc::clone(&bound.left), lines: Rc::clone(&bound.lines) }, bound)
    }
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.from.read(buffer)?;
        let left = self.left.get().checked_sub(length as u64);
        self.left.set(left.ok_or_else(|| io::Error::from(io::ErrorKind::FileTooLarge))?);
        let lines = memchr::memchr_iter(b'\n', &buffer[..length]).count();
        self.lines.set(self.lines.get() + lines as u64);
        Ok(length)
    }
}

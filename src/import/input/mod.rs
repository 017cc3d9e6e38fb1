//! An input of an import: one file, or stdin, decompressed and converted to UTF-8.

pub mod encoding;
pub mod limited_reader;

use std::cell::{Cell, RefCell};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::path::Path;
use std::rc::Rc;

use flate2::bufread::MultiGzDecoder;
use sha2::{Digest, Sha256};

use self::encoding::{Encoding, Utf16Reader};
use crate::domain::hash::{Hash, hex};

/// The number of bytes read to detect the format of an input.
const BEGINNING_BYTES: u64 = 64 * 1024;

const GZIP: [u8; 2] = [0x1f, 0x8b];

/// An input, open at its beginning.
pub struct Input {
    /// Its first bytes in UTF-8, without a byte order mark; they are read again.
    pub beginning: Vec<u8>,
    /// Its first bytes before decoding.
    pub undecoded: Vec<u8>,
    pub reader: Box<dyn BufRead>,
    read: Rc<Cell<u64>>,
    hash: Rc<RefCell<Sha256>>,
}

impl Input {
    /// Opens a file; `-` is stdin.
    pub fn open(path: &Path) -> io::Result<Self> {
        match path == Path::new("-") {
            true => Self::new(io::stdin()),
            false => Self::new(File::open(path)?),
        }
    }

    /// Reads from this, decompressed if it is a gzip stream.
    pub fn new(from: impl Read + 'static) -> io::Result<Self> {
        let (read, hash) = (Rc::default(), Rc::default());
        let watched = HashingReader { from, read: Rc::clone(&read), hash: Rc::clone(&hash) };
        let mut bytes = BufReader::with_capacity(BEGINNING_BYTES as usize, watched);
        let reader: Box<dyn BufRead> = match bytes.fill_buf()?.starts_with(&GZIP) {
            true => Box::new(BufReader::new(MultiGzDecoder::new(bytes))),
            false => Box::new(bytes),
        };
        let (undecoded, reader) = peek(reader);
        let (beginning, reader) = match Encoding::detect(&undecoded) {
            Encoding::Utf16Reader(order) => {
                peek(Box::new(BufReader::new(Utf16Reader::new(reader, order))))
            }
            Encoding::Utf8 { mark_bytes } => {
                let mut reader = reader;
                io::copy(&mut (&mut reader).take(mark_bytes as u64), &mut io::sink())?;
                (undecoded[mark_bytes..].to_vec(), reader)
            }
        };
        Ok(Self { beginning, undecoded, reader, read, hash })
    }

    /// A shared counter of the bytes read of the file itself.
    pub fn bytes_read(&self) -> Rc<Cell<u64>> {
        Rc::clone(&self.read)
    }

    /// Reads to the end, and returns the SHA-256 of the file itself.
    pub fn finish(mut self) -> io::Result<String> {
        io::copy(&mut self.reader, &mut io::sink())?;
        let hash: Hash = self.hash.borrow().clone().finalize().into();
        Ok(hex(&hash))
    }
}

/// The first bytes of a reader, and a reader that begins with them.
fn peek(mut reader: Box<dyn BufRead>) -> (Vec<u8>, Box<dyn BufRead>) {
    let mut beginning = Vec::new();
    let outcome = (&mut reader).take(BEGINNING_BYTES).read_to_end(&mut beginning);
    let again = Cursor::new(beginning.clone());
    let reader: Box<dyn BufRead> = match outcome {
        Ok(_) => Box::new(again.chain(reader)),
        // What could be read comes before the error.
        Err(error) => Box::new(again.chain(BufReader::new(FailingReader(Some(error))))),
    };
    (beginning, reader)
}

/// True if an error is about the content, not about reading it.
pub fn is_content_error(error: &io::Error) -> bool {
    use io::ErrorKind::{FileTooLarge, InvalidData, InvalidInput, UnexpectedEof};
    matches!(error.kind(), FileTooLarge | InvalidData | InvalidInput | UnexpectedEof)
}

struct HashingReader<R> {
    from: R,
    read: Rc<Cell<u64>>,
    hash: Rc<RefCell<Sha256>>,
}

impl<R: Read> Read for HashingReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.from.read(buffer)?;
        self.hash.borrow_mut().update(&buffer[..length]);
        self.read.set(self.read.get() + length as u64);
        Ok(length)
    }
}

struct FailingReader(Option<io::Error>);

impl Read for FailingReader {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        self.0.take().map_or(Ok(0), Err)
    }
}

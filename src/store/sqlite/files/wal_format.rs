//! The formats of SQLite's WAL and its index, as far as needed to check that both are intact. They are fixed:
//! <https://sqlite.org/walformat.html>.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// The WAL's own header.
pub const WAL_HEADER_BYTES: usize = 32;
/// The header of each frame; a page follows it.
pub const FRAME_HEADER_BYTES: usize = 24;
/// The index's header, twice, and the state of the last checkpoint.
pub const INDEX_HEAD_BYTES: usize = 136;
/// One copy of the index's header.
pub const INDEX_HEADER_BYTES: usize = 48;

/// One block of the index: page numbers, then a hash table of 16-bit places.
const BLOCK_BYTES: usize = 32 << 10;
const BLOCK_FRAMES: usize = 4096;
const SLOTS: usize = 8192;
const HASH_FACTOR: usize = 383;

/// How many bytes of frames are read at a time.
const READ_BYTES: usize = 256 << 10;

/// Both halves of a checksum.
pub type Checksum = [u32; 2];

/// The head of the index, as stored in `-shm`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IndexHead(pub [u8; INDEX_HEAD_BYTES]);

impl IndexHead {
    fn word(&self, at: usize) -> u32 {
        u32::from_ne_bytes(self.0[at..at + 4].try_into().expect("four bytes"))
    }

    /// One copy of the header; readers compare the two.
    pub fn header(&self) -> &[u8] {
        &self.0[..INDEX_HEADER_BYTES]
    }

    /// True if both copies are equal, and have the right checksum.
    pub fn is_sound(&self) -> bool {
        let (first, second) = self.0[..2 * INDEX_HEADER_BYTES].split_at(INDEX_HEADER_BYTES);
        let sum = checksum(&first[..40], [0, 0], u32::from_ne_bytes);
        first == second && first[12] == 1 && sum == [self.word(40), self.word(44)]
    }

    /// The last frame that belongs to a commit; 0 if the WAL is empty.
    pub fn last_frame(&self) -> u32 {
        self.word(16)
    }

    /// How many pages the database has with the WAL.
    pub fn pages(&self) -> u32 {
        self.word(20)
    }

    /// The checksum of the last frame.
    pub fn frame_checksum(&self) -> Checksum {
        [self.word(24), self.word(28)]
    }

    /// The salts that distinguish this WAL from earlier ones.
    pub fn salts(&self) -> &[u8] {
        &self.0[32..40]
    }

    /// The number of frames that are in the database already.
    pub fn safe_without_wal(&self) -> u32 {
        self.word(96)
    }

    /// The number of frames that a checkpoint has begun to copy into the database.
    pub fn attempted(&self) -> u32 {
        self.word(128)
    }

    /// In bytes; SQLite writes 65,536 as 1.
    pub fn page_bytes(&self) -> usize {
        match u16::from_ne_bytes([self.0[14], self.0[15]]) {
            1 => 1 << 16,
            bytes => bytes.into(),
        }
    }

    /// A header, a page.
    pub fn frame_bytes(&self) -> usize {
        FRAME_HEADER_BYTES + self.page_bytes()
    }

    /// Where a frame begins in the WAL; the first is 1.
    pub fn offset_of(&self, frame: u32) -> u64 {
        WAL_HEADER_BYTES as u64 + u64::from(frame - 1) * self.frame_bytes() as u64
    }
}

/// The header of a WAL, or of a frame, whose numbers are big-endian.
pub fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

/// The checksum that a WAL's header has of itself, with which that of the frames begins.
pub fn header_checksum(header: &[u8; WAL_HEADER_BYTES]) -> Checksum {
    checksum(&header[..24], [0, 0], words_of(header))
}

/// The byte order of this WAL's checksums, by its magic number.
fn words_of(header: &[u8; WAL_HEADER_BYTES]) -> fn([u8; 4]) -> u32 {
    match word(header, 0) & 1 {
        1 => u32::from_be_bytes,
        _ => u32::from_le_bytes,
    }
}

/// Reads frames from one after `from`, whose checksum is given, to the last one; returns the page of
/// each. `Err` names the first frame that is not whole.
pub fn read_frames(
    wal: &File,
    header: &[u8; WAL_HEADER_BYTES],
    index: &IndexHead,
    from: (u32, Checksum),
) -> io::Result<Result<Vec<u32>, u32>> {
    let (after, mut sum) = from;
    let (frame_bytes, words) = (index.frame_bytes(), words_of(header));
    let at_once = (READ_BYTES / frame_bytes).max(1);
    let mut pages = Vec::new();
    let mut buffer = vec![0; at_once * frame_bytes];
    let mut frame = after + 1;
    while frame <= index.last_frame() {
        let count = at_once.min((index.last_frame() - frame + 1) as usize);
        let bytes = &mut buffer[..count * frame_bytes];
        wal.read_exact_at(bytes, index.offset_of(frame))?;
        for bytes in bytes.chunks_exact(frame_bytes) {
            sum = checksum(&bytes[..8], sum, words);
            sum = checksum(&bytes[FRAME_HEADER_BYTES..], sum, words);
            if bytes[8..16] != *index.salts() || sum != [word(bytes, 16), word(bytes, 20)] {
                return Ok(Err(frame));
            }
            pages.push(word(bytes, 0));
            frame += 1;
        }
    }
    Ok(Ok(pages))
}

/// Whether the index leads to each of these pages, which the frames after one have.
pub fn is_indexed(shm: &File, after: u32, pages: &[u32]) -> io::Result<bool> {
    let mut block = Vec::new();
    let mut loaded = None;
    for (frame, page) in (after as usize..).zip(pages) {
        // The first block has less room, since the head is in it.
        let (number, place) = match frame.checked_sub(BLOCK_FRAMES - INDEX_HEAD_BYTES / 4) {
            None => (0, frame),
            Some(beyond) => (1 + beyond / BLOCK_FRAMES, beyond % BLOCK_FRAMES),
        };
        if loaded != Some(number) {
            block.resize(BLOCK_BYTES, 0);
            shm.read_exact_at(&mut block, (number * BLOCK_BYTES) as u64)?;
            loaded = Some(number);
        }
        let head = if number == 0 { INDEX_HEAD_BYTES } else { 0 };
        if !leads_to(&block, head, place, *page) {
            return Ok(false);
        }
    }
    Ok(true)
}

fn leads_to(block: &[u8], head: usize, place: usize, page: u32) -> bool {
    let at = head + 4 * place;
    let named = u32::from_ne_bytes(block[at..at + 4].try_into().expect("four bytes"));
    let slot = |slot: usize| {
        let at = BLOCK_BYTES - 2 * SLOTS + 2 * (slot % SLOTS);
        usize::from(u16::from_ne_bytes([block[at], block[at + 1]]))
    };
    let first = page as usize * HASH_FACTOR % SLOTS;
    let mut chain = (first..first + SLOTS).map(slot).take_while(|place| *place != 0);
    named == page && chain.any(|found| found == place + 1)
}

fn checksum(bytes: &[u8], from: Checksum, word: fn([u8; 4]) -> u32) -> Checksum {
    let [mut first, mut second] = from;
    for pair in bytes.chunks_exact(8) {
        let (a, b) = pair.split_at(4);
        first = first.wrapping_add(word(a.try_into().expect("four bytes"))).wrapping_add(second);
        second = second.wrapping_add(word(b.try_into().expect("four bytes"))).wrapping_add(first);
    }
    [first, second]
}

//! Manifest of an export: lets a recipient check that it is complete and unchanged, and repeat it.

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::domain::Position;
use crate::domain::hash::{Hash, hex};

/// The manifest, written next to the files as `manifest.json`.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Manifest {
    /// The id of the ledger.
    pub ledger_id: String,
    /// The position that the export is pinned to.
    pub as_of_position: Position,
    /// The root of the log's tree there, which `verify --expect POSITION:HASH` compares. `None` if addresses are
    /// masked: it is a hash over them, and confirms a guess.
    pub root: Option<String>,
    /// The rule by which statuses were decided.
    pub rule: String,
    /// What was asked for, by the names of the command line, with times in UTC; masked like everything else.
    pub filters: BTreeMap<String, String>,
    /// True if addresses are masked.
    pub masked: bool,
    /// The files of the export.
    pub files: Vec<ManifestFile>,
}

/// One file of an export.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct ManifestFile {
    /// The name of the file, in the manifest's folder.
    pub name: String,
    /// The number of messages or events, without a header.
    pub rows: u64,
    /// The size of the file.
    pub bytes: u64,
    /// The SHA-256 of the file, in hexadecimal digits.
    pub sha256: String,
}

/// Counts and hashes what is written through it.
pub struct HashingWriter<W: Write> {
    out: W,
    hash: Sha256,
    bytes: u64,
}

impl<W: Write> HashingWriter<W> {
    /// Writes on to this.
    pub fn new(out: W) -> Self {
        Self { out, hash: Sha256::new(), bytes: 0 }
    }

    /// The manifest entry of what was written, and the inner writer.
    pub fn finish(self, name: String, rows: u64) -> (ManifestFile, W) {
        let hash: Hash = self.hash.finalize().into();
        (ManifestFile { name, rows, bytes: self.bytes, sha256: hex(&hash) }, self.out)
    }
}

impl<W: Write> Write for HashingWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.hash.update(&bytes[..written]);
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

//! Fingerprints of files: they differ if the content of any file has changed.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

/// How many bytes of a file are hashed; keys and configuration files are far smaller.
const HASHED_BYTES_MAX: u64 = 1 << 20;

/// Each file with the SHA-256 of its content, or the reason why it cannot be read.
#[derive(PartialEq, Eq)]
pub struct FileFingerprints(Vec<(PathBuf, Result<[u8; 32], String>)>);

impl FileFingerprints {
    /// Reads the files.
    pub fn read(files: Vec<PathBuf>) -> Self {
        Self(files.into_iter().map(|file| (file.clone(), sha256(&file))).collect())
    }
}

/// Content is compared because a time stamp may stay the same and a link may lead elsewhere.
/// Anything but a regular file is not read: a pipe, for example, can be read only once.
fn sha256(file: &Path) -> Result<[u8; 32], String> {
    let metadata = file.metadata().map_err(|error| error.to_string())?;
    if !metadata.is_file() {
        return Err("not a file".to_owned());
    }
    let mut bytes = Vec::new();
    let read = |file: File| file.take(HASHED_BYTES_MAX).read_to_end(&mut bytes);
    File::open(file).and_then(read).map_err(|error| error.to_string())?;
    Ok(Sha256::digest(bytes).into())
}

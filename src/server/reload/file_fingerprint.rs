//! Files as they were when they were last looked at, told by what they hold.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

/// How much of a file is looked at; a key and its configuration have a thousandth of it.
const LOOKED_AT_BYTES_MAX: u64 = 1 << 20;

/// The files with the SHA-256 of what they hold, or the reason why nobody can say.
#[derive(PartialEq, Eq)]
pub struct FileFingerprints(Vec<(PathBuf, Result<[u8; 32], String>)>);

impl FileFingerprints {
    /// As they are now.
    pub fn of(files: Vec<PathBuf>) -> Self {
        Self(files.into_iter().map(|file| (file.clone(), sha256(&file))).collect())
    }
}

/// By content: a time stamp may stay the same, and a link may lead elsewhere.
/// What is no file, such as a pipe, can be read only once, and is not looked at.
fn sha256(file: &Path) -> Result<[u8; 32], String> {
    let metadata = file.metadata().map_err(|error| error.to_string())?;
    if !metadata.is_file() {
        return Err("not a file".to_owned());
    }
    let mut bytes = Vec::new();
    let read = |file: File| file.take(LOOKED_AT_BYTES_MAX).read_to_end(&mut bytes);
    File::open(file).and_then(read).map_err(|error| error.to_string())?;
    Ok(Sha256::digest(bytes).into())
}

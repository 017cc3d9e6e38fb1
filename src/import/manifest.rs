//! The `manifest.json` that `export --manifest` writes: whose events those in the file beside it are.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use serde::Deserialize;

/// How long one may be; it names a few files.
const BYTES_MAX: u64 = 1 << 20;

/// What is said of one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManifestEntry {
    pub ledger_id: String,
    pub masked: bool,
    pub sha256: String,
}

#[derive(Deserialize)]
struct Manifest {
    ledger_id: String,
    masked: bool,
    files: Vec<ManifestFile>,
}

#[derive(Deserialize)]
struct ManifestFile {
    name: String,
    sha256: String,
}

/// What the manifest beside a file says of it; nothing where there is none, or it names others.
pub fn find_for(path: &Path) -> Option<ManifestEntry> {
    let mut json = Vec::new();
    let file = File::open(path.with_file_name("manifest.json")).ok()?;
    file.take(BYTES_MAX).read_to_end(&mut json).ok()?;
    let Manifest { ledger_id, masked, files } = serde_json::from_slice(&json).ok()?;
    let name = path.file_name()?.to_str()?;
    let file = files.into_iter().find(|file| file.name == name)?;
    Some(ManifestEntry { ledger_id, masked, sha256: file.sha256 })
}

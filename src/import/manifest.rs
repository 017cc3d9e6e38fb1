//! The reader of the `manifest.json` that `export --manifest` writes next to its file.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use serde::Deserialize;

/// The maximum size of a manifest, which names a few files.
const BYTES_MAX: u64 = 1 << 20;

/// The entry of one file in a manifest.
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

/// The entry for a file in the manifest next to it; `None` if there is none.
pub fn find_for(path: &Path) -> Option<ManifestEntry> {
    let mut json = Vec::new();
    let file = File::open(path.with_file_name("manifest.json")).ok()?;
    file.take(BYTES_MAX).read_to_end(&mut json).ok()?;
    let Manifest { ledger_id, masked, files } = serde_json::from_slice(&json).ok()?;
    let name = path.file_name()?.to_str()?;
    let file = files.into_iter().find(|file| file.name == name)?;
    Some(ManifestEntry { ledger_id, masked, sha256: file.sha256 })
}

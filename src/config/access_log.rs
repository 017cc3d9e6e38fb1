//! Where access records are written.

use std::path::Path;

use anyhow::Result;

use super::{ACCESS_LOG, Settings};
use crate::access_log::Destination;

/// What the default file is called: `ledger.db` has its access records in `ledger.access.jsonl`.
const EXTENSION: &str = "access.jsonl";

impl Settings {
    /// The destination; `None` if access records are switched off.
    pub fn access_log(&self) -> Result<Option<Destination>> {
        let (name, value) = self.text(&ACCESS_LOG);
        Ok(match value.as_str() {
            "off" => None,
            "stdout" => Some(Destination::Stdout),
            "on" => {
                let ledger = self.place()?;
                Some(Destination::File(ledger.local_path().with_extension(EXTENSION)))
            }
            path if name == ACCESS_LOG.key => {
                Some(Destination::File(self.file.path(Path::new(path))))
            }
            path => Some(Destination::File(path.into())),
        })
    }
}

//! A server with a clock of its own.

use std::path::PathBuf;

use serde_json::Value;

use super::App;

/// A server whose clock the test sets with libfaketime. The monotonic clock is unaffected, as it is
/// if an administrator or a time server sets the system clock.
pub struct Clock {
    pub app: App,
    file: PathBuf,
    _folder: tempfile::TempDir,
}

impl Clock {
    pub fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("clock");
        std::fs::write(&file, "+0").unwrap();
        let environment = [
            ("LD_PRELOAD", libfaketime()),
            ("FAKETIME_TIMESTAMP_FILE", file.to_str().unwrap().to_owned()),
            ("FAKETIME_NO_CACHE", "1".to_owned()),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
            ("DONT_FAKE_MONOTONIC", "1".to_owned()),
        ];
        let environment = environment.each_ref().map(|(name, value)| (*name, value.as_str()));
        Self { app: App::start_with_env(&environment, &[]), file, _folder: folder }
    }

    /// Sets the clock to this offset from the real time.
    pub fn set(&self, offset: &str) {
        let aside = self.file.with_extension("new");
        std::fs::write(&aside, offset).unwrap();
        std::fs::rename(aside, &self.file).unwrap();
    }

    /// The response of `/readyz`.
    pub fn state(&self) -> Value {
        self.app.get("/readyz").json()
    }
}

/// The library that changes the clock of programs which load it first.
pub fn libfaketime() -> String {
    let by_architecture = std::fs::read_dir("/usr/lib").unwrap().map(|entry| entry.unwrap().path());
    let places = by_architecture.map(|folder| folder.join("faketime/libfaketime.so.1"));
    let found = places.into_iter().find(|path| path.exists());
    found.expect("Debian's libfaketime is installed").to_str().unwrap().to_owned()
}

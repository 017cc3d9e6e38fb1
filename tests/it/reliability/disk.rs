//! A disk that records every operation and fails on request: `disk.c`, preloaded into the server.

use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use tempfile::TempDir;

/// Which operations fail.
pub const WRITES: i32 = 1;
pub const SYNCS: i32 = 2;

/// Of which files.
pub const LOG: i32 = 1;
pub const VIEWS: i32 = 2;
pub const FOLDERS: i32 = 4;

/// errno: an I/O error, and a full disk.
pub const EIO: i32 = 5;
pub const ENOSPC: i32 = 28;

/// A folder on a simulated disk.
pub struct Disk {
    folder: TempDir,
    aside: TempDir,
    control: std::fs::File,
    slow_us: u32,
}

/// A fault to inject.
#[derive(Debug, Clone, Copy)]
pub struct Fault {
    pub operations: i32,
    pub files: i32,
    /// This many succeed first.
    pub after: i32,
    /// This many fail; -1 for all that follow.
    pub times: i32,
    pub error: i32,
}

impl Disk {
    /// An empty disk without faults, in memory if possible.
    pub fn new() -> Self {
        Self::that_takes(0)
    }

    /// An empty disk with realistic delays, which make premature responses visible.
    pub fn slow() -> Self {
        Self::that_takes(300)
    }

    fn that_takes(slow_us: u32) -> Self {
        let (folder, aside) = (in_memory(), in_memory());
        let control = aside.path().join("control");
        let options = std::fs::OpenOptions::new().read(true).write(true).create_new(true).clone();
        let disk = Self { folder, control: options.open(control).unwrap(), aside, slow_us };
        disk.control.set_len(40).unwrap();
        disk.heal();
        disk
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The ledger, in a folder that is not there yet.
    pub fn ledger(&self) -> PathBuf {
        self.folder().join("new/folder/ledger.db")
    }

    /// The environment variables that make a process use this disk.
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        let text = |path: &Path| path.to_str().unwrap().to_owned();
        vec![
            ("LD_PRELOAD", text(library())),
            ("DISK_FOLDER", text(self.folder())),
            ("DISK_TRACE", text(&self.trace())),
            ("DISK_SLOW_US", self.slow_us.to_string()),
            ("DISK_CONTROL", text(&self.aside.path().join("control"))),
            ("DELIVERY_LEDGER_DATABASE", format!("sqlite:{}", text(&self.ledger()))),
        ]
    }

    /// The path of the trace.
    pub fn trace(&self) -> PathBuf {
        self.aside.path().join("trace")
    }

    /// Injects a fault from now on.
    pub fn fail(&self, fault: Fault) {
        let Fault { operations, files, after, times, error } = fault;
        self.set(0, &[0, files, after, times, error, 0, 0]);
        self.set(0, &[operations]);
    }

    /// Limits the free space from now on.
    pub fn fill_up_to(&self, bytes_left: i64) {
        self.control.write_all_at(&bytes_left.to_ne_bytes(), 32).unwrap();
    }

    /// Removes all faults.
    pub fn heal(&self) {
        self.set(0, &[0]);
        self.fill_up_to(-1);
    }

    /// The number of operations that have failed since the fault was set.
    pub fn failed(&self) -> i32 {
        let mut bytes = [0; 4];
        self.control.read_exact_at(&mut bytes, 24).unwrap();
        i32::from_ne_bytes(bytes)
    }

    fn set(&self, first: u64, numbers: &[i32]) {
        let bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_ne_bytes()).collect();
        self.control.write_all_at(&bytes, first * 4).unwrap();
    }
}

/// A temporary folder, in memory if possible, because waiting for a real disk would only take time.
pub fn in_memory() -> TempDir {
    TempDir::new_in("/dev/shm").or_else(|_| TempDir::new()).unwrap()
}

/// The library, built once.
fn library() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/reliability/disk.c");
        let library =
            Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{}.so", std::process::id()));
        let mut cc = Command::new("cc");
        cc.args(["-O1", "-Wall", "-Werror", "-shared", "-fPIC", "-o"]).arg(&library).arg(source);
        let status = cc.args(["-ldl", "-lpthread"]).status();
        assert!(status.expect("there is a C compiler").success(), "{source} does not compile");
        library
    })
}

//! The quarantine of rejected requests: recording, limits, commands, and the recheck that appends requests
//! which have become valid.

mod commands;
mod limits;
mod recheck;
mod recheck_over_http;
mod recording;

use std::path::{Path, PathBuf};

use delivery_ledger::domain::Timestamp;
use delivery_ledger::domain::event::Headers;
use delivery_ledger::store::Database;
use delivery_ledger::store::quarantine::{Limits, QuarantinedRequest, Rank};
use serde_json::Value;
use tempfile::TempDir;
use uuid::Uuid;

use crate::support::{App, Response, TOKEN, sent, sid, signature, status};

const SIGNED_URL: &str = "https://hooks.example.com/message-status";

const WRONG_URL: &str = "https://wrong.example.com";

// Helpers.

const LIMITS: Limits = Limits { requests: 100_000, bytes: 64 << 20 };

impl App {
    /// Sends a callback as Twilio signs it, whatever the server takes for its public URL.
    pub fn callback(&self, body: Vec<u8>) -> Response {
        let signature = signature(TOKEN, SIGNED_URL, &body);
        let request = self.form("/message-status").header("X-Twilio-Signature", &signature);
        request.body(body).send(self.callbacks())
    }

    /// Sends forged ones.
    fn forged(&self, requests: u32) {
        for number in 0..requests {
            let request = self.form("/message-status").header("X-Twilio-Signature", "AAAA");
            let request = request.body(status(&sid(number), "forged"));
            assert_eq!(request.send(self.callbacks()).code, 403);
        }
    }

    /// Waits until the quarantine has this many requests.
    pub fn kept(&self, requests: u32) {
        self.eventually("they are kept", || {
            self.value("quarantine_requests") == f64::from(requests)
        });
    }

    fn metrics(&self) -> String {
        String::from_utf8(self.get("/metrics").body).unwrap()
    }

    #[track_caller]
    pub fn value(&self, series: &str) -> f64 {
        let (text, series) = (self.metrics(), format!("delivery_ledger_{series} "));
        let line = text.lines().find_map(|line| line.strip_prefix(&series));
        line.unwrap_or_else(|| panic!("no {series} in\n{text}")).parse().unwrap()
    }

    pub fn list(&self) -> Vec<Value> {
        let list = ["quarantine", "list", "--limit", "1000", "--format", "json"];
        self.json(&list)["data"].as_array().unwrap().clone()
    }

    fn only_id(&self) -> String {
        let list = self.list();
        assert_eq!(list.len(), 1);
        list[0]["id"].as_str().unwrap().to_owned()
    }

    /// Exit code, stdout, stderr of a command.
    fn run_as_text(&self, arguments: &[&str]) -> (i32, String, String) {
        let output = self.run(arguments);
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
    }
}

fn a_folder() -> (TempDir, Database) {
    let folder = TempDir::new().unwrap();
    let database = Database::Sqlite(folder.path().join("ledger.db"));
    (folder, database)
}

fn quarantine_file(folder: &Path) -> PathBuf {
    folder.join("ledger.quarantine.db")
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// What the quarantine takes, its write-ahead log included.
fn bytes_on_disk(folder: &Path) -> u64 {
    let file = quarantine_file(folder);
    let files = [file.clone(), with_suffix(&file, "-wal"), with_suffix(&file, "-shm")];
    files.iter().map(|file| file.metadata().map_or(0, |metadata| metadata.len())).sum()
}

fn contains(file: &Path, word: &[u8]) -> bool {
    let bytes = std::fs::read(file).unwrap_or_default();
    bytes.windows(word.len()).any(|window| window == word)
}

fn request(body: Vec<u8>) -> QuarantinedRequest {
    let header = |name: &str, value: &str| (name.to_owned(), value.as_bytes().to_vec());
    QuarantinedRequest {
        id: Uuid::now_v7(),
        received_at: Timestamp::from_micros(1_764_000_000_000_000),
        method: "POST".to_owned(),
        target: "/message-status".to_owned(),
        headers: Headers::new([header("x-twilio-signature", "AAAA"), header("host", "h")]),
        body,
        reason: "signature_wrong".to_owned(),
        cause: None,
        rank: Rank::Other,
        whole: true,
    }
}

/// One that verifies once the public URL is right.
fn signed(sid: &str) -> QuarantinedRequest {
    let body = sent(sid).bytes();
    let signature = signature(TOKEN, SIGNED_URL, &body).into_bytes();
    let headers = Headers::new([("x-twilio-signature".to_owned(), signature)]);
    QuarantinedRequest { headers, ..request(body) }
}

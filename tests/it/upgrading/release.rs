//! One release's ledger in tests/data/ledgers: its files, and what the release said about it.
//!
//! Files are gzipped, because pages of a database are mostly empty.

use std::io::Read;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;
use serde_json::Value;

use super::make::PUBLIC_URL;
use crate::support::App;

/// The folder of all of them, which also contains the script that makes one.
const LEDGERS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/ledgers");

/// Members of a message, an event or a request that a later version may say in other words, or that depend
/// on what has been appended since. `body` is left out of audits for their size; the events have it.
const NOT_FACTS: [&str; 6] =
    ["why", "explanation", "links", "error_title", "as_of_position", "likely_cause"];

/// The folder of one release.
pub struct Release {
    /// Its version.
    pub version: String,
    folder: PathBuf,
}

impl Release {
    /// The release whose files are in this folder, which has its version as the name.
    pub fn new(folder: PathBuf) -> Self {
        let version = folder.file_name().unwrap().to_str().unwrap().to_owned();
        Self { version, folder }
    }

    /// Returns every release, and fails if there is none.
    pub fn all() -> Vec<Self> {
        let entries = std::fs::read_dir(LEDGERS).expect("tests/data/ledgers exists");
        let folders = entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_dir());
        let mut releases: Vec<_> = folders.map(Self::new).collect();
        assert!(!releases.is_empty(), "tests/data/ledgers is empty");
        releases.sort_by(|one, other| one.version.cmp(&other.version));
        releases
    }

    /// A copy of the ledger in a folder of its own, without a server.
    pub fn ledger(&self) -> App {
        let app = App::not_started(&[("DELIVERY_LEDGER_PUBLIC_URL", PUBLIC_URL)]);
        for file in std::fs::read_dir(self.folder.join("ledger")).unwrap() {
            let file = file.unwrap().path();
            let name = file.file_stem().expect("a name and .gz");
            std::fs::write(app.folder().join(name), unpack(&file)).unwrap();
        }
        for (link, target) in self.expected("links").as_object().unwrap() {
            symlink(target.as_str().unwrap(), app.folder().join(link)).unwrap();
        }
        restrict(app.folder());
        app
    }

    /// The content of one of its files.
    pub fn file(&self, name: &str) -> Vec<u8> {
        unpack(&self.folder.join(name))
    }

    /// A member of expected.json.
    pub fn expected(&self, name: &str) -> Value {
        let text = std::fs::read(self.folder.join("expected.json")).unwrap();
        let expected: Value = serde_json::from_slice(&text).unwrap();
        expected.get(name).unwrap_or_else(|| panic!("expected.json has no {name}")).clone()
    }

    /// What `audit` said about each message.
    pub fn audits(&self) -> Vec<Value> {
        lines(&self.file("audits.ndjson.gz"))
    }

    /// The number of events of its log.
    pub fn events(&self) -> usize {
        let root = self.expected("root");
        root.as_str().unwrap().split_once(':').unwrap().0.parse().unwrap()
    }
}

/// Every message of a ledger as `audit` shows it, in the order of SIDs, reduced to facts.
pub fn audits(app: &App) -> Vec<Value> {
    let mut messages: Vec<_> = app.messages().iter().map(key).collect();
    messages.sort();
    let audit = |(sid, account): &(String, String)| {
        let mut audit = app.json(&["audit", sid, "--account-sid", account, "--format", "json"]);
        for event in audit["timeline"].as_array_mut().unwrap() {
            event.as_object_mut().unwrap().shift_remove("body");
        }
        facts(audit)
    };
    messages.iter().map(audit).collect()
}

fn key(message: &Value) -> (String, String) {
    let text = |name: &str| message[name].as_str().unwrap().to_owned();
    (text("message_sid"), text("account_sid"))
}

/// Removes what is not a fact, at any depth.
pub fn facts(mut value: Value) -> Value {
    match &mut value {
        Value::Object(members) => {
            members.retain(|name, _| !NOT_FACTS.contains(&name.as_str()));
            members.values_mut().for_each(|member| *member = facts(member.take()));
        }
        Value::Array(items) => items.iter_mut().for_each(|item| *item = facts(item.take())),
        _ => {}
    }
    value
}

/// Fails unless the same objects are there in the same order, with at least the members of before.
#[track_caller]
pub fn assert_same_facts(now: &[Value], before: &[Value]) {
    assert_eq!(now.len(), before.len());
    for (now, before) in now.iter().zip(before) {
        let missing = difference(&facts(now.clone()), &facts(before.clone()));
        assert_eq!(missing, None, "in {now}");
    }
}

/// The first member of `before` that is not in `now`, or has another value there.
fn difference(now: &Value, before: &Value) -> Option<String> {
    match (now, before) {
        (Value::Object(now), Value::Object(before)) => before.iter().find_map(|(name, before)| {
            let now = now.get(name).unwrap_or(&Value::Null);
            difference(now, before).map(|found| format!("{name}: {found}"))
        }),
        (Value::Array(now), Value::Array(before)) if now.len() == before.len() => {
            now.iter().zip(before).find_map(|(now, before)| difference(now, before))
        }
        _ => (now != before).then(|| format!("{before} has become {now}")),
    }
}

/// Parses a file with one JSON object on each line.
pub fn lines(ndjson: &[u8]) -> Vec<Value> {
    let text = std::str::from_utf8(ndjson).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Writes one JSON object on each line.
pub fn ndjson(values: &[Value]) -> String {
    values.iter().map(|value| format!("{value}\n")).collect()
}

fn unpack(file: &Path) -> Vec<u8> {
    let packed = std::fs::File::open(file).unwrap_or_else(|error| panic!("{file:?}: {error}"));
    let mut content = Vec::new();
    GzDecoder::new(packed).read_to_end(&mut content).unwrap();
    content
}

/// Makes the files readable for their owner only, as the product does.
fn restrict(folder: &Path) {
    use std::os::unix::fs::PermissionsExt;
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
    }
}

//! The file of fetched subaccounts, `ledger.subaccounts.json` next to the log.
//! It contains auth tokens: only its owner can read it, and no error repeats its content.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use super::{SUBACCOUNTS_MAX, Subaccount, Subaccounts};
use crate::atomic_file::{AtomicFile, OnExisting};
use crate::domain::{AccountSid, Timestamp};
use crate::twilio_api::AccountStatus;

/// The version of the format. A file of another version is fetched again.
const VERSION: u32 = 1;

/// The maximum size of the file, ten times that of one full account.
const BYTES_MAX: u64 = 10 * SUBACCOUNTS_MAX as u64 * 250;

/// The subaccounts of each account.
pub type ByParent = BTreeMap<AccountSid, Subaccounts>;

/// A file that exists and cannot be used.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the error texts document the variants")]
pub enum FileError {
    #[error("the subaccounts in {path} cannot be read: {cause}")]
    Unreadable { path: String, cause: io::Error },
    #[error(
        "the subaccounts in {path} are damaged ({reason}); serve fetches them from Twilio again"
    )]
    Damaged { path: String, reason: String },
}

#[derive(Serialize, Deserialize)]
struct Json {
    version: u32,
    accounts: Vec<JsonParent>,
}

#[derive(Serialize, Deserialize)]
struct JsonParent {
    account_sid: String,
    fetched_at: String,
    subaccounts: Vec<JsonSubaccount>,
}

#[derive(Serialize, Deserialize)]
struct JsonSubaccount {
    sid: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    status: AccountStatus,
    #[serde(serialize_with = "exposed")]
    auth_token: SecretString,
}

/// The file of this log: `ledger.db` has its subaccounts in `ledger.subaccounts.json`.
pub fn path(log: &Path) -> PathBuf {
    log.with_extension("subaccounts.json")
}

/// Reads the file; empty if it does not exist.
pub fn read(path: &Path) -> Result<ByParent, FileError> {
    let shown = || path.display().to_string();
    let bytes = match read_bytes(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(ByParent::new()),
        Err(cause) => return Err(FileError::Unreadable { path: shown(), cause }),
    };
    let damaged = |reason: String| FileError::Damaged { path: shown(), reason };
    let json: Json = serde_json::from_slice(&bytes)
        // The parser's text may quote a value.
        .map_err(|error| damaged(format!("line {}, column {}", error.line(), error.column())))?;
    if json.version != VERSION {
        return Err(damaged(format!("version {}", json.version)));
    }
    let accounts = json.accounts.into_iter();
    accounts.map(parsed).collect::<Option<_>>().ok_or_else(|| damaged("a value".to_owned()))
}

fn read_bytes(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(BYTES_MAX + 1).read_to_end(&mut bytes)?;
    match bytes.len() as u64 > BYTES_MAX {
        true => Err(io::Error::other(format!("it is longer than {BYTES_MAX} bytes"))),
        false => Ok(bytes),
    }
}

/// Replaces the file.
pub fn write(path: &Path, accounts: &ByParent) -> io::Result<()> {
    let parent = |(account_sid, subaccounts): (&AccountSid, &Subaccounts)| JsonParent {
        account_sid: account_sid.as_str().to_owned(),
        fetched_at: subaccounts.fetched_at.to_string(),
        subaccounts: subaccounts.each.iter().map(JsonSubaccount::from).collect(),
    };
    let json = Json { version: VERSION, accounts: accounts.iter().map(parent).collect() };
    let bytes = serde_json::to_vec(&json)?;
    if bytes.len() as u64 >= BYTES_MAX {
        return Err(io::Error::other(format!("it would be longer than {BYTES_MAX} bytes")));
    }
    let mut file = AtomicFile::create(path, OnExisting::Replace)?;
    file.write_all(&bytes)?;
    file.write_all(b"\n")?;
    file.finish()
}

fn parsed(parent: JsonParent) -> Option<(AccountSid, Subaccounts)> {
    let JsonParent { account_sid, fetched_at, subaccounts } = parent;
    let each = subaccounts.into_iter().map(|json| {
        let JsonSubaccount { sid, name, status, auth_token } = json;
        // Anyone can sign with an empty key.
        let auth_token = Some(auth_token).filter(|token| !token.expose_secret().is_empty())?;
        Some(Subaccount { sid: AccountSid::parse(&sid)?, name, status, auth_token })
    });
    let each = each.collect::<Option<Vec<_>>>()?;
    let fetched_at = Timestamp::parse(&fetched_at)?;
    Some((AccountSid::parse(&account_sid)?, Subaccounts { fetched_at, each }))
}

impl From<&Subaccount> for JsonSubaccount {
    fn from(subaccount: &Subaccount) -> Self {
        let Subaccount { sid, name, status, auth_token } = subaccount;
        let (name, auth_token) = (name.clone(), auth_token.clone());
        Self { sid: sid.as_str().to_owned(), name, status: *status, auth_token }
    }
}

fn exposed<S: serde::Serializer>(token: &SecretString, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(token.expose_secret())
}

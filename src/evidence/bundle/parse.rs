//! Reads a bundle. No member may be missing, unknown or there twice.

use base64::Engine;
use serde_json::Value;

use super::event::{BundleEvent, EventError};
use super::members::Members;
use super::strict_json;
use super::{BUNDLE_BYTES_MAX, Bundle, FORMAT, LISTED_MAX, Timestamp};
use crate::domain::Position;
use crate::seal::note::key::STRICT_BASE64;

/// What is wrong with a bundle, before anything in it is checked.
#[derive(Debug, Clone, PartialEq)]
pub enum BundleError {
    /// It is not a bundle of this format.
    Format(String),
    /// Some events are none that a log can have.
    Events {
        /// The bundle without them.
        bundle: Box<Bundle>,
        /// What is wrong with each.
        bad: Vec<BadEvent>,
    },
}

/// An event that no log can have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadEvent {
    /// Its position, if it has one.
    pub position: Option<Position>,
    /// What is wrong.
    pub detail: String,
}

impl From<String> for BundleError {
    fn from(detail: String) -> Self {
        Self::Format(detail)
    }
}

/// Reads the text of a bundle.
pub fn parse(text: &[u8]) -> Result<Bundle, BundleError> {
    if text.len() as u64 > BUNDLE_BYTES_MAX {
        return Err(BundleError::Format(format!("it has more than {BUNDLE_BYTES_MAX} bytes")));
    }
    let json = strict_json::parse(text)?;
    let mut members = Members::of(&json, "it")?;
    if members.text("format")? != FORMAT {
        return Err(BundleError::Format(format!("`format` is not `{FORMAT}`")));
    }
    let mut bad = Vec::new();
    let bundle = Bundle {
        made_at: members.text("made_at")?.to_owned(),
        made_by: members.text("made_by")?.to_owned(),
        account_sid: members.optional_text("account_sid")?.map(str::to_owned),
        message_sid: members.text("message_sid")?.to_owned(),
        seal: members.text("seal")?.to_owned(),
        keys: members.texts("keys")?,
        key_changes: members.texts("key_changes")?,
        timestamps: timestamps(members.list("timestamps")?)?,
        events: events(members.list("events")?, &mut bad)?,
        erasures: events(members.list("erasures")?, &mut bad)?,
        rule_version: members.position("rule_version")?,
        lifecycle: lifecycle(members.value("lifecycle")?)?,
    };
    members.finish()?;
    let listed = [bundle.keys.len(), bundle.key_changes.len(), bundle.timestamps.len()];
    match listed.iter().all(|length| *length <= LISTED_MAX) {
        true if bad.is_empty() => Ok(bundle),
        true => Err(BundleError::Events { bundle: Box::new(bundle), bad }),
        false => Err(BundleError::Format(format!(
            "it has more than {LISTED_MAX} keys, changes of the key or timestamps"
        ))),
    }
}

/// The events of a list; those that no log can have are added to `bad` instead.
fn events(list: &[Value], bad: &mut Vec<BadEvent>) -> Result<Vec<BundleEvent>, BundleError> {
    let mut events = Vec::with_capacity(list.len());
    for value in list {
        match BundleEvent::parse(value) {
            Ok(event) => events.push(event),
            Err(EventError::Format(detail)) => return Err(BundleError::Format(detail)),
            Err(EventError::Value(detail)) => {
                bad.push(BadEvent { position: value["position"].as_u64(), detail });
            }
        }
    }
    Ok(events)
}

fn timestamps(list: &[Value]) -> Result<Vec<Timestamp>, BundleError> {
    let timestamp = |value: &Value| {
        let mut members = Members::of(value, "a timestamp")?;
        let timestamp = match members.text("kind")? {
            "rfc3161" => {
                let token = STRICT_BASE64.decode(members.text("token")?);
                Timestamp::Rfc3161(token.map_err(|_| "`token` is not base64".to_owned())?)
            }
            "opentimestamps" => Timestamp::OpenTimestamps(members.text("proof")?.to_owned()),
            _ => return Err("`kind` is neither `rfc3161` nor `opentimestamps`".to_owned().into()),
        };
        members.finish()?;
        Ok(timestamp)
    };
    list.iter().map(timestamp).collect()
}

fn lifecycle(value: &Value) -> Result<Value, BundleError> {
    match value.is_object() || value.is_null() {
        true => Ok(value.clone()),
        false => Err(BundleError::Format("`lifecycle` is neither an object nor null".to_owned())),
    }
}

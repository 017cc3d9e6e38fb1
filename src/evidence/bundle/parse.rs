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
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BundleError {
    /// It is not a bundle of this format.
    Format(String),
    /// An event at this position, if it has one, is none that a log can have.
    Event(Option<Position>, String),
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
    let bundle = Bundle {
        made_at: members.text("made_at")?.to_owned(),
        made_by: members.text("made_by")?.to_owned(),
        account_sid: members.optional_text("account_sid")?.map(str::to_owned),
        message_sid: members.text("message_sid")?.to_owned(),
        seal: members.text("seal")?.to_owned(),
        keys: members.texts("keys")?,
        key_changes: members.texts("key_changes")?,
        timestamps: timestamps(members.list("timestamps")?)?,
        events: events(members.list("events")?)?,
        erasures: events(members.list("erasures")?)?,
        rule_version: members.position("rule_version")?,
        lifecycle: lifecycle(members.value("lifecycle")?)?,
    };
    members.finish()?;
    let listed = [bundle.keys.len(), bundle.key_changes.len(), bundle.timestamps.len()];
    match listed.iter().all(|length| *length <= LISTED_MAX) {
        true => Ok(bundle),
        false => Err(BundleError::Format(format!(
            "it has more than {LISTED_MAX} keys, changes of the key or timestamps"
        ))),
    }
}

fn events(list: &[Value]) -> Result<Vec<BundleEvent>, BundleError> {
    let event = |value: &Value| {
        BundleEvent::parse(value).map_err(|error| match error {
            EventError::Format(detail) => BundleError::Format(detail),
            EventError::Value(detail) => BundleError::Event(value["position"].as_u64(), detail),
        })
    };
    list.iter().map(event).collect()
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

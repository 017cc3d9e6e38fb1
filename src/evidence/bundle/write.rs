//! Writes a bundle.

use base64::Engine;
use serde_json::{Value, json};

use super::{Bundle, BundleEvent, FORMAT, Timestamp};
use crate::seal::note::key::STRICT_BASE64;

impl Bundle {
    /// The text of the bundle: JSON on several lines, with a line feed at its end.
    pub fn to_text(&self) -> String {
        format!("{:#}\n", self.to_json())
    }

    fn to_json(&self) -> Value {
        let events = |events: &[BundleEvent]| -> Vec<Value> {
            events.iter().map(BundleEvent::to_json).collect()
        };
        json!({
            "format": FORMAT,
            "made_at": self.made_at,
            "made_by": self.made_by,
            "account_sid": self.account_sid,
            "message_sid": self.message_sid,
            "seal": self.seal,
            "keys": self.keys,
            "key_changes": self.key_changes,
            "timestamps": self.timestamps.iter().map(Timestamp::to_json).collect::<Vec<_>>(),
            "events": events(&self.events),
            "erasures": events(&self.erasures),
            "rule_version": self.rule_version,
            "lifecycle": self.lifecycle,
        })
    }
}

impl Timestamp {
    fn to_json(&self) -> Value {
        match self {
            Self::Rfc3161(token) => {
                json!({ "kind": "rfc3161", "token": STRICT_BASE64.encode(token) })
            }
            Self::OpenTimestamps(proof) => json!({ "kind": "opentimestamps", "proof": proof }),
        }
    }
}

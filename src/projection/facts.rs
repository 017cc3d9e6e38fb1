//! Whether a record of Twilio's says anything new of its message: what is imported becomes an event only
//! then. It holds a few bytes of each fact, because there may be millions.

use std::collections::HashSet;

use sha2::{Digest, Sha256};

use crate::domain::{AccountSid, ErrorCode, MessageKey, NewEvent, Status};
use crate::store::{StoreError, Views};
use crate::twilio::callback::ParsedCallback;

/// Part of a SHA-256 of a fact, of which there may be millions: none is taken for another one.
type Fact = [u8; 16];

/// Facts that were appended a moment ago; the views may not have read them yet.
#[derive(Debug, Default)]
pub struct Facts {
    appended: HashSet<Fact>,
}

impl Facts {
    /// Whether an event tells its message's status or error code for the first time, by the views and
    /// by what was noted; if so it is noted. One about no message, or that is not folded, tells nothing.
    pub fn adds(
        &mut self,
        views: Option<&dyn Views>,
        event: &NewEvent,
    ) -> Result<bool, StoreError> {
        let reading = ParsedCallback::parse(event);
        let (Some(key), Some(reported)) = (reading.message_key(), &reading.reported) else {
            return Ok(false);
        };
        if let Some(views) = views {
            let messages = views.find(&key.message_sid)?.1;
            let known = messages.iter().find(|message| message.key == key);
            if known.is_some_and(|message| message.lifecycle.evidence.has(reported)) {
                return Ok(false);
            }
        }
        Ok(self.insert(&key, reported.status, reported.error_code))
    }

    /// Notes what an event tells that is appended whatever is known.
    pub fn note(&mut self, event: &NewEvent) {
        let reading = ParsedCallback::parse(event);
        if let (Some(key), Some(reported)) = (reading.message_key(), &reading.reported) {
            self.insert(&key, reported.status, reported.error_code);
        }
    }

    /// Whether any of it is new.
    fn insert(
        &mut self,
        key: &MessageKey,
        status: Option<Status>,
        code: Option<ErrorCode>,
    ) -> bool {
        let status_is_new = self.appended.insert(fact(key, status, None));
        let code_is_new =
            code.is_some_and(|code| self.appended.insert(fact(key, status, Some(code))));
        status_is_new || code_is_new
    }
}

fn fact(key: &MessageKey, status: Option<Status>, code: Option<ErrorCode>) -> Fact {
    let account_sid = key.account_sid.as_ref().map_or("", AccountSid::as_str);
    let mut hash = Sha256::new();
    for text in [account_sid, key.message_sid.as_str(), status.map_or("", Status::name)] {
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text);
    }
    hash.update(code.map_or(u32::MAX, ErrorCode::number).to_be_bytes());
    let mut fact = [0; 16];
    fact.copy_from_slice(&hash.finalize()[..16]);
    fact
}

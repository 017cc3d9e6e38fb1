//! What the log says that the views have not read yet: facts that are known all the same.

use std::collections::HashSet;
use std::ops::ControlFlow;

use crate::domain::status_reported::StatusReported;
use crate::domain::{ErrorCode, MessageKey, NewEvent, Position, Status};
use crate::store::{Store, StoreError};
use crate::twilio::callback::ParsedCallback;

/// How many events are read in one statement.
const READ_EVENTS: usize = 1024;

/// See the module. It forgets what the views have read.
#[derive(Debug, Default)]
pub struct Told {
    up_to: Position,
    facts: HashSet<(MessageKey, Option<Status>, Option<ErrorCode>)>,
}

impl Told {
    /// Reads on to the head, whoever has appended since. Views that are read after this know
    /// whatever is not found here.
    pub fn read_on(&mut self, store: &dyn Store) -> Result<(), StoreError> {
        let projected = store.views().checkpoint()?.position;
        if projected >= self.up_to {
            self.facts.clear();
            self.up_to = projected;
        }
        loop {
            let before = self.up_to;
            store.scan(before, READ_EVENTS, &mut |event| {
                self.up_to = event.position;
                self.hear(event);
                ControlFlow::Continue(())
            })?;
            if self.up_to == before {
                return Ok(());
            }
        }
    }

    /// Whether a fact was told; see [`Evidence::has`](crate::domain::lifecycle::Evidence::has).
    pub fn has(&self, key: &MessageKey, reported: &StatusReported) -> bool {
        self.facts.contains(&(key.clone(), reported.status, reported.error_code))
    }

    /// Notes what an event says, which may not be in the log yet.
    pub fn hear(&mut self, event: &NewEvent) {
        let reading = ParsedCallback::parse(event);
        let (Some(key), Some(StatusReported { status, error_code, .. })) =
            (reading.message_key(), reading.reported)
        else {
            return;
        };
        self.facts.insert((key.clone(), None, None));
        self.facts.insert((key.clone(), status, None));
        self.facts.insert((key, status, error_code));
    }
}

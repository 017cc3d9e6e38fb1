//! Converts a response of Twilio's API to an event.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::now;
use crate::domain::event::Headers;
use crate::domain::{NewEvent, Source};
use crate::store::new_salt;
use crate::twilio::resource::{NotAnObject, without_text};
use crate::twilio_api::ApiResponse;

/// The kind of request that a response belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequestKind {
    Fetch,
    List,
}

/// The event of one Message resource, without its text unless that is stored. `answer` is the response:
/// the resource itself, or a page that contains it.
pub fn event(
    to: RequestKind,
    answer: &ApiResponse,
    resource: &[u8],
    keep_content: bool,
) -> Result<NewEvent, NotAnObject> {
    let without_text = without_text(resource)?;
    let asked = match to {
        RequestKind::Fetch => "fetch",
        RequestKind::List => "list",
    };
    let mut notes = BTreeMap::from([("asked".to_owned(), asked.to_owned())]);
    let body = match keep_content {
        true => resource.to_vec(),
        false => {
            notes.insert("content".to_owned(), "removed".to_owned());
            without_text
        }
    };
    Ok(NewEvent {
        event_id: Uuid::now_v7(),
        received_at: now(),
        source: Source::Reconcile,
        method: "GET".to_owned(),
        url: answer.url.clone(),
        headers: Headers::new(
            answer.headers.iter().map(|(name, value)| (name.to_owned(), value.to_vec())),
        ),
        body,
        verified_by: None,
        notes,
        salt: new_salt(),
    })
}

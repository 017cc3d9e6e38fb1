//! One message of Twilio's records as the event that it becomes: its JSON as it came, but for the text
//! of the message. Members are kept whatever they are called; only what is folded must be there.

use std::collections::BTreeMap;

use serde_json::Value;
use serde_json::value::RawValue;
use uuid::Uuid;

use super::{Format, Options, note};
use crate::domain::event::Headers;
use crate::domain::{NewEvent, Source, Timestamp};
use crate::twilio::callback::Reading;
use crate::twilio::resource::{members, without_text};

/// What would be passed over, and with it whose message it is.
const OF_THE_CLI: &str = "accountSid";

/// What a record is.
pub enum Record {
    /// A message that came in, which is none of ours.
    Inbound,
    Outbound(Outbound),
}

/// What is kept of an outbound message.
pub struct Outbound {
    pub body: Vec<u8>,
    pub text_removed: bool,
}

/// Where a record stands.
#[derive(Debug, Clone, Copy)]
pub struct Origin<'a> {
    pub format: Format,
    pub file: &'a str,
    pub line: u64,
}

/// Looks at a record; says why it can't be taken.
pub fn record(json: &[u8], options: &Options) -> Result<Record, String> {
    let members = members(json).map_err(|error| error.to_string())?;
    if members.iter().any(|(name, _)| name == OF_THE_CLI) {
        return Err(format!(
            "its members are named as Twilio's command line names them (`{OF_THE_CLI}`), not as \
             its API does"
        ));
    }
    if is_inbound(&members) {
        return Ok(Record::Inbound);
    }
    let whole = match (&options.account_sid, has_account(&members)) {
        (Some(account_sid), false) => with_account(json, account_sid.as_str(), members.is_empty()),
        _ => json.to_vec(),
    };
    let body = match options.keep_content {
        true => whole,
        false => without_text(&whole).map_err(|error| error.to_string())?,
    };
    let outbound = Outbound { body, text_removed: !options.keep_content };
    says_enough(&outbound)?;
    Ok(Record::Outbound(outbound))
}

/// The event of an outbound message. It was received when it was read: Twilio's own times stand in the
/// body, and none of them is when it reached us.
pub fn event(outbound: Outbound, origin: Origin<'_>, now: Timestamp) -> NewEvent {
    let own = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let mut notes = BTreeMap::from([
        own(note::FORMAT, origin.format.name()),
        own(note::FILE, origin.file),
        own(note::LINE, &origin.line.to_string()),
    ]);
    notes.extend(outbound.text_removed.then(|| own(note::CONTENT, "removed")));
    NewEvent {
        event_id: Uuid::now_v7(),
        received_at: now,
        source: Source::Import,
        // There was no request.
        method: String::new(),
        url: String::new(),
        headers: Headers::new([("content-type".to_owned(), b"application/json".to_vec())]),
        body: outbound.body,
        verified_by: None,
        notes,
    }
}

fn says_enough(outbound: &Outbound) -> Result<(), String> {
    let Outbound { body, text_removed } = outbound;
    let same = Outbound { body: body.clone(), text_removed: *text_removed };
    let origin = Origin { format: Format::Rest, file: "", line: 0 };
    let event = event(same, origin, Timestamp::from_micros(0));
    let reading = Reading::of(&event);
    let reported = reading.reported.as_ref().ok_or("it names no message (`sid`)")?;
    if reading.account_sid.is_none() {
        return Err("it names no account (`account_sid`); --account-sid says whose it is".into());
    }
    match (reported.status, &reported.unrecognised) {
        (None, None) => Err("it has no `status`".to_owned()),
        _ => Ok(()),
    }
}

type Members<'a> = [(String, &'a RawValue)];

fn first(members: &Members<'_>, name: &str) -> Option<Value> {
    let (_, value) = members.iter().find(|(have, _)| have == name)?;
    serde_json::from_str(value.get()).ok()
}

fn is_inbound(members: &Members<'_>) -> bool {
    let word = |name| first(members, name).and_then(|value| Some(value.as_str()?.to_lowercase()));
    match word("direction") {
        Some(direction) => direction.starts_with("inbound"),
        None => word("status").is_some_and(|status| ["receiving", "received"].contains(&&*status)),
    }
}

fn has_account(members: &Members<'_>) -> bool {
    ["AccountSid", "account_sid"]
        .into_iter()
        .filter_map(|name| first(members, name))
        .any(|value| value.as_str().is_some_and(|sid| !sid.is_empty()))
}

/// The object with its account in front: the first of one name counts.
fn with_account(json: &[u8], account_sid: &str, is_empty: bool) -> Vec<u8> {
    let inside = json.trim_ascii_start().strip_prefix(b"{").unwrap_or_default();
    let comma = if is_empty { "" } else { "," };
    let account = format!("{{\"account_sid\":{}{comma}", Value::from(account_sid));
    [account.as_bytes(), inside].concat()
}

//! Converts one of Twilio's records of a message to an event.
//!
//! The event has the original JSON, without the text of the message and with spreadsheet damage
//! repaired. Unknown members are preserved; only those that a lifecycle needs are required.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::Value;
use serde_json::value::RawValue;
use uuid::Uuid;

use super::formats::{Row, member_of_json, own_output};
use super::values::{self, Checked, ValueKind};
use super::{ImportFormat, Options, note};
use crate::domain::event::Headers;
use crate::domain::{NewEvent, Source, Timestamp};
use crate::store::new_salt;
use crate::twilio::callback::ParsedCallback;
use crate::twilio::resource::{members, without_text};

/// The number of characters of a damaged value that an error quotes.
const SHOWN_CHARS: usize = 60;

/// A checked record.
pub enum Record {
    /// An inbound message, which is not imported.
    Inbound,
    Outbound(Outbound),
}

/// The stored part of an outbound message.
pub struct Outbound {
    pub body: Vec<u8>,
    pub text_removed: bool,
    /// The repairs made to it, as text; empty for most.
    pub repaired: String,
}

/// The origin of a record.
#[derive(Debug, Clone, Copy)]
pub struct Origin<'a> {
    pub format: ImportFormat,
    pub file: &'a str,
    pub line: u64,
}

/// Checks a record; the error is the reason it is rejected.
pub fn check_record(row: &Row<'_>, options: &Options) -> Result<Record, String> {
    let members = members(row.json).map_err(|error| error.to_string())?;
    reject_other_objects(&members)?;
    if is_inbound(&members) {
        return Ok(Record::Inbound);
    }
    let (json, repaired) = checked(row, &members, options.now)?;
    let whole = match &options.account_sid {
        Some(account_sid) => with_account(json, account_sid.as_str())?,
        None => json.into_owned(),
    };
    let body = match options.keep_content {
        true => whole,
        false => without_text(&whole).map_err(|error| error.to_string())?,
    };
    let outbound = Outbound { body, text_removed: !options.keep_content, repaired };
    check_complete(&outbound)?;
    Ok(Record::Outbound(outbound))
}

/// Names for the message SID that only callbacks use, not Twilio's records.
const OF_CALLBACKS: [&str; 3] = ["MessageSid", "message_sid", "sms_sid"];

/// Rejects an object that is not one of Twilio's records, with a description of it.
fn reject_other_objects(members: &Members<'_>) -> Result<(), String> {
    let names: Vec<String> = members.iter().map(|(name, _)| name.clone()).collect();
    let of_callback = names.iter().find(|name| OF_CALLBACKS.contains(&name.as_str()));
    match own_output::describe_document(&names) {
        _ if names.iter().any(|name| name == "event_id") => {
            Err("this is an event of `export events`, not a record of Twilio's: --format events \
                 takes lines of them"
                .to_owned())
        }
        Some(what) => Err(what),
        None => of_callback.map_or(Ok(()), |name| {
            Err(format!("it names its message `{name}`; Twilio's records call that `sid`"))
        }),
    }
}

/// The object with every value as Twilio wrote it, its members named as Twilio's API names them; and
/// what was repaired.
fn checked<'r>(
    row: &Row<'r>,
    members: &Members<'r>,
    now: Timestamp,
) -> Result<(Cow<'r, [u8]>, String), String> {
    let mut repairs = Vec::new();
    let mut written = Vec::with_capacity(members.len());
    let mut is_as_it_came = true;
    for (at, (name, value)) in members.iter().enumerate() {
        let member = match row.columns {
            Some(_) => name,
            None => member_of_json(name),
        };
        let mut kept = Cow::Borrowed(value.get());
        if let Some((repaired, what)) = checked_value(row, (at, member), value, now)? {
            repairs.push(format!("{member}: {what}"));
            kept = Cow::Owned(match repaired.is_empty() {
                true => Value::Null.to_string(),
                false => Value::from(repaired).to_string(),
            });
        }
        is_as_it_came &= member == name && matches!(kept, Cow::Borrowed(_));
        written.push(format!("{}:{kept}", Value::from(member)));
    }
    let json = match is_as_it_came {
        true => Cow::Borrowed(row.json),
        false => Cow::Owned(format!("{{{}}}", written.join(",")).into_bytes()),
    };
    Ok((json, repairs.join("; ")))
}

/// The original value and a description of the damage; `None` if it is intact.
fn checked_value(
    row: &Row<'_>,
    (at, member): (usize, &str),
    value: &RawValue,
    now: Timestamp,
) -> Result<Option<(String, String)>, String> {
    let kind = ValueKind::from_member(member);
    let refused = |shown: &str, why: &str| {
        let place = row.columns.map_or_else(|| format!("`{member}`"), |columns| columns.place(at));
        let shown: String = shown.chars().take(SHOWN_CHARS).collect();
        Err(format!("{place}, `{}`: {why}", shown.escape_debug()))
    };
    let text = match serde_json::from_str(value.get()) {
        Ok(Value::String(text)) => text,
        // A price may be a JSON number; an address or a SID may not.
        Ok(Value::Number(_)) if kind == ValueKind::Price => return Ok(None),
        Ok(Value::Number(_)) => value.get().to_owned(),
        Ok(Value::Null) => return Ok(None),
        _ if [ValueKind::Content, ValueKind::Other].contains(&kind) => return Ok(None),
        _ => return refused(value.get(), "it is not a string"),
    };
    // Only tables can have been in a spreadsheet; any other text is valid.
    if kind == ValueKind::Other && row.columns.is_none() {
        return Ok(None);
    }
    match kind.check(&text, now) {
        Checked::Intact => Ok(None),
        Checked::Repaired(repaired, what) => Ok(Some((repaired.into_owned(), what))),
        Checked::Damaged(why) => refused(&text, &why),
    }
}

/// The event of an outbound message. Its time of receipt is the time of the import; Twilio's own times
/// are in the body.
pub fn event(outbound: Outbound, origin: Origin<'_>, now: Timestamp) -> NewEvent {
    let own = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let mut notes = BTreeMap::from([
        own(note::FORMAT, origin.format.name()),
        own(note::FILE, origin.file),
        own(note::LINE, &origin.line.to_string()),
    ]);
    notes.extend(outbound.text_removed.then(|| own(note::CONTENT, "removed")));
    if !outbound.repaired.is_empty() {
        notes.insert(note::REPAIRED.to_owned(), outbound.repaired);
    }
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
        salt: new_salt(),
    }
}

fn check_complete(outbound: &Outbound) -> Result<(), String> {
    let same = Outbound { body: outbound.body.clone(), repaired: String::new(), ..*outbound };
    let origin = Origin { format: ImportFormat::Rest, file: "", line: 0 };
    let event = event(same, origin, Timestamp::from_micros(0));
    let reading = ParsedCallback::parse(&event);
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

fn is_inbound(members: &Members<'_>) -> bool {
    let word = |wanted: &str| {
        let (_, value) = members.iter().find(|(name, _)| member_of_json(name) == wanted)?;
        serde_json::from_str::<String>(value.get()).ok()
    };
    values::is_inbound(word("direction").as_deref(), word("status").as_deref())
}

/// The object with this account as its first member, if it names none: if a name is
/// repeated, its first value counts.
fn with_account(json: Cow<'_, [u8]>, account_sid: &str) -> Result<Vec<u8>, String> {
    let members = members(&json).map_err(|error| error.to_string())?;
    let is_named = members.iter().any(|(name, value)| {
        name == "account_sid" && serde_json::from_str::<String>(value.get()).is_ok()
    });
    if is_named {
        return Ok(json.into_owned());
    }
    let inside = json.trim_ascii_start().strip_prefix(b"{").unwrap_or_default();
    let comma = if members.is_empty() { "" } else { "," };
    let account = format!("{{\"account_sid\":{}{comma}", Value::from(account_sid));
    Ok([account.as_bytes(), inside].concat())
}

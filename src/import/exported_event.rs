//! The parser of lines of `export events`.
//!
//! A member that is missing, repeated, unknown or of another type is an error. Errors name members but
//! never quote values, which may be the text of a message. [`event_checks`](super::event_checks) checks
//! whether the values are plausible.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::value::RawValue;
use uuid::Uuid;

use super::note;
use crate::domain::event::{Headers, Salt};
use crate::domain::{NewEvent, Position, Source, Timestamp};
use crate::store::new_salt;
use crate::twilio::resource::members;

/// The members that an exported event can have. The last five are what it reports of its message, which the
/// body says as well: they are not read.
const MEMBERS: [&str; 24] = [
    "position",
    "event_id",
    "received_at",
    "source",
    "method",
    "url",
    "headers",
    "verified_by",
    "notes",
    "body",
    "body_base64",
    "account_sid",
    "message_sid",
    "masked",
    "salt",
    "message",
    "content",
    "erased_by",
    "status",
    "error_code",
    "from",
    "to",
    "tags",
    "occurred_at",
];

/// Headers that no log contains.
const NEVER_KEPT: [&str; 4] = ["authorization", "cookie", "proxy-authorization", "set-cookie"];

/// A header's value, as it is written.
#[derive(Deserialize)]
#[serde(untagged)]
enum HeaderValue {
    Text(String),
    Bytes(Base64),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Base64 {
    base64: String,
}

/// Parses an event; its notes record the ledger and the position that it was exported from.
pub fn parse_event(line: &[u8], ledger: Option<&str>) -> Result<NewEvent, String> {
    let line = Line::parse(line)?;
    if line.find("masked").is_some_and(|value| value.get() != "false") {
        return Err("it was exported with --mask, or for a token that hides addresses, so it is \
                    not what was received"
            .to_owned());
    }
    if line.find("erased_by").is_some() {
        return Err("its content was erased, so there is nothing to import".to_owned());
    }
    line.check_salt()?;
    let position: Position = line.get("position", "a number")?;
    if position == 0 {
        return Err("`position`, `0`: the first event of a ledger has position 1".to_owned());
    }
    let mut notes = line.notes()?;
    if !notes.contains_key(note::POSITION) {
        // An event that was itself imported keeps its original position.
        notes.insert(note::POSITION.to_owned(), position.to_string());
        notes.extend(ledger.map(|ledger| (note::LEDGER.to_owned(), ledger.to_owned())));
    }
    Ok(NewEvent {
        event_id: line.event_id()?,
        received_at: line.received_at()?,
        source: line.source()?,
        method: line.text("method")?,
        url: line.text("url")?,
        headers: line.headers()?,
        body: line.body()?,
        verified_by: line.get("verified_by", "text or null")?,
        notes,
        salt: new_salt(),
    })
}

/// The event without the notes of its origin, for comparison with the log that received it first.
pub fn without_origin(mut event: NewEvent) -> NewEvent {
    event.notes.remove(note::POSITION);
    event.notes.remove(note::LEDGER);
    event
}

struct Line<'a>(Vec<(String, &'a RawValue)>);

impl<'a> Line<'a> {
    fn parse(line: &'a [u8]) -> Result<Self, String> {
        let members = members(line).map_err(|error| error.to_string())?;
        for (at, (name, _)) in members.iter().enumerate() {
            let shown: String = name.escape_debug().take(40).collect();
            if !MEMBERS.contains(&name.as_str()) {
                return Err(format!("this version does not know what `{shown}` is"));
            }
            if members[..at].iter().any(|(earlier, _)| earlier == name) {
                return Err(format!("`{shown}` is there twice"));
            }
        }
        Ok(Self(members))
    }

    fn find(&self, name: &str) -> Option<&'a RawValue> {
        self.0.iter().find(|(have, _)| have == name).map(|(_, value)| *value)
    }

    fn get<T: Deserialize<'a>>(&self, name: &str, what: &str) -> Result<T, String> {
        let value = self.find(name).ok_or_else(|| format!("`{name}` is missing"))?;
        serde_json::from_str(value.get()).map_err(|_| format!("`{name}` is not {what}"))
    }

    fn text(&self, name: &str) -> Result<String, String> {
        self.get(name, "text")
    }

    /// An import makes new salts; a salt only shows here that the event is whole.
    fn check_salt(&self) -> Result<(), String> {
        if self.find("salt").is_none() {
            return Ok(());
        }
        let salt = self.text("salt")?;
        let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        match salt.len() == 2 * Salt::BYTES && salt.bytes().all(is_digit) {
            true => Ok(()),
            false => Err("`salt` is not 32 hexadecimal digits in lower case".to_owned()),
        }
    }

    fn source(&self) -> Result<Source, String> {
        match Source::parse(&self.text("source")?) {
            Some(Source::Erasure) => {
                Err("it records an erasure, by positions of the ledger that it \
                                          is from"
                    .to_owned())
            }
            Some(source) => Ok(source),
            None => Err("`source` is none of callback, send, reconcile, import".to_owned()),
        }
    }

    fn event_id(&self) -> Result<Uuid, String> {
        let text = self.text("event_id")?;
        let id = Uuid::parse_str(&text).ok().filter(|id| id.to_string() == text);
        id.ok_or_else(|| "`event_id` is not a UUID in lower case with hyphens".to_owned())
    }

    fn received_at(&self) -> Result<Timestamp, String> {
        let text = self.text("received_at")?;
        // Any other form would be exported differently from how it was imported.
        let moment = Timestamp::parse(&text).filter(|moment| moment.to_string() == text);
        moment.ok_or_else(|| {
            "`received_at` is not RFC 3339 in UTC with six fractional digits and Z".to_owned()
        })
    }

    fn headers(&self) -> Result<Headers, String> {
        const WHAT: &str = "a list of [name, value]";
        let headers: Vec<(String, HeaderValue)> = self.get("headers", WHAT)?;
        let mut bytes = Vec::with_capacity(headers.len());
        for (name, value) in headers {
            if NEVER_KEPT.contains(&name.to_ascii_lowercase().as_str()) {
                return Err(format!("the header `{}` is never kept", name.to_ascii_lowercase()));
            }
            let value = match value {
                HeaderValue::Text(text) => text.into_bytes(),
                HeaderValue::Bytes(Base64 { base64 }) => decoded(&base64, "a header")?,
            };
            bytes.push((name, value));
        }
        let headers = Headers::new(bytes.iter().cloned());
        let as_given = headers.iter().zip(&bytes).all(|(a, b)| a == (b.0.as_str(), &b.1[..]));
        match as_given {
            true => Ok(headers),
            false => Err("`headers` are not in lower case and sorted by name".to_owned()),
        }
    }

    fn body(&self) -> Result<Vec<u8>, String> {
        match (self.find("body"), self.find("body_base64")) {
            (Some(_), None) => Ok(self.text("body")?.into_bytes()),
            (None, Some(_)) => decoded(&self.text("body_base64")?, "`body_base64`"),
            (Some(_), Some(_)) => Err("there are both `body` and `body_base64`".to_owned()),
            (None, None) => Err("`body` is missing".to_owned()),
        }
    }

    fn notes(&self) -> Result<BTreeMap<String, String>, String> {
        const WHAT: &str = "an object of texts";
        let notes: &RawValue = self.get("notes", WHAT)?;
        let given =
            members(notes.get().as_bytes()).map_err(|_| format!("`notes` is not {WHAT}"))?;
        let mut notes = BTreeMap::new();
        for (name, value) in given {
            let value =
                serde_json::from_str(value.get()).map_err(|_| format!("`notes` is not {WHAT}"))?;
            if notes.insert(name, value).is_some() {
                return Err("a name in `notes` is there twice".to_owned());
            }
        }
        Ok(notes)
    }
}

fn decoded(base64: &str, what: &str) -> Result<Vec<u8>, String> {
    STANDARD.decode(base64).map_err(|_| format!("{what} is not base64"))
}

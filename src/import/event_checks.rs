//! Plausibility checks on another ledger's event: ids, times, keys, requests and notes.
//! [`exported_event`](super::exported_event) has checked the syntax before.

use std::collections::BTreeMap;

use uuid::{Uuid, Variant};

use super::{ImportFormat, note, values};
use crate::domain::{NewEvent, Source, Timestamp};

/// The maximum length of a key's name; real ones are short words.
const KEY_NAME_CHARS_MAX: usize = 128;

/// The maximum length of a note's name; this program chooses them.
const NOTE_NAME_BYTES_MAX: usize = 64;

/// The maximum length of a note; the longest is the path of a file.
const NOTE_BYTES_MAX: usize = 4096;

/// The maximum length of the bytes between two elements of a batch: those of a request.
const BETWEEN_BYTES_MAX: usize = 1024 * 1024;

/// The maximum length of a URL: request lines have at most 64 KiB, plus the public URL.
const URL_BYTES_MAX: usize = 128 * 1024;

/// The maximum length of a method; real ones are short words (RFC 9110).
const METHOD_BYTES_MAX: usize = 20;

/// The number of characters of a value that an error quotes.
const SHOWN_CHARS: usize = 60;

/// Notes of Twilio's records, which are events of source `import`.
const OF_RECORDS: [&str; 4] = [note::FORMAT, note::FILE, note::LINE, note::REPAIRED];

/// Notes of requests that a recheck accepted: both, or neither.
const OF_QUARANTINE: [&str; 2] = ["quarantine", "rechecked_at"];

/// Rejects an event that no ledger could have written, with the reason.
pub fn check(event: &NewEvent, now: Timestamp) -> Result<(), String> {
    event_id(event.event_id)?;
    received_at(event.received_at, now)?;
    verified_by(event.verified_by.as_deref())?;
    method(&event.method, event.source)?;
    url(&event.url, event.source)?;
    event.headers.iter().try_for_each(|(name, value)| header(name, value))?;
    event.notes.iter().try_for_each(|(name, value)| note(name, value, event.source))?;
    notes_together(&event.notes)
}

fn refused(name: &str, value: &str, why: &str) -> Result<(), String> {
    let shown: String = value.chars().take(SHOWN_CHARS).collect();
    Err(format!("`{name}`, `{}`: {why}", shown.escape_debug()))
}

fn event_id(id: Uuid) -> Result<(), String> {
    match id.get_version_num() == 7 && id.get_variant() == Variant::RFC4122 {
        true => Ok(()),
        false => refused("event_id", &id.to_string(), "events have UUIDs of version 7"),
    }
}

fn received_at(at: Timestamp, now: Timestamp) -> Result<(), String> {
    values::check_date_range(at, now).or_else(|why| refused("received_at", &at.to_string(), why))
}

fn verified_by(key: Option<&str>) -> Result<(), String> {
    let Some(key) = key else { return Ok(()) };
    let is_name = !key.trim().is_empty()
        && key.chars().count() <= KEY_NAME_CHARS_MAX
        && key.chars().all(is_printable);
    match is_name {
        true => Ok(()),
        false => refused(
            "verified_by",
            key,
            "it is null, primary, secondary, or the name of a key: 1 to 128 printable characters",
        ),
    }
}

fn method(method: &str, source: Source) -> Result<(), String> {
    let is_method =
        method.len() <= METHOD_BYTES_MAX && method.bytes().all(|byte| byte.is_ascii_uppercase());
    match (is_method, method.is_empty() && source == Source::Callback) {
        (true, false) => Ok(()),
        (_, true) => refused("method", method, "a callback was received by one"),
        (false, _) => refused("method", method, "it is a word in capitals, as POST"),
    }
}

fn url(url: &str, source: Source) -> Result<(), String> {
    let is_absolute = ["https://", "http://"].iter().any(|scheme| url.starts_with(scheme));
    let is_clean = |c: char| is_printable(c) && c != ' ';
    match () {
        _ if url.len() > URL_BYTES_MAX => refused("url", url, "it is longer than 131072 bytes"),
        _ if !url.chars().all(is_clean) => {
            refused("url", url, "it has blanks or control characters")
        }
        _ if url.is_empty() && source == Source::Callback => {
            refused("url", url, "a callback was received at one")
        }
        _ if !url.is_empty() && !is_absolute => {
            refused("url", url, "it begins with http:// or https://")
        }
        _ => Ok(()),
    }
}

/// Checks a header against the syntax of HTTP (RFC 9110, 5.1 and 5.5).
fn header(name: &str, value: &[u8]) -> Result<(), String> {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    let is_content = |byte: &u8| *byte == b'\t' || *byte >= b' ' && *byte != 0x7f;
    match () {
        _ if name.is_empty() || !name.bytes().all(is_token) => {
            refused("headers", name, "no header can be called that")
        }
        _ if !value.iter().all(is_content) => {
            refused("headers", name, "its value has control characters, which HTTP has not")
        }
        _ => Ok(()),
    }
}

fn note(name: &str, value: &str, source: Source) -> Result<(), String> {
    let is_name = name.len() <= NOTE_NAME_BYTES_MAX
        && name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
    if !is_name {
        return refused("notes", name, "a note's name is up to 64 of a to z, 0 to 9 and _");
    }
    let is_between = matches!(name, note::BEFORE | note::AFTER);
    if is_between && value.len() > BETWEEN_BYTES_MAX {
        return refused(&format!("notes.{name}"), value, "it is longer than 1 MiB");
    }
    if !is_between && value.len() > NOTE_BYTES_MAX {
        return refused(&format!("notes.{name}"), value, "it is longer than 4096 bytes");
    }
    if OF_RECORDS.contains(&name) && source != Source::Import {
        return refused("notes", name, "only events of source import have it");
    }
    if OF_QUARANTINE.contains(&name) && source != Source::Callback {
        return refused("notes", name, "only events of source callback have it");
    }
    match expected(name, value) {
        Some(what) => refused(&format!("notes.{name}"), value, what),
        None => Ok(()),
    }
}

/// The expected form of a note with this name; `None` if the value has it.
fn expected(name: &str, value: &str) -> Option<&'static str> {
    let is_number = || value.parse::<u64>().is_ok_and(|n| n > 0 && n.to_string() == value);
    let is_word = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_-".contains(&b);
    let is_time = || Timestamp::parse(value).is_some_and(|at| at.to_string() == value);
    let (is_so, what) = match name {
        note::POSITION => (is_number(), "it is a position: a number from 1"),
        note::LINE => (is_number(), "it is a line: a number from 1"),
        note::LEDGER => (Uuid::parse_str(value).is_ok(), "it is the id of a ledger: a UUID"),
        note::FORMAT => {
            let is_format = ImportFormat::ALL.iter().any(|format| format.name() == value);
            (is_format, "it is rest, bulkexport or csv")
        }
        note::BATCH => (Uuid::parse_str(value).is_ok(), "it is the id of an event: a UUID"),
        note::INDEX => (value == "0" || is_number(), "it is a place in a batch: a number from 0"),
        note::OF => (is_number(), "it is a number of events, from 1"),
        note::BEFORE | note::AFTER => {
            let is_json = value.bytes().all(|byte| b" \t\r\n[,]".contains(&byte));
            (is_json, "it is whitespace with [, a comma or ]")
        }
        note::CONTENT => (value == "removed", "it is `removed`"),
        // A file may be called anything.
        note::FILE => (!value.is_empty(), "it is the name of a file"),
        "quarantine" => {
            (!value.is_empty() && value.bytes().all(is_word), "it is a reason, one word")
        }
        "rechecked_at" => (is_time(), "it is RFC 3339 in UTC with six fractional digits and Z"),
        _ => (value.chars().all(is_printable), "it has control characters"),
    };
    (!is_so).then_some(what)
}

fn notes_together(notes: &BTreeMap<String, String>) -> Result<(), String> {
    let [reason, at] = OF_QUARANTINE.map(|name| notes.contains_key(name));
    match reason == at {
        true => Ok(()),
        false => {
            Err("`notes` has `quarantine` or `rechecked_at` alone, and never without the other"
                .to_owned())
        }
    }
}

/// True unless it is a control character, or one that changes how others are displayed.
fn is_printable(character: char) -> bool {
    character == ' ' || !character.is_control() && !values::is_blank(character)
}

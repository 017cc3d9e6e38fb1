//! Detects the format of an input by its first bytes.

use std::fmt;

use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, Visitor};

use super::columns::{self, Columns};
use super::{ImportFormat, own_output};

/// Members that only pages of a list have.
const OF_PAGES: [&str; 4] = ["messages", "first_page_uri", "next_page_uri", "page_size"];

/// Members of error responses of Twilio's API.
const OF_TWILIOS_ERRORS: [&str; 2] = ["code", "more_info"];

/// Detects the format; the error is the reason the input is not supported.
pub fn detect(beginning: &[u8]) -> Result<ImportFormat, String> {
    let text = beginning.trim_ascii_start();
    match text.first() {
        None => {
            Err("it is empty; if that is right, say with --format what it would hold".to_owned())
        }
        Some(b'{') => of_object(text),
        Some(b'[') => Ok(ImportFormat::Rest),
        _ => of_table(text),
    }
}

fn of_object(text: &[u8]) -> Result<ImportFormat, String> {
    let names = names(text);
    let has = |name: &str| names.iter().any(|have| have == name);
    let is_one_line = text.split(|byte| *byte == b'\n').next().is_some_and(is_object);
    match own_output::describe_document(&names) {
        _ if has("event_id") => Ok(ImportFormat::Events),
        Some(what) => Err(what),
        None if has("received_at") => Ok(ImportFormat::Events),
        None if OF_PAGES.into_iter().any(has) => Ok(ImportFormat::Rest),
        None if OF_TWILIOS_ERRORS.into_iter().all(has) => {
            Err("this is an error of Twilio's API: fetch the messages again".to_owned())
        }
        None if has("sid") && is_one_line => Ok(ImportFormat::Bulkexport),
        None if has("sid") => Ok(ImportFormat::Rest),
        None => Err("its first JSON object is neither an event, nor a message, nor a page of \
                     messages; --format takes it for what you say"
            .to_owned()),
    }
}

fn of_table(text: &[u8]) -> Result<ImportFormat, String> {
    let columns = Columns::from_beginning(text, columns::delimiter_of(text));
    match own_output::describe_table(&columns.names()) {
        Some(what) => Err(what),
        None if columns.have("sid") => Ok(ImportFormat::Csv),
        None if is_aligned(text) => Err("this is a table for people, as Twilio's command line \
                                         prints it: let it write JSON or TSV (`-o json`, `-o tsv`)"
            .to_owned()),
        None => Err("it is neither JSON, nor CSV with a column `Sid`, gzipped or not".to_owned()),
    }
}

/// True if its columns are separated by spaces, and one of them is the SID's.
fn is_aligned(text: &[u8]) -> bool {
    let header = String::from_utf8_lossy(columns::header_lines(text).next().unwrap_or_default());
    header.contains("  ") && header.split("  ").any(|name| columns::member(name.trim()) == "sid")
}

fn is_object(line: &[u8]) -> bool {
    serde_json::from_slice::<serde::de::IgnoredAny>(line).is_ok()
}

/// The names of an object's members; the object may be truncated.
fn names(beginning: &[u8]) -> Vec<String> {
    let mut names = Vec::new();
    // A truncated text is not an error here.
    let _cut_off =
        Names(&mut names).deserialize(&mut serde_json::Deserializer::from_slice(beginning));
    names
}

struct Names<'a>(&'a mut Vec<String>);

impl<'de> DeserializeSeed<'de> for Names<'_> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Names<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<(), M::Error> {
        while let Some(name) = map.next_key()? {
            self.0.push(name);
            map.next_value::<IgnoredAny>()?;
        }
        Ok(())
    }
}

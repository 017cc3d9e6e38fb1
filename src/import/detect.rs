//! What an input is, by its beginning.

use std::fmt;

use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, Visitor};

use super::Format;
use super::csv::Columns;

/// Members that only pages of a list have.
const OF_PAGES: [&str; 4] = ["messages", "first_page_uri", "next_page_uri", "page_size"];

/// Tells the format, or why none of them is meant.
pub fn detect(beginning: &[u8]) -> Result<Format, String> {
    let text = beginning.trim_ascii_start();
    match text.first() {
        None => Ok(Format::Events), // as good as any: there are no rows
        Some(b'{') => of_object(text),
        Some(b'[') => Ok(Format::Rest),
        _ if text.starts_with(b"PAR1") => Err(only_ndjson("Parquet")),
        _ => of_header(text),
    }
}

fn of_object(text: &[u8]) -> Result<Format, String> {
    let names = names(text);
    let has = |name: &str| names.iter().any(|have| have == name);
    let is_one_line = text.split(|byte| *byte == b'\n').next().is_some_and(is_object);
    match () {
        _ if has("event_id") || has("received_at") => Ok(Format::Events),
        _ if OF_PAGES.into_iter().any(has) => Ok(Format::Rest),
        _ if has("status_times") || has("first_received_at") => {
            Err("this is an export of messages: it tells where they stood and not what came; \
                 export events can be imported"
                .to_owned())
        }
        _ if has("sid") && is_one_line => Ok(Format::Bulkexport),
        _ if has("sid") => Ok(Format::Rest),
        _ => Err("its first JSON object is neither an event, nor a message, nor a page of \
                  messages; --format takes it for what you say"
            .to_owned()),
    }
}

fn of_header(text: &[u8]) -> Result<Format, String> {
    let header = text.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let columns = Columns::of_header(header);
    match () {
        _ if columns.have("event_id") && columns.have("received_at") => Err(only_ndjson("CSV")),
        _ if columns.have("sid") => Ok(Format::Csv),
        _ => Err("it is neither JSON, nor CSV with a column `Sid`, gzipped or not".to_owned()),
    }
}

fn only_ndjson(format: &str) -> String {
    format!("of the exports of events only NDJSON can be imported, {format} cannot")
}

fn is_object(line: &[u8]) -> bool {
    serde_json::from_slice::<serde::de::IgnoredAny>(line).is_ok()
}

/// The names of an object's members, as far as it is there.
fn names(beginning: &[u8]) -> Vec<String> {
    let mut names = Vec::new();
    // The end is not at hand, which is no error here.
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

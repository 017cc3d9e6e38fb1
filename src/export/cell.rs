//! The value of a column in a row, before it is written in a format.

use std::borrow::Cow;
use std::io::Write;

use crate::domain::message::kinds::EventKinds;
use crate::domain::message::lifecycle::ReportedCodes;
use crate::domain::message::status_reported::Label;
use crate::domain::message::status_times::StatusTimes;
use crate::domain::price::Amount;
use crate::domain::{Status, Timestamp};
use crate::wire::message_texts::TagPairs;

/// A value, borrowed from its row.
#[derive(Debug)]
pub enum Cell<'r> {
    /// Null, or missing.
    Empty,
    Text(Cow<'r, str>),
    /// Letters, digits, `_` and inner `-`, which no format escapes.
    Word(&'r str),
    Integer(u64),
    Boolean(bool),
    Time(Timestamp),
    Amount(Amount),
    /// The numbers of error codes.
    Codes(&'r ReportedCodes),
    /// The labels of a message.
    Labels(EventKinds),
    /// Statuses, each with a time.
    Times(Option<&'r StatusTimes>),
    /// Names, each with its values.
    Tags(TagPairs<'r>),
}

impl<'r> Cell<'r> {
    /// A text that may be absent.
    pub fn text(text: Option<&'r str>) -> Self {
        text.map_or(Cell::Empty, |text| Cell::Text(Cow::Borrowed(text)))
    }

    /// A word that may be absent.
    pub fn word(word: Option<&'r str>) -> Self {
        word.map_or(Cell::Empty, Cell::Word)
    }

    /// A number that may be absent.
    pub fn integer(number: Option<impl Into<u64>>) -> Self {
        number.map_or(Cell::Empty, |number| Cell::Integer(number.into()))
    }

    /// A time that may be absent.
    pub fn time(time: Option<Timestamp>) -> Self {
        time.map_or(Cell::Empty, Cell::Time)
    }

    /// The time in this cell, also if it is in the form of a text; `None` if it is none that a calendar has.
    pub fn as_time(&self) -> Option<Timestamp> {
        match self {
            Cell::Time(time) => Some(*time).filter(|time| time.has_rfc3339()),
            Cell::Text(text) => Timestamp::parse(text),
            _ => None,
        }
    }

    /// Adds the value as text: lists with blanks in between, tags as JSON.
    pub fn push_text(&self, out: &mut Vec<u8>) {
        match self {
            Cell::Empty => {}
            Cell::Text(text) => out.extend_from_slice(text.as_bytes()),
            Cell::Word(word) => out.extend_from_slice(word.as_bytes()),
            Cell::Integer(number) => push_number(out, *number),
            Cell::Boolean(true) => out.extend_from_slice(b"true"),
            Cell::Boolean(false) => out.extend_from_slice(b"false"),
            Cell::Time(time) => push_time(out, *time),
            Cell::Amount(amount) => push_amount(out, *amount),
            Cell::Codes(codes) => {
                push_each(out, b" ", distinct(codes), push_number);
            }
            Cell::Labels(kinds) => push_each(out, b" ", kinds.labels(), |out, label: Label| {
                out.extend_from_slice(label.name().as_bytes());
            }),
            Cell::Times(times) => push_each(out, b" ", each_time(*times), |out, (status, at)| {
                out.extend_from_slice(status.name().as_bytes());
                out.push(b'=');
                push_time(out, at);
            }),
            Cell::Tags(_) => self.push_json(out),
        }
    }

    /// Adds the value as JSON.
    pub fn push_json(&self, out: &mut Vec<u8>) {
        match self {
            Cell::Empty => out.extend_from_slice(b"null"),
            Cell::Text(text) => push_json_text(out, text),
            Cell::Integer(_) | Cell::Boolean(_) => self.push_text(out),
            Cell::Word(_) | Cell::Time(_) | Cell::Amount(_) => {
                out.push(b'"');
                self.push_text(out);
                out.push(b'"');
            }
            Cell::Codes(codes) => {
                out.push(b'[');
                push_each(out, b",", distinct(codes), push_number);
                out.push(b']');
            }
            Cell::Labels(kinds) => {
                out.push(b'[');
                push_each(out, b",", kinds.labels(), |out, label| {
                    Cell::Word(label.name()).push_json(out);
                });
                out.push(b']');
            }
            Cell::Times(times) => {
                out.push(b'{');
                push_each(out, b",", each_time(*times), |out, (status, at)| {
                    Cell::Word(status.name()).push_json(out);
                    out.push(b':');
                    Cell::Time(at).push_json(out);
                });
                out.push(b'}');
            }
            Cell::Tags(pairs) => {
                out.push(b'{');
                let names = pairs.chunk_by(|(a, _), (b, _)| a == b);
                push_each(out, b",", names, |out, pairs| {
                    push_json_text(out, pairs[0].0);
                    out.extend_from_slice(b":[");
                    push_each(out, b",", pairs, |out, (_, value)| push_json_text(out, value));
                    out.push(b']');
                });
                out.push(b'}');
            }
        }
    }
}

/// Each of these statuses with its time.
pub fn each_time(times: Option<&StatusTimes>) -> impl Iterator<Item = (Status, Timestamp)> {
    times.into_iter().flat_map(StatusTimes::iter)
}

/// The numbers of the codes, each once.
fn distinct(codes: &ReportedCodes) -> impl Iterator<Item = u64> {
    let mut last = None;
    codes.iter().filter_map(move |(code, _)| {
        let is_new = last.replace(*code) != Some(*code);
        is_new.then(|| code.number().into())
    })
}

fn push_each<T>(
    out: &mut Vec<u8>,
    between: &[u8],
    items: impl IntoIterator<Item = T>,
    mut push: impl FnMut(&mut Vec<u8>, T),
) {
    for (place, item) in items.into_iter().enumerate() {
        if place > 0 {
            out.extend_from_slice(between);
        }
        push(out, item);
    }
}

fn push_time(out: &mut Vec<u8>, time: Timestamp) {
    match time.rfc3339() {
        Some(text) => out.extend_from_slice(&text),
        None => out.extend_from_slice(time.to_string().as_bytes()),
    }
}

fn push_amount(out: &mut Vec<u8>, amount: Amount) {
    write!(out, "{amount}").expect(MEMORY);
}

/// A number is written in JSON as everywhere else.
fn push_number(out: &mut Vec<u8>, number: u64) {
    serde_json::to_writer(out, &number).expect(MEMORY);
}

fn push_json_text(out: &mut Vec<u8>, text: &str) {
    serde_json::to_writer(out, text).expect(MEMORY);
}

const MEMORY: &str = "memory can be written to";

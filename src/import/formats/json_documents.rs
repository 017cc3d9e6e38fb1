//! The reader of Twilio's JSON responses: pages of a list, single messages, or arrays of either.
//! A file may have any number of such documents.

use std::io::{self, BufRead};

use serde_json::Deserializer;
use serde_json::error::Category;
use serde_json::value::RawValue;

use super::lines::{cut_off, too_long};
use super::{DOCUMENT_BYTES_MAX, Each, Row};
use crate::import::ImportError;
use crate::import::input::is_content_error;
use crate::import::input::limited_reader::LimitedReader;
use crate::twilio::resource::members;

/// The member of a page that contains its messages.
const MESSAGES: &str = "messages";

/// Calls `each` with every message of every document.
pub fn each_message(
    name: &str,
    reader: &mut dyn BufRead,
    each: Each<'_>,
) -> Result<(), ImportError> {
    let (bounded, bound) = LimitedReader::new(reader);
    bound.allow(DOCUMENT_BYTES_MAX);
    for document in Deserializer::from_reader(bounded).into_iter::<Box<RawValue>>() {
        match document {
            Ok(document) => {
                let first_line = 1 + bound.lines() - lines_in(document.get());
                each_of_document(document.get(), first_line, each)?;
                bound.allow(DOCUMENT_BYTES_MAX);
            }
            // The end of an invalid document is unknown, so reading stops.
            Err(error) => return each(line_of(&error), Err(describe(name, error)?)),
        }
    }
    Ok(())
}

fn describe(name: &str, error: serde_json::Error) -> Result<String, ImportError> {
    if error.classify() != Category::Io {
        let column = error.column();
        return Ok(format!("from here on it is no JSON, by column {column} of this line"));
    }
    let error = io::Error::from(error);
    match error.kind() {
        io::ErrorKind::FileTooLarge => Ok(format!("a document {}", too_long(DOCUMENT_BYTES_MAX))),
        _ if is_content_error(&error) => Ok(cut_off(&error)),
        _ => Err(ImportError::Read { name: name.to_owned(), source: error }),
    }
}

fn line_of(error: &serde_json::Error) -> u64 {
    (error.line() as u64).max(1)
}

fn each_of_document(document: &str, first_line: u64, each: Each<'_>) -> Result<(), ImportError> {
    if let Ok(list) = serde_json::from_str::<Vec<&RawValue>>(document) {
        return list.iter().try_for_each(|member| {
            let line = first_line + lines_before(document, member.get());
            each_of_object(member.get(), line, each)
        });
    }
    each_of_object(document, first_line, each)
}

fn each_of_object(object: &str, first_line: u64, each: Each<'_>) -> Result<(), ImportError> {
    let messages = members(object.as_bytes()).ok().and_then(|members| {
        members.into_iter().find(|(name, _)| name == MESSAGES).map(|(_, messages)| messages)
    });
    let Some(messages) = messages else {
        return each(first_line, Ok(Row::from_json(object.as_bytes())));
    };
    let Ok(list) = serde_json::from_str::<Vec<&RawValue>>(messages.get()) else {
        return each(first_line, Err("the page's `messages` is no list".to_owned()));
    };
    list.iter().try_for_each(|message| {
        let line = first_line + lines_before(object, message.get());
        each(line, Ok(Row::from_json(message.get().as_bytes())))
    })
}

/// The number of line ends in a text before a part of it.
fn lines_before(text: &str, part: &str) -> u64 {
    let before = (part.as_ptr() as usize).checked_sub(text.as_ptr() as usize);
    before.and_then(|length| text.get(..length)).map_or(0, lines_in)
}

fn lines_in(text: &str) -> u64 {
    memchr::memchr_iter(b'\n', text.as_bytes()).count() as u64
}

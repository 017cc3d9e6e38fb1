//! Reader of one row per line, with a limit on the length of a line.

use std::io::{self, BufRead, Read};

use super::{Each, ROW_BYTES_MAX, Row};
use crate::import::ImportError;
use crate::import::input::encoding::{DamagedUtf16, NOT_UTF_8};
use crate::import::input::is_content_error;

/// The error for a row that is longer than this.
pub fn too_long(bytes_max: u64) -> String {
    format!("longer than {bytes_max} bytes")
}

/// The reason nothing more can be read, from an error about the content.
pub fn cut_off(error: &io::Error) -> String {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<DamagedUtf16>()) {
        Some(damaged) => damaged.to_string(),
        None => "the gzip stream is damaged or cut off here".to_owned(),
    }
}

/// Calls `each` with every line that is not blank.
pub fn each_line(name: &str, reader: &mut dyn BufRead, each: Each<'_>) -> Result<(), ImportError> {
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        match read_line(reader, &mut line) {
            Ok(Some(LineRead::Whole)) if line.trim_ascii().is_empty() => {}
            Ok(Some(LineRead::Whole)) if std::str::from_utf8(&line).is_err() => {
                each(number, Err(NOT_UTF_8.to_owned()))?;
            }
            Ok(Some(LineRead::Whole)) => each(number, Ok(Row::from_json(line.trim_ascii())))?,
            Ok(Some(LineRead::TooLong)) => each(number, Err(too_long(ROW_BYTES_MAX)))?,
            Ok(None) => break,
            Err(error) if is_content_error(&error) => {
                each(number, Err(cut_off(&error)))?;
                break;
            }
            Err(source) => return Err(ImportError::Read { name: name.to_owned(), source }),
        }
    }
    Ok(())
}

enum LineRead {
    Whole,
    TooLong,
}

fn read_line(reader: &mut dyn BufRead, line: &mut Vec<u8>) -> io::Result<Option<LineRead>> {
    let length = reader.take(ROW_BYTES_MAX + 1).read_until(b'\n', line)?;
    if length as u64 <= ROW_BYTES_MAX || line.ends_with(b"\n") {
        return Ok((length > 0).then_some(LineRead::Whole));
    }
    reader.skip_until(b'\n')?;
    Ok(Some(LineRead::TooLong))
}

//! One row a line, none of them longer than it may be.

use std::io::{self, BufRead, Read};

use super::encoding::{DamagedUtf16, NOT_UTF_8};
use super::input::is_of_content;
use super::{Each, ImportError, ROW_BYTES_MAX, Row};

/// Why a row of this many bytes is not taken.
pub fn too_long(bytes_max: u64) -> String {
    format!("longer than {bytes_max} bytes")
}

/// Why nothing more can be read, by an error that tells of the content.
pub fn cut_off(error: &io::Error) -> String {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<DamagedUtf16>()) {
        Some(damaged) => damaged.to_string(),
        None => "the gzip stream is damaged or cut off here".to_owned(),
    }
}

/// Gives every line that is not blank.
pub fn each_line(name: &str, reader: &mut dyn BufRead, each: Each<'_>) -> Result<(), ImportError> {
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        match read_line(reader, &mut line) {
            Ok(Some(Extent::Whole)) if line.trim_ascii().is_empty() => {}
            Ok(Some(Extent::Whole)) if std::str::from_utf8(&line).is_err() => {
                each(number, Err(NOT_UTF_8.to_owned()))?;
            }
            Ok(Some(Extent::Whole)) => each(number, Ok(Row::of_json(line.trim_ascii())))?,
            Ok(Some(Extent::TooLong)) => each(number, Err(too_long(ROW_BYTES_MAX)))?,
            Ok(None) => break,
            Err(error) if is_of_content(&error) => {
                each(number, Err(cut_off(&error)))?;
                break;
            }
            Err(source) => return Err(ImportError::Read { name: name.to_owned(), source }),
        }
    }
    Ok(())
}

enum Extent {
    Whole,
    TooLong,
}

fn read_line(reader: &mut dyn BufRead, line: &mut Vec<u8>) -> io::Result<Option<Extent>> {
    let length = reader.take(ROW_BYTES_MAX + 1).read_until(b'\n', line)?;
    if length as u64 <= ROW_BYTES_MAX || line.ends_with(b"\n") {
        return Ok((length > 0).then_some(Extent::Whole));
    }
    reader.skip_until(b'\n')?;
    Ok(Some(Extent::TooLong))
}

//! Texts of a column one after the other, so that none has memory of its own.

use std::ops::Range;

use parquet::data_type::ByteArray;
use parquet::errors::ParquetError;

/// Texts, and where each ends.
#[derive(Default)]
pub struct Texts {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Texts {
    /// Adds the text that `push` adds; returns how many bytes it has.
    pub fn push(&mut self, push: impl FnOnce(&mut Vec<u8>)) -> usize {
        let start = self.bytes.len();
        push(&mut self.bytes);
        self.ends.push(self.bytes.len());
        self.bytes.len() - start
    }

    /// Adds some of other texts.
    pub fn append(&mut self, from: &Self, texts: Range<usize>) {
        let start_of = |text: usize| if text == 0 { 0 } else { from.ends[text - 1] };
        let (start, base) = (start_of(texts.start), self.bytes.len());
        self.bytes.extend_from_slice(&from.bytes[start..start_of(texts.end)]);
        self.ends.extend(from.ends[texts].iter().map(|end| base + end - start));
    }

    /// Takes all texts out.
    pub fn take(&mut self) -> Vec<ByteArray> {
        let all = ByteArray::from(std::mem::take(&mut self.bytes));
        let mut start = 0;
        let text = |end: usize| {
            let text = all.slice(start, end - start);
            start = end;
            text
        };
        self.ends.drain(..).map(text).collect()
    }

    /// Forgets all texts.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
    }
}

/// The error if rows do not fit the schema.
pub fn missing() -> ParquetError {
    ParquetError::General("there is no such column to write".to_owned())
}

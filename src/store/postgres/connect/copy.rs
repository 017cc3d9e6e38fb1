//! Rows in the binary format of COPY, which are sent in one message: in small ones, as the library writes them,
//! each costs as much as some rows.
//!
//! Source: <https://www.postgresql.org/docs/current/sql-copy.html>, "Binary Format".

/// Signature, flags and the length of the header's extension.
const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";

/// The number of columns that ends the rows.
const END: i16 = -1;

/// The length of NULL.
const NULL: i32 = -1;

/// Rows with the same number of columns.
pub struct CopyRows {
    columns: i16,
    bytes: Vec<u8>,
}

impl CopyRows {
    /// No rows yet.
    pub fn new(columns: i16) -> Self {
        Self { columns, bytes: HEADER.to_vec() }
    }

    /// Begins a row, of which every column has to be pushed.
    pub fn begin_row(&mut self) {
        self.bytes.extend_from_slice(&self.columns.to_be_bytes());
    }

    /// Adds the value of the next column: a number in big-endian order, bytes, or the bytes of a text.
    pub fn push(&mut self, value: Option<&[u8]>) {
        let length = value.map_or(NULL, |value| value.len() as i32);
        self.bytes.extend_from_slice(&length.to_be_bytes());
        self.bytes.extend_from_slice(value.unwrap_or_default());
    }

    /// The rows as COPY takes them.
    pub fn finish(mut self) -> Vec<u8> {
        self.bytes.extend_from_slice(&END.to_be_bytes());
        self.bytes
    }
}

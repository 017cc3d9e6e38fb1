//! The headers of a request as one value: names and values alternately.

use super::values;
use crate::domain::event::Headers;

/// Packs headers.
pub fn pack(headers: &Headers) -> Vec<u8> {
    let mut packed = Vec::new();
    for (name, value) in headers.iter() {
        values::push(&mut packed, name.as_bytes());
        values::push(&mut packed, value);
    }
    packed
}

/// The headers of packed ones; the error says what is wrong with them.
pub fn unpack(packed: &[u8]) -> Result<Headers, String> {
    let mut values = values::Values::new(packed);
    let mut pairs = Vec::new();
    while !values.is_empty() {
        let name = String::from_utf8(values.take()?).map_err(|error| error.to_string())?;
        pairs.push((name, values.take()?));
    }
    Ok(Headers::new(pairs))
}

//! Which country a number belongs to according to `phonenumber`, which has the tables of Google's
//! libphonenumber. The generated table of countries must agree with it.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use phonenumber::metadata::DATABASE;

/// The lengths of numbers that can be in a country.
pub const LENGTHS: std::ops::RangeInclusive<usize> = 7..=15;

/// The digits that decide are these many, behind the calling codes that several countries share.
pub fn deciding(code: &str) -> usize {
    code.len() + if code == "1" { 4 } else { 5 }
}

/// What `phonenumber` says of a number of this length that begins with these digits and goes on with
/// twos.
pub fn by_phonenumber(begin: &str, length: usize) -> Option<String> {
    let number = format!("+{:2<length$}", &begin[..begin.len().min(length)]);
    let country = phonenumber::parse(None, number).ok()?.country().id()?;
    Some(country.as_ref().to_owned())
}

/// The countries of each calling code that has any.
pub static CALLING_CODES: LazyLock<BTreeMap<String, Vec<String>>> = LazyLock::new(|| {
    let regions = |code: u16| DATABASE.region(&code).unwrap_or_default();
    let names = |code| regions(code).iter().map(|region| (*region).to_owned()).collect::<Vec<_>>();
    let codes = (1..1000).map(|code| (code.to_string(), names(code)));
    codes.filter(|(_, names)| names.iter().any(|name| name != "001")).collect()
});

/// The version of `phonenumber` in use.
pub fn version() -> &'static str {
    let lock = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.lock"));
    let (_, package) = lock.split_once("name = \"phonenumber\"\nversion = \"").unwrap();
    package.split_once('"').unwrap().0
}

//! Masks the tags of messages. Senders choose names and values, so that both may be numbers.

use std::collections::BTreeMap;

use super::text::{self, Known, Part, Rule, masked_parts};
use super::{body, could_be_number};

/// The length of a date, `2026-11-25`.
const DATE_BYTES: usize = 10;

/// Masks the value of the tag with this name, without the addresses of the messages that have it. So digits
/// alone are masked as if they were the end of one; a date, `2026-11-25`, is not.
pub fn tag_value(name: &str, value: &str) -> String {
    let is_date =
        jiff::civil::Date::strptime("%Y-%m-%d", value).is_ok() && value.len() == DATE_BYTES;
    let is_number = !is_date && !value.contains(char::is_alphabetic);
    let known = Known::of(Some(value.as_bytes()).filter(|_| is_number));
    text::masked(value, body::rule_of(name), &known)
}

/// True if a tag may be shown masked, so that a search for it could confirm an address.
pub fn hides_tag(name: &str, value: &str) -> bool {
    hides_tag_name(name) || could_be_number(value) || tag_value(name, value) != value
}

/// True if the name of a tag may be shown masked: senders of messages choose names, too.
pub fn hides_tag_name(name: &str) -> bool {
    could_be_number(name)
}

/// Masks tags. They are masked together, as the query that they come from is: a number may be divided among
/// them.
pub(super) fn tags(
    tags: &BTreeMap<String, Vec<String>>,
    known: &Known,
) -> BTreeMap<String, Vec<String>> {
    let parts = tags.iter().flat_map(|(name, values)| {
        let values = values.iter().map(|value| Part::plain(value.as_bytes(), body::rule_of(name)));
        std::iter::once(Part::plain(name.as_bytes(), Rule::Text)).chain(values)
    });
    let masked = masked_parts(&parts.collect::<Vec<_>>(), known);
    let mut texts = masked.iter().map(|text| String::from_utf8_lossy(text).into_owned());
    let mut shown: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for values in tags.values() {
        let name = texts.next().unwrap_or_default();
        shown.entry(name).or_default().extend(texts.by_ref().take(values.len()));
    }
    shown
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_tags_value_alone_is_masked_as_if_it_were_the_end_of_an_address() {
        for (value, masked) in [
            ("8675310", "***5310"),
            ("867-5310", "***-5310"),
            ("+15558675310", "+*******5310"),
            ("20261125", "****1125"),
            ("2026-11-25", "2026-11-25"),
            ("17", "17"),
            ("867531", "867531"),
            ("A-8675310", "A-8675310"),
            ("3f2b8a94-52c1-4d0a-9e60-7a1f0c5d2b13", "3f2b8a94-52c1-4d0a-9e60-7a1f0c5d2b13"),
        ] {
            assert_eq!(super::tag_value("customer", value), masked, "{value}");
        }
    }
}

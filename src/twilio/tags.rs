//! The tags of a callback: the parameters of its URL's query, apart from Twilio's own.
//!
//! Moving text between the query and the body of a signed callback cannot forge them: `AccountSid` comes
//! first in the signed text after the URL, so it would be cut, and the event would not belong to the
//! account's message.

use super::form::{BODY_HASH, texts};
use crate::domain::message::tags::Tags;

/// The tags in a query, which is decoded like a form. Bytes that are not UTF-8 become U+FFFD.
pub fn parse(query: &str) -> Tags {
    let mut tags = Tags::default();
    for (name, value) in texts(query.as_bytes()) {
        if name != BODY_HASH {
            tags.insert(&name, &value);
        }
    }
    tags
}

#[cfg(test)]
mod tests {
    use super::parse;

    fn pairs(query: &str) -> Vec<(String, String)> {
        let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        parse(query).iter().map(owned).collect()
    }

    fn of(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn names_and_values_are_decoded_and_sorted() {
        assert_eq!(
            pairs("order=17&campaign=spring%20sale&campaign=a+b&flag"),
            of(&[("campaign", "a b"), ("campaign", "spring sale"), ("flag", ""), ("order", "17")])
        );
    }

    #[test]
    fn twilios_hash_of_the_body_is_no_tag() {
        assert_eq!(pairs("bodySHA256=0a&order=17"), of(&[("order", "17")]));
    }

    #[test]
    fn no_query_has_no_tags() {
        assert_eq!(pairs(""), []);
        assert_eq!(pairs("&&="), []);
    }
}

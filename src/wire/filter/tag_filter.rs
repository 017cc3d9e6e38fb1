//! Filters by tag: their parameters, and errors about tags that nothing can be found by.

use serde::de::{Deserialize, Deserializer, Error};

use crate::domain::message::tags::{IndexedTags, KNOWN_NAMES_MAX, NAME_BYTES_MAX, VALUE_BYTES_MAX};
use crate::domain::similar::suggestion;
use crate::wire::parameters::BadValue;

/// The maximum number of known names that an error lists.
const NAMES_LISTED_MAX: usize = 20;

/// Why messages cannot be found by a tag.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoSuchTag {
    /// No message has a tag with this name.
    #[error("no message has a tag `{}`{hint}", name.escape_debug())]
    Unknown {
        /// The name of the tag.
        name: String,
        /// Similar names, or those that there are.
        hint: String,
    },

    /// Messages have such a tag, but only a scan finds them.
    #[error(
        "the tag `{}` is not indexed, so that lists cannot find messages by it; add it to `names` in \
         [tags] of the configuration, or export messages with this filter, which reads all of them",
        name.escape_debug()
    )]
    NotIndexed {
        /// The name of the tag.
        name: String,
    },
}

/// Splits `order=17`, the value of a `--tag` flag, into name and value.
///
/// # Errors
///
/// The text has no `=`, or nothing before it.
pub fn parse(text: &str) -> Result<(String, String), BadValue> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err(BadValue::new("tag", text, "a name and a value, such as order=17")),
    }
}

/// Makes sure that messages can be found by these tags. `known` are the names of the tags that messages
/// have, and `indexed` those that can be found without reading all messages; `None` if all are read.
pub fn check_all(
    tags: &[(String, String)],
    known: &[String],
    indexed: Option<&IndexedTags>,
) -> Result<(), NoSuchTag> {
    for (name, _) in tags {
        if indexed.is_some_and(|indexed| !indexed.contains(name)) {
            return Err(NoSuchTag::NotIndexed { name: name.to_owned() });
        }
        check(name, known)?;
    }
    Ok(())
}

/// Makes sure that a message has a tag with this name. If there are more names than are remembered, any may
/// be one.
pub fn check(name: &str, known: &[String]) -> Result<(), NoSuchTag> {
    if known.len() >= KNOWN_NAMES_MAX || known.iter().any(|known| known == name) {
        return Ok(());
    }
    let similar = suggestion(name, known.iter().map(String::as_str));
    let hint = match known {
        [] => " yet; parameters in the query of a callback's URL are its tags".to_owned(),
        known if similar.is_empty() => {
            let more = if known.len() > NAMES_LISTED_MAX { " …" } else { "" };
            let listed = known[..known.len().min(NAMES_LISTED_MAX)].join(", ");
            format!("; there are {listed}{more}")
        }
        _ => similar,
    };
    Err(NoSuchTag::Unknown { name: name.to_owned(), hint })
}

/// Reads the parameters of filters by tag.
pub fn tags<'de, D: Deserializer<'de>>(values: D) -> Result<Vec<(String, String)>, D::Error> {
    let tags = std::collections::BTreeMap::<String, String>::deserialize(values)?;
    if tags.keys().any(|name| name.is_empty() || name.len() > NAME_BYTES_MAX) {
        let expected = format!("a tag, whose name has 1 to {NAME_BYTES_MAX} bytes");
        return Err(D::Error::custom(expected));
    }
    if tags.values().any(|value| value.len() > VALUE_BYTES_MAX) {
        return Err(D::Error::custom(format!("at most {VALUE_BYTES_MAX} bytes long")));
    }
    Ok(tags.into_iter().collect())
}

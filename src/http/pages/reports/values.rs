//! The values of a page's query, as a form sends them.

use std::collections::{BTreeMap, BTreeSet};

use crate::http::error::Problem;
use crate::http::query::given_twice;
use crate::wire::filter::MessageParameters;
use crate::wire::filter::tag_filter;
use crate::wire::parameters::{self, BadValue, TAG_PREFIX};

/// The parameters that are no filters.
const OWN: [&str; 11] = [
    "by",
    "since",
    "until",
    "clock",
    "time_zone",
    "compare",
    "tag",
    "to_prefix",
    "show",
    "row",
    "skip",
];

/// The values of a query: each name once, but both properties as `by`. Empty ones are left out.
pub struct Values {
    /// The properties, in one value or two.
    pub by: Vec<String>,
    others: BTreeMap<String, String>,
}

impl Values {
    /// Reads the query of a URL.
    pub fn read(query: &str) -> Result<Self, Problem> {
        let filters: Vec<_> = parameters::names::<MessageParameters>().collect();
        let is_known = |name: &str| {
            OWN.contains(&name)
                || filters.iter().any(|filter| filter == name)
                || name.starts_with(TAG_PREFIX)
        };
        let (mut by, mut others, mut seen) = (Vec::new(), BTreeMap::new(), BTreeSet::new());
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            let (name, value) = (name.into_owned(), value.trim().to_owned());
            let shown = name.escape_debug();
            if !is_known(&name) {
                let filters = filters.iter().map(String::as_str);
                let filters = filters.filter(|name| !OWN.contains(name));
                let known: Vec<_> = OWN.into_iter().chain(filters).collect();
                let known = known.join(", ");
                return Err(Problem::BadRequest(format!(
                    "there is no parameter `{shown}` here; there are {known}"
                )));
            }
            if name == "by" {
                by.push(value);
            } else if !seen.insert(name.clone()) {
                return Err(given_twice(&name));
            } else if !value.is_empty() {
                others.insert(name, value);
            }
        }
        Ok(Self { by, others })
    }

    /// A value; empty if there is none.
    pub fn take(&mut self, name: &str) -> String {
        self.others.remove(name).unwrap_or_default()
    }

    /// The values that are left, as filters of the API.
    pub fn filters(mut self) -> Result<BTreeMap<String, String>, Problem> {
        let (tag, prefix) = (self.take("tag"), self.take("to_prefix"));
        let mut add = |name: String, value: String| match self.others.insert(name.clone(), value) {
            None => Ok(()),
            Some(_) => {
                let shown = name.escape_debug();
                Err(Problem::BadRequest(format!("there are two filters by `{shown}`; choose one")))
            }
        };
        if !tag.is_empty() {
            let (name, value) = tag_filter::parse(&tag)?;
            add(format!("{TAG_PREFIX}{name}"), value)?;
        }
        if !prefix.is_empty() {
            // An unescaped + in a URL is read as a space, which is trimmed.
            let digits = prefix.trim_end_matches('*').trim_start_matches('+');
            if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
                let expected = "the first digits of a number, such as +49";
                return Err(BadValue::new("to_prefix", &prefix, expected).into());
            }
            add("to".to_owned(), format!("+{digits}*"))?;
        }
        Ok(self.others)
    }
}

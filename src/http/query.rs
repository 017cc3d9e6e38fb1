//! A request's query as names and values: each name once, and known.

use std::collections::BTreeMap;

use actix_web::web;

use super::error::Problem;
use crate::domain::Position;
use crate::domain::event::parse_position;
use crate::wire::filter::BadValue;

/// The parameters of a query by their names.
#[derive(Debug, Default)]
pub struct Query(BTreeMap<String, String>);

impl Query {
    /// Reads a query whose parameters are all among the known ones; an unknown or a doubled one is
    /// refused by name, since leaving it out would answer another question.
    pub fn read(query: &str, known: &[&str]) -> Result<Self, Problem> {
        let pairs = web::Query::<Vec<(String, String)>>::from_query(query)
            .map_err(|error| Problem::BadRequest(format!("the query cannot be read: {error}")))?;
        let mut parameters = BTreeMap::new();
        for (name, value) in pairs.into_inner() {
            let shown = name.escape_debug().to_string();
            if !known.contains(&name.as_str()) {
                let known = match known {
                    [] => "this path takes none".to_owned(),
                    known => format!("there are {}", known.join(", ")),
                };
                let detail = format!("there is no parameter `{shown}` here; {known}");
                return Err(Problem::BadRequest(detail));
            }
            if parameters.insert(name, value).is_some() {
                return Err(Problem::BadRequest(format!("parameter `{shown}` is given twice")));
            }
        }
        Ok(Self(parameters))
    }

    /// The value of a parameter, where it is given.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// Every parameter that is given.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// A position, where the parameter is given.
    pub fn position(&self, name: &str) -> Result<Option<Position>, Problem> {
        self.get(name).map(|text| position(name, text)).transpose()
    }

    /// A whole number within bounds; the default where the parameter is not given.
    pub fn number(&self, name: &str, default: u64, from: u64, to: u64) -> Result<u64, Problem> {
        let Some(text) = self.get(name) else { return Ok(default) };
        let number = text.parse().ok().filter(|number| (from..=to).contains(number));
        number.ok_or_else(|| {
            let text = text.escape_debug();
            Problem::BadRequest(format!("{name} `{text}` is not a number from {from} to {to}"))
        })
    }
}

/// A position, of which 0 is before the first: digits, also with commas as they are printed, and no
/// sign, which in a query is a blank or a slip.
pub fn position(name: &str, text: &str) -> Result<Position, Problem> {
    parse_position(text).ok_or_else(|| {
        let text = text.escape_debug();
        Problem::BadRequest(format!("{name} `{text}` is not a position, such as 42"))
    })
}

impl From<BadValue> for Problem {
    fn from(bad: BadValue) -> Self {
        Problem::BadRequest(bad.to_string())
    }
}

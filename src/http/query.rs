//! The query of a request, read strictly: every parameter is known and given once.

use std::collections::BTreeMap;
use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpMessage, HttpRequest, web};
use serde::{Deserialize, Deserializer, de};
use utoipa::IntoParams;

use super::access::returned::Returned;
use super::error::Problem;
use crate::domain::Position;
use crate::domain::event::parse_position;
use crate::wire::parameters::{self, BadValue, Parameters};

/// An endpoint's query parameters: one struct, or two if endpoints share one of them.
pub struct Query<T, U = NoParameters>(pub T, pub U);

/// The parameters of an endpoint that takes none.
#[derive(Deserialize, IntoParams)]
pub struct NoParameters {}

impl<T: Parameters, U: Parameters> FromRequest for Query<T, U> {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let query = request.query_string();
        let read = Self::parse(query);
        if let (Ok(_), Some(returned)) = (&read, request.extensions().get::<Returned>()) {
            let names = form_urlencoded::parse(query.as_bytes()).map(|(name, _)| name);
            returned.filter_by(names.collect::<Vec<_>>().iter().map(AsRef::as_ref));
        }
        ready(read)
    }
}

impl<T: Parameters, U: Parameters> Query<T, U> {
    /// Reads the query of a URL. Rejects unknown and repeated parameters by name: to ignore one would be to
    /// answer another question.
    pub fn parse(query: &str) -> Result<Self, Problem> {
        let known: Vec<_> = parameters::names::<T>().chain(parameters::names::<U>()).collect();
        let values = values(query)?;
        values.keys().try_for_each(|name| check_known(name, &known))?;
        Ok(Self(parameters::read(&values)?, parameters::read(&values)?))
    }
}

/// The values of a query by name.
///
/// # Errors
///
/// A parameter is given twice, or the query is not one.
pub fn values(query: &str) -> Result<BTreeMap<String, String>, Problem> {
    let pairs = web::Query::<Vec<(String, String)>>::from_query(query)
        .map_err(|error| Problem::BadRequest(format!("the query cannot be read: {error}")))?;
    let mut values = BTreeMap::new();
    for (name, value) in pairs.into_inner() {
        if values.contains_key(&name) {
            return Err(given_twice(&name));
        }
        values.insert(name, value);
    }
    Ok(values)
}

/// Reads a struct from values that are not in a query. Unknown names are rejected as there.
pub fn read_values<T: Parameters>(values: &BTreeMap<String, String>) -> Result<T, Problem> {
    let known: Vec<_> = parameters::names::<T>().collect();
    values.keys().try_for_each(|name| check_known(name, &known))?;
    Ok(parameters::read(values)?)
}

/// The problem that a parameter is given more than once.
pub fn given_twice(name: &str) -> Problem {
    Problem::BadRequest(format!("parameter `{}` is given twice", name.escape_debug()))
}

fn check_known(name: &str, known: &[String]) -> Result<(), Problem> {
    let is_tag = || name.starts_with(parameters::TAG_PREFIX);
    let takes_tags = || known.iter().any(|known| known == parameters::TAG_PARAMETER);
    if known.iter().any(|known| known == name) || is_tag() && takes_tags() {
        return Ok(());
    }
    let known = match known {
        [] => "this path takes none".to_owned(),
        known => format!("there are {}", known.join(", ")),
    };
    let shown = name.escape_debug();
    Err(Problem::BadRequest(format!("there is no parameter `{shown}` here; {known}")))
}

/// The number of rows on a page, for endpoints that list something.
#[derive(Debug, Clone, Copy)]
pub struct PageLimit(usize);

impl PageLimit {
    const DEFAULT: usize = 100;
    /// Some hundreds of kilobytes of JSON.
    const MAX: usize = 1000;

    pub fn rows(self) -> usize {
        self.0
    }
}

impl Default for PageLimit {
    fn default() -> Self {
        Self(Self::DEFAULT)
    }
}

impl<'de> Deserialize<'de> for PageLimit {
    fn deserialize<D: Deserializer<'de>>(value: D) -> Result<Self, D::Error> {
        let limit =
            String::deserialize(value)?.parse().ok().filter(|rows| (1..=Self::MAX).contains(rows));
        let expected = || de::Error::custom(format!("a number from 1 to {}", Self::MAX));
        limit.map(Self).ok_or_else(expected)
    }
}

/// A position outside of the query, such as in a path or a header; see [`parse_position`].
pub fn position(name: &str, text: &str) -> Result<Position, Problem> {
    Ok(parse_position(text).ok_or_else(|| BadValue::new(name, text, parameters::POSITION))?)
}

impl From<BadValue> for Problem {
    fn from(bad: BadValue) -> Self {
        Problem::BadRequest(bad.to_string())
    }
}

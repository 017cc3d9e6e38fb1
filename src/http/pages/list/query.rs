//! The query of the list of messages: the API's filters, as a form sends them, and what only the page knows.
//!
//! A form sends empty fields and a tag as one text. What remains after they are read is exactly a query of
//! `GET /v1/messages`, so that the page and the API cannot understand it differently.

use std::collections::BTreeMap;

use form_urlencoded::Serializer;

use crate::domain::Timestamp;
use crate::domain::rollup::Hour;
use crate::http::error::Problem;
use crate::http::pages::frame::range::minute;
use crate::http::query::given_twice;
use crate::wire::filter::tag_filter;
use crate::wire::parameters::{BadValue, TAG_PREFIX};

/// The rows of a page, unless the query says otherwise: what is looked through at once.
pub const ROWS: usize = 30;

/// The period of a list without filters that find few messages: a day, which roll-ups count.
const HOURS_DEFAULT: i64 = 24;

/// Filters that find few messages, so that older ones are wanted too.
const SELECTIVE: [&str; 5] = ["address", "to", "from", "account_sid", "messaging_service_sid"];

/// The filter of a number that may be the recipient's or the sender's.
pub const EITHER: &str = "address";

/// Which of the optional columns are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Columns {
    pub tags: bool,
    pub events: bool,
    pub sid: bool,
}

impl Default for Columns {
    fn default() -> Self {
        Self { tags: true, events: true, sid: false }
    }
}

/// The query of the page.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ListQuery {
    /// The API's filters by name.
    filters: BTreeMap<String, String>,
    /// `None` if the query does not choose them.
    columns: Option<Columns>,
    limit: Option<String>,
    after: Option<String>,
    /// The text of the search box.
    pub search: Option<String>,
}

impl ListQuery {
    /// Reads the query of a URL. Without one, it is the last day, from a whole hour on.
    pub fn parse(query: &str, now: Timestamp) -> Result<Self, Problem> {
        let mut read = Self::default();
        let (mut side, mut has_period) = (None, false);
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            has_period |= matches!(&*name, "since" | "until");
            let value = value.trim();
            match &*name {
                "columns" => read.choose_columns(value)?,
                _ if value.is_empty() => {}
                "q" => set(&mut read.search, &name, value)?,
                "side" => set(&mut side, &name, is_side(value)?)?,
                "tag" => {
                    let (name, value) = tag_filter::parse(value)?;
                    read.add(format!("{TAG_PREFIX}{name}"), value)?;
                }
                "limit" => set(&mut read.limit, &name, value)?,
                "after" => set(&mut read.after, &name, value)?,
                _ => read.add(name.to_string(), value.to_owned())?,
            }
        }
        let side = side.unwrap_or_else(|| EITHER.to_owned());
        // Next to other filters a text is a number: the search box alone finds more.
        if read.search.is_some() && (side != EITHER || !read.filters.is_empty()) {
            read.filters.extend(read.search.take().map(|number| (side, number)));
        }
        if !has_period && !read.is_selective() {
            let since = Hour(Hour::from_timestamp(now).0 - HOURS_DEFAULT + 1);
            read.filters.insert("since".to_owned(), minute(since.start()));
        }
        Ok(read)
    }

    /// The list of messages with these filters of the API.
    pub fn with_filters<'a>(filters: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        Self { filters: filters.into_iter().map(owned).collect(), ..Self::default() }
    }

    /// The query of `GET /v1/messages` that lists the same messages.
    pub fn api(&self) -> String {
        let rows = ROWS.to_string();
        let limit = self.limit.as_deref().unwrap_or(&rows);
        let after = self.after.iter().map(|after| ("after", after.as_str()));
        written(self.filters().chain([("limit", limit)]).chain(after))
    }

    /// The filters as the query of an export or a report.
    pub fn filters_only(&self) -> String {
        written(self.filters())
    }

    /// The filters by name.
    pub fn filters(&self) -> impl Iterator<Item = (&str, &str)> {
        self.filters.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The value of a filter; empty if it is not set, as a form shows it.
    pub fn value(&self, name: &str) -> &str {
        self.filters.get(name).map_or("", String::as_str)
    }

    /// The tags that are filtered by, as `name=value`.
    pub fn tags(&self) -> impl Iterator<Item = (&str, &str)> {
        self.filters().filter_map(|(name, value)| Some((name.strip_prefix(TAG_PREFIX)?, value)))
    }

    /// The columns that are shown.
    pub fn columns(&self) -> Columns {
        self.columns.unwrap_or_default()
    }

    /// True if this is not the first page.
    pub fn is_continued(&self) -> bool {
        self.after.is_some()
    }

    /// The path and query of the first page with another value of a filter.
    pub fn with(&self, name: &str, value: &str) -> String {
        let mut filters = self.filters.clone();
        filters.insert(name.to_owned(), value.to_owned());
        Self { filters, after: None, ..self.clone() }.target()
    }

    /// The path and query of the first page without a filter.
    pub fn without(&self, name: &str) -> String {
        let mut filters = self.filters.clone();
        filters.remove(name);
        if name == "since" {
            // Without a parameter for the period, it would be the last day again.
            filters.insert(name.to_owned(), String::new());
        }
        Self { filters, after: None, ..self.clone() }.target()
    }

    /// The path and query of the first page of another tab: at most one of `status` and `open` is set.
    pub fn with_status(&self, name: &str, value: &str) -> String {
        let mut query = self.without_tab();
        query.filters.insert(name.to_owned(), value.to_owned());
        query.target()
    }

    /// The path and query of the first page of all statuses.
    pub fn without_status(&self) -> String {
        self.without_tab().target()
    }

    fn without_tab(&self) -> Self {
        let mut query = Self { after: None, ..self.clone() };
        query.filters.retain(|name, _| !["status", "open"].contains(&name.as_str()));
        query
    }

    /// The path and query of the page after this cursor.
    pub fn after(&self, cursor: &str) -> String {
        Self { after: Some(cursor.to_owned()), ..self.clone() }.target()
    }

    /// The path and query of the first page.
    pub fn first(&self) -> String {
        Self { after: None, ..self.clone() }.target()
    }

    /// The path and query of this page.
    pub fn target(&self) -> String {
        let columns = self.columns.map(Columns::written);
        let others = [("columns", &columns), ("limit", &self.limit), ("after", &self.after)];
        let others = others.into_iter().filter_map(|(name, value)| Some((name, value.as_deref()?)));
        format!("/messages?{}", written(self.filters().chain(others)))
    }

    fn add(&mut self, name: String, value: String) -> Result<(), Problem> {
        match self.filters.contains_key(&name) {
            true => Err(given_twice(&name)),
            false => {
                self.filters.insert(name, value);
                Ok(())
            }
        }
    }

    fn is_selective(&self) -> bool {
        self.filters
            .keys()
            .any(|name| SELECTIVE.contains(&name.as_str()) || name.starts_with(TAG_PREFIX))
    }

    fn choose_columns(&mut self, names: &str) -> Result<(), Problem> {
        let none = Columns { tags: false, events: false, sid: false };
        let columns = self.columns.get_or_insert(none);
        for name in names.split(',') {
            match name {
                "tags" => columns.tags = true,
                "events" => columns.events = true,
                "sid" => columns.sid = true,
                // A form sends it, so that no chosen column differs from no choice.
                "none" => {}
                other => return Err(BadValue::new("columns", other, "tags, events or sid").into()),
            }
        }
        Ok(())
    }
}

impl Columns {
    fn written(self) -> String {
        let Self { tags, events, sid } = self;
        let names = [(tags, "tags"), (events, "events"), (sid, "sid")];
        let shown: Vec<_> = names.iter().filter(|(is, _)| *is).map(|(_, name)| *name).collect();
        if shown.is_empty() { "none".to_owned() } else { shown.join(",") }
    }
}

/// Sets the value of a parameter that has none yet.
fn set(value: &mut Option<String>, name: &str, given: impl Into<String>) -> Result<(), Problem> {
    match value.replace(given.into()) {
        Some(_) => Err(given_twice(name)),
        None => Ok(()),
    }
}

fn is_side(value: &str) -> Result<String, Problem> {
    match value {
        EITHER | "to" | "from" => Ok(value.to_owned()),
        other => Err(BadValue::new("side", other, "address, to or from").into()),
    }
}

fn written<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    Serializer::new(String::new()).extend_pairs(pairs).finish()
}

#[cfg(test)]
mod tests {
    use super::{Columns, ListQuery};
    use crate::domain::Timestamp;

    fn read(query: &str) -> ListQuery {
        let now = Timestamp::parse("2026-11-25T14:56:20Z").unwrap();
        ListQuery::parse(query, now).unwrap()
    }

    #[test]
    fn without_a_query_it_is_the_last_day_in_whole_hours() {
        assert_eq!(read("").api(), "since=2026-11-24+15%3A00Z&limit=30");
        assert_eq!(read("status=failed").api(), "since=2026-11-24+15%3A00Z&status=failed&limit=30");
        assert_eq!(read("since=&until=").api(), "limit=30", "an empty field is no condition");
        assert_eq!(read("to=*0147").api(), "to=*0147&limit=30", "few messages: also old ones");
    }

    #[test]
    fn a_form_is_read_as_a_query_of_the_api() {
        let form = "q=%2B1312&side=from&error_code=&tag=order%3D17&channel=&since=7d&columns=none&columns=sid";
        let query = read(form);
        assert_eq!(query.api(), "from=%2B1312&since=7d&tag.order=17&limit=30");
        assert_eq!(query.columns(), Columns { tags: false, events: false, sid: true });
        assert_eq!(query.target(), "/messages?from=%2B1312&since=7d&tag.order=17&columns=sid");
    }

    #[test]
    fn links_keep_the_other_filters_and_begin_at_the_first_page() {
        let query = read("status=failed&since=7d&after=x");
        assert_eq!(query.with("channel", "sms"), "/messages?channel=sms&since=7d&status=failed");
        assert_eq!(query.with_status("open", "true"), "/messages?open=true&since=7d");
        assert_eq!(query.without("status"), "/messages?since=7d");
        assert_eq!(query.without("since"), "/messages?since=&status=failed");
        assert_eq!(query.after("y"), "/messages?since=7d&status=failed&after=y");
    }
}

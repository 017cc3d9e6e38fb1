//! What a report page is asked: the parameters of `GET /v1/reports/delivery`, as a form sends them, and how the
//! table is shown.
//!
//! A form sends empty fields, both properties as `by`, and a tag as one text. The filters that remain after they
//! are read are exactly those of the API.

use std::collections::BTreeMap;

use form_urlencoded::Serializer;

use super::comparison::Compare;
use super::period::period;
use super::values::Values;
use crate::domain::time::zone::Zone;
use crate::domain::{Status, Timestamp};
use crate::http::error::Problem;
use crate::report::{Clock, Dimension, InvalidDimensions, Period};
use crate::wire::parameters::{BadValue, TAG_PREFIX};

/// The path of the page.
pub const PATH: &str = "/reports";

/// The properties of the first visit.
const BY_DEFAULT: [Dimension; 2] = [Dimension::Country, Dimension::Day];

/// What the form sends for no second property.
const NONE: &str = "none";

/// The statuses of which all are failures.
const FAILURES: [Status; 2] = [Status::Undelivered, Status::Failed];

/// The figure in each cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Show {
    Rate,
    Failures,
    /// The rate's difference to that of the row before, in points.
    Change,
    /// The 95th percentile of the time from sent to delivered.
    P95,
    Segments,
    Price,
    /// The click rate.
    Clicked,
    /// The rate of confirmed messages.
    Converted,
}

/// A question.
#[derive(Debug, Clone)]
pub struct Question {
    /// The properties of the rows and, if there are any, of the columns.
    pub by: Vec<Dimension>,
    /// The API's filters by name, other than the period.
    pub filters: BTreeMap<String, String>,
    /// The ends of the period as they were written; empty if they were not.
    pub since: String,
    pub until: String,
    pub clock: Clock,
    pub zone: Zone,
    /// The zone as it was written; empty for the default.
    pub zone_written: String,
    pub period: Period,
    pub compare: Compare,
    /// The period that it is compared with.
    pub compared: Option<Period>,
    /// The chosen figure; `None` for what suits the properties.
    pub(super) show: Option<Show>,
    /// The key of the row in the chart.
    pub row: Option<String>,
    /// How many columns are left out before the first one: the newest, or those with most messages.
    pub skip: usize,
}

impl Show {
    /// Every figure, in the order in which they are offered.
    pub const ALL: [Self; 8] = [
        Self::Rate,
        Self::Failures,
        Self::Change,
        Self::P95,
        Self::Segments,
        Self::Price,
        Self::Clicked,
        Self::Converted,
    ];

    /// The value of the parameter, and the name on the page.
    pub fn name(self) -> &'static str {
        match self {
            Self::Rate => "rate",
            Self::Failures => "failures",
            Self::Change => "change",
            Self::P95 => "p95",
            Self::Segments => "segments",
            Self::Price => "price",
            Self::Clicked => "clicked",
            Self::Converted => "converted",
        }
    }

    fn parse(text: &str) -> Result<Self, Problem> {
        Self::ALL.into_iter().find(|show| show.name() == text).ok_or_else(|| {
            let names = Self::ALL.map(Self::name).join(", ");
            BadValue::new("show", text, format!("one of {names}")).into()
        })
    }
}

impl Question {
    /// Reads the query of a URL.
    ///
    /// # Errors
    ///
    /// A parameter is unknown or given twice, or its value is invalid; which, and what would be right.
    pub fn parse(query: &str, now: Timestamp, default_zone: &Zone) -> Result<Self, Problem> {
        let mut values = Values::read(query)?;
        let by = properties(&values.by)?;
        let zone_written = values.take("time_zone");
        let zone = match zone_written.as_str() {
            "" => default_zone.clone(),
            name => Zone::parse(name)
                .map_err(|unknown| BadValue::new("time_zone", name, unknown.expected()))?,
        };
        let clock = match values.take("clock") {
            name if name.is_empty() => Clock::default(),
            name => {
                Clock::parse(&name).ok_or_else(|| BadValue::new("clock", &name, Clock::EXPECTED))?
            }
        };
        let (since, until) = (values.take("since"), values.take("until"));
        let period = period(&by, [&since, &until], now, &zone)?;
        let compare = Compare::parse(&values.take("compare"))?;
        let compared = compare.period(&by, period, &zone, now)?;
        let some = |text: String| Some(text).filter(|text| !text.is_empty());
        let show = some(values.take("show")).map(|show| Show::parse(&show)).transpose()?;
        let row = some(values.take("row"));
        let skip = some(values.take("skip")).map_or(Ok(0), |skip| {
            let expected = "a number of columns, such as 12";
            skip.parse().map_err(|_| BadValue::new("skip", &skip, expected))
        })?;
        Ok(Self {
            by,
            filters: values.filters()?,
            since,
            until,
            clock,
            zone,
            zone_written,
            period,
            compare,
            compared,
            show,
            row,
            skip,
        })
    }

    /// The property of the columns, if there is one.
    pub fn columns(&self) -> Option<&Dimension> {
        self.by.get(1)
    }

    /// True if the report is about failures alone, so that rates say nothing.
    pub fn is_about_failures(&self) -> bool {
        let is_failure = |by: &Dimension| matches!(by, Dimension::ErrorCode | Dimension::Fault);
        self.by.iter().any(is_failure)
            || self.filters.contains_key("error_code")
            || FAILURES.iter().any(|status| status.name() == self.value("status"))
    }

    /// The figure in each cell.
    pub fn show(&self) -> Show {
        let usual = if self.is_about_failures() { Show::Failures } else { Show::Rate };
        // A report by one property has the other figures next to it.
        self.show.filter(|_| self.columns().is_some()).unwrap_or(usual)
    }

    /// The value of a filter; empty if it is not set.
    pub fn value(&self, name: &str) -> &str {
        self.filters.get(name).map_or("", String::as_str)
    }

    /// The filters by tag.
    pub fn tags(&self) -> impl Iterator<Item = (&str, &str)> {
        let filters = self.filters.iter();
        filters.filter_map(|(name, value)| Some((name.strip_prefix(TAG_PREFIX)?, value.as_str())))
    }

    /// The first digits of the recipient's number that the form shows; empty if none are chosen.
    pub fn to_prefix(&self) -> &str {
        let prefix = self.value("to").strip_suffix('*').filter(|digits| digits.starts_with('+'));
        prefix.unwrap_or_default()
    }

    /// The filters as the query of `GET /v1/messages`.
    pub fn filter_query(&self) -> String {
        Serializer::new(String::new()).extend_pairs(&self.filters).finish()
    }
}

/// The properties of rows and columns, from one list or from two fields.
fn properties(values: &[String]) -> Result<Vec<Dimension>, Problem> {
    let names = values.iter().flat_map(|value| value.split(',')).map(str::trim);
    let names: Vec<_> = names.filter(|name| !name.is_empty() && *name != NONE).collect();
    let bad = |bad: InvalidDimensions| Problem::BadRequest(format!("by: {bad}"));
    let by = match &names[..] {
        [] => BY_DEFAULT.to_vec(),
        [one, other] if one == other => {
            let one = one.escape_debug();
            return Err(Problem::BadRequest(format!(
                "by: rows and columns are both by `{one}`; choose another property for one of them, \
                 or none for the columns"
            )));
        }
        names => Dimension::parse_list(&names.join(",")).map_err(bad)?,
    };
    match &by[..] {
        [one, other] if determines(one, other) || determines(other, one) => {
            let (one, other) = (one.name(), other.name());
            Err(Problem::BadRequest(format!(
                "by: of `{one}` and `{other}` the shorter is always within one of the longer, so that \
                 most cells would be empty; choose one of them, and another property or none"
            )))
        }
        _ => Ok(by),
    }
}

/// True if the value of a time determines that of another one: an hour is in one day.
fn determines(one: &Dimension, other: &Dimension) -> bool {
    let periods = one.is_period() && other.is_period();
    let hours = *one == Dimension::Hour && *other == Dimension::HourOfDay;
    let days = matches!(one, Dimension::Hour | Dimension::Day) && *other == Dimension::Weekday;
    periods || hours || days
}

#[cfg(test)]
mod tests {
    use super::{Question, Show};
    use crate::domain::Timestamp;
    use crate::domain::time::zone::Zone;

    fn read(query: &str) -> Result<Question, String> {
        let now = Timestamp::parse("2026-11-25T14:56:20Z").unwrap();
        Question::parse(query, now, &Zone::default()).map_err(|problem| problem.to_string())
    }

    fn ok(query: &str) -> Question {
        read(query).unwrap()
    }

    #[test]
    fn without_a_query_it_is_country_by_day_of_seven_days() {
        let question = ok("");
        assert_eq!(question.by_names(), "country,day");
        let Question { period, compared, .. } = question;
        assert_eq!(period.since.to_string(), "2026-11-19T00:00:00.000000Z");
        assert_eq!(period.until.to_string(), "2026-11-25T15:00:00.000000Z");
        assert_eq!(compared.unwrap().until.to_string(), "2026-11-18T15:00:00.000000Z");
        let since = |query| ok(query).period.since.to_string()[..13].to_owned();
        assert_eq!(since("by=channel&by=week"), "2026-10-05T00", "eight weeks");
        assert_eq!(since("by=month"), "2026-06-01T00", "six months");
        assert_eq!(since("by=country,hour"), "2026-11-25T00", "today");
        assert_eq!(since("since=90m"), "2026-11-25T13", "whole hours");
    }

    #[test]
    fn a_form_is_read_as_a_question_of_the_api() {
        let form = "by=country&by=week&since=2026-10-05&until=&time_zone=Europe/Berlin&compare=previous\
                    &tag=campaign%3Dspring&country=&to_prefix=%2B49&channel=sms&show=failures";
        let question = ok(form);
        assert_eq!(question.show(), Show::Failures);
        assert_eq!(question.filter_query(), "channel=sms&tag.campaign=spring&to=%2B49*");
        assert_eq!(question.to_prefix(), "+49");
        assert_eq!(
            question.target(),
            "/reports?by=country%2Cweek&since=2026-10-05&time_zone=Europe%2FBerlin&show=failures\
             &channel=sms&tag.campaign=spring&to=%2B49*"
        );
        assert_eq!(
            question.command(),
            "delivery-ledger report --by country,week --since 2026-10-05 --time-zone Europe/Berlin \
             --compare 2026-08-10..2026-09-30T16:00 --channel sms --tag campaign=spring --to '+49*'"
        );
        let same = ok(question.target().split_once('?').unwrap().1);
        assert_eq!((same.api(), same.target()), (question.api(), question.target()));
    }

    #[test]
    fn what_cannot_be_asked_is_explained() {
        for (query, expected) in [
            ("by=planet", "by: `planet` is not a property; there are day, hour,"),
            ("by=country,day,channel", "by: a report has at most two properties"),
            ("by=day&by=day", "by: rows and columns are both by `day`; choose another"),
            (
                "by=day,week",
                "by: of `day` and `week` the shorter is always within one of the longer",
            ),
            ("by=weekday,day", "by: of `weekday` and `day` the shorter"),
            ("channel=sms&channel=rcs", "parameter `channel` is given twice"),
            ("since=1d&since=", "parameter `since` is given twice"),
            ("colour=red", "there is no parameter `colour` here; there are by, since,"),
            ("tag.NAME.x=1&tag=a%3D1&tag.a=2", "there are two filters by `tag.a`; choose one"),
            ("time_zone=Europe/Berlim", "time_zone `Europe/Berlim` is not a time zone"),
            ("compare=last", "compare `last` is not previous, year, none, or SINCE..UNTIL"),
            ("compare=1h..2h", "exchange the two"),
            ("since=1h&until=2h", "exchange the two"),
            ("since=soon", "since `soon` is not a time"),
            ("show=all", "show `all` is not one of rate, failures, change, p95, segments"),
            ("clock=wall", "clock `wall` is not `ledger` or `twilio`"),
            ("skip=-1", "skip `-1` is not a number of columns"),
            ("to_prefix=ACME", "to_prefix `ACME` is not the first digits of a number"),
            ("tag=order", "tag `order` is not a name and a value"),
        ] {
            let problem = read(query).expect_err(query);
            assert!(problem.contains(expected), "{query}: {problem}");
        }
        assert!(read("by=weekday,hour-of-day").is_ok(), "most cells have messages");
        assert!(read("by=day,hour-of-day").is_ok());
    }

    #[test]
    fn words_of_a_command_are_quoted() {
        let command = ok("tag=a%3Dit's%20$x").command();
        assert!(command.ends_with("--tag 'a=it'\\''s $x'"), "{command}");
        assert!(ok("late=true").command().ends_with("--late=true"));
    }
}

//! The words of a report page.

use std::collections::BTreeMap;

use super::comparison::Compare;
use super::details;
use super::question::Show;
use super::sentence::{Fall, Level, Sentence, all_words, by_words};
use super::table::COLUMNS_MAX;
use super::view::{RowView, Scale};
use super::words::{name, plural};
use super::{ReportPage, SparkBar, form};
use crate::domain::Timestamp;
use crate::http::pages::frame::filters::{count_of, rate_of};
use crate::http::pages::frame::range::with_query;
use crate::report::{Clock, Dimension, Figures, Period};
use crate::text::capitalised;
use crate::wire::parameters::TAG_PREFIX;

/// The part of a step that a bar leaves free on each side.
const GAP: f64 = 0.12;

const HOUR_MICROS: i64 = 3_600_000_000;

/// The filters that roll-ups do not have.
const SCANNING: [&str; 8] =
    ["from", "to", "address", "messaging_service_sid", "conflict", "late", "duplicate", "stuck"];

impl ReportPage {
    /// The title: the sentence in short.
    pub fn headline(&self) -> String {
        let by = by_words(&self.question.by);
        match &self.sentence {
            Sentence::Nothing => "No message arrived in this period".to_owned(),
            Sentence::Fell(fall) => {
                format!("Deliveries{} fell to {}{}", fall.which, rate_of(fall.rate), fall.when)
            }
            Sentence::Usual(None) => format!("Deliveries by {by}: no outcome yet"),
            Sentence::Usual(rate) if self.rate_before().is_some() => {
                format!("Deliveries by {by}: {}, as usual", rate_of(*rate))
            }
            Sentence::Usual(rate) => format!("Deliveries by {by}: {}", rate_of(*rate)),
            Sentence::Failures(_) => {
                format!("Failures by {by}: {}", count_of(self.table.total.all.now.not_reached()))
            }
        }
    }

    /// The figures of the period that everything is compared with.
    fn before(&self) -> Option<&Figures> {
        self.table.total.all.before.as_ref()
    }

    pub fn rate_before(&self) -> Option<f64> {
        self.before()?.delivery_rate()
    }

    pub fn failures_before(&self) -> Option<i64> {
        Some(self.before()?.not_reached())
    }

    /// True if there were messages in the period compared with.
    pub fn had_messages(&self) -> bool {
        self.before().is_some_and(|before| before.messages() > 0)
    }

    pub fn by_words(&self) -> String {
        by_words(&self.question.by)
    }

    pub fn all_words(&self) -> String {
        all_words(&self.question.by)
    }

    /// What else fell.
    pub fn further_words(&self, fall: &Fall) -> String {
        let by = &self.question.by;
        match (fall.level, fall.further) {
            (Level::Cell | Level::Column, 0) => {
                format!(" All other {} are within chance.", all_words(by))
            }
            (Level::Row, 0) => match self.question.columns() {
                Some(by) => format!(" No single {} is beyond chance.", name(by)),
                None => format!(" All other {} are within chance.", all_words(by)),
            },
            (Level::All, _) => {
                format!(" No single {} is beyond chance.", by_words(by).replace(" and ", " or "))
            }
            (_, 1) => " Another figure is marked below.".to_owned(),
            (_, further) => format!(" {} further figures are marked below.", count_of(further)),
        }
    }

    /// The name of the rows' property, as the head of their column.
    pub fn row_name(&self) -> String {
        capitalised(&name(&self.question.by[0]))
    }

    /// The figure in the cells.
    pub fn figure_name(&self) -> &'static str {
        match self.question.show() {
            Show::Rate => "Delivery rate",
            Show::Failures => "Failures",
            Show::Change => "Change of the delivery rate",
            Show::P95 => "Time from sent to delivered (p95)",
            show => details::of_show(show).map_or("", |detail| detail.name),
        }
    }

    /// The period: `Mon 5 Oct 2026 00:00 to Wed 25 Nov 15:56`.
    pub fn span(&self) -> String {
        let Period { since, until } = self.question.period;
        let local = |time: Timestamp, format: &str| {
            self.question.zone.local(time).strftime(format).to_string()
        };
        let is_midnight = |time: Timestamp| local(time, "%H:%M") == "00:00";
        let since = match is_midnight(since) {
            true => local(since, "%a %-d %b"),
            false => local(since, "%a %-d %b %H:%M"),
        };
        let until = match until {
            until if until > self.page.now => local(self.page.now, "%a %-d %b %H:%M"),
            // The last day, not the midnight after it.
            until if is_midnight(until) => {
                local(Timestamp::from_micros(until.micros() - 1), "%a %-d %b %Y")
            }
            until => local(until, "%a %-d %b %Y %H:%M"),
        };
        format!("{since} to {until}")
    }

    /// The length of the period: `8 weeks`, `7 days`, `15 hours`.
    pub fn length(&self) -> String {
        let question = &self.question;
        for by in [Dimension::Month, Dimension::Week] {
            let steps = match question.by.contains(&by) {
                true => by.steps(question.period, &question.zone, COLUMNS_MAX * 10),
                false => None,
            };
            if let Some(steps) = steps
                && steps.first().is_some_and(|first| first.part.since == first.whole.since)
            {
                return several(steps.len() as i64, by.kind());
            }
        }
        let Period { since, until } = question.period;
        let (from, to) = (question.zone.local(since), question.zone.local(until));
        let midnight = jiff::civil::Time::midnight();
        let days = from.date().duration_until(to.date()).as_hours() / 24;
        let days = days + i64::from(to.time() > midnight);
        match from.time() == midnight && !(days == 1 && question.by.contains(&Dimension::Hour)) {
            true => several(days, "day"),
            false => match (until.micros() - since.micros()) / HOUR_MICROS {
                hours if hours > 2 * 24 => several((hours + 12) / 24, "day"),
                hours => several(hours, "hour"),
            },
        }
    }

    /// When it was as it is compared with: `in the 7 days before`.
    pub fn before_words(&self) -> String {
        match self.question.compare {
            Compare::Year => "a year ago".to_owned(),
            Compare::Previous if self.length().starts_with("1 ") => self.other_period(),
            _ => format!("in {}", self.other_period()),
        }
    }

    /// The period that it is compared with: `the 7 days before`.
    pub fn other_period(&self) -> String {
        match self.question.compare {
            Compare::Previous | Compare::Nothing => {
                format!("the {} before", self.length().trim_start_matches("1 "))
            }
            Compare::Year => "a year ago".to_owned(),
            Compare::With(_) => "the period compared with".to_owned(),
        }
    }

    /// The choices of `compare` with their names.
    pub fn comparisons(&self) -> Vec<(String, String)> {
        let length = self.length();
        let mut choices = vec![
            ("previous".to_owned(), format!("{length} before")),
            ("year".to_owned(), "a year ago".to_owned()),
            ("none".to_owned(), "nothing".to_owned()),
        ];
        if let Compare::With(period) = &self.question.compare {
            choices.push((period.clone(), period.clone()));
        }
        choices
    }

    /// The question in short.
    pub fn summary(&self) -> String {
        let question = &self.question;
        let by: Vec<_> = question.by.iter().map(name).collect();
        let mut parts = vec![by.join(" by "), self.length(), question.zone.name().to_owned()];
        if question.clock == Clock::Twilio {
            parts.push("Twilio’s clock".to_owned());
        }
        for (name, value) in &question.filters {
            parts.push(match name.strip_prefix(TAG_PREFIX) {
                Some(tag) => format!("{tag}={value}"),
                None => format!("{} {value}", name.replace('_', " ")),
            });
        }
        parts.join(", ")
    }

    /// The beginning of the period, if it was not chosen.
    pub fn since_placeholder(&self) -> String {
        self.question.zone.local(self.question.period.since).strftime("%Y-%m-%d").to_string()
    }

    /// The first tag that is filtered by, as `name=value`.
    pub fn tag(&self) -> String {
        let first = self.question.tags().next();
        first.map_or(String::new(), |(name, value)| format!("{name}={value}"))
    }

    pub fn channels(&self) -> Vec<&str> {
        form::channels(&self.question)
    }

    /// What the form keeps without a field.
    pub fn hidden(&self) -> Vec<(&str, &str)> {
        let show = self.question.show.map(|show| ("show", show.name()));
        form::hidden(&self.question).into_iter().chain(show).collect()
    }

    /// The small chart of a row.
    pub fn spark_bars(&self, row: &RowView) -> Vec<SparkBar> {
        let step = 1.0 / row.cells.len().max(1) as f64;
        let bars = row.cells.iter().enumerate().filter_map(|(place, cell)| {
            let height = cell.bar?;
            Some(SparkBar {
                x: (place as f64 + GAP) * step,
                width: (1.0 - 2.0 * GAP) * step,
                y: 1.0 - height,
                height,
                is_worse: cell.is_worse,
            })
        });
        bars.collect()
    }

    /// What the bars of the cells show.
    pub fn scale_words(&self) -> String {
        match self.scale {
            Scale::Share(share) => {
                format!("share failed, 0 to {:.0}\u{a0}% in every cell", share * 100.0)
            }
            Scale::Failures(most) => {
                format!("failures, 0 to {} in every cell", count_of(most))
            }
        }
    }

    /// The number of all columns.
    pub fn columns_words(&self) -> String {
        self.number_of_columns(self.table.columns_in_all)
    }

    /// What a narrow window can unfold.
    pub fn shown_columns_words(&self) -> String {
        match self.columns.len() < self.table.columns_in_all {
            true => self.number_of_columns(self.columns.len()),
            false => format!("all {}", self.columns_words()),
        }
    }

    fn number_of_columns(&self, number: usize) -> String {
        match (self.question.columns(), number) {
            (Some(by), 1) => format!("1 {}", name(by)),
            (Some(by), number) => format!("{} {}", count_of(number), plural(by)),
            (None, _) => String::new(),
        }
    }

    fn is_by_period(&self) -> bool {
        self.question.columns().is_some_and(Dimension::is_period)
    }

    /// The path and query of the columns to the left, and the link's words.
    pub fn columns_before(&self) -> Option<(String, &'static str)> {
        let skip = self.question.skip;
        match self.is_by_period() {
            true => (self.table.columns_before > 0)
                .then(|| (self.question.skipping(skip + COLUMNS_MAX), "Older")),
            false => (skip > 0)
                .then(|| (self.question.skipping(skip.saturating_sub(COLUMNS_MAX)), "Previous")),
        }
    }

    /// The path and query of the columns to the right, and the link's words.
    pub fn columns_after(&self) -> Option<(String, &'static str)> {
        let skip = self.question.skip;
        let end = self.table.columns_before + self.columns.len();
        match self.is_by_period() {
            true => (skip > 0)
                .then(|| (self.question.skipping(skip.saturating_sub(COLUMNS_MAX)), "Newer")),
            false => (end < self.table.columns_in_all)
                .then(|| (self.question.skipping(skip + COLUMNS_MAX), "Next")),
        }
    }

    /// The rows that are not shown.
    pub fn others_words(&self) -> String {
        let number = self.table.others.as_ref().map_or(0, |others| others.number);
        let number = count_of(number);
        match self.question.by[0].is_period() {
            true => format!("{number} earlier"),
            false if number == "1" => "1 other".to_owned(),
            false => format!("{number} others"),
        }
    }

    /// The path and query of all rows as CSV.
    pub fn csv(&self) -> String {
        format!("{}&format=csv", self.question.api())
    }

    /// The path and query of the messages as a file, pinned to the position of the report.
    pub fn export(&self, format: &str) -> String {
        let Period { since, until } = self.question.period;
        let mut parameters: BTreeMap<&str, String> = BTreeMap::new();
        let filters = self.question.filters.iter();
        parameters.extend(filters.map(|(name, value)| (name.as_str(), value.clone())));
        parameters.insert("since", since.to_string());
        parameters.insert("until", until.to_string());
        parameters.insert("format", format.to_owned());
        let position = self.page.as_of.map(|position| position.to_string());
        parameters.extend(position.map(|position| ("as_of_position", position)));
        let parameters = parameters.iter().map(|(name, value)| (*name, value.as_str()));
        with_query("/v1/exports/messages", parameters)
    }

    /// The title of the chart: `US by day`.
    pub fn chart_title(&self) -> String {
        let by = self.chart_by();
        match self.chart.as_ref().and_then(|chart| chart.row.as_ref()) {
            Some(row) if row.text.starts_with("no ") => {
                format!("{} by {by}", capitalised(&row.text))
            }
            Some(row) => format!("{} by {by}", row.text),
            None => format!("Messages by {by}"),
        }
    }

    pub fn chart_by(&self) -> String {
        self.chart.as_ref().map_or(String::new(), |chart| name(&chart.by))
    }

    /// How the report was made.
    pub fn answered(&self) -> String {
        let messages = count_of(self.table.total.all.now.messages());
        let Some(time) = self.scanned_for else {
            return format!("Counted from {messages} messages, from roll-ups.");
        };
        let reasons: Vec<_> = self.scan_reasons();
        let (reasons, without) = match reasons.is_empty() {
            true => ("the time zone, which is no whole hours from UTC".to_owned(), "in others"),
            false => (reasons.join(", "), "without"),
        };
        format!(
            "Counted from {messages} messages, by a scan of all because of {reasons}: {:.1} s. \
             Roll-ups suffice {without}.",
            time.as_secs_f64()
        )
    }

    /// What roll-ups do not have.
    fn scan_reasons(&self) -> Vec<String> {
        let by = self.question.by.iter().filter(|by| by.needs_messages()).map(name);
        let filters = self.question.filters.keys().map(String::as_str);
        let filters = filters
            .filter(|name| SCANNING.contains(name) || name.starts_with(TAG_PREFIX))
            .map(|name| match name.strip_prefix(TAG_PREFIX) {
                Some(tag) => format!("the tag {tag}"),
                None => format!("the filter {name}"),
            });
        let clock = (self.question.clock == Clock::Twilio).then(|| "Twilio’s clock".to_owned());
        clock.into_iter().chain(by).chain(filters).collect()
    }

    pub fn definitions(&self) -> &[(String, String)] {
        &self.definitions
    }
}

fn several(number: i64, what: &str) -> String {
    format!("{} {what}{}", count_of(number), if number == 1 { "" } else { "s" })
}

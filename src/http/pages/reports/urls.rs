//! The paths, queries and the command that ask the question of a page again, or another one.

use std::collections::BTreeMap;

use jiff::civil::Time;

use super::comparison::Compare;
use super::question::{PATH, Question, Show};
use crate::domain::Timestamp;
use crate::http::pages::frame::range::with_query;
use crate::report::{Clock, Dimension, Period};
use crate::wire::parameters::TAG_PREFIX;

/// The filters that are true or false.
const BOOLEANS: [&str; 6] = ["conflict", "late", "duplicate", "open", "inbound", "simulated"];

impl Question {
    /// The path and query of this page.
    pub fn target(&self) -> String {
        let text = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        let own = [
            ("by", Some(self.by_names())),
            ("since", text(&self.since)),
            ("until", text(&self.until)),
            ("clock", self.other_clock().map(str::to_owned)),
            ("time_zone", text(&self.zone_written)),
            ("compare", text(self.compare.name()).filter(|_| self.compare != Compare::Previous)),
            ("show", self.show.map(|show| show.name().to_owned())),
            ("row", self.row.clone()),
            ("skip", (self.skip > 0).then(|| self.skip.to_string())),
        ];
        let own = own.iter().filter_map(|(name, value)| Some((*name, value.as_deref()?)));
        let filters = self.filters.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        with_query(PATH, own.chain(filters))
    }

    /// The path and query of this page with another figure in each cell.
    pub fn showing(&self, show: &Show) -> String {
        Self { show: Some(*show), ..self.clone() }.target()
    }

    /// The path and query of this page with another row in the chart.
    pub fn with_row(&self, row: &str) -> String {
        format!("{}#row", Self { row: Some(row.to_owned()), ..self.clone() }.target())
    }

    /// The path and query of this page with other columns.
    pub fn skipping(&self, skip: usize) -> String {
        Self { skip, ..self.clone() }.target()
    }

    /// The path and query of this page with rows and columns swapped.
    pub fn swapped(&self) -> String {
        let by = self.by.iter().rev().cloned().collect();
        Self { by, row: None, skip: 0, ..self.clone() }.target()
    }

    /// The path and query of this page without a filter.
    pub fn without(&self, name: &str) -> String {
        let mut filters = self.filters.clone();
        filters.remove(name);
        Self { filters, ..self.clone() }.target()
    }

    /// The names of the properties with a comma in between.
    pub fn by_names(&self) -> String {
        self.by.iter().map(Dimension::name).collect::<Vec<_>>().join(",")
    }

    /// The path and query of the same report of the API.
    pub fn api(&self) -> String {
        self.api_by(&self.by, &self.filters)
    }

    /// The path and query of the API's report by these properties with these filters.
    pub fn api_by(&self, by: &[Dimension], filters: &BTreeMap<String, String>) -> String {
        let by = by.iter().map(Dimension::name).collect::<Vec<_>>().join(",");
        let Period { since, until } = self.period;
        let written = |time| self.written(time);
        let mut own = vec![("by", by), ("since", written(since)), ("until", written(until))];
        own.extend(self.other_clock().map(|clock| ("clock", clock.to_owned())));
        own.push(("time_zone", self.zone.name().to_owned()));
        let compared = |Period { since, until }| {
            ("compare", format!("{}..{}", written(since), written(until)))
        };
        own.extend(self.compared.map(compared));
        let own = own.iter().map(|(name, value)| (*name, value.as_str()));
        let filters = filters.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        with_query("/v1/reports/delivery", own.chain(filters))
    }

    /// The command that asks the same.
    pub fn command(&self) -> String {
        let mut command = format!("delivery-ledger report --by {}", quoted(&self.by_names()));
        let mut flag = |name: &str, value: &str| {
            let gap = if BOOLEANS.contains(&name) { '=' } else { ' ' };
            command.push_str(&format!(" --{name}{gap}{}", quoted(value)));
        };
        flag("since", &self.written(self.period.since));
        if !self.until.is_empty() {
            flag("until", &self.written(self.period.until));
        }
        if let Some(clock) = self.other_clock() {
            flag("clock", clock);
        }
        flag("time-zone", self.zone.name());
        if let Some(Period { since, until }) = self.compared {
            flag("compare", &format!("{}..{}", self.written(since), self.written(until)));
        }
        for (name, value) in &self.filters {
            match name.strip_prefix(TAG_PREFIX) {
                Some(tag) => flag("tag", &format!("{tag}={value}")),
                None => flag(&name.replace('_', "-"), value),
            }
        }
        command
    }

    /// The name of the clock, unless it is the ledger's.
    fn other_clock(&self) -> Option<&'static str> {
        (self.clock != Clock::Ledger).then(|| self.clock.name())
    }

    /// A time as clocks of the zone show it, as short as possible.
    fn written(&self, time: Timestamp) -> String {
        let local = self.zone.local(time);
        match local.time() == Time::midnight() {
            // Clocks that show it twice mean the first time.
            _ if self.zone.time(local) != time => time.to_string(),
            true => local.date().to_string(),
            false => local.strftime("%Y-%m-%dT%H:%M").to_string(),
        }
    }
}

/// A word of a shell's command line.
fn quoted(word: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_@%+=:,./-".contains(&byte);
    match !word.is_empty() && word.bytes().all(is_plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', "'\\''")),
    }
}

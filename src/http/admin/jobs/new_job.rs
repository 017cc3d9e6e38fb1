//! The body of a request that starts a job.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;
use utoipa::ToSchema;

use crate::domain::{Position, Rule};
use crate::export::{Content, FileFormat, Selection};
use crate::http::admin::events::event_filter;
use crate::http::admin::exports::pinned;
use crate::http::admin::message_list::message_filter;
use crate::http::admin::state::AdminState;
use crate::http::auth::redaction::Redaction;
use crate::http::error::Problem;
use crate::http::query;
use crate::jobs::{JobRequest, RequestedExport};
use crate::projection::verify::{EXPECTED, Expected};
use crate::wire::mask;

/// A job to be started.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum NewJob {
    Export(NewExport),
    Verify(NewVerify),
    DryRun(NewDryRun),
}

/// An export to be made and kept.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewExport {
    pub content: Content,
    /// The default is `ndjson`
    #[schema(inline)]
    pub format: Option<FileFormat>,
    /// The filters of `GET /v1/exports/messages` or `GET /v1/exports/events`, by name
    #[serde(default)]
    pub filters: BTreeMap<String, FilterValue>,
    /// Tags that get a column of their own (`csv` and `xlsx`)
    #[serde(default)]
    pub tag_columns: Vec<String>,
    /// As of this position; the default is the last one that the views have read
    pub as_of_position: Option<Position>,
    /// Mask addresses but for their last four digits. A token that sees them masked cannot leave it out
    pub mask: Option<bool>,
}

/// The value of a filter.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum FilterValue {
    Text(String),
    Flag(bool),
    Number(u64),
}

/// A verification to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewVerify {
    /// A position and its hash, noted earlier, that the log must still contain: `POSITION:HASH`
    #[schema(pattern = "^[0-9,]+:[0-9A-Fa-f]{64}$")]
    pub expect: Option<String>,
}

/// A dry run of a replay: which messages would have another status by this rule. Nothing is changed.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewDryRun {
    #[schema(pattern = "^(failure-terminal|delivery-wins)$")]
    pub rule: String,
}

impl NewJob {
    /// The names of the filters.
    pub fn filter_names(&self) -> Vec<String> {
        match self {
            NewJob::Export(export) => export.filters.keys().cloned().collect(),
            NewJob::Verify(_) | NewJob::DryRun(_) => Vec::new(),
        }
    }

    /// The request, checked for this token. Blocks.
    pub fn request(self, state: &AdminState, redaction: Redaction) -> Result<JobRequest, Problem> {
        match self {
            NewJob::Export(export) => export.request(state, redaction),
            NewJob::Verify(NewVerify { expect }) => {
                expect.as_deref().map(parse_expected).transpose().map(JobRequest::Verify)
            }
            NewJob::DryRun(NewDryRun { rule }) => {
                state.wait_for_views()?;
                parse_rule(&rule).map(JobRequest::DryRun)
            }
        }
    }
}

impl NewExport {
    fn request(self, state: &AdminState, redaction: Redaction) -> Result<JobRequest, Problem> {
        let masked = match (redaction.is_masked(), self.mask) {
            (true, Some(false)) => return Err(Problem::Masked),
            (always, mask) => always || mask == Some(true),
        };
        let values = self.filters.into_iter().map(|(name, value)| (name, value.into_text()));
        let mut filters: BTreeMap<_, _> = values.collect();
        let selection = match self.content {
            Content::Messages => {
                let filter = message_filter(query::read_values(&filters)?, state)?;
                Selection::Messages(redaction.check_filter(filter)?)
            }
            Content::Events => {
                let filter = event_filter(query::read_values(&filters)?, state)?;
                Selection::Events(redaction.check_event_filter(filter)?)
            }
        };
        let format = self.format.unwrap_or(FileFormat::Ndjson);
        let (columns, position) = (self.tag_columns, self.as_of_position);
        let request = pinned(state, selection, format, columns, position, masked, redaction)?;
        // `24h` or a local time would mean something else when the export is repeated.
        filters.extend(request.selection.period());
        if masked {
            filters.iter_mut().for_each(|(name, value)| *value = mask::filter(name, value));
        }
        let error_codes = Arc::clone(&state.error_codes);
        let export = RequestedExport { request, filters, error_codes };
        Ok(JobRequest::Export(Box::new(export)))
    }
}

impl FilterValue {
    fn into_text(self) -> String {
        match self {
            FilterValue::Text(text) => text,
            FilterValue::Flag(flag) => flag.to_string(),
            FilterValue::Number(number) => number.to_string(),
        }
    }
}

fn parse_expected(text: &str) -> Result<Expected, Problem> {
    let bad = || Problem::BadRequest(format!("expect `{}` is not {EXPECTED}", text.escape_debug()));
    Expected::parse(text).ok_or_else(bad)
}

fn parse_rule(name: &str) -> Result<Rule, Problem> {
    Rule::parse(name).ok_or_else(|| {
        let rules = Rule::ALL.map(Rule::name).join(" or ");
        Problem::BadRequest(format!("rule `{}` is not {rules}", name.escape_debug()))
    })
}

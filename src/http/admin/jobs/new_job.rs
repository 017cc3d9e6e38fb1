//! The body of a request that starts a job.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::de::Error;
use serde::{Deserialize, Deserializer};
use utoipa::openapi::{ObjectBuilder, OneOfBuilder, RefOr, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

use crate::domain::{Position, Rule};
use crate::export::{Content, FileFormat, Selection};
use crate::http::admin::events::event_filter;
use crate::http::admin::exports::pinned;
use crate::http::admin::messages::list::message_filter;
use crate::http::admin::state::AdminState;
use crate::http::auth::redaction::Redaction;
use crate::http::error::Problem;
use crate::http::query;
use crate::jobs::{JobRequest, RequestedExport};
use crate::projection::verify::{EXPECTED, Expected};
use crate::wire::mask;

/// A job to be started.
#[derive(Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum NewJob {
    /// An export to be made and kept.
    Export(NewExport),
    /// A verification.
    Verify(NewVerify),
    /// A dry run of a replay.
    DryRun(NewDryRun),
}

impl ToSchema for NewJob {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        NewExport::schemas(schemas);
        NewVerify::schemas(schemas);
        NewDryRun::schemas(schemas);
    }
}

impl PartialSchema for NewJob {
    /// Each kind with `kind` among its members: they allow no others.
    fn schema() -> RefOr<Schema> {
        let kinds = [
            ("export", NewExport::schema()),
            ("verify", NewVerify::schema()),
            ("dry-run", NewDryRun::schema()),
        ];
        let one_of = kinds.into_iter().fold(OneOfBuilder::new(), |one_of, (kind, schema)| {
            let kind = ObjectBuilder::new().schema_type(Type::String).enum_values(Some([kind]));
            one_of.item(match schema {
                RefOr::T(Schema::Object(object)) => {
                    let object = ObjectBuilder::from(object);
                    RefOr::T(object.property("kind", kind).required("kind").into())
                }
                other => other,
            })
        });
        one_of.description(Some("A job to be started.")).into()
    }
}

/// An export to be made and kept.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewExport {
    /// Messages or events
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
    #[serde(default, deserialize_with = "whole")]
    pub as_of_position: Option<Position>,
    /// Mask addresses but for their last four digits. A token that sees them masked cannot leave it out
    pub mask: Option<bool>,
}

/// The value of a filter.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum FilterValue {
    /// A text.
    Text(String),
    /// True or false.
    Flag(bool),
    /// A whole number.
    #[schema(value_type = u64)]
    Number(Whole),
}

/// A whole number. JSON does not distinguish 5 from 5.0 (RFC 8259, section 6).
#[derive(Debug, Clone, Copy)]
pub struct Whole(pub u64);

fn whole<'de, D: Deserializer<'de>>(number: D) -> Result<Option<u64>, D::Error> {
    Ok(Option::<Whole>::deserialize(number)?.map(|Whole(number)| number))
}

impl<'de> Deserialize<'de> for Whole {
    fn deserialize<D: Deserializer<'de>>(number: D) -> Result<Self, D::Error> {
        /// The largest number below which every whole one is exact as a floating-point one.
        const EXACT_MAX: f64 = 9_007_199_254_740_992.0;
        let number = serde_json::Number::deserialize(number)?;
        let fraction =
            number.as_f64().filter(|it| it.fract() == 0.0 && (0.0..EXACT_MAX).contains(it));
        let whole = number.as_u64().or(fraction.map(|whole| whole as u64));
        whole.map(Self).ok_or_else(|| D::Error::custom(format!("`{number}` is not a whole number")))
    }
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
    /// The rule to try
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
    ///
    /// # Errors
    ///
    /// A filter, position or rule cannot be used; the form of the body is right.
    pub fn request(self, state: &AdminState, redaction: Redaction) -> Result<JobRequest, Problem> {
        self.checked(state, redaction).map_err(|problem| match problem {
            Problem::BadRequest(detail) => Problem::Conflict(detail),
            other => other,
        })
    }

    fn checked(self, state: &AdminState, redaction: Redaction) -> Result<JobRequest, Problem> {
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
            FilterValue::Number(Whole(number)) => number.to_string(),
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

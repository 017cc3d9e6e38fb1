//! The request for a job: what is to be done.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::job::{DryRunJob, ExportJob, JobWork, VerifyJob};
use crate::domain::{ErrorCodes, Rule};
use crate::export::ExportRequest;
use crate::projection::verify::Expected;

/// The work that is requested.
#[derive(Debug, Clone)]
pub enum JobRequest {
    /// An export to be made and kept.
    Export(Box<RequestedExport>),
    /// The root that the log must contain, if one is given.
    Verify(Option<Expected>),
    /// The rule to try.
    DryRun(Rule),
}

/// An export, and what its rows and its manifest show besides.
#[derive(Debug, Clone)]
pub struct RequestedExport {
    /// The rows, and their form.
    pub request: ExportRequest,
    /// The filters as they were given, masked if the rows are.
    pub filters: BTreeMap<String, String>,
    /// The table of error codes.
    pub error_codes: Arc<ErrorCodes>,
}

impl JobRequest {
    /// The work as it is shown before it has begun.
    pub fn work(&self) -> JobWork {
        match self {
            JobRequest::Export(export) => {
                let RequestedExport { request, filters, .. } = &**export;
                JobWork::Export(ExportJob {
                    content: request.selection.content(),
                    format: request.format,
                    filters: filters.clone(),
                    tag_columns: request.tag_columns.clone(),
                    masked: request.view.masked,
                    as_of_position: request.view.pin,
                    rows: 0,
                    bytes: 0,
                    sha256: None,
                    rule: None,
                    root: None,
                })
            }
            JobRequest::Verify(expected) => JobWork::Verify(VerifyJob {
                expect: expected.map(|expected| expected.to_string()),
                result: None,
            }),
            JobRequest::DryRun(rule) => {
                JobWork::DryRun(DryRunJob { rule: rule.name().to_owned(), result: None })
            }
        }
    }
}

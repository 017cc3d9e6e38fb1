//! `check-signature`: checks the signature of one request as `serve` would.

mod stored;

use std::io::Write;
use std::path::PathBuf;

use anyhow::{Context, Result};

use super::{Outcome, UsageError};
use crate::cli::common::text::position;
use crate::config::Settings;
use crate::domain::{BodyKind, Position};
use crate::twilio::accounts::AccountKeys;
use crate::twilio::callback::ParsedBody;
use crate::twilio::diagnosis::{Configuration, Diagnosis, RejectedRequest, diagnose};
use crate::twilio::signature::{BaseUrl, InvalidReason, Signed, Verdict, verify_with};

/// The arguments of `check-signature`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The URL that Twilio called, exactly as it is configured at Twilio
    #[arg(long, required_unless_present = "batch")]
    url: Option<String>,

    /// The value of the X-Twilio-Signature header
    #[arg(long, allow_hyphen_values = true, required_unless_present = "batch")]
    signature: Option<String>,

    /// The request's Content-Type [default: application/x-www-form-urlencoded]
    #[arg(long, value_name = "TYPE")]
    content_type: Option<String>,

    /// The request's body, byte for byte
    #[arg(long, value_name = "FILE", required_unless_present = "batch")]
    body_file: Option<PathBuf>,

    /// Check the request that brought the event at this position of the ledger, such as one of a batch of
    /// Event Streams, against the configured accounts
    #[arg(
        long,
        value_name = "POSITION",
        value_parser = position,
        conflicts_with_all = ["url", "signature", "content_type", "body_file"]
    )]
    batch: Option<Position>,
}

/// Prints `valid`, or `invalid` with the reason and the likely cause.
pub fn run(args: Args, settings: &Settings) -> Result<Outcome> {
    if let Some(position) = args.batch {
        return stored::run(position, settings);
    }
    let keys = settings.environment_keys()?;
    let (url, signature) = (args.url.unwrap_or_default(), args.signature.unwrap_or_default());
    let body_file = args.body_file.unwrap_or_default();
    let body = std::fs::read(&body_file)
        .with_context(|| format!("--body-file: cannot read {}", body_file.display()))?;
    // Twilio never signs the fragment, which contains its connection overrides.
    let url = url.split('#').next().unwrap_or_default();
    let base = BaseUrl::parse(url).ok_or_else(|| {
        UsageError(format!("--url: `{url}` is not of the form https://host/path"))
    })?;
    let kind = kind(args.content_type.as_deref())?;
    let signed = Signed {
        urls: &base.with(""),
        body: &ParsedBody::parse(kind, &body),
        signature: signature.as_bytes(),
        settings: None,
    };
    let mut out = crate::cli::common::terminal::stdout();
    match verify_with(&signed, &[&keys]) {
        Verdict::Valid { verified_by, url } => {
            writeln!(out, "valid: signed with the {verified_by} token over {}", signed.urls[url])?;
            Ok(Outcome::Done)
        }
        Verdict::Invalid(reason) => {
            out.say(&format!("invalid: {reason}\n"))?;
            let cause = diagnosis(&signed, kind, reason, url, &keys, settings);
            out.say(&format!("cause: {cause}\n"))?;
            Ok(Outcome::CheckFoundSomething)
        }
    }
}

/// Diagnoses the request with the configured accounts and public URLs too, although none is required.
fn diagnosis(
    signed: &Signed<'_>,
    kind: BodyKind,
    reason: InvalidReason,
    url: &str,
    keys: &AccountKeys,
    settings: &Settings,
) -> Diagnosis {
    let after_scheme = url.find("://").map_or(0, |at| at + "://".len());
    let origin_bytes =
        url[after_scheme..].find(['/', '?']).map_or(url.len(), |at| after_scheme + at);
    let (origin, target) = url.split_at(origin_bytes);
    let given: Vec<_> = BaseUrl::parse(origin).into_iter().collect();
    let request = RejectedRequest {
        reason,
        target,
        kind,
        body: signed.body.bytes,
        signature: signed.signature,
        settings: signed.settings,
        headers: &[],
    };
    let configuration = Configuration {
        public_urls: &given,
        further_urls: &settings.public_urls().unwrap_or_default(),
        callback_paths: &settings.received_paths().unwrap_or_default(),
        accounts: &settings.accounts().unwrap_or_default(),
        keys: Some(keys),
    };
    diagnose(&request, &configuration)
}

fn kind(content_type: Option<&str>) -> Result<BodyKind, UsageError> {
    BodyKind::from_content_type(content_type.map(str::as_bytes)).ok_or_else(|| {
        let given = content_type.unwrap_or_default();
        UsageError(format!(
            "--content-type: `{given}` is neither application/x-www-form-urlencoded nor JSON"
        ))
    })
}

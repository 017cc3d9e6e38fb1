//! `check-signature`: the verdict on one request, as `serve` would give it.

use std::io::Write;
use std::path::PathBuf;

use anyhow::{Context, Result};

use super::{Outcome, Usage};
use crate::config::Settings;
use crate::twilio::callback::BodyKind;
use crate::twilio::signature::{BaseUrl, Signed, Verdict, verify_with};

/// The arguments of `check-signature`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The URL that Twilio called, exactly as it stands in its settings
    #[arg(long)]
    url: String,

    /// X-Twilio-Signature
    #[arg(long, allow_hyphen_values = true)]
    signature: String,

    /// The request's Content-Type [default: a form]
    #[arg(long, value_name = "TYPE")]
    content_type: Option<String>,

    /// The request's body, byte for byte
    #[arg(long, value_name = "FILE")]
    body_file: PathBuf,
}

/// Prints `valid` or `invalid` and why.
pub fn run(args: Args, settings: &Settings) -> Result<Outcome> {
    let keys = settings.environment_keys()?;
    let body = std::fs::read(&args.body_file)
        .with_context(|| format!("--body-file: cannot read {}", args.body_file.display()))?;
    // Twilio never signs a fragment: it tells Twilio how to connect.
    let url = args.url.split('#').next().unwrap_or_default();
    let base = BaseUrl::parse(url)
        .ok_or_else(|| Usage(format!("--url: `{url}` is not of the form https://host/path")))?;
    let signed = Signed {
        urls: &base.with(""),
        kind: kind(args.content_type.as_deref())?,
        body: &body,
        signature: args.signature.as_bytes(),
        settings: None,
    };
    let mut out = std::io::stdout().lock();
    match verify_with(&signed, &[&keys]) {
        Verdict::Valid { verified_by, url } => {
            writeln!(out, "valid: signed with the {verified_by} token over {}", signed.urls[url])?;
            Ok(Outcome::Done)
        }
        Verdict::Invalid(refusal) => {
            writeln!(out, "invalid: {refusal}")?;
            Ok(Outcome::CheckFoundSomething)
        }
    }
}

fn kind(content_type: Option<&str>) -> Result<BodyKind, Usage> {
    let media_type = content_type.map(|value| value.split(';').next().unwrap_or_default());
    let media_type = media_type.map(|text| text.trim().to_ascii_lowercase());
    BodyKind::of(media_type.as_deref()).ok_or_else(|| {
        let given = content_type.unwrap_or_default();
        Usage(format!(
            "--content-type: `{given}` is neither application/x-www-form-urlencoded nor JSON"
        ))
    })
}

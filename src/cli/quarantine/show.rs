//! `quarantine show`: prints one request and the likely cause of its rejection.

use std::fmt::Write as _;
use std::io::Write;

use anyhow::Result;
use serde_json::{Value, json};
use uuid::Uuid;

use super::super::{Format, Outcome, UsageError, help};
use super::accepted_by;
use crate::cli::common::text::number;
use crate::config::{self, Settings};
use crate::quarantine::rejection::Rejection;
use crate::quarantine::{CheckOutcome, check};
use crate::store;
use crate::store::quarantine::{QuarantinedRequest, Rank};
use crate::telemetry::eprint_line;
use crate::text::printable;
use crate::wire::{Body, HeaderValue};

/// The arguments of `quarantine show`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The id that `quarantine list` prints
    id: String,

    #[arg(long = "public-url", value_name = "URL", help = help(&config::PUBLIC_URL,
        "A public URL to check against, as for serve; repeatable"))]
    public_urls: Vec<String>,

    #[arg(long = "callback-path", value_name = "PATH", help = help(&config::CALLBACK_PATH,
        "A callback path, as for serve; repeatable"))]
    callback_paths: Vec<String>,

    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

/// Prints the request; exit code 4 if it does not exist.
pub fn run(args: Args, settings: &Settings) -> Result<Outcome> {
    let id = Uuid::try_parse(&args.id).map_err(|_| {
        UsageError(format!("`{}` is not the id of a request", args.id.escape_debug()))
    })?;
    let found = match store::read_quarantine(&settings.database()?)? {
        Some(quarantine) => quarantine.find(id)?,
        None => None,
    };
    let Some(request) = found else {
        eprint_line(format_args!(
            "error: the quarantine has no request {id}; it may have been evicted by newer ones"
        ));
        return Ok(Outcome::NotFound);
    };
    // An invalid configuration does not prevent showing the request.
    let flags = super::url_flags(args.public_urls, args.callback_paths);
    let configured = settings.with_flags(flags).listener();
    let now = configured.map(|configured| check(&request, &accepted_by(&configured)));
    let mut out = crate::cli::common::terminal::stdout();
    match args.format {
        Format::Table => out.write_all(for_people(&request, &now).as_bytes())?,
        Format::Json => writeln!(out, "{:#}", as_json(&request, &now))?,
    }
    Ok(Outcome::Done)
}

fn for_people(request: &QuarantinedRequest, now: &Result<CheckOutcome>) -> String {
    let reason = Rejection::parse(&request.reason);
    let reason = reason.map_or(request.reason.clone(), |rejection| rejection.to_string());
    let cause =
        request.cause.as_deref().unwrap_or("not diagnosed: too many requests arrived at once");
    let now = match now {
        Ok(CheckOutcome::Valid(events)) => {
            format!("valid over {}; recheck would append it", events[0].url)
        }
        Ok(CheckOutcome::Unacceptable(reason)) => format!("not accepted: {reason}"),
        Ok(CheckOutcome::InvalidSignature(reason, cause)) => format!("{reason}: {cause}"),
        Err(error) => format!("not checked: {error:#}"),
    };
    let mut text = format!(
        "id           {}\nreceived at  {}\nrefused for  {}\nlikely cause {}\nnow          {}\n\n{} {}\n",
        request.id,
        request.received_at,
        printable(&reason),
        printable(cause),
        printable(&now),
        printable(&request.method),
        printable(&request.target),
    );
    for (name, value) in request.headers.iter() {
        let value = String::from_utf8_lossy(value);
        let _infallible = writeln!(text, "{}: {}", printable(name), printable(&value));
    }
    if !request.whole {
        return text + "\n(the body is not stored: it was incomplete, or over 1 MiB)\n";
    }
    let body = String::from_utf8_lossy(&request.body);
    let bytes = number(request.body.len() as u64);
    text + &format!(
        "\n{}\n({bytes} bytes; --format json prints them unchanged)\n",
        printable(&body)
    )
}

fn as_json(request: &QuarantinedRequest, now: &Result<CheckOutcome>) -> Value {
    let headers = request.headers.iter();
    let headers: Vec<_> = headers.map(|(name, value)| (name, HeaderValue::new(value))).collect();
    let now = match now {
        Ok(CheckOutcome::Valid(events)) => json!({ "valid": true, "url": events[0].url }),
        Ok(CheckOutcome::Unacceptable(reason)) => {
            json!({ "valid": false, "reason": reason.name(), "cause": reason.to_string() })
        }
        Ok(CheckOutcome::InvalidSignature(reason, cause)) => {
            json!({ "valid": false, "reason": reason.name(), "cause": cause.to_string() })
        }
        Err(error) => json!({ "valid": null, "error": format!("{error:#}") }),
    };
    let mut json = json!({
        "id": request.id.to_string(),
        "received_at": request.received_at.to_string(),
        "method": request.method,
        "target": request.target,
        "headers": headers,
        "reason": request.reason,
        "cause": request.cause,
        "recognised": request.rank == Rank::Recognised,
        "whole": request.whole,
        "now": now,
    });
    if let (Value::Object(json), Ok(Value::Object(body))) =
        (&mut json, serde_json::to_value(Body::new(&request.body)))
    {
        json.extend(body);
    }
    json
}

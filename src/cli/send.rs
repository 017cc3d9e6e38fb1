//! `send`: sends one message, and records the attempt and its outcome in the log.

use std::io::Write;

use anyhow::{Context, Result, anyhow};
use serde_json::json;

use super::{Format, Outcome, UsageError, help};
use crate::cli::common::ledger;
use crate::config::{self, Flags, Settings};
use crate::domain::Timestamp;
use crate::send::{self, Attempt, Draft};
use crate::store::append_when_free;
use crate::telemetry::eprint_line;
use crate::text::printable;
use crate::twilio::form::is_in_order_of_names;
use crate::twilio_api::RequestLimits;

/// The arguments of `send`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The recipient, such as +15558675310 or whatsapp:+15558675310
    #[arg(long, value_name = "ADDRESS", allow_hyphen_values = true)]
    to: String,

    /// The sender
    #[arg(long, value_name = "ADDRESS", allow_hyphen_values = true)]
    from: Option<String>,

    /// The SID of the messaging service that sends the message
    #[arg(long, value_name = "MG…")]
    messaging_service_sid: Option<String>,

    /// The text of the message
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    body: Option<String>,

    /// The URL of a picture or another file; repeatable
    #[arg(long = "media-url", value_name = "URL")]
    media_urls: Vec<String>,

    /// The SID of a content template
    #[arg(long, value_name = "HX…")]
    content_sid: Option<String>,

    /// The variables of the template, as JSON
    #[arg(long, value_name = "JSON", requires = "content_sid")]
    content_variables: Option<String>,

    /// When to send the message, RFC 3339; requires a messaging service
    #[arg(long, value_name = "TIME")]
    send_at: Option<String>,

    /// The account that sends the message, by SID or name [default: TWILIO_ACCOUNT_SID]
    #[arg(long, value_name = "ACCOUNT")]
    account_sid: Option<String>,

    /// The URL to which Twilio reports the status [default: the public URL, the callback path and
    /// #rc=5&rp=all]
    #[arg(long, value_name = "URL", conflicts_with = "no_status_callback")]
    status_callback: Option<String>,

    /// Give no status callback URL; the messaging service has its own
    #[arg(long)]
    no_status_callback: bool,

    #[arg(long = "public-url", value_name = "URL", help = help(&config::PUBLIC_URL,
        "The scheme, host, port and path prefix under which Twilio calls the server"))]
    public_urls: Vec<String>,

    #[arg(long = "callback-path", value_name = "PATH", help = help(&config::CALLBACK_PATH,
        "The path on which callbacks are received"))]
    callback_paths: Vec<String>,

    /// Keep the text of the message in the log
    #[arg(long)]
    keep_content: bool,

    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

/// Sends the message and prints its SID and status.
pub fn run(args: Args, settings: &Settings) -> Result<Outcome> {
    let (format, keep_content) = (args.format, args.keep_content);
    let named = args.account_sid.as_deref().map(|named| settings.account(named)).transpose()?;
    let account_sid = settings.sending_account(named)?;
    let who = settings.twilio_credentials(&account_sid)?;
    // Twilio's own rate limiting is the only limit: requests are repeated only if it asks for that.
    let limits = RequestLimits::new(u64::MAX, || false);
    let client = settings.twilio_client(limits)?;
    let attempt = Attempt::new(&client, &account_sid, draft(args, settings)?, keep_content)
        .map_err(|bad| UsageError(bad.to_string()))?;
    let store = ledger::to_append_or_make(settings)?;
    let intent = append_when_free(&*store, &[attempt.intent()])?;
    let answer = attempt.send(&client, &who);
    let outcome = send::SendOutcome::from_result(&answer);
    let recorded = append_when_free(&*store, &[attempt.answer(&answer)]);
    print(&attempt, &outcome, intent, format)?;
    recorded.with_context(|| {
        format!("what came of it is not in the log; its intent is, at position {intent}")
    })?;
    match outcome {
        send::SendOutcome::Made { .. } => Ok(Outcome::Done),
        other => Err(anyhow!(describe(&other))),
    }
}

fn draft(args: Args, settings: &Settings) -> Result<Draft> {
    let send_at = args.send_at.as_deref().map(|text| {
        Timestamp::parse(text).ok_or_else(|| {
            UsageError(format!("--send-at: `{text}` is not a time such as 2026-01-31T12:00:00Z"))
        })
    });
    let status_callback = match (args.no_status_callback, args.status_callback) {
        (true, _) => None,
        (false, Some(url)) => {
            warn_of_order(&url);
            Some(url)
        }
        (false, None) => {
            let flags = Flags::default()
                .with(&config::PUBLIC_URL, args.public_urls)
                .with(&config::CALLBACK_PATH, args.callback_paths);
            Some(settings.with_flags(flags).status_callback()?)
        }
    };
    Ok(Draft {
        to: args.to,
        from: args.from,
        messaging_service_sid: args.messaging_service_sid,
        body: args.body,
        media_urls: args.media_urls,
        content_sid: args.content_sid,
        content_variables: args.content_variables,
        send_at: send_at.transpose()?,
        status_callback,
    })
}

/// Warns about unsorted query parameters: a proxy may sort them, which invalidates the signature.
fn warn_of_order(url: &str) {
    let url = url.split('#').next().unwrap_or_default();
    if url.split_once('?').is_some_and(|(_, query)| !is_in_order_of_names(query)) {
        eprint_line(format_args!(
            "warning: --status-callback: the query's parameters do not stand in the order of their \
             names; where something sorts them on the way, the signature does not fit: write them in \
             that order"
        ));
    }
}

/// Describes the outcome in words.
pub fn describe(outcome: &send::SendOutcome) -> String {
    match outcome {
        send::SendOutcome::Made { message_sid, status } => format!("{message_sid} is {status}"),
        send::SendOutcome::Refused { status_code, code, message } => {
            let code = code.map_or(String::new(), |code| format!(", error {code}"));
            format!("Twilio refused the message (HTTP {status_code}{code}): {}", printable(message))
        }
        send::SendOutcome::NotSent(reason) => {
            format!("nothing was sent: {reason}; it can be tried again")
        }
        send::SendOutcome::Unknown(reason) => format!(
            "whether the message was made is not known: {reason}. Do not send it again before \
             `delivery-ledger reconcile` has looked for it: it lists what Twilio has made since, and \
             a message to that address after that time is this one"
        ),
    }
}

fn print(
    attempt: &Attempt,
    outcome: &send::SendOutcome,
    intent: u64,
    format: Format,
) -> Result<()> {
    let mut out = crate::cli::common::terminal::stdout();
    match (format, outcome) {
        (Format::Table, send::SendOutcome::Made { message_sid, status }) => {
            writeln!(out, "message  {}\nstatus   {}", printable(message_sid), printable(status))?;
        }
        (Format::Table, _) => {}
        (Format::Json, outcome) => {
            let mut json = send::to_json(outcome);
            json["send_id"] = json!(attempt.send_id.to_string());
            json["intent_position"] = json!(intent);
            writeln!(out, "{json:#}")?;
        }
    }
    Ok(())
}

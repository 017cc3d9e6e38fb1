//! `send`: sends one message, and records the attempt and its outcome in the log.

use anyhow::Result;

use super::{Format, Outcome, UsageError, help};
use crate::cli::common::attempt;
use crate::config::{self, Flags, Settings};
use crate::domain::Timestamp;
use crate::send::Draft;
use crate::telemetry::eprint_line;
use crate::twilio::form::is_in_order_of_names;

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

    /// Tell Twilio that feedback on the message will follow, as `feedback` reports it
    #[arg(long)]
    provide_feedback: bool,

    /// Keep the text of the message in the log
    #[arg(long)]
    keep_content: bool,

    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

/// Sends the message and prints its SID and status.
pub fn run(args: Args, settings: &Settings) -> Result<Outcome> {
    let (format, keep_content) = (args.format, args.keep_content);
    let account_sid = attempt::account(args.account_sid.as_deref(), settings)?;
    let request = draft(args, settings)?.request(&account_sid, keep_content);
    attempt::make(request.map_err(|bad| UsageError(bad.to_string()))?, settings, format)
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
        provide_feedback: args.provide_feedback,
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

//! A request to Twilio by a command: logged before and after, and its outcome printed.

use std::io::Write;

use anyhow::{Context, Result, anyhow};

use super::{ledger, terminal};
use crate::cli::{Format, Outcome};
use crate::config::Settings;
use crate::domain::AccountSid;
use crate::send::{Attempt, Done, LoggedOutcome, Request, SendKind, SendOutcome};
use crate::store::append_when_free;
use crate::text::printable;
use crate::twilio_api::RequestLimits;

/// Logs the intent, makes the request, logs Twilio's response, and prints the outcome.
pub fn make(request: Request, settings: &Settings, format: Format) -> Result<Outcome> {
    let who = settings.twilio_credentials(&request.account_sid)?;
    // Twilio's own rate limiting is the only limit: requests are repeated only if it asks for that.
    let client = settings.twilio_client(RequestLimits::new(u64::MAX, || false))?;
    let attempt = Attempt::new(&client, request);
    let store = ledger::to_append_or_make(settings)?;
    let intent_position = append_when_free(&*store, &[attempt.intent()])?;
    let answer = attempt.send(&client, &who);
    let recorded = append_when_free(&*store, &[attempt.answer(&answer)]);
    let logged = LoggedOutcome {
        send_id: attempt.send_id.to_string(),
        outcome: SendOutcome::from_result(attempt.kind(), &answer),
        intent_position,
        answer_position: recorded.as_ref().ok().copied(),
    };
    print(attempt.kind(), &logged, format)?;
    recorded.with_context(|| {
        format!("what came of it is not in the log; its intent is, at position {intent_position}")
    })?;
    match failure(attempt.kind(), &logged.outcome) {
        None => Ok(Outcome::Done),
        Some(failure) => Err(anyhow!(failure)),
    }
}

/// The account that makes a request: the named one, by SID or name, or the only one.
pub fn account(named: Option<&str>, settings: &Settings) -> Result<AccountSid> {
    settings.sending_account(named.map(|named| settings.account(named)).transpose()?)
}

/// Describes in words why Twilio has not done what was asked; `None` if it has.
fn failure(kind: SendKind, outcome: &SendOutcome) -> Option<String> {
    Some(match outcome {
        SendOutcome::Done(_) => return None,
        SendOutcome::Refused { status_code, code, message } => {
            let code = code.map_or(String::new(), |code| format!(", error {code}"));
            let (kind, message) = (kind.name(), printable(message));
            format!("Twilio refused the {kind} (HTTP {status_code}{code}): {message}")
        }
        SendOutcome::NotSent(reason) => {
            format!("nothing was sent: {reason}; it can be tried again")
        }
        SendOutcome::Unknown(reason) => match kind {
            SendKind::Message => format!(
                "whether the message was made is not known: {reason}. Do not send it again before \
                 `delivery-ledger reconcile` has looked for it: it lists what Twilio has made since, \
                 and a message to that address after that time is this one"
            ),
            SendKind::Feedback => format!(
                "whether Twilio has recorded the feedback is not known: {reason}. It can be reported \
                 again: the same outcome twice changes nothing"
            ),
        },
    })
}

fn print(kind: SendKind, logged: &LoggedOutcome, format: Format) -> Result<()> {
    let mut out = terminal::stdout();
    match (format, &logged.outcome) {
        (Format::Table, SendOutcome::Done(Done { message_sid, word })) => {
            let name = match kind {
                SendKind::Message => "status",
                SendKind::Feedback => "feedback",
            };
            let (message_sid, word) = (printable(message_sid), printable(word));
            writeln!(out, "{:<8} {message_sid}\n{name:<8} {word}", "message")?;
        }
        (Format::Table, _) => {}
        (Format::Json, _) => writeln!(out, "{:#}", logged.to_json(kind))?,
    }
    Ok(())
}

//! `feedback`: reports to Twilio whether the recipient of a message did what it was for, and records the
//! report and Twilio's answer in the log.

use anyhow::Result;
use clap::builder::{PossibleValuesParser, TypedValueParser};

use super::audit::several_accounts;
use super::{Format, Outcome, UsageError};
use crate::cli::common::{attempt, ledger};
use crate::config::Settings;
use crate::domain::message::details::FeedbackOutcome;
use crate::domain::{AccountSid, MessageSid};
use crate::projection::message_query::{AsOf, MessageQuery, MessageResult, find_message};
use crate::send::feedback;
use crate::store::StoreError;

/// The arguments of `feedback`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The SID of the message
    #[arg(value_name = "SID")]
    sid: String,

    /// Whether the recipient did what the message was for, such as entering the code in it
    #[arg(value_name = "OUTCOME", value_parser = outcome_parser())]
    outcome: FeedbackOutcome,

    /// The account of the message, by SID or name [default: the one that the ledger knows, or else
    /// TWILIO_ACCOUNT_SID]
    #[arg(long, value_name = "ACCOUNT")]
    account_sid: Option<String>,

    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

fn outcome_parser() -> impl TypedValueParser<Value = FeedbackOutcome> {
    PossibleValuesParser::new(FeedbackOutcome::ALL.map(FeedbackOutcome::name))
        .map(|name| FeedbackOutcome::parse(&name).expect("it is one of the names"))
}

/// Reports the outcome and prints what Twilio has recorded.
pub fn run(args: Args, settings: &Settings) -> Result<Outcome> {
    let message_sid = message_sid(&args.sid)?;
    let known = match args.account_sid {
        Some(_) => None,
        None => known_account(&message_sid, settings)?,
    };
    let account_sid = match known {
        Some(account_sid) => account_sid,
        None => attempt::account(args.account_sid.as_deref(), settings)?,
    };
    let request = feedback::request(&account_sid, &message_sid, args.outcome);
    attempt::make(request, settings, args.format)
}

/// A SID that Twilio may know. Any other text would be in the log for good, even a number.
fn message_sid(text: &str) -> Result<MessageSid, UsageError> {
    let sid = MessageSid::parse(text).filter(|_| MessageSid::has_documented_form(text));
    sid.ok_or_else(|| {
        let shown = text.escape_debug();
        UsageError(format!("`{shown}` is not a message's SID, which is SM or MM and 32 hex digits"))
    })
}

/// The account that the ledger knows the message of, if it does.
fn known_account(message_sid: &MessageSid, settings: &Settings) -> Result<Option<AccountSid>> {
    let store = match ledger::for_one_message(settings) {
        Ok(store) => store,
        Err(error) => match error.downcast_ref::<StoreError>() {
            Some(StoreError::NotFound { .. }) => return Ok(None),
            _ => return Err(error),
        },
    };
    let query = MessageQuery {
        message_sid: message_sid.clone(),
        account_sid: None,
        rule: ledger::rule(settings, &*store)?,
        as_of: AsOf::Head,
    };
    match find_message(&*store, &query)? {
        MessageResult::Found { folded, .. } => Ok(folded.key.account_sid),
        MessageResult::NotFound | MessageResult::Erased(_) | MessageResult::BeyondHead(_) => {
            Ok(None)
        }
        MessageResult::Ambiguous(accounts) => {
            let names = settings.account_names()?;
            Err(UsageError(several_accounts(&accounts, &names)).into())
        }
    }
}

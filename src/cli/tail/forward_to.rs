//! `tail --forward-to`: sends each event that is shown to one URL, for the development of an application.

use std::time::Duration;

use anyhow::Result;
use serde::Serialize;
use uuid::Uuid;

use crate::cli::UsageError;
use crate::cli::common::ledger;
use crate::cli::common::table::Cell;
use crate::config::{Settings, forward_url};
use crate::domain::event::filter::EventFilter;
use crate::domain::{ErrorCodes, RecordedEvent, Rule};
use crate::forward::client::Outcome;
use crate::forward::request::Sender;
use crate::forward::single::{SingleSender, TimedOutcome, selected};
use crate::forward::target::{Beginning, Events, Format, GIVE_UP_AFTER, Selection, Target};
use crate::projection::fold::Folded;
use crate::projection::message_query::{
    AsOf, MessageQuery, MessageResult, TAIL_EVENTS_MAX, find_message, tail_length,
};
use crate::store::{Store, StoreError};
use crate::text::in_words;
use crate::twilio::accounts::Accounts;
use crate::twilio::callback::ParsedCallback;
use crate::wire;

/// The time limit of a request, which is Twilio's own.
const TIMEOUT: Duration = Duration::from_secs(15);

/// The application, and what its requests depend on.
pub struct ForwardTo {
    target: Target,
    sender: SingleSender,
    ledger_id: Uuid,
    rule: Rule,
    accounts: Accounts,
    error_codes: ErrorCodes,
}

/// An event, and the answer to it.
#[derive(Serialize)]
pub struct AnsweredEvent<'a> {
    #[serde(flatten)]
    event: &'a wire::ShownEvent,
    /// `null` if the event is no request that arrived.
    forwarded: Option<wire::forward::SingleAnswer>,
}

impl ForwardTo {
    /// Requests of accounts that are not configured are not signed.
    pub fn new(url: &str, settings: &Settings, store: &dyn Store) -> Result<Self> {
        let url = forward_url(url).map_err(|bad| UsageError(format!("--forward-to: {bad}")))?;
        let accounts = settings.accounts().unwrap_or_else(|error| {
            tracing::warn!("requests are not signed: {error:#}");
            Accounts::new([])
        });
        let target = Target {
            name: "tail".to_owned(),
            url,
            selection: Selection {
                filter: EventFilter::default(),
                paths: Vec::new(),
                events: Events::All,
            },
            from: Beginning::Now,
            format: Format::Request,
            give_up_after: GIVE_UP_AFTER,
            timeout: TIMEOUT,
            requests: 1,
            allow_link_local: true,
        };
        Ok(Self {
            sender: SingleSender::new(&target)?,
            target,
            ledger_id: store.ledger_id(),
            rule: ledger::rule(settings, store)?,
            accounts,
            error_codes: settings.error_codes(None)?,
        })
    }

    /// Sends an event and waits for the answer; `None` if it is no request that arrived, or was erased.
    pub fn send(
        &self,
        store: &dyn Store,
        event: &RecordedEvent,
        reading: &ParsedCallback<'_>,
    ) -> Result<Option<TimedOutcome>> {
        if !self.target.format.has(event.source) || event.erased.is_some() {
            return Ok(None);
        }
        let Self { target, ledger_id, accounts, error_codes, .. } = self;
        let sender = Sender { target, ledger_id: *ledger_id, accounts, error_codes };
        let selected = selected(event.clone(), self.message(store, event, reading)?);
        Ok(Some(match sender.request_signed_if_possible(&selected) {
            Ok(request) => self.sender.send(request),
            Err(reason) => TimedOutcome {
                outcome: Outcome::NotSigned(reason.to_string()),
                took: Duration::ZERO,
            },
        }))
    }

    /// The message of an event after it. `None` if it has none, or the views are damaged or far behind.
    fn message(
        &self,
        store: &dyn Store,
        event: &RecordedEvent,
        reading: &ParsedCallback<'_>,
    ) -> Result<Option<Folded>> {
        let Some(key) = reading.reported.as_ref().and(reading.message_key()) else {
            return Ok(None);
        };
        if !ledger::fits(store)? || tail_length(store)? > TAIL_EVENTS_MAX {
            return Ok(None);
        }
        let query = MessageQuery {
            message_sid: key.message_sid,
            account_sid: Some(key.account_sid),
            rule: self.rule,
            as_of: AsOf::Position(event.position),
        };
        match find_message(store, &query) {
            Ok(MessageResult::Found { folded, .. }) => Ok(Some(*folded)),
            Ok(_) | Err(StoreError::DamagedViews { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

/// The cell of an answer, such as `204 in 0.02 s`.
pub fn cell(answer: Option<&TimedOutcome>) -> Cell {
    Cell::text(answer.map_or("-".to_owned(), |TimedOutcome { outcome, took }| match outcome {
        Outcome::Accepted(_) | Outcome::Refused(..) => {
            format!("{} in {}", outcome.text(), in_words(*took))
        }
        Outcome::NoAnswer(_) | Outcome::NotSigned(_) => outcome.text(),
    }))
}

/// The JSON of an event with the answer to it.
pub fn as_json<'a>(
    event: &'a wire::ShownEvent,
    answer: Option<&TimedOutcome>,
) -> AnsweredEvent<'a> {
    AnsweredEvent { event, forwarded: answer.map(TimedOutcome::as_json) }
}

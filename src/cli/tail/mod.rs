//! `tail`: prints new events as the log grows. It reads the file, with or without a running server.

mod forward_to;

use std::io::{Stdout, Write};
use std::time::Duration;

use anyhow::Result;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use self::forward_to::ForwardTo;
use super::{Format, Outcome, UsageError};
use crate::cli::common::event_table::{Optional, add_answer, cells, table};
use crate::cli::common::flags::events::EventFlags;
use crate::cli::common::interrupt::Interrupt;
use crate::cli::common::ledger;
use crate::cli::common::table::Layout;
use crate::cli::common::terminal::{self, Safe};
use crate::cli::common::text::position;
use crate::config::Settings;
use crate::domain::account_names::AccountNames;
use crate::domain::event::filter::EventFilter;
use crate::domain::time::zone::Zone;
use crate::domain::{ErrorCodes, Position, RecordedEvent};
use crate::projection::effects::Effects;
use crate::store::{self, Access, EventPages, Store};
use crate::twilio::callback::ParsedCallback;
use crate::wire;

/// The interval between reads of the log, short enough to appear immediate.
const POLL_INTERVAL: Duration = Duration::from_millis(200);

/// The arguments of `tail`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Start after this position [default: the end of the log]
    #[arg(long, value_name = "N", value_parser = position)]
    after: Option<Position>,

    /// Exit at the end of the log instead of waiting for more events
    #[arg(long)]
    no_follow: bool,

    /// Also send each event that is shown to this URL, as the request that arrived, and show the answer. For
    /// development: nothing is sent again
    #[arg(long, value_name = "URL")]
    forward_to: Option<String>,

    #[command(flatten)]
    filter: EventFlags,

    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

/// Prints events until Ctrl-C, or up to the head.
pub fn run(args: Args, settings: &Settings) -> Result<Outcome> {
    let database = settings.database()?;
    let interrupt = Interrupt::listen()?;
    let error_codes = settings.error_codes(None)?;
    let store = store::open(&database, Access::Read)?;
    let out = terminal::stdout();
    let account_names = settings.account_names()?;
    let zone = args.filter.time_zone(settings)?;
    let forward_to = args.forward_to.as_deref();
    let forward_to = forward_to.map(|url| ForwardTo::new(url, settings, &*store)).transpose()?;
    let optional = Optional { account: !account_names.is_empty(), answer: forward_to.is_some() };
    let layout = table(optional, &zone).layout(out.columns());
    let filter = args.filter.filter(settings)?;
    let mut head = store.head()?;
    let mut after = args.after.unwrap_or(head);
    if after > head {
        let beyond =
            format!("--after: {after} is beyond the head, {head}; is this the right ledger?");
        return Err(UsageError(beyond).into());
    }
    let mut tail = Tail {
        out,
        layout,
        filter,
        account_names,
        zone,
        format: args.format,
        error_codes,
        effects: ledger::fits(&*store)?.then(|| Effects::new(after)),
        forward_to,
    };
    tail.heading()?;
    loop {
        for events in EventPages::new(&*store, after + 1..=head) {
            if interrupt.asked().is_break() {
                break;
            }
            tail.show(&*store, events?, &interrupt)?;
        }
        // Missing positions are skipped here; `verify` reports them.
        after = head;
        let wait = !args.no_follow && interrupt.asked().is_continue() && tail.is_read();
        if !wait {
            return Ok(Outcome::Done);
        }
        head = store.wait_for(after + 1, POLL_INTERVAL)?;
    }
}

/// The output, and the settings for it.
struct Tail {
    out: Safe<Stdout>,
    layout: Layout,
    filter: EventFilter,
    account_names: AccountNames,
    zone: Zone,
    format: Format,
    error_codes: ErrorCodes,
    /// `None` if the views belong to another log.
    effects: Option<Effects>,
    forward_to: Option<ForwardTo>,
}

impl Tail {
    fn heading(&mut self) -> Result<()> {
        if self.format == Format::Table {
            self.out.show(&self.layout.heading())?;
            self.out.flush()?;
        }
        Ok(())
    }

    fn show(
        &mut self,
        store: &dyn Store,
        events: Vec<RecordedEvent>,
        interrupt: &Interrupt,
    ) -> Result<()> {
        for event in events {
            if interrupt.asked().is_break() {
                break;
            }
            let reading = ParsedCallback::parse(&event);
            if let Some(effects) = &mut self.effects {
                effects.pass(&event, &reading);
            }
            if self.filter.matches(reading.with_event(&event)) {
                self.line(store, &event, &reading)?;
            }
        }
        self.out.flush()?;
        Ok(())
    }

    fn line(
        &mut self,
        store: &dyn Store,
        event: &RecordedEvent,
        reading: &ParsedCallback<'_>,
    ) -> Result<()> {
        let owned = |sid: &Option<std::borrow::Cow<'_, str>>| sid.as_deref().map(str::to_owned);
        let answer = match &self.forward_to {
            Some(forward_to) => forward_to.send(store, event, reading)?,
            None => None,
        };
        match self.format {
            Format::Table => {
                let effect = match &mut self.effects {
                    Some(effects) => effects.effect(store, event, reading)?,
                    None => None,
                };
                let mut row = cells(
                    event,
                    reading,
                    effect,
                    &self.error_codes,
                    &self.account_names,
                    &self.zone,
                );
                if self.forward_to.is_some() {
                    add_answer(&mut row, forward_to::cell(answer.as_ref()));
                }
                self.out.show(&self.layout.line(&row))?;
            }
            Format::Json => {
                let (account, message) = (owned(&reading.account_sid), owned(&reading.message_sid));
                let reported = reading.reported.as_ref();
                let event = wire::ShownEvent::new(event.clone(), account, message, reported, false);
                let mut line = match self.forward_to {
                    Some(_) => serde_json::to_vec(&forward_to::as_json(&event, answer.as_ref()))?,
                    None => serde_json::to_vec(&event)?,
                };
                line.push(b'\n');
                self.out.write_all(&line)?;
            }
        }
        if self.forward_to.is_some() {
            // The next answer may take long.
            self.out.flush()?;
        }
        Ok(())
    }

    /// True if the output still has a reader. Polled, because without new events there is no write that
    /// would fail.
    fn is_read(&self) -> bool {
        let mut out = [PollFd::new(self.out.inner(), PollFlags::empty())];
        let polled = poll(&mut out, Some(&Timespec::default()));
        polled.is_err() || !out[0].revents().contains(PollFlags::ERR)
    }
}

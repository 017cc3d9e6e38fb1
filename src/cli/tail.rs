//! `tail`: prints new events as the log grows. It reads the file, with or without a running server.

use std::io::{Stdout, Write};
use std::thread::sleep;
use std::time::Duration;

use anyhow::Result;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::{Format, Outcome, UsageError};
use crate::cli::common::interrupt::Interrupt;
use crate::cli::common::ledger;
use crate::cli::common::table::{Cell, Column, Layout, Table};
use crate::cli::common::terminal::{self, Safe};
use crate::cli::common::text::position;
use crate::config::Settings;
use crate::domain::account_names::AccountNames;
use crate::domain::message::filter::AddressPattern;
use crate::domain::{Effect, ErrorCode, ErrorCodes, Position, RecordedEvent, Status};
use crate::projection::effects::Effects;
use crate::store::{self, Access, EventPages, Store};
use crate::twilio::callback::ParsedCallback;
use crate::wire;
use crate::wire::number::WrittenAddress;

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

    #[command(flatten)]
    filter: Filter,

    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

/// The filter of shown events. All given values must match those in the event itself.
#[derive(Debug, clap::Args)]
struct Filter {
    /// The account, by SID or name
    #[arg(long, value_name = "ACCOUNT")]
    account_sid: Option<String>,

    #[arg(long, value_name = "SM…")]
    message_sid: Option<String>,

    /// The reported status; may be one that this program does not know
    #[arg(long)]
    status: Option<String>,

    #[arg(long, value_name = "CODE", value_parser = error_code)]
    error_code: Option<ErrorCode>,

    /// The sender: an address, in any spelling if it is a number, or its last digits as in *2671
    #[arg(long, value_name = "ADDRESS", value_parser = address)]
    from: Option<WrittenAddress>,

    /// The recipient: an address, in any spelling if it is a number, or its last digits
    #[arg(long, value_name = "ADDRESS", value_parser = address)]
    to: Option<WrittenAddress>,
}

/// Prints events until Ctrl-C, or up to the head.
pub fn run(args: Args, settings: &Settings) -> Result<Outcome> {
    let database = settings.database()?;
    let interrupt = Interrupt::listen()?;
    let error_codes = settings.error_codes(None)?;
    let store = store::open(&database, Access::Read)?;
    let out = terminal::stdout();
    let account_names = settings.account_names()?;
    let layout = table(!account_names.is_empty()).layout(out.columns());
    let account_sid = args.filter.account_sid.as_deref().map(|written| settings.account(written));
    let account_sid = account_sid.transpose()?.map(|sid| sid.to_string());
    let head = store.head()?;
    let mut after = args.after.unwrap_or(head);
    if after > head {
        let beyond =
            format!("--after: {after} is beyond the head, {head}; is this the right ledger?");
        return Err(UsageError(beyond).into());
    }
    let default_country = settings.default_country()?;
    let pattern = |written: &Option<WrittenAddress>| {
        written.as_ref().map(|written| written.pattern(default_country))
    };
    let mut tail = Tail {
        out,
        layout,
        from: pattern(&args.filter.from),
        to: pattern(&args.filter.to),
        filter: Filter { account_sid, ..args.filter },
        account_names,
        format: args.format,
        error_codes,
        effects: ledger::fits(&*store)?.then(|| Effects::new(after)),
    };
    tail.heading()?;
    loop {
        let head = store.head()?;
        for events in EventPages::new(&*store, after + 1..=head) {
            if interrupt.asked().is_break() {
                break;
            }
            tail.show(&*store, events?)?;
        }
        // Missing positions are skipped here; `verify` reports them.
        after = head;
        let wait = !args.no_follow && interrupt.asked().is_continue() && tail.is_read();
        if !wait {
            return Ok(Outcome::Done);
        }
        sleep(POLL_INTERVAL);
    }
}

/// The output, and the settings for it.
struct Tail {
    out: Safe<Stdout>,
    layout: Layout,
    filter: Filter,
    from: Option<AddressPattern>,
    to: Option<AddressPattern>,
    account_names: AccountNames,
    format: Format,
    error_codes: ErrorCodes,
    /// `None` if the views belong to another log.
    effects: Option<Effects>,
}

impl Tail {
    fn heading(&mut self) -> Result<()> {
        if self.format == Format::Table {
            self.out.show(&self.layout.heading())?;
            self.out.flush()?;
        }
        Ok(())
    }

    fn show(&mut self, store: &dyn Store, events: Vec<RecordedEvent>) -> Result<()> {
        for event in events {
            let reading = ParsedCallback::parse(&event);
            if let Some(effects) = &mut self.effects {
                effects.pass(&event, &reading);
            }
            if self.filter.matches(&reading) && self.matches_addresses(&reading) {
                self.line(store, &event, &reading)?;
            }
        }
        self.out.flush()?;
        Ok(())
    }

    fn matches_addresses(&self, reading: &ParsedCallback<'_>) -> bool {
        let address = |wanted: &Option<AddressPattern>, have: Option<&str>| {
            let fits = |wanted: &AddressPattern| have.is_some_and(|have| wanted.matches(have));
            wanted.as_ref().is_none_or(fits)
        };
        let addressed = reading.reported.as_ref().map(|reported| &reported.addressed);
        address(&self.from, addressed.and_then(|addressed| addressed.from.as_deref()))
            && address(&self.to, addressed.and_then(|addressed| addressed.to.as_deref()))
    }

    fn line(
        &mut self,
        store: &dyn Store,
        event: &RecordedEvent,
        reading: &ParsedCallback<'_>,
    ) -> Result<()> {
        let owned = |sid: &Option<std::borrow::Cow<'_, str>>| sid.as_deref().map(str::to_owned);
        match self.format {
            Format::Table => {
                let effect = match &mut self.effects {
                    Some(effects) => effects.effect(store, event, reading)?,
                    None => None,
                };
                let row = cells(event, reading, effect, &self.error_codes, &self.account_names);
                self.out.show(&self.layout.line(&row))?;
            }
            Format::Json => {
                let (account, message) = (owned(&reading.account_sid), owned(&reading.message_sid));
                let reported = reading.reported.as_ref();
                let event = wire::ShownEvent::new(event.clone(), account, message, reported, false);
                let mut line = serde_json::to_vec(&event)?;
                line.push(b'\n');
                self.out.write_all(&line)?;
            }
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

impl Filter {
    fn matches(&self, reading: &ParsedCallback<'_>) -> bool {
        let is = |wanted: &Option<String>, have: Option<&str>| {
            wanted.as_deref().is_none_or(|wanted| have == Some(wanted))
        };
        let reported = reading.reported.as_ref();
        let said = word(reading);
        let status = self.status.as_deref();
        let code = reported.and_then(|reported| reported.error_code);
        is(&self.account_sid, reading.account_sid.as_deref())
            && is(&self.message_sid, reading.message_sid.as_deref())
            && status
                .is_none_or(|wanted| said.is_some_and(|said| said.eq_ignore_ascii_case(wanted)))
            && self.error_code.is_none_or(|wanted| code == Some(wanted))
    }
}

/// The status that an event reports, known or not.
fn word<'a>(reading: &'a ParsedCallback<'_>) -> Option<&'a str> {
    let reported = reading.reported.as_ref()?;
    reported.status.map(Status::name).or(reported.unrecognised.as_deref())
}

/// The columns. The widths to expect are those of usual events: of a million of them, with numbers of
/// twelve digits. The account is shown only if accounts have names.
fn table(has_account_names: bool) -> Table {
    let mut columns = vec![
        Column::right("position").expect(9, 9),
        Column::left("received at (UTC)").short_heading("received (UTC)").expect(27, 14),
        Column::left("status").expect(19, 11),
        Column::left("effect").expect(12, 9),
        Column::left("message").expect(34, 9),
        Column::left("from").expect(21, 14).optional(),
        Column::left("to").expect(21, 14),
    ];
    if has_account_names {
        columns.push(Column::left("account").expect(12, 12).optional());
    }
    columns.push(Column::prose("error").expect(40, 40));
    Table::new(columns)
}

fn cells(
    event: &RecordedEvent,
    reading: &ParsedCallback<'_>,
    effect: Option<Effect>,
    error_codes: &ErrorCodes,
    account_names: &AccountNames,
) -> Vec<Cell> {
    let reported = reading.reported.as_ref();
    let or_dash = |text: Option<&str>| text.unwrap_or("-").to_owned();
    let code = reported.and_then(|reported| reported.error_code);
    let error = code.map(|code| format!("{} {}", code.number(), error_codes.title(code)));
    let mut cells = vec![
        Cell::number(event.position),
        Cell::time(event.received_at),
        Cell::status(or_dash(word(reading))),
        effect.map_or(Cell::text("-"), Cell::effect),
        Cell::sid(or_dash(reading.message_sid.as_deref())),
        Cell::address(or_dash(reported.and_then(|reported| reported.addressed.from.as_deref()))),
        Cell::address(or_dash(reported.and_then(|reported| reported.addressed.to.as_deref()))),
    ];
    if !account_names.is_empty() {
        let sid = or_dash(reading.account_sid.as_deref());
        cells.push(account_names.name(&sid).map_or_else(|| Cell::sid(&sid), Cell::text));
    }
    cells.push(Cell::text(error.unwrap_or_default()));
    cells
}

fn error_code(text: &str) -> Result<ErrorCode, String> {
    ErrorCode::parse(text).ok_or_else(|| "not a number of 1 to 9 digits, such as 30003".to_owned())
}

fn address(text: &str) -> Result<WrittenAddress, String> {
    WrittenAddress::parse(text).ok_or_else(|| {
        "not an address such as +15558675310, or * and at least its last four digits".to_owned()
    })
}

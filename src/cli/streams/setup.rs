//! `streams setup`: creates the sink and the subscription that send events to this ledger, as far as they are
//! missing. Without `--yes` it only reads.

use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result};

use super::plan::Plan;
use super::{Connection, Outcome, Selected, advice, destination};
use crate::cli::common::terminal;
use crate::cli::common::text::shell_quoted;
use crate::config::{DEFAULT_FILE, Settings};
use crate::twilio_api::event_streams::{EventStreams, LEDGER_EVENT_TYPES, Sink, Subscription};

/// How sink and subscription are described at Twilio.
const DESCRIPTION: &str = "delivery-ledger";

/// The arguments of `streams setup`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    selected: Selected,

    /// Also receive the events of the account's subaccounts
    #[arg(long)]
    subaccounts: bool,

    /// Create what is missing
    #[arg(long)]
    yes: bool,
}

/// Shows what is missing, or creates it.
pub fn run(args: &Args, settings: &Settings) -> Result<Outcome> {
    let settings = args.selected.applied_to(settings);
    let account_sid = args.selected.account(&settings)?;
    let destination = destination::only(&settings)?;
    let connection = Connection::new(&settings, &account_sid)?;
    let streams = connection.read(std::slice::from_ref(&destination))?;
    let plan = Plan::new(streams, args.subaccounts);
    let account = settings.account_names()?.describe(account_sid.as_str());
    let mut lines = Lines(terminal::stdout());
    lines.add("account", &account)?;
    lines.add("destination", &destination)?;
    lines.of_no_use(&plan)?;
    if args.yes || plan.is_complete() {
        let setup = Setup { twilio: connection.event_streams(), destination: &destination, args };
        let done = setup.carry_out(&plan, &mut lines);
        done.context("another run continues with what is missing then")?;
        if plan.is_complete() {
            lines.0.write_all(b"\nEverything exists: there is nothing to create.\n")?;
        }
    } else {
        lines.preview(&plan)?;
        let command = command(args, &settings);
        write!(lines.0, "\nNothing was changed. This creates what is missing:\n\n  {command}\n")?;
    }
    Ok(Outcome::Done)
}

/// What is needed to create something.
struct Setup<'a> {
    twilio: EventStreams<'a>,
    destination: &'a str,
    args: &'a Args,
}

impl Setup<'_> {
    /// Creates what is missing, and reports each step once it is done.
    fn carry_out(&self, plan: &Plan, lines: &mut Lines) -> Result<()> {
        let sink = match &plan.sink {
            Some(sink) => {
                lines.sink(sink, "exists")?;
                sink.clone()
            }
            None => {
                let sink = self.twilio.create_sink(self.destination, DESCRIPTION)?;
                lines.sink(&sink, "created")?;
                sink
            }
        };
        match &plan.subscription {
            Some(subscription) => self.complete(plan, subscription, lines),
            None => {
                let subscription = self.twilio.create_subscription(
                    &sink.sid,
                    DESCRIPTION,
                    &plan.missing,
                    self.args.subaccounts,
                )?;
                lines.add("subscription", &format!("{} created", subscription.sid))?;
                lines.types(plan, "added")
            }
        }
    }

    /// Adds what is missing to an existing subscription.
    fn complete(&self, plan: &Plan, subscription: &Subscription, lines: &mut Lines) -> Result<()> {
        lines.add("subscription", &format!("{} exists", subscription.sid))?;
        if plan.adds_subaccounts {
            self.twilio.include_subaccounts(&subscription.sid)?;
            lines.add("", "now with the events of subaccounts")?;
        }
        for event_type in &plan.missing {
            self.twilio.subscribe(&subscription.sid, event_type)?;
        }
        lines.types(plan, "added")
    }
}

/// The lines of the output: each has a label and a text.
struct Lines(terminal::Safe<std::io::Stdout>);

impl Lines {
    fn add(&mut self, label: &str, text: &str) -> Result<()> {
        Ok(writeln!(self.0, "{label:<13} {text}")?)
    }

    fn sink(&mut self, sink: &Sink, what: &str) -> Result<()> {
        self.add("sink", &format!("{} {what}, {}", sink.sid, sink.status))?;
        advice(sink.status).map_or(Ok(()), |advice| self.add("", advice))
    }

    fn types(&mut self, plan: &Plan, word: &str) -> Result<()> {
        for (index, event_type) in LEDGER_EVENT_TYPES.iter().enumerate() {
            let label = if index == 0 { "event types" } else { "" };
            let word = if plan.missing.contains(event_type) { word } else { "exists" };
            self.add(label, &format!("{:<48} {word}", event_type.name))?;
        }
        Ok(())
    }

    fn of_no_use(&mut self, plan: &Plan) -> Result<()> {
        for sink in &plan.of_no_use {
            let text = "does not POST, and nothing else is received here: delete it at Twilio";
            self.add("sink", &format!("{} {text}", sink.sid))?;
        }
        Ok(())
    }

    /// What would be created.
    fn preview(&mut self, plan: &Plan) -> Result<()> {
        match &plan.sink {
            Some(sink) => self.sink(sink, "exists")?,
            None => {
                self.add("sink", "to be created: a webhook, POST, several events in a request")?;
            }
        }
        match &plan.subscription {
            Some(of) => self.add("subscription", &format!("{} exists", of.sid))?,
            None => self.add("subscription", "to be created")?,
        }
        if plan.adds_subaccounts {
            self.add("", "to be changed: with the events of subaccounts")?;
        }
        self.types(plan, "to be added")
    }
}

/// The command that creates what this one shows.
fn command(args: &Args, settings: &Settings) -> String {
    let Selected { public_url, event_streams_path, account_sid } = &args.selected;
    let file = settings.config_file().filter(|file| *file != Path::new(DEFAULT_FILE));
    let file = file.map(|file| file.display().to_string());
    let before = file.map(|file| format!(" --config {}", shell_quoted(&file)));
    let flags = [
        ("--public-url", public_url),
        ("--event-streams-path", event_streams_path),
        ("--account-sid", account_sid),
    ];
    let flags = flags.into_iter().filter_map(|(flag, value)| Some((flag, value.as_ref()?)));
    let flags: String =
        flags.map(|(flag, value)| format!(" {flag} {}", shell_quoted(value))).collect();
    let subaccounts = if args.subaccounts { " --subaccounts" } else { "" };
    let before = before.unwrap_or_default();
    format!("delivery-ledger{before} streams setup{flags}{subaccounts} --yes")
}

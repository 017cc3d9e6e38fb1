//! The command line: one module per command, each with its arguments and a `run` function.
//! Results go to stdout, everything else to stderr.

mod audit;
mod backup;
mod check_signature;
mod common;
mod config;
mod copy;
mod demo;
mod doctor;
mod erase;
mod events;
mod evidence;
mod export;
mod feedback;
mod forward;
mod help;
mod import;
mod init;
mod messages;
mod packaging;
mod quarantine;
mod reconcile;
mod replay;
mod report;
mod restore;
mod seal;
mod send;
mod serve;
mod simulate;
mod streams;
mod tail;
mod verify;

use std::sync::LazyLock;

use anyhow::Result;
use clap::{FromArgMatches, Parser, Subcommand, ValueEnum};

pub use self::help::command;
pub use crate::config::UsageError;
use crate::config::{Setting, Settings};
use crate::telemetry;
use crate::version;
use common::flags::global_options::GlobalOptions;

/// What `--version` prints; `-V` prints the version alone.
static LONG_VERSION: LazyLock<String> = LazyLock::new(version::long);

/// An event-sourced ledger of Twilio's status callbacks.
#[derive(Debug, Parser)]
#[command(name = "delivery-ledger", version, long_version = LONG_VERSION.as_str(), max_term_width = 100)]
pub struct Cli {
    #[command(flatten)]
    global: GlobalOptions,

    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the server: store callbacks and answer queries about them
    Serve(serve::Args),
    /// Write a commented configuration file, and say how to go on
    Init(init::Args),
    /// Try everything with simulated, signed traffic; needs no Twilio account
    Demo(demo::Args),
    /// Show the lifecycle of one message: each event, when it arrived, and its effect
    Audit(audit::Args),
    /// List messages, newest first
    Messages(messages::Args),
    /// List events of the log, newest first
    Events(events::Args),
    /// Rebuild the views from the log
    Replay(replay::Args),
    /// Verify that the log is intact and that the views agree with it
    Verify(verify::Args),
    /// Check configuration, files, ledger and server, and say what to do about problems
    Doctor(doctor::Args),
    /// Show the configuration: every value and where it came from
    Config(config::Args),
    /// Follow the log as it grows
    Tail(tail::Args),
    /// Export messages or events as NDJSON, CSV, Parquet or a spreadsheet
    Export(export::Args),
    /// Report counts, rates and delivery times of messages by day, channel, country and so on
    Report(report::Args),
    /// Copy the log into a new file and verify the copy; works while a server is running
    Backup(backup::Args),
    /// Create a ledger from a backup and verify it; never overwrites a ledger
    Restore(restore::Args),
    /// Erase the content of messages, for good: by message, by address, or by age
    Erase(erase::Args),
    /// Copy the log into another ledger, such as from SQLite to PostgreSQL, and verify the copy
    Copy(copy::Args),
    /// Make a file with which others can check one message without this ledger, or check one
    Evidence(evidence::Args),
    /// Seal the ledger: sign how many events it has and what their root is, and show or check seals
    Seal(seal::Args),
    /// Send signed callbacks to a URL, with the faults of real traffic
    Simulate(simulate::Args),
    /// Send a message through Twilio, and record that it was sent
    Send(send::Args),
    /// Report to Twilio whether a recipient did what the message was for, and record the report
    Feedback(feedback::Args),
    /// Ask Twilio for statuses that its callbacks did not report
    Reconcile(reconcile::Args),
    /// Import the events of another ledger, or Twilio's own records of messages
    Import(import::Args),
    /// List, show, recheck or delete rejected requests that were stored
    Quarantine(quarantine::Args),
    /// List the targets of forwarding, send failed events again, or skip some
    Forward(forward::Args),
    /// Have Twilio send events by Event Streams, or check which it sends
    Streams(streams::Args),
    /// Check one X-Twilio-Signature; the token comes from TWILIO_AUTH_TOKEN
    CheckSignature(check_signature::Args),
    /// Print the OpenAPI document of the admin API
    Openapi,
    /// Print the completion script for a shell
    Completions(packaging::CompletionsArgs),
    /// Print a manual page, or write all of them
    Man(packaging::man::Args),
}

/// The outcome of a command that did not fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It did what it should.
    Done,
    /// It checked something, and has findings.
    CheckFoundSomething,
    /// There is no such message, event or request.
    NotFound,
}

/// The help of a setting's flag, with its default and its environment variable.
fn help(setting: &Setting, text: &str) -> String {
    let default = setting.default.map(|default| format!(" [default: {default}]"));
    let variable = setting.variable.map(|variable| format!(" [env: {variable}]"));
    [Some(text.to_owned()), default, variable].into_iter().flatten().collect()
}

/// The output format of a command's result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Table,
    Json,
}

impl Cli {
    /// Parses the arguments. Prints help and usage errors itself, the latter with exit code 2.
    pub fn parse_arguments() -> Self {
        let mut command = help::command();
        let matches = command.get_matches_mut();
        Self::from_arg_matches(&matches).unwrap_or_else(|error| error.format(&mut command).exit())
    }

    /// Runs the command.
    pub fn run(self) -> Result<Outcome> {
        self.global.apply_color();
        telemetry::start(self.global.verbosity());
        let (config, flags) = (self.global.config.as_deref(), self.global.flags());
        // These commands need no settings, or report invalid ones themselves.
        match &self.command {
            Command::Openapi => return packaging::openapi::run(),
            Command::Completions(args) => return packaging::completions(args),
            Command::Man(args) => return packaging::man::run(args),
            Command::Doctor(args) => return doctor::run(args, config, flags),
            Command::Init(args) => return init::run(args, config, flags),
            Command::Config(args) => return config::run(args, config, flags),
            _ => {}
        }
        let command = match self.command {
            Command::Seal(args) if args.is_offline() => return seal::run_offline(args),
            Command::Evidence(args) if args.is_offline() => return evidence::run_offline(args),
            command => command,
        };
        let settings = Settings::load(config, flags)?;
        let file = settings.config_file().map(|path| path.display().to_string());
        let database = settings.place().map(|database| database.to_string()).ok();
        tracing::debug!(config = file, database, "the settings were read");
        match command {
            Command::Serve(args) => serve::run(args, &settings),
            Command::Demo(args) => demo::run(args, &settings),
            Command::Audit(args) => audit::run(args, &settings),
            Command::Messages(args) => messages::run(args, &settings),
            Command::Events(args) => events::run(args, &settings),
            Command::Replay(args) => replay::run(args, &settings),
            Command::Verify(args) => verify::run(args, &settings),
            Command::Export(args) => export::run(args, &settings),
            Command::Report(args) => report::run(args, &settings),
            Command::Backup(args) => backup::run(args, &settings),
            Command::Restore(args) => restore::run(args, &settings),
            Command::Evidence(args) => evidence::run(args, &settings),
            Command::Seal(args) => seal::run(args, &settings),
            Command::Erase(args) => erase::run(args, &settings),
            Command::Copy(args) => copy::run(args, &settings),
            Command::Simulate(args) => simulate::run(args, &settings),
            Command::Send(args) => send::run(args, &settings),
            Command::Feedback(args) => feedback::run(args, &settings),
            Command::Reconcile(args) => reconcile::run(args, &settings),
            Command::Import(args) => import::run(args, &settings),
            Command::Quarantine(args) => quarantine::run(args, &settings),
            Command::Forward(args) => forward::run(args, &settings),
            Command::Streams(args) => streams::run(args, &settings),
            Command::CheckSignature(args) => check_signature::run(args, &settings),
            Command::Tail(args) => tail::run(args, &settings),
            Command::Openapi => packaging::openapi::run(),
            Command::Completions(args) => packaging::completions(&args),
            Command::Man(args) => packaging::man::run(&args),
            Command::Doctor(_) | Command::Config(_) | Command::Init(_) => {
                unreachable!("it has been run above")
            }
        }
    }
}

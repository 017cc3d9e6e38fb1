//! `doctor`: a page of checks, each with its outcome and advice. It only reads. A check that cannot be
//! made is reported as such, or left out if another check has reported the reason.

mod context;
mod disk;
mod files;
mod finding;
mod keys;
mod ledger;
mod maintenance;
mod output;
mod quarantine;
mod refusals;
mod server;
mod settings;
mod time;
mod url;

use std::path::Path;

use anyhow::Result;

use self::context::DoctorContext;
use self::finding::{Checked, Finding, Outcome as CheckOutcome};
use super::{Format, Outcome, serve};
use crate::config::Flags;

/// The arguments of `doctor`.
#[derive(Debug, clap::Args)]
#[group(skip)] // the group of serve's arguments has the same name
pub struct Args {
    /// Run only quick checks: no counting, and only the readiness of the server
    #[arg(long)]
    quick: bool,

    /// Fail if no server responds
    #[arg(long)]
    server: bool,

    /// The flags with which serve is started, if any
    #[command(flatten)]
    serve: serve::Args,

    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

/// One check.
struct Check {
    area: &'static str,
    name: &'static str,
    cost: Cost,
    /// Returns the findings: none if another check has reported why this one cannot be made, and
    /// several if there are several things of a kind.
    run: fn(&DoctorContext) -> Vec<Finding>,
}

/// The cost of a check.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Cost {
    /// Milliseconds, however large the ledger is, so that a health check may run it every few seconds.
    Little,
    More,
}

impl Check {
    fn run_in(&self, context: &DoctorContext) -> Vec<Checked> {
        let named = |finding: Finding| {
            let name = match &finding.of {
                Some(of) => format!("{} {of}", self.name),
                None => self.name.to_owned(),
            };
            Checked { area: self.area, name, finding }
        };
        (self.run)(context).into_iter().map(named).collect()
    }
}

/// Every check, in the order of the page.
const CHECKS: [Check; 36] = [
    Check { area: "configuration", name: "file", cost: Cost::Little, run: settings::file },
    Check { area: "configuration", name: "setting", cost: Cost::Little, run: settings::each },
    Check { area: "configuration", name: "serve", cost: Cost::Little, run: settings::serve },
    Check {
        area: "configuration",
        name: "API tokens",
        cost: Cost::Little,
        run: settings::api_tokens,
    },
    Check { area: "twilio", name: "keys", cost: Cost::Little, run: keys::each },
    Check { area: "twilio", name: "key files", cost: Cost::Little, run: keys::files },
    Check { area: "twilio", name: "public URL", cost: Cost::Little, run: url::public },
    Check { area: "twilio", name: "callback URL", cost: Cost::Little, run: url::callback },
    Check { area: "twilio", name: "callback query", cost: Cost::More, run: url::query },
    Check { area: "twilio", name: "signing key", cost: Cost::More, run: keys::signing },
    Check { area: "twilio", name: "refusals", cost: Cost::More, run: refusals::share },
    Check { area: "twilio", name: "misdirected", cost: Cost::More, run: quarantine::misdirected },
    Check { area: "twilio", name: "quarantine", cost: Cost::More, run: quarantine::common },
    Check { area: "files", name: "permissions", cost: Cost::Little, run: files::permissions },
    Check { area: "files", name: "access", cost: Cost::Little, run: files::access },
    Check { area: "files", name: "file system", cost: Cost::Little, run: files::file_system },
    Check { area: "files", name: "names", cost: Cost::Little, run: files::names },
    Check { area: "files", name: "leftovers", cost: Cost::Little, run: files::leftovers },
    Check { area: "files", name: "disk", cost: Cost::Little, run: disk::free },
    Check { area: "files", name: "growth", cost: Cost::More, run: disk::growth },
    Check { area: "files", name: "write-ahead log", cost: Cost::Little, run: disk::wal },
    Check { area: "ledger", name: "log", cost: Cost::Little, run: ledger::log },
    Check { area: "ledger", name: "engine", cost: Cost::Little, run: ledger::engine },
    Check { area: "ledger", name: "guards", cost: Cost::More, run: ledger::guards },
    Check { area: "ledger", name: "views", cost: Cost::Little, run: ledger::views },
    Check { area: "ledger", name: "rule", cost: Cost::Little, run: ledger::rule },
    Check { area: "ledger", name: "stuck messages", cost: Cost::More, run: ledger::stuck },
    Check { area: "time", name: "clock", cost: Cost::Little, run: time::clock },
    Check { area: "time", name: "order of arrival", cost: Cost::More, run: time::order },
    Check { area: "records", name: "reconcile", cost: Cost::More, run: maintenance::reconcile },
    Check { area: "records", name: "backup", cost: Cost::More, run: maintenance::backup },
    Check { area: "server", name: "ready", cost: Cost::Little, run: server::ready },
    Check { area: "server", name: "callbacks", cost: Cost::More, run: server::callbacks },
    Check { area: "server", name: "version", cost: Cost::More, run: server::version },
    Check { area: "server", name: "verification", cost: Cost::More, run: server::verification },
    Check { area: "server", name: "open files", cost: Cost::Little, run: server::open_files },
];

/// Runs the checks and prints the page. An invalid configuration is a finding, not an error.
pub fn run(args: &Args, config: Option<&Path>, flags: Flags) -> Result<Outcome> {
    let context = DoctorContext::new(config, flags, args.serve.flags(), args.server);
    let due = CHECKS.iter().filter(|check| !args.quick || check.cost == Cost::Little);
    let checked: Vec<_> = due.flat_map(|check| check.run_in(&context)).collect();
    match args.format {
        Format::Table => output::for_people(&checked)?,
        Format::Json => output::as_json(&checked)?,
    }
    match checked.iter().any(|checked| checked.finding.outcome == CheckOutcome::Fail) {
        true => Ok(Outcome::CheckFoundSomething),
        false => Ok(Outcome::Done),
    }
}

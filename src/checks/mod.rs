//! Checks on configuration, files, ledger and server, each with its outcome and advice. They only read. A
//! check that cannot be made is reported as such, or left out if another check has reported the reason.

pub mod arrivals;
pub mod callback_counts;
pub mod callbacks;
mod clock;
pub mod configuration;
pub mod context;
mod disk;
pub mod figures;
mod files;
pub mod finding;
mod forwarding;
pub mod growth;
mod ledger;
mod nodes;
mod records;
pub mod report;
pub mod server;

use std::time::Instant;

use self::callbacks::{logged_errors, quarantine, refusals, silence, streams};
use self::configuration::{keys, settings, subaccounts, url};
use self::context::CheckContext;
use self::figures::Figures;
use self::finding::{Checked, Finding};
use self::report::CheckReport;

/// One check.
struct Check {
    area: &'static str,
    name: &'static str,
    cost: Cost,
    /// Returns the findings: none if another check has reported why this one cannot be made, and
    /// several if there are several things of a kind.
    run: fn(&CheckContext) -> Vec<Finding>,
}

/// The cost of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cost {
    /// Milliseconds, however large the ledger is, so that a health check may run it every few seconds.
    Little,
    /// Longer, or requests to other servers.
    More,
}

impl Check {
    fn run_in(&self, context: &CheckContext) -> Vec<Checked> {
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
const CHECKS: [Check; 46] = [
    Check { area: "callbacks", name: "silence", cost: Cost::More, run: silence::silence },
    Check { area: "callbacks", name: "refusals", cost: Cost::More, run: refusals::share },
    Check {
        area: "callbacks",
        name: "misdirected",
        cost: Cost::More,
        run: quarantine::misdirected,
    },
    Check {
        area: "callbacks",
        name: "errors at Twilio",
        cost: Cost::More,
        run: logged_errors::each,
    },
    Check { area: "callbacks", name: "streams", cost: Cost::More, run: streams::compared },
    Check { area: "callbacks", name: "batches", cost: Cost::More, run: streams::kept_whole },
    Check { area: "callbacks", name: "quarantine", cost: Cost::More, run: quarantine::common },
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
    Check { area: "twilio", name: "subaccounts", cost: Cost::Little, run: subaccounts::each },
    Check { area: "twilio", name: "public URL", cost: Cost::Little, run: url::public },
    Check { area: "twilio", name: "callback URL", cost: Cost::Little, run: url::callback },
    Check { area: "twilio", name: "callback query", cost: Cost::More, run: url::query },
    Check { area: "twilio", name: "signing key", cost: Cost::More, run: keys::signing },
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
    Check { area: "ledger", name: "nodes", cost: Cost::Little, run: nodes::running },
    Check { area: "ledger", name: "replication", cost: Cost::Little, run: nodes::replication },
    Check { area: "time", name: "clock", cost: Cost::Little, run: clock::clock },
    Check { area: "time", name: "order of arrival", cost: Cost::More, run: clock::order },
    Check {
        area: "records",
        name: "reconcile",
        cost: Cost::More,
        run: records::maintenance::reconcile,
    },
    Check { area: "records", name: "backup", cost: Cost::More, run: records::maintenance::backup },
    Check { area: "records", name: "seals", cost: Cost::More, run: records::seals::seals },
    Check { area: "records", name: "erasure", cost: Cost::More, run: records::erasure::erasure },
    Check { area: "records", name: "verification", cost: Cost::More, run: server::verification },
    Check { area: "forwarding", name: "target", cost: Cost::More, run: forwarding::each },
    Check { area: "server", name: "ready", cost: Cost::Little, run: server::ready },
    Check { area: "server", name: "callbacks", cost: Cost::More, run: server::callbacks },
    Check { area: "server", name: "version", cost: Cost::More, run: server::version },
    Check { area: "server", name: "open files", cost: Cost::Little, run: server::open_files },
];

/// Runs the checks that cost at most this much. An invalid configuration is a finding, not an error.
pub fn run(context: &CheckContext, cost_max: Cost) -> CheckReport {
    let began = Instant::now();
    let due = CHECKS.iter().filter(|check| check.cost <= cost_max);
    let checked = due.flat_map(|check| check.run_in(context)).collect();
    let figures = match cost_max {
        Cost::Little => Figures::default(),
        Cost::More => Figures::measure(context),
    };
    CheckReport { at: context.now, took: began.elapsed(), checked, figures }
}

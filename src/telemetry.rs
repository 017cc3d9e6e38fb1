//! Diagnostic output: log lines on stderr, as text for a terminal and otherwise as JSON, one object a
//! line. Results go to stdout and are written elsewhere.

use std::fmt::Display;
use std::io::{IsTerminal, Write};

use anstream::{AutoStream, ColorChoice};
use anstyle::AnsiColor;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// Writes a line to stderr that is not a log line, such as a command's error. Unlike `eprintln!`, it
/// does not panic if stderr is closed.
pub fn eprint_line(line: impl Display) {
    let _stderr_is_closed = writeln!(std::io::stderr(), "{line}");
}

/// Writes a command's error to stderr, with the word in red on a terminal.
pub fn eprint_error(error: impl Display) {
    let style = AnsiColor::Red.on_default().bold();
    let _stderr_is_closed = writeln!(anstream::stderr(), "{style}error:{style:#} {error}");
}

/// Which log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verbosity {
    /// Only errors.
    Quiet,
    /// What an operator should see, and warnings of libraries.
    Usual,
    /// Also how the program got there, and what libraries tell an operator.
    Verbose,
    /// Also what only their developers want to see.
    VeryVerbose,
}

impl Verbosity {
    /// The HTTP library is silenced: it logs every request that is not HTTP, and anybody can send
    /// thousands of those.
    fn filter(self) -> &'static str {
        match self {
            Verbosity::Quiet => "error,actix_http=off",
            Verbosity::Usual => "warn,actix_http=off,delivery_ledger=info",
            Verbosity::Verbose => "info,actix_http=off,delivery_ledger=debug",
            Verbosity::VeryVerbose => "debug,actix_http=off,delivery_ledger=trace",
        }
    }
}

/// Starts telemetry for this process. A later call changes nothing, which tests rely on.
pub fn start(verbosity: Verbosity) {
    let filter: Targets = verbosity.filter().parse().expect("the filters are well-formed");
    let lines = tracing_subscriber::fmt()
        // Which levels are written is decided by the filter alone.
        .with_max_level(LevelFilter::TRACE)
        .with_target(false)
        // Reporting a line that cannot be written would panic, because that goes to stderr too.
        .log_internal_errors(false)
        .with_writer(std::io::stderr);
    let _already_started = match std::io::stderr().is_terminal() {
        true => {
            let has_styles = AutoStream::choice(&std::io::stderr()) != ColorChoice::Never;
            lines.with_ansi(has_styles).finish().with(filter).try_init()
        }
        // Log collectors expect the fields at the same level as the message.
        false => lines.json().flatten_event(true).finish().with(filter).try_init(),
    };
}

//! Checks that this process can work as a server: clock, limits on files and memory, panics.
//! If it cannot, it exits with one line and code 1, so that a supervisor restarts it.

use std::ops::Range;
use std::thread::{self, sleep};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rlimit::Resource;
use rustix::process::Signal;
use time::OffsetDateTime;
use tokio::signal::unix::{SignalKind, signal};

use crate::telemetry::eprint_line;

/// The minimum number of files that a server must be able to open: it has 44 open when idle, and a few more
/// for each kind of query; the rest is for connections.
const FILES_MIN: u64 = 128;

/// The address space that an idle server has reserved, most of it for the stacks and heaps of its threads;
/// with less it cannot start them all, or aborts later.
const ADDRESS_SPACE_MIN: u64 = 1 << 30;

/// The years in which a clock is plausible at the start: this program is younger than the first, and an event
/// of the last would sort after all others for ever.
const YEARS: Range<i32> = 2020..2200;

/// Years in which a running server continues. A clock that is set back is no reason to stop receiving callbacks,
/// since their order does not depend on it; times before 1970 cannot be written down, neither in a
/// UUID nor in an HTTP date.
const YEARS_WHILE_RUNNING: Range<i32> = 1970..2200;

/// The interval between checks of the clock, which may be set while the server runs.
const BETWEEN_LOOKS: Duration = Duration::from_secs(1);

/// Threads that work for one request each, or for one target. A panic in one of them ends that request, or the
/// forwarding to that target; the threads that run handlers are watched by the listeners themselves.
const THREADS_OF_REQUESTS: [&str; 6] = ["actix-rt", "tokio-", "export", "job", "send", "forward"];

/// Refuses to start a server that could not work here.
pub fn check() -> Result<()> {
    check_clock()?;
    // Each connection needs a file; with the usual 1,024, idle ones could keep Twilio from connecting.
    let files =
        rlimit::increase_nofile_limit(u64::MAX).context("ask how many files may be open")?;
    if files < FILES_MIN {
        bail!(
            "at most {files} files may be open, and a server needs {FILES_MIN}; raise the limit \
             (ulimit -n, or LimitNOFILE in a systemd unit)"
        );
    }
    let (bytes, _) = Resource::AS.get().context("ask how much address space there is")?;
    if bytes < ADDRESS_SPACE_MIN {
        bail!(
            "the address space is limited to {} MiB, and a server needs {}; raise the limit \
             (ulimit -v, or LimitAS in a systemd unit), or limit the memory by a control group",
            bytes >> 20,
            ADDRESS_SPACE_MIN >> 20
        );
    }
    Ok(())
}

/// Refuses a clock that cannot be right: its times would stay in the log for ever.
pub fn check_clock() -> Result<()> {
    check_year(YEARS)
}

fn check_year(believed: Range<i32>) -> Result<()> {
    let year = OffsetDateTime::now_utc().year();
    match believed.contains(&year) {
        true => Ok(()),
        false => bail!(
            "the clock says that this is the year {year}; set it: events are recorded with their \
             time, which nothing changes later"
        ),
    }
}

/// Ends the process, with one line instead of a backtrace, if a thread panics that the server needs. Every
/// acknowledged event is on disk.
pub fn exit_on_panic() {
    std::panic::set_hook(Box::new(|panic| {
        let current = thread::current();
        let name = current.name().unwrap_or("unnamed");
        let text = panic.payload_as_str().unwrap_or("for no given reason");
        let place = panic.location().map(|at| format!(" ({}:{})", at.file(), at.line()));
        let place = place.unwrap_or_default();
        let what = format!("thread {name} panicked: {}{place}", text.escape_debug());
        match THREADS_OF_REQUESTS.iter().any(|of_requests| name.starts_with(of_requests)) {
            true => tracing::error!("{what}"),
            false => end(&what),
        }
    }));
}

/// Ends the process once the clock is set to an impossible time.
pub fn watch_clock() {
    let watch = || loop {
        sleep(BETWEEN_LOOKS);
        if let Err(error) = check_year(YEARS_WHILE_RUNNING) {
            end(&error.to_string());
        }
    };
    let started = thread::Builder::new().name("clock".into()).spawn(watch);
    let _detached = started.expect("the system starts a thread");
}

/// Turns a limit on the size of files into a disk error (setrlimit(2)): a process that handles SIGXFSZ is not
/// killed by it, and the write fails instead. Must be called within a runtime that can await signals.
pub fn survive_file_size_limit() -> Result<()> {
    let kind = SignalKind::from_raw(Signal::XFSZ.as_raw());
    let mut too_large = signal(kind).context("listen for SIGXFSZ")?;
    actix_web::rt::spawn(async move { while too_large.recv().await.is_some() {} });
    Ok(())
}

fn end(reason: &str) -> ! {
    eprint_line(format_args!("error: {reason}"));
    std::process::exit(1)
}

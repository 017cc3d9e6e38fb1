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

/// How many files a server has to be able to open: it has 44 open at rest, and a few more for each
/// kind of question; the rest is for connections.
const FILES_MIN: u64 = 128;

/// A server at rest has reserved this much address space, most of it for the stacks and heaps of its
/// threads; with less it cannot start them all, or ends in the middle of its work.
const ADDRESS_SPACE_MIN: u64 = 1 << 30;

/// Years in which a clock is believed at the start: this program is younger than the first, and an
/// event of the last would sort after all others for ever.
const YEARS: Range<i32> = 2020..2200;

/// Years in which a running server goes on. A clock that is set back is no reason to take no callbacks,
/// since their order does not depend on it; times before 1970 cannot be written down, neither in a
/// UUID nor in an HTTP date.
const YEARS_WHILE_RUNNING: Range<i32> = 1970..2200;

/// How often the clock is looked at: somebody may set it.
const BETWEEN_LOOKS: Duration = Duration::from_secs(1);

/// Threads that work for one request each. A panic in one of them ends that request; the threads that
/// run handlers are watched by the listeners themselves.
const THREADS_OF_REQUESTS: [&str; 5] = ["actix-rt", "tokio-", "export", "job", "send"];

/// Refuses to start a server where it could not do its work.
pub fn check() -> Result<()> {
    check_clock()?;
    // Each connection takes a file; the usual 1,024 would let idle ones shut Twilio out.
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

/// Ends the process if a thread panics that the server cannot do without, with one line instead of a
/// backtrace. Whatever was acknowledged is on disk.
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

/// Ends the process once the clock is set to where it cannot be.
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

/// Makes a limit on the size of files an error of the disk (setrlimit(2)): who listens to SIGXFSZ is not
/// killed by it, and the write fails instead. To be called where signals can be awaited.
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

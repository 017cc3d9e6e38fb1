//! Access records: who read what from the admin listener, one JSON line for each request.
//!
//! A thread of its own writes them, behind a bounded queue that no request waits for. They are separate
//! from the log lines on stderr, because other people read them and keep them for another time.

mod file;
mod metrics;
mod record;

use std::io;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};

use self::file::Output;
pub use self::metrics::AccessLogMetrics;
use self::metrics::Lost;
pub use self::record::AccessRecord;
use crate::background::Background;

/// Records that wait to be written: some seconds of as many requests as the listener can answer, in a few
/// megabytes.
const WAITING_MAX: usize = 10_000;

/// The maximum number of records in one write.
const WRITTEN_AT_ONCE_MAX: usize = 256;

/// Where access records are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Destination {
    /// Standard output.
    Stdout,
    /// A file, to which lines are appended; created with mode 0600.
    File(PathBuf),
}

/// A handle to the thread. When the last one is dropped, the thread writes what is waiting and ends.
#[derive(Clone)]
pub struct AccessLog {
    waiting: SyncSender<AccessRecord>,
    metrics: AccessLogMetrics,
}

impl AccessLog {
    /// Opens the destination and starts the thread. The error is that the file cannot be opened.
    pub fn start(destination: Destination) -> io::Result<(Self, Background)> {
        let output = Output::open(destination)?;
        let (waiting, records) = sync_channel(WAITING_MAX);
        let metrics = AccessLogMetrics::default();
        let thread = Thread { output, metrics: metrics.clone(), in_trouble: false };
        let thread =
            Background::spawn("access-log", move |_ends_with_its_handles| thread.run(&records));
        Ok((Self { waiting, metrics }, thread))
    }

    /// Queues a record. Never blocks: if too many are waiting, the record is lost and counted.
    pub fn record(&self, record: AccessRecord) {
        if let Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) =
            self.waiting.try_send(record)
        {
            self.metrics.lost(Lost::Full, 1);
        }
    }

    /// The counters.
    pub fn metrics(&self) -> &AccessLogMetrics {
        &self.metrics
    }
}

struct Thread {
    output: Output,
    metrics: AccessLogMetrics,
    /// Whether the last write failed: each trouble is logged once.
    in_trouble: bool,
}

impl Thread {
    fn run(mut self, records: &Receiver<AccessRecord>) {
        while let Ok(first) = records.recv() {
            let more = records.try_iter().take(WRITTEN_AT_ONCE_MAX - 1);
            self.write([first].into_iter().chain(more));
        }
    }

    fn write(&mut self, records: impl Iterator<Item = AccessRecord>) {
        let (mut lines, mut count) = (Vec::new(), 0);
        for record in records {
            record.write_line(&mut lines);
            count += 1;
        }
        match self.output.append(&lines) {
            Ok(()) => {
                self.metrics.written(count);
                if std::mem::take(&mut self.in_trouble) {
                    tracing::info!("access records are written again");
                }
            }
            Err(error) => {
                self.metrics.lost(Lost::from_error(&error), count);
                if !std::mem::replace(&mut self.in_trouble, true) {
                    tracing::error!(
                        "access records cannot be written to {}: {error}; requests are answered, \
                         and the records are lost until this is repaired",
                        self.output
                    );
                }
            }
        }
    }
}

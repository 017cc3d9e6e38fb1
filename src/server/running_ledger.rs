//! A ledger opened for serving: its store, its writer thread and its projection thread.
//! The same for the quarantine and the access records, which have a thread of their own each.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use uuid::Uuid;

use crate::access_log::{AccessLog, Destination};
use crate::background::Background;
use crate::domain::Rule;
use crate::domain::message::tags::IndexedTags;
use crate::jobs::Jobs;
use crate::projection::erased::ErasureState;
use crate::projection::worker::{self, Handle};
use crate::quarantine::recorder::Recorder;
use crate::store::head::Head;
use crate::store::nodes::{Lead, Node, POLL_INTERVAL};
use crate::store::quarantine::Limits;
use crate::store::writer::Writer;
use crate::store::{self, Access, Database, Store, StoreError};
use crate::twilio::callback_path::CallbackPath;

/// The maximum time for the threads to end. A batch that a projection has not finished by then is repeated
/// at the next start.
const END_PATIENCE: Duration = Duration::from_secs(1);

/// An open ledger and its threads.
pub struct RunningLedger {
    /// Where the ledger is.
    pub database: Database,
    /// The ledger.
    pub store: Arc<dyn Store>,
    /// Appends events.
    pub writer: Writer,
    /// The worker that keeps the views up to date.
    pub projection: Handle,
    /// Exports, verifications and dry runs.
    pub jobs: Jobs,
    /// Whether this server leads the nodes of the ledger.
    pub lead: Lead,
    threads: [Background; 2],
    /// Those of a node: it keeps the lead, and looks for what other nodes append.
    of_node: Vec<Background>,
}

impl RunningLedger {
    /// Opens the ledger, creating it if it does not exist, and starts its threads. Nodes know it by this name.
    pub fn start(
        database: &Database,
        rule: Rule,
        indexed_tags: IndexedTags,
        callback_paths: &[CallbackPath],
        name: String,
    ) -> Result<Self> {
        let store = store::open(database, Access::Serve).with_context(|| {
            format!("the ledger {database} (--database or DELIVERY_LEDGER_DATABASE)")
        })?;
        let prefixes = callback_paths.iter().filter_map(CallbackPath::prefix);
        store.set_path_prefixes(prefixes.map(str::to_owned).collect());
        store.set_indexed_tags(indexed_tags.clone());
        let store: Arc<dyn Store> = store.into();
        if ErasureState::read(&*store)?.unfinished {
            tracing::warn!(
                "an erasure is unfinished, and views and other files may have what was erased; run the same `erase` again"
            );
        }
        let head = Arc::new(Head::at(store.head()?));
        let node = Node { id: Uuid::now_v7(), name, rule, indexed_tags };
        let (lead, of_node) = join(&store, node, &head)?;
        let (writer, writer_thread) = Writer::start(Arc::clone(&store), Arc::clone(&head));
        let (projection, projection_thread) =
            worker::start(Arc::clone(&store), head, rule, lead.clone());
        let jobs = Jobs::open(database.clone(), Arc::clone(&store));
        let threads = [writer_thread, projection_thread];
        let database = database.clone();
        Ok(Self { database, store, writer, projection, jobs, lead, threads, of_node })
    }

    /// Ends the threads once everything queued is written, and moves both WALs into their files, so that those
    /// can be copied.
    pub fn finish(self) {
        self.jobs.finish();
        drop(self.writer);
        self.projection.stop();
        self.of_node.iter().for_each(Background::stop);
        let deadline = Instant::now() + END_PATIENCE;
        let [writer, projection] = &self.threads;
        let threads = || self.threads.iter().chain(&self.of_node);
        while !threads().all(Background::is_finished) && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(5));
        }
        if !writer.is_finished() {
            // Another program holds a lock on the file, perhaps for long.
            tracing::warn!(
                "queued callbacks could not be written; they have not been acknowledged"
            );
            return;
        }
        // Closing the files would do the same, but threads that are still running keep them open.
        if let Err(error) = self.store.checkpoint_wal() {
            tracing::info!(%error, "the log's WAL is left to the next start");
        }
        if !projection.is_finished() {
            tracing::info!(
                "the views' WAL is left to the next start: a batch is still being written"
            );
        } else if let Err(error) = self.store.checkpoint_views_wal() {
            tracing::info!(%error, "the views' WAL is left to the next start");
        }
    }
}

/// Makes the server a node of the ledger, if several can share it, and starts the threads of a node.
fn join(
    store: &Arc<dyn Store>,
    node: Node,
    head: &Arc<Head>,
) -> Result<(Lead, Vec<Background>), StoreError> {
    let Some(nodes) = store.nodes() else { return Ok((Lead::alone(), Vec::new())) };
    nodes.join(&node)?;
    let (lead, leading) = Lead::start(Arc::clone(store), node);
    let (store, head) = (Arc::clone(store), Arc::clone(head));
    let watching = Background::spawn("head", move |stop| {
        while stop.sleep(POLL_INTERVAL).is_continue() {
            // A failed read is repeated; the writer reports what is wrong.
            if let Ok(position) = store.head() {
                head.advance(position);
            }
        }
    });
    Ok((lead, vec![leading, watching]))
}

/// The quarantine, opened for writing, and its thread.
pub struct RunningQuarantine {
    pub recorder: Recorder,
    thread: Background,
}

impl RunningQuarantine {
    /// Starts the thread.
    pub fn start(database: &Database, limits: Limits) -> Self {
        let (recorder, thread) = Recorder::start(database.clone(), limits);
        Self { recorder, thread }
    }

    /// Ends the thread once everything queued is written.
    pub fn finish(self) {
        drop(self.recorder);
        wait_for(&self.thread);
    }
}

/// The access records, and their thread.
pub struct RunningAccessLog {
    pub log: AccessLog,
    thread: Background,
}

impl RunningAccessLog {
    /// Opens the destination and starts the thread.
    pub fn start(destination: Destination) -> Result<Self> {
        let name = match &destination {
            Destination::Stdout => "stdout".to_owned(),
            Destination::File(path) => path.display().to_string(),
        };
        let (log, thread) = AccessLog::start(destination).with_context(|| {
            format!(
                "access records cannot be written to {name}; name another file, or switch them off, \
                 with access_log or DELIVERY_LEDGER_ACCESS_LOG"
            )
        })?;
        Ok(Self { log, thread })
    }

    /// Ends the thread once everything queued is written.
    pub fn finish(self) {
        drop(self.log);
        wait_for(&self.thread);
    }
}

/// Waits a bounded time for a thread that is about to end.
fn wait_for(thread: &Background) {
    let deadline = Instant::now() + END_PATIENCE;
    while !thread.is_finished() && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(5));
    }
}

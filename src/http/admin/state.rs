//! The state that the handlers of the admin listener share.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use time::OffsetDateTime;

use super::checks::health_checks::HealthChecks;
use super::messages::find::limit::Lookups;
use super::messages::sender::Sender;
use super::metrics::registry::MetricsRegistry;
use super::quarantine::recheck::QuarantineRecheck;
use crate::domain::Timestamp;
use crate::domain::account_names::AccountNames;
use crate::domain::country::Country;
use crate::domain::message::filter::MessageFilter;
use crate::domain::time::zone::Zone;
use crate::domain::{ErrorCodes, Rule};
use crate::forward::target::Target;
use crate::http::access::recorder::AccessRecorder;
use crate::http::auth::redaction::Redaction;
use crate::http::auth::sessions::Sessions;
use crate::http::auth::tokens::{Attempts, Tokens};
use crate::http::error::Problem;
use crate::http::limits::{EventStreams, Limit};
use crate::jobs::Jobs;
use crate::projection::verify::background;
use crate::projection::worker::Handle;
use crate::seal::worker;
use crate::store::nodes::Lead;
use crate::store::writer::Writer;
use crate::store::{Database, Store};
use crate::wire::filter::FilterContext;
use crate::wire::filter::tag_filter::{self, NoSuchTag};

/// How long a request waits for views that are behind the log.
const VIEWS_TIMEOUT: Duration = Duration::from_secs(2);

/// Where callbacks are received.
pub struct Receiving {
    /// The address of the callback listener.
    pub listen: SocketAddr,
    /// The first callback path.
    pub path: String,
    /// The first public URL, which callbacks are signed for; `None` if none is configured.
    pub public_url: Option<String>,
}

/// What the admin listener knows of forwarding.
pub struct Forwarding {
    /// Where the state of the targets is stored.
    pub database: Database,
    /// The configured targets.
    pub targets: Vec<Target>,
}

/// The admin listener's state: everything that a handler uses.
pub struct AdminState {
    /// Where callbacks are received.
    pub receiving: Receiving,
    /// The ledger.
    pub store: Arc<dyn Store>,
    /// Appends events.
    pub writer: Writer,
    /// Whether this server leads the nodes of the ledger.
    pub lead: Lead,
    /// The worker that keeps the views up to date.
    pub projection: Handle,
    /// `None` if the log is not verified in the background.
    pub verifying: Option<background::Handle>,
    /// The rule by which statuses are decided.
    pub rule: Rule,
    /// The table of error codes.
    pub error_codes: Arc<ErrorCodes>,
    /// The country of numbers without a calling code, if one is configured.
    pub default_country: Option<Country>,
    /// The time zone of days and times in queries, unless they name another one.
    pub time_zone: Zone,
    /// The names of accounts; [`account_names`](Self::account_names) has them as they are now.
    pub names: Arc<ArcSwap<AccountNames>>,
    /// The API tokens, which a reload replaces.
    pub tokens: Arc<ArcSwap<Tokens>>,
    /// Counts failed attempts by address.
    pub attempts: Attempts,
    /// The sessions of the pages.
    pub sessions: Sessions,
    /// `None` if this server makes no checks.
    pub checks: Option<HealthChecks>,
    /// Rechecks the quarantine.
    pub recheck: Arc<QuarantineRecheck>,
    /// `None` if access records are switched off.
    pub access: Option<AccessRecorder>,
    /// The targets of forwarding.
    pub forwarding: Forwarding,
    /// Limits the messages of whole numbers that a masked token finds.
    pub lookups: Lookups,
    /// Limits and ends the streams of events.
    pub streams: EventStreams,
    /// Limits the exports that run at once.
    pub exports: Limit,
    /// The jobs, running and finished.
    pub jobs: Jobs,
    /// `None` if this server sends no messages.
    pub sending: Option<Sender>,
    /// The age from which messages are erased; `None` if none is.
    pub erase_after: Option<Duration>,
    /// Seals the ledger; `None` if the server does not.
    pub sealing: Option<worker::Handle>,
    /// The metrics of this process.
    pub metrics: MetricsRegistry,
    /// The host names that requests may be addressed to, besides the loopback ones.
    pub admin_hosts: Vec<String>,
}

impl AdminState {
    /// The names of accounts as they are now.
    pub fn account_names(&self) -> Arc<AccountNames> {
        self.names.load_full()
    }

    /// Blocks until the views have almost caught up with the log; the error if they are too far
    /// behind.
    pub fn wait_for_views(&self) -> Result<(), Problem> {
        match self.projection.wait_for_short_tail(Instant::now() + VIEWS_TIMEOUT) {
            true => Ok(()),
            false => Err(Problem::Behind),
        }
    }

    /// The present time and the settings that the meaning of some filters depends on.
    pub fn filter_context(&self) -> FilterContext {
        FilterContext {
            now: Timestamp::from(OffsetDateTime::now_utc()),
            time_zone: self.time_zone.clone(),
            default_country: self.default_country,
        }
    }

    /// Rejects a filter by a tag that no message has; for a list also by one that is not indexed. Blocks.
    pub fn check_tags(
        &self,
        filter: &MessageFilter,
        lists: bool,
        redaction: Redaction,
    ) -> Result<(), Problem> {
        if filter.tags.is_empty() {
            return Ok(());
        }
        let checkpoint = self.store.views().checkpoint()?;
        let indexed = lists.then_some(&checkpoint.indexed_tags);
        match tag_filter::check_all(&filter.tags, &self.tag_names(redaction)?, indexed) {
            // The first message with the tag may only be in the log.
            Err(NoSuchTag::Unknown { .. }) if checkpoint.position < self.projection.head() => {
                Ok(())
            }
            checked => Ok(checked.map_err(|bad| Problem::Conflict(bad.to_string()))?),
        }
    }

    /// The names of the tags that messages have, as far as the token may see them. Blocks.
    pub fn tag_names(&self, redaction: Redaction) -> Result<Vec<String>, Problem> {
        Ok(redaction.tag_names(self.store.views().tag_names()?))
    }
}

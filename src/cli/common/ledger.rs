//! Opens the ledger for a command: exclusively if no server is running, otherwise alongside it.

use std::ops::ControlFlow;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::config::Settings;
use crate::domain::Rule;
use crate::projection::compatibility::{ViewsState, reset_if_incompatible};
use crate::projection::{catch_up, message_query};
use crate::store::{self, Access, Database, Store, StoreError};
use crate::twilio::callback_path::CallbackPath;

/// How long a command waits for a server to bring the views up to the head.
const SERVER_PATIENCE: Duration = Duration::from_secs(60);

const BETWEEN_LOOKS: Duration = Duration::from_millis(50);

/// Opens the ledger for reading, with its views caught up with the present head.
pub fn up_to_date(settings: &Settings) -> Result<Box<dyn Store>> {
    bring_up(settings, settings.configured_rule()?)
}

/// Like [`up_to_date`], but with the rule that the views were built by instead of the configured one.
pub fn up_to_date_by_views_rule(settings: &Settings) -> Result<Box<dyn Store>> {
    bring_up(settings, None)
}

fn bring_up(settings: &Settings, wanted: Option<Rule>) -> Result<Box<dyn Store>> {
    let database = settings.database()?;
    let as_it_is = store::open(&database, Access::Read)?;
    if is_readable(wanted, &*as_it_is)? && message_query::tail_length(&*as_it_is)? == 0 {
        return Ok(as_it_is);
    }
    drop(as_it_is);
    match store::open(&database, Access::Write) {
        Ok(store) => {
            set_indexed_tags(settings, &*store)?;
            reset_if_incompatible(&*store, wanted.unwrap_or_else(|| built_by(&*store)))?;
            catch_up(&*store, store.views(), store.head()?, &mut |_| ControlFlow::Continue(()))?;
        }
        Err(StoreError::Locked { .. }) => return wait_for_server(settings, wanted),
        Err(error) => return Err(error.into()),
    }
    // The lock has been released, so that a server can start in the meantime.
    Ok(store::open(&database, Access::Read)?)
}

/// Opens the ledger for a query about one message. Its views are brought up to date only if they are
/// incompatible, or so far behind that scanning the rest of the log would take too long.
pub fn for_one_message(settings: &Settings) -> Result<Box<dyn Store>> {
    let store = store::open(&settings.database()?, Access::Read)?;
    // The message is folded by the requested rule, so the rule of the views does not matter.
    if fits(&*store)? && message_query::tail_length(&*store)? <= message_query::TAIL_EVENTS_MAX {
        return Ok(store);
    }
    drop(store);
    up_to_date(settings)
}

/// Opens the ledger for a replay, with or without a running server. If no process holds it, it is first
/// opened exclusively, which repairs it, and released again, so that a server can start in the meantime.
pub fn to_replay(settings: &Settings, repair_access: Access) -> Result<Box<dyn Store>> {
    let database = settings.database()?;
    let is_open_elsewhere = match store::open(&database, repair_access) {
        Ok(store) => {
            set_indexed_tags(settings, &*store)?;
            reset_if_incompatible(&*store, built_by(&*store))?;
            false
        }
        Err(StoreError::Locked { .. }) if repair_access == Access::Write => true,
        Err(error) => return Err(error.into()),
    };
    let store = store::open(&database, Access::Replay)?;
    set_indexed_tags(settings, &*store)?;
    if is_open_elsewhere && let Some(wanted) = settings.configured_rule()? {
        refuse_other_rule(&database, built_by(&*store), wanted)?;
    }
    Ok(store)
}

/// Opens the ledger to append to it, with or without a running server. If no process holds it, it is
/// first opened exclusively, which repairs it, and released again, so that a server can start in the
/// meantime.
pub fn to_append(settings: &Settings) -> Result<Box<dyn Store>> {
    crate::server::fitness::check_clock()?;
    let database = settings.database()?;
    match store::open(&database, Access::Write) {
        Ok(_in_order) => {}
        Err(StoreError::Locked { .. }) => {}
        Err(error) => return Err(error.into()),
    }
    let store = store::open(&database, Access::Append)?;
    let callback_paths = settings.received_paths()?;
    let prefixes = callback_paths.iter().filter_map(CallbackPath::prefix);
    store.set_path_prefixes(prefixes.map(str::to_owned).collect());
    Ok(store)
}

/// Opens the ledger to record seals, with or without a running server, once its views have read up to the present
/// head.
pub fn to_seal(settings: &Settings) -> Result<Box<dyn Store>> {
    let store = to_append(settings)?;
    drop(up_to_date_by_views_rule(settings)?);
    Ok(store)
}

/// Like [`to_append`], but creates the ledger if it does not exist.
pub fn to_append_or_make(settings: &Settings) -> Result<Box<dyn Store>> {
    let database = settings.database()?;
    if let Err(StoreError::NotFound { .. }) = store::open(&database, Access::Read) {
        drop(store::open(&database, Access::Create)?);
    }
    to_append(settings)
}

/// True if the views belong to this log and were built by the requested rule, if any.
fn is_readable(wanted: Option<Rule>, store: &dyn Store) -> Result<bool, StoreError> {
    Ok(fits(store)? && wanted.is_none_or(|wanted| wanted == built_by(store)))
}

/// True if the views belong to this log.
pub fn fits(store: &dyn Store) -> Result<bool, StoreError> {
    let checkpoint = match store.views().checkpoint() {
        Err(StoreError::DamagedViews { .. }) => return Ok(false),
        checkpoint => checkpoint?,
    };
    Ok(ViewsState::new(store, &checkpoint, checkpoint.rule)? == ViewsState::Current)
}

/// Has the views index the configured tags once they are emptied or rebuilt; without the setting the same
/// tags as so far.
fn set_indexed_tags(settings: &Settings, store: &dyn Store) -> Result<()> {
    settings.indexed_tags()?.into_iter().for_each(|tags| store.set_indexed_tags(tags));
    Ok(())
}

/// The configured rule; if none is configured, the one that the views were built by.
pub fn rule(settings: &Settings, store: &dyn Store) -> Result<Rule> {
    Ok(settings.configured_rule()?.unwrap_or_else(|| built_by(store)))
}

fn built_by(store: &dyn Store) -> Rule {
    match store.views().checkpoint() {
        Ok(checkpoint) if checkpoint.position > 0 => checkpoint.rule,
        _ => Rule::default(),
    }
}

fn wait_for_server(settings: &Settings, wanted: Option<Rule>) -> Result<Box<dyn Store>> {
    let database = settings.database()?;
    let head = store::open(&database, Access::Read)?.head()?;
    let deadline = Instant::now() + SERVER_PATIENCE;
    while Instant::now() < deadline {
        let store = store::open(&database, Access::Read)?;
        let checkpoint = store.views().checkpoint()?;
        if checkpoint.position >= head && fits(&*store)? {
            wanted
                .map_or(Ok(()), |wanted| refuse_other_rule(&database, checkpoint.rule, wanted))?;
            return Ok(store);
        }
        sleep(BETWEEN_LOOKS);
    }
    bail!(
        "the process that holds {database} has not brought its views up to position {head} within \
         {} s; its /readyz says why",
        SERVER_PATIENCE.as_secs()
    )
}

fn refuse_other_rule(database: &Database, built_by: Rule, wanted: Rule) -> Result<()> {
    match built_by == wanted {
        true => Ok(()),
        false => bail!(
            "the process that holds {database} keeps its views by the rule {}, and {} is \
             configured here; configure the same",
            built_by.name(),
            wanted.name()
        ),
    }
}

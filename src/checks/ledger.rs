//! Checks on log and views: whether they can be read, are unaltered and match each other; and stuck
//! messages.

use std::path::Path;

use super::context::CheckContext;
use super::finding::Finding;
use crate::projection::compatibility::ViewsState;
use crate::report::stuck::Stuck;
use crate::store::{Damage, StoreError, inspect};
use crate::text::number;

/// How far behind the views may be if no server updates them: the next start reads this many events
/// in some seconds.
const LAG_EVENTS_MAX: u64 = 1_000_000;

/// How far behind the views may be while a server runs.
const LAG_EVENTS_MAX_BESIDE_SERVER: u64 = 100_000;

/// Checks that the log can be opened and read.
pub fn log(context: &CheckContext) -> Vec<Finding> {
    let Some(opened) = context.opened() else { return Vec::new() };
    let store = match opened {
        Err(StoreError::NotFound { place }) if Path::new(place).try_exists().is_err() => {
            let detail = format!("this user cannot look for {place}");
            return vec![Finding::fail(detail, "run as the user that serve runs as")];
        }
        Err(error @ StoreError::NotFound { .. }) => {
            let advice = "if a ledger should exist, check --database and DELIVERY_LEDGER_DATABASE";
            return vec![Finding::warn(error.to_string(), advice)];
        }
        Err(error) => return vec![Finding::fail(error.to_string(), advice_on(error))],
        Ok(store) => store,
    };
    let last =
        |head| store.read_at(&[head]).map(|events| events.first().map(|event| event.received_at));
    let read = store.head().and_then(|head| match head {
        0 => Ok((0, None)),
        head => Ok((head, last(head)?)),
    });
    vec![match read {
        Ok((_, None)) => Finding::ok("no event yet"),
        Ok((head, Some(at))) => Finding::ok(format!("{} events, the last at {at}", number(head))),
        Err(error) => Finding::fail(error.to_string(), "run verify, and find the last backup"),
    }]
}

fn advice_on(error: &StoreError) -> &'static str {
    match error {
        StoreError::NewerVersion { .. } => "use the program that wrote it, or a newer one",
        StoreError::UnreleasedVersion { .. } => {
            "export it with the program that wrote it, and import it here"
        }
        StoreError::NotALedger { .. } => {
            "it is not a ledger, or is damaged: check --database, or find the last backup"
        }
        _ => "see docs/operations/troubleshooting.md; restore creates a ledger from a backup",
    }
}

/// Reports SQLite's version and its settings for the log, and whether it was compiled with the settings in
/// `.cargo/config.toml`, which `cargo install` ignores for a repository or a registry.
pub fn engine(context: &CheckContext) -> Vec<Finding> {
    let (Some(files), Some(_)) = (context.files(), context.store()) else { return Vec::new() };
    vec![match files.engine() {
        Err(error) => Finding::fail(error.to_string(), "run verify"),
        Ok(engine) => {
            let detail = format!(
                "SQLite {}, journal_mode {}, synchronous FULL at every start, {} pages of {} bytes",
                engine.version, engine.journal_mode, engine.pages, engine.page_bytes
            );
            match engine.journal_mode.as_str() {
                "wal" if engine.is_tuned => Finding::ok(detail),
                "wal" => Finding::warn(
                    format!("{detail}, compiled without the settings of .cargo/config.toml"),
                    "it works, only slower: set LIBSQLITE3_FLAGS when compiling the program",
                ),
                _ => Finding::warn(
                    detail,
                    "another program has changed it; the next start of serve sets it to wal",
                ),
            }
        }
    }]
}

/// Checks that the triggers that reject changes exist, and that the schema has no foreign objects.
pub fn guards(context: &CheckContext) -> Vec<Finding> {
    let Some(store) = context.store() else { return Vec::new() };
    vec![match store.check_guards() {
        Ok(damages) if damages.is_empty() => Finding::ok("in place"),
        Ok(damages) => {
            let names: Vec<_> = damages.iter().map(name_of).collect();
            Finding::fail(names.join(", "), "the log's schema has been changed: run verify")
        }
        Err(error) => Finding::fail(error.to_string(), "run verify"),
    }]
}

fn name_of(damage: &Damage) -> String {
    match damage {
        Damage::GuardMissing { name } => format!("{name} is missing or changed"),
        Damage::Foreign { name } => format!("{name} is not part of the ledger's schema"),
        other => format!("{other:?}"),
    }
}

/// Checks that the views belong to this log and are not far behind it.
pub fn views(context: &CheckContext) -> Vec<Finding> {
    let (Some(store), Some(head)) = (context.store(), context.head()) else { return Vec::new() };
    let aligned = store.views().checkpoint().and_then(|checkpoint| {
        Ok((ViewsState::new(store, &checkpoint, checkpoint.rule)?, checkpoint.position))
    });
    let (alignment, checkpoint) = match aligned {
        Ok(aligned) => aligned,
        Err(error) => {
            let advice = "serve rebuilds them at its next start; replay does so now";
            return vec![Finding::warn(error.to_string(), advice)];
        }
    };
    let behind = head.saturating_sub(checkpoint);
    let detail = format!("up to position {checkpoint} of {head}");
    let held = context.database.as_ref().is_some_and(|at| inspect::is_held(at).unwrap_or(false));
    let behind_max = if held { LAG_EVENTS_MAX_BESIDE_SERVER } else { LAG_EVENTS_MAX };
    vec![match alignment {
        ViewsState::Current | ViewsState::OtherRule { .. } if behind <= behind_max => {
            Finding::ok(detail)
        }
        ViewsState::Current | ViewsState::OtherRule { .. } => Finding::warn(
            format!("{detail}: {} events behind", number(behind)),
            "a running server catches up, and its /readyz says what delays it; otherwise start one, or \
             run replay",
        ),
        ViewsState::OtherLedger { .. } => Finding::warn(
            alignment.to_string(),
            "one of the two files was replaced; serve rebuilds the views",
        ),
        ViewsState::AheadOfLog { .. } | ViewsState::OtherHistory { .. } => Finding::fail(
            alignment.to_string(),
            "find the newer log before serve rebuilds the views: they are the only trace of it",
        ),
    }]
}

/// Checks that the views were built by the configured rule.
pub fn rule(context: &CheckContext) -> Vec<Finding> {
    let (Some(store), Some(_), Ok(wanted)) =
        (context.store(), context.head(), context.settings.rule())
    else {
        return Vec::new();
    };
    let Ok(checkpoint) = store.views().checkpoint() else { return Vec::new() };
    let built_by = checkpoint.rule;
    vec![match checkpoint.position == 0 || built_by == wanted || context.unreadable.is_some() {
        true => Finding::ok(built_by.name()),
        false => Finding::warn(
            format!(
                "the views were built by {}, and {} is configured",
                built_by.name(),
                wanted.name()
            ),
            "configure the same rule everywhere; serve rebuilds the views by its own at its next start",
        ),
    }]
}

/// Checks for messages that have been open for long.
pub fn stuck(context: &CheckContext) -> Vec<Finding> {
    vec![match count_stuck(context) {
        None => return Vec::new(),
        Some(Stuck { all: 0, .. }) => Finding::ok("none"),
        Some(Stuck { all, recent: 0 }) => {
            let all = whole(all);
            Finding::ok(format!(
                "none that may still change; {all} have been open for over 72 hours"
            ))
        }
        Some(Stuck { recent, .. }) => Finding::warn(
            format!("{} messages have been open for over 12 hours", whole(recent)),
            "run reconcile, which asks Twilio for their status",
        ),
    }]
}

/// The number of stuck messages; `None` if the views cannot be read.
pub fn count_stuck(context: &CheckContext) -> Option<Stuck> {
    context.head()?;
    Stuck::count(context.store()?.views(), context.now).ok()
}

fn whole(count: i64) -> String {
    number(u64::try_from(count).unwrap_or(0))
}

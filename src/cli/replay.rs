//! `replay`: rebuilds the views from position 1, or shows what that would change.

use std::io::Write;
use std::ops::ControlFlow;

use anyhow::{Context, Result};
use serde_json::json;

use super::{Format, Outcome, UsageError};
use crate::cli::common::table::{Cell, Column, Table};
use crate::cli::common::terminal::styled::Styled;
use crate::cli::common::text::number;
use crate::cli::common::{ledger, progress, terminal};
use crate::config::Settings;
use crate::domain::Rule;
use crate::domain::hash::hex;
use crate::projection::ProjectionError;
use crate::projection::replay::{Change, Replayed, dry_run, replay};
use crate::store::{Access, Store, StoreError};
use crate::wire::status_name::status_name;

/// The arguments of `replay`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Change no status; show the messages whose status would change
    #[arg(long)]
    dry_run: bool,

    /// Try another rule: failure-terminal or delivery-wins
    #[arg(long, requires = "dry_run", value_name = "RULE")]
    rule: Option<String>,

    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

/// The number of changed messages that are named; the others are only counted.
const CHANGES_NAMED_MAX: usize = 1000;

/// The messages whose status would change.
#[derive(Default)]
struct Changes {
    count: u64,
    /// In order of first arrival.
    first: Vec<Change>,
}

impl Changes {
    fn add(&mut self, change: Change) {
        self.count += 1;
        if self.first.len() < CHANGES_NAMED_MAX {
            self.first.push(change);
        }
    }
}

/// Rebuilds the views, or reports what a rebuild would change.
pub fn run(args: Args, settings: &Settings) -> Result<Outcome> {
    let requested = args.rule.as_deref().map(parse_rule).transpose()?;
    let mut store = match args.dry_run {
        // It compares with the views, which may be behind, or deleted.
        true => ledger::up_to_date_by_views_rule(settings)?,
        false => ledger::to_replay(settings, Access::Write)
            .or_else(|error| without_damaged_views(settings, error))?,
    };
    let rule = match requested {
        Some(rule) => rule,
        None => ledger::rule(settings, &*store)?,
    };
    let bar = progress::over_events(store.head()?, "replay");
    let mut progress = |position| {
        bar.set_position(position);
        ControlFlow::Continue(())
    };
    let mut changes = Changes::default();
    let replayed = match args.dry_run {
        true => dry_run(&*store, rule, &mut progress, &mut |change| changes.add(change)),
        false => match replay(&*store, rule, &mut progress) {
            Err(ProjectionError::Store(damaged @ StoreError::DamagedViews { .. })) => {
                drop(store);
                store = without_damaged_views(settings, damaged.into())?;
                replay(&*store, rule, &mut progress)
            }
            replayed => replayed,
        },
    };
    bar.finish_and_clear();
    let changes = args.dry_run.then_some(changes);
    print(&replayed?, changes.as_ref(), args.format)?;
    Ok(Outcome::Done)
}

/// Opens the ledger and discards its views if they are too damaged to be replaced in place. Only an
/// exclusive writer may discard them.
fn without_damaged_views(settings: &Settings, error: anyhow::Error) -> Result<Box<dyn Store>> {
    let Some(StoreError::DamagedViews { detail }) = error.downcast_ref() else { return Err(error) };
    let store = ledger::to_replay(settings, Access::WriteDiscardingViews)
        .with_context(|| format!("the views cannot be used ({detail})"))?;
    tracing::warn!(%detail, "the views could not be used and are rebuilt");
    Ok(store)
}

fn parse_rule(name: &str) -> Result<Rule, UsageError> {
    Rule::parse(name).ok_or_else(|| {
        UsageError(format!("--rule: `{name}` is not a rule; use failure-terminal or delivery-wins"))
    })
}

fn print(replayed: &Replayed, changes: Option<&Changes>, format: Format) -> Result<()> {
    let mut out = terminal::stdout();
    match format {
        Format::Table => out.show(&for_people(replayed, changes, out.columns()))?,
        Format::Json => writeln!(out, "{:#}", as_json(replayed, changes))?,
    }
    Ok(())
}

fn for_people(
    replayed: &Replayed,
    changes: Option<&Changes>,
    screen_columns: Option<usize>,
) -> Styled {
    let Replayed { checkpoint, head, events, events_per_second, rule, digest } = replayed;
    let summary = format!(
        "events     {} replayed, {} per second\ncheckpoint {} of {}\nrule       {}\ndigest     {}\n",
        number(*events),
        number(*events_per_second as u64),
        number(*checkpoint),
        number(*head),
        rule.name(),
        hex(digest),
    );
    let mut text = Styled::from(summary.as_str());
    match changes {
        None => {}
        Some(Changes { count: 0, .. }) => {
            text.push("\nNo status would change. Nothing was changed.\n");
        }
        Some(changes) => {
            let columns = ["message", "status", "new status"];
            let mut rows = Table::new(columns.map(Column::left));
            for change in &changes.first {
                rows.row([
                    // Whole, because it is what `audit` takes.
                    Cell::text(change.key.message_sid.as_str()),
                    Cell::status(status_name(change.from)),
                    Cell::status(status_name(change.to)),
                ]);
            }
            let count = number(changes.count);
            let named = match changes.count > changes.first.len() as u64 {
                true => format!(" (the first {} are shown)", number(changes.first.len() as u64)),
                false => String::new(),
            };
            text.push("\n");
            text.append(&rows.fit(screen_columns));
            text.push(&format!(
                "\nMessages whose status would change: {count}{named}. Nothing was changed.\n"
            ));
        }
    }
    text
}

fn as_json(replayed: &Replayed, changes: Option<&Changes>) -> serde_json::Value {
    let mut value = json!({
        "head": replayed.head,
        "checkpoint": replayed.checkpoint,
        "events": replayed.events,
        "events_per_second": replayed.events_per_second.round(),
        "rule": replayed.rule.name(),
        "digest": hex(&replayed.digest),
    });
    if let Some(changes) = changes {
        let change = |change: &Change| {
            json!({
                "message_sid": change.key.message_sid.as_str(),
                "account_sid": change.key.account_sid.as_ref().map(|sid| sid.as_str()),
                "from": status_name(change.from),
                "to": status_name(change.to),
            })
        };
        value["changed"] = changes.count.into();
        value["changes"] = changes.first.iter().map(change).collect();
    }
    value
}

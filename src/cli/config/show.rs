//! `config show`: every setting with its value in effect and its origin.

use std::io::Write;
use std::path::Path;

use anyhow::Result;

use super::listing::{Entry, ListedSubaccounts, Listing};
use crate::cli::common::table::{Cell, Column, Table};
use crate::cli::common::terminal::styled::Styled;
use crate::cli::common::terminal::{self, palette};
use crate::cli::{Format, Outcome, serve};
use crate::config::{Flags, Settings};

/// The arguments of `config show`.
#[derive(Debug, clap::Args)]
#[group(skip)] // the group of serve's arguments has the same name
pub struct Args {
    /// The flags with which serve is started, if any
    #[command(flatten)]
    serve: serve::Args,

    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

/// Prints the settings; an invalid one is a finding, with everything else that is invalid.
pub fn run(args: &Args, config: Option<&Path>, flags: Flags) -> Result<Outcome> {
    let (settings, problems) = Settings::load_valid_part(config, flags)?;
    let listing = Listing::of(&settings.with_flags(args.serve.flags()), problems);
    let mut out = terminal::stdout();
    match args.format {
        Format::Table => out.show(&for_people(&listing, out.columns()))?,
        Format::Json => writeln!(out, "{}", serde_json::to_string_pretty(&listing)?)?,
    }
    match listing.valid {
        true => Ok(Outcome::Done),
        false => Ok(Outcome::CheckFoundSomething),
    }
}

fn for_people(listing: &Listing, columns: Option<usize>) -> Styled {
    let file = listing.config_file.as_deref().unwrap_or("none");
    let mut text = Styled::from(format!("configuration file: {file}\n\n").as_str());
    let mut table = Table::new(["setting", "from"].map(Column::left).into_iter().chain(value()));
    for setting in &listing.settings {
        table.row([Cell::text(setting.setting), origin(&setting.entry), shown(&setting.entry)]);
    }
    text.append(&table.fit(columns));

    if listing.accounts.is_empty() {
        text.push("\nNo Twilio account is configured; serve needs one.\n");
    } else {
        text.push("\n");
        let headings = ["account", "name", "key", "from"].map(Column::left);
        let mut table = Table::new(headings.into_iter().chain(value()));
        for account in &listing.accounts {
            let name = || Cell::text(account.name.as_deref().unwrap_or_default());
            for key in &account.keys {
                let of = [Cell::sid(&account.account_sid), name(), Cell::text(&key.key)];
                table.row(of.into_iter().chain([origin(&key.entry), shown(&key.entry)]));
            }
            if let Some(ListedSubaccounts { origin, text, .. }) = &account.subaccounts {
                let of = [Cell::sid(&account.account_sid), name(), Cell::text("subaccounts")];
                let shown = [Cell::text(origin.to_string()), Cell::text(text)];
                table.row(of.into_iter().chain(shown));
            }
            if let Some(problem) = &account.problem {
                let of = [Cell::sid(&account.account_sid), name(), Cell::text(""), Cell::text("")];
                table.row(of.into_iter().chain([invalid(problem)]));
            } else if account.keys.is_empty() {
                let of = [Cell::sid(&account.account_sid), name(), Cell::text(""), Cell::text("")];
                table.row(of.into_iter().chain([Cell::text("no key")]));
            }
        }
        text.append(&table.fit(columns));
    }

    if listing.api_tokens.is_empty() {
        text.push("\nNo API token is configured; the admin API is for this machine alone.\n");
    } else {
        text.push("\n");
        let headings = ["API token", "scope", "from"].map(Column::left);
        let mut table = Table::new(headings.into_iter().chain(value()));
        for token in &listing.api_tokens {
            let scope = Cell::text(token.scope.as_deref().unwrap_or_default());
            let entry = &token.entry;
            table.row([Cell::text(&token.name), scope, origin(entry), shown(entry)]);
        }
        text.append(&table.fit(columns));
    }

    if !listing.targets.is_empty() {
        text.push("\n");
        let headings = ["target", "format", "events", "from"].map(Column::left);
        let mut table = Table::new(headings.into_iter().chain(value()));
        for target in &listing.targets {
            let format = Cell::text(target.format.unwrap_or_default());
            let events = Cell::text(target.events.as_deref().unwrap_or_default());
            let entry = &target.entry;
            table.row([Cell::text(&target.name), format, events, origin(entry), shown(entry)]);
        }
        text.append(&table.fit(columns));
    }

    if !listing.problems.is_empty() {
        text.push("\n");
    }
    for problem in &listing.problems {
        text.push_in(palette::BAD, "invalid: ");
        text.push(&format!("{problem}\n"));
    }
    text
}

/// The last column of every table: values may be sentences.
fn value() -> [Column; 1] {
    [Column::prose("value")]
}

fn origin(entry: &Entry) -> Cell {
    Cell::text(entry.origin.to_string())
}

fn shown(entry: &Entry) -> Cell {
    match (&entry.value, &entry.problem) {
        (_, Some(problem)) => invalid(problem),
        (Some(value), None) => Cell::text(value),
        (None, None) => Cell::text(""),
    }
}

fn invalid(problem: &str) -> Cell {
    Cell::text(format!("invalid: {problem}")).style(palette::BAD)
}

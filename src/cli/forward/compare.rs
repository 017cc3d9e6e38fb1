//! `forward compare`: what a target accepted and refused, by its answers and the statuses of the events. It says
//! whether an application can rely on the ledger alone.

use std::io::Write;

use anyhow::Result;
use serde_json::json;

use super::super::{Format, Outcome};
use super::events;
use crate::cli::common::flags::time_zone::TimeZoneFlag;
use crate::cli::common::table::{Cell, Column, Table};
use crate::cli::common::terminal;
use crate::cli::common::terminal::styled::Styled;
use crate::cli::common::text::number;
use crate::config::Settings;
use crate::domain::Timestamp;
use crate::domain::time::zone::Zone;
use crate::forward::answers::{MICROS_PER_HOUR, advice, is_accepted};
use crate::store;
use crate::store::forward::{AnswerCount, UnacceptedCounts};

/// The arguments of `forward compare`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The target
    name: String,

    /// Answers of the hour of this time or later: a length of time ago (24h, 7d), yesterday, a day, a local time
    /// (2026-11-25T10:00), or RFC 3339; they are kept for a month
    #[arg(long, value_name = "TIME", default_value = "7d")]
    since: String,

    #[command(flatten)]
    time_zone: TimeZoneFlag,

    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

/// Prints the comparison.
pub fn run(args: &Args, settings: &Settings) -> Result<Outcome> {
    let zone = args.time_zone.zone(settings)?;
    let since = args.time_zone.time("since", &args.since, settings)?;
    let hour = since.micros().div_euclid(MICROS_PER_HOUR);
    let comparison = Comparison::read(&args.name, hour, settings)?;
    let mut out = terminal::paged(settings);
    match args.format {
        Format::Table => out.show(&comparison.for_people(&zone, out.columns()))?,
        Format::Json => writeln!(out, "{:#}", comparison.as_json())?,
    }
    Ok(Outcome::Done)
}

/// What a target answered.
struct Comparison<'a> {
    name: &'a str,
    /// The beginning of the first hour.
    since: Timestamp,
    /// The attempts that led to an acceptance.
    accepted: u64,
    /// The others, the most frequent first.
    refused: Vec<AnswerCount>,
    unaccepted: UnacceptedCounts,
}

impl<'a> Comparison<'a> {
    fn read(name: &'a str, since_hour: i64, settings: &Settings) -> Result<Self> {
        let forward = store::read_forward_store(&settings.database()?)?;
        super::check_name(name, settings, forward.as_deref())?;
        let (answers, unaccepted) = match &forward {
            Some(forward) => (forward.answers(name, since_hour)?, forward.counts(name)?),
            None => Default::default(),
        };
        let (accepted, refused): (Vec<_>, Vec<_>) =
            answers.into_iter().partition(|count| is_accepted(&count.answer));
        let since = Timestamp::from_micros(since_hour.saturating_mul(MICROS_PER_HOUR));
        let accepted = accepted.iter().map(|count| count.attempts).sum();
        Ok(Self { name, since, accepted, refused, unaccepted })
    }

    /// The number of attempts that led to anything else than an acceptance.
    fn refusals(&self) -> u64 {
        self.refused.iter().map(|count| count.attempts).sum()
    }

    fn for_people(&self, zone: &Zone, columns: Option<usize>) -> Styled {
        let Self { name, accepted, .. } = self;
        let attempts = accepted + self.refusals();
        if attempts == 0 {
            let since = zone.show(self.since);
            return Styled::from(format!("{name} has been sent nothing since {since}.\n").as_str());
        }
        let share = *accepted as f64 / attempts as f64 * 100.0;
        let mut text = Styled::from(
            format!(
                "{name} accepted {} of {} attempts since {} ({share:.2} %).\n",
                number(*accepted),
                number(attempts),
                zone.show(self.since),
            )
            .as_str(),
        );
        if !self.refused.is_empty() {
            text.push("\n");
            text.append(&self.table().fit(columns));
        }
        text.push("\n");
        text.push(&self.left());
        text
    }

    fn table(&self) -> Table {
        let mut table = Table::new([
            Column::left("answer"),
            Column::left("status"),
            Column::right("attempts"),
            Column::right("last position").short_heading("last pos"),
            Column::prose("advice"),
        ]);
        for count in &self.refused {
            let status = match &*count.status {
                "" => "-",
                status => status,
            };
            table.row([
                Cell::text(&count.answer),
                Cell::status(status),
                Cell::number(count.attempts),
                Cell::number(count.last_position),
                Cell::text(advice(&count.answer)),
            ]);
        }
        table
    }

    fn left(&self) -> String {
        let (name, UnacceptedCounts { waiting, failed, .. }) = (self.name, self.unaccepted);
        match waiting + failed {
            0 => "In the end it accepted every event that it was sent.\n".to_owned(),
            left => format!(
                "It has not accepted {}: {} waiting, {} given up; `forward list {name}` lists them.\n",
                events(left),
                number(waiting),
                number(failed),
            ),
        }
    }

    fn as_json(&self) -> serde_json::Value {
        let refused = self.refused.iter().map(|count| {
            json!({
                "answer": count.answer,
                "status": Some(&count.status).filter(|status| !status.is_empty()),
                "attempts": count.attempts,
                "last_position": count.last_position,
                "advice": advice(&count.answer),
            })
        });
        json!({
            "target": self.name,
            "since": self.since.to_string(),
            "accepted": self.accepted,
            "refused": refused.collect::<Vec<_>>(),
            "waiting": self.unaccepted.waiting,
            "failed": self.unaccepted.failed,
        })
    }
}

//! What the figures of a report mean, in a sentence each.

use super::comparison::Compare;
use super::details;
use super::question::Question;
use super::table::Table;
use super::words::{Words, name};
use crate::report::{Clock, Dimension, Period};
use crate::text::capitalised;

const HOUR_MICROS: i64 = 3_600_000_000;

/// The terms of a report and their meanings; docs/REPORTS.md has all of them.
pub fn definitions(question: &Question, table: &Table, words: &Words<'_>) -> Vec<(String, String)> {
    let zone = question.zone.name();
    let mut list = vec![(
        "Message".to_owned(),
        "one account and message SID, counted once, at its current status".to_owned(),
    )];
    for by in &question.by {
        list.extend(
            property(by, zone, question.clock).map(|meaning| (capitalised(&name(by)), meaning)),
        );
    }
    list.extend(odd_steps(question, table, words).map(|odd| ("Clock changes".to_owned(), odd)));
    list.push((
        "Rate".to_owned(),
        "(delivered + read) ÷ (delivered + read + undelivered + failed). Open and canceled messages are not counted in any rate."
            .to_owned(),
    ));
    if let Some(Period { since, until }) = question.compared {
        let day = |time| words.local(time, "%-d %B %Y %H:%M");
        let hours = match question.compare {
            Compare::Previous if question.until.is_empty() => ", as many hours as have passed",
            _ => "",
        };
        let what = match question.is_about_failures() {
            true => "failures more or fewer than in the same row of",
            false if question.by[0].is_period() => "points above or below the rate of all of",
            false => "points above or below the same row in",
        };
        list.push((
            "Change".to_owned(),
            format!("{what} the period compared with, {} to {}{hours}", day(since), day(until)),
        ));
        list.push((
            "Beyond chance".to_owned(),
            "over 1 point, and over 3 standard errors of the two rates, with at least 50 outcomes"
                .to_owned(),
        ));
    }
    list.push((
        "p95".to_owned(),
        "95 % of the messages with both reports took no longer than this from the first one of sent to the first one of delivered"
            .to_owned(),
    ));
    list.push(("Times".to_owned(), details::times(question).to_owned()));
    list.extend(
        details::known(table)
            .iter()
            .map(|detail| (detail.name.to_owned(), detail.meaning.to_owned())),
    );
    list.push((
        "Links".to_owned(),
        match question.clock {
            Clock::Ledger => {
                "lead to the messages. A number has none if the list of messages has no such filter, such as one by weekday."
            }
            Clock::Twilio => "there are none: the list of messages has no period by Twilio’s clock",
        }
        .to_owned(),
    ));
    list
}

/// The meaning of a property, unless its name says it.
fn property(by: &Dimension, zone: &str, clock: Clock) -> Option<String> {
    let when = match clock {
        Clock::Ledger => "of the first callback received",
        Clock::Twilio => "of the message’s beginning according to Twilio",
    };
    Some(match by {
        Dimension::Week => {
            format!("ISO week, from Monday on, {when}, in {zone}")
        }
        by if by.is_time() => {
            format!("{} {when}, in {zone}", name(by))
        }
        Dimension::Country => "where the number was assigned, not where the handset is".to_owned(),
        Dimension::Carrier => {
            "the network that carried the message, as Event Streams report it".to_owned()
        }
        Dimension::Fault => {
            "who usually causes the error code: an opinion about the code, not a finding".to_owned()
        }
        Dimension::Tag(_) => {
            "the value of the message; if it has several, the first in byte order".to_owned()
        }
        _ => return None,
    })
}

/// Which days or weeks are longer or shorter, because clocks changed.
fn odd_steps(question: &Question, table: &Table, words: &Words<'_>) -> Option<String> {
    let mut odd = Vec::new();
    let rows = table.rows.iter().map(|row| &row.value);
    let values = rows.map(|row| (0, row)).chain(table.columns.iter().map(|column| (1, column)));
    for (place, value) in values {
        let by = question.by.get(place)?;
        let usual = match by {
            Dimension::Day => 24,
            Dimension::Week => 7 * 24,
            _ => continue,
        };
        let Some(step) = &value.step else { continue };
        let hours = (step.whole.until.micros() - step.whole.since.micros()) / HOUR_MICROS;
        if hours != usual {
            odd.push(format!("{} has {hours} hours", words.column(by, value).text));
        }
    }
    (!odd.is_empty()).then(|| format!("{}: clocks changed.", odd.join(", ")))
}

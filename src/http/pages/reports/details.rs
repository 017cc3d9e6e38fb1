//! Segments, prices, clicks and feedback in a report, and whose times it has. Only what a message of the report
//! has is shown.

use super::question::{Question, Show};
use super::table::Table;
use crate::http::pages::frame::filters::{count_of, rate_of};
use crate::report::{Clock, Figures};

/// The sign of negative numbers.
const MINUS: &str = "\u{2212}";

/// A detail: a column of a report by one property, and a figure that cells can show.
pub struct Detail {
    pub show: Show,
    /// The name of its column.
    pub name: &'static str,
    /// What its figure means.
    pub meaning: &'static str,
    /// The class of its column: narrow windows leave some out.
    pub class: &'static str,
    is_known: fn(&Figures) -> bool,
    pub figure: fn(&Figures) -> String,
}

/// Every detail, in the order of the columns.
static DETAILS: [Detail; 4] = [
    Detail {
        show: Show::Segments,
        name: "Segments",
        meaning: "the sum of all known numbers of segments",
        class: "p3",
        is_known: |figures| figures.details().segments_known() > 0,
        figure: |figures| match figures.details().segments_known() {
            0 => "-".to_owned(),
            _ => count_of(figures.details().segments()),
        },
    },
    Detail {
        show: Show::Price,
        name: "Price",
        meaning: "the sum of all known prices; Twilio writes charges as negative numbers",
        class: "p2",
        is_known: |figures| figures.details().priced() > 0,
        figure: price,
    },
    Detail {
        show: Show::Clicked,
        name: "Clicked",
        meaning: "the share of messages with a click that is probably a person’s, of those delivered or read",
        class: "p2",
        is_known: |figures| figures.details().clicks() > 0,
        figure: |figures| rate_of(figures.click_rate()),
    },
    Detail {
        show: Show::Converted,
        name: "Converted",
        meaning: "the share of messages whose purpose was confirmed to Twilio, of those sent",
        class: "",
        is_known: |figures| {
            let details = figures.details();
            details.confirmed() + details.unconfirmed() > 0
        },
        figure: |figures| rate_of(figures.conversion_rate()),
    },
];

/// The detail that cells show; `None` if they show another figure.
pub fn of_show(show: Show) -> Option<&'static Detail> {
    DETAILS.iter().find(|detail| detail.show == show)
}

/// The details that a message of the table has, also before.
pub fn known(table: &Table) -> Vec<&'static Detail> {
    let all = &table.total.all;
    let is_known = |detail: &&Detail| {
        (detail.is_known)(&all.now) || all.before.as_ref().is_some_and(detail.is_known)
    };
    DETAILS.iter().filter(is_known).collect()
}

/// The figures that the cells of a table can show, among them the present one.
pub fn shows(question: &Question, known: &[&'static Detail]) -> Vec<Show> {
    let can_be_shown = |show: &Show| {
        of_show(*show).is_none_or(|detail| known.iter().any(|known| known.show == detail.show))
            || *show == question.show()
    };
    Show::ALL.into_iter().filter(can_be_shown).collect()
}

/// Whose times a report with this total has; `None` if they are the ledger's.
pub fn sentence(question: &Question, total: &Figures) -> Option<String> {
    let sentence = question.clock.sentence(total.clock_known(), total.messages());
    Some(sentence?.replace('\'', "’"))
}

/// What the clock of a report means.
pub fn times(question: &Question) -> &'static str {
    match question.clock {
        Clock::Ledger => "by the ledger’s clock: when a callback was received",
        Clock::Twilio => {
            "by Twilio’s clock: when it happened. A message of which Twilio gave no time counts at its arrival, and \
             its durations are unknown"
        }
    }
}

/// Sums of prices as `−12.5 USD, −0.3 EUR`.
fn price(figures: &Figures) -> String {
    let sums = figures.details().prices().iter();
    let sums: Vec<_> = sums
        .map(|sum| {
            let amount = sum.amount().to_string().replace('-', MINUS);
            format!("{amount}\u{a0}{}", sum.currency.as_str())
        })
        .collect();
    match sums.is_empty() {
        true => "-".to_owned(),
        false => sums.join(", "),
    }
}

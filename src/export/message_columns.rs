//! The columns of messages, in the order in which `audit` shows their fields.

use std::borrow::Cow;

use super::cell::Cell;
use super::columns::ColumnKind::{Boolean, Decimal, Integer, List, Tags, Text, Time, Times};
use super::columns::{Column, ColumnKind, OfMessage};
use crate::domain::country::Country;
use crate::domain::message::click::Clicks;
use crate::domain::message::details::{FeedbackOutcome, KnownDetails};
use crate::domain::message::message_ref::occurred_at;
use crate::domain::{ErrorCode, Rule};
use crate::wire::MessageRow;

/// Every column.
pub const MESSAGES: &[Column] = &[
    column("message_sid", Text, |row| Cell::text(Some(row.texts.message_sid))),
    column("status", Text, |row| Cell::Word(row.status)),
    column("terminal", Boolean, |row| Cell::Boolean(row.message.is_terminal())),
    column("settled", Boolean, |row| Cell::Boolean(row.message.state.is_settled())),
    column("conflict", Boolean, |row| Cell::Boolean(row.message.state.has_conflict())),
    column("rule", Text, |row| Cell::Word(Rule::name(row.message.rule))),
    column("account_sid", Text, |row| Cell::text(row.texts.account_sid)),
    column("messaging_service_sid", Text, |row| Cell::text(row.texts.messaging_service_sid)),
    column("from", Text, |row| Cell::text(row.texts.from)),
    column("to", Text, |row| Cell::text(row.texts.to)),
    column("channel", Text, |row| Cell::text(Some(row.texts.channel))),
    column("error_code", Integer, |row| {
        Cell::integer(row.message.state.error_code.map(ErrorCode::number))
    }),
    column("error_title", Text, |row| Cell::text(row.error_title.as_deref())),
    column("error_codes", List, |row| Cell::Codes(&row.message.codes)),
    column("raw_dlr_done_date", Text, |row| Cell::text(row.texts.raw_dlr_done_date)),
    column("first_received_at", Time, |row| Cell::Time(row.message.state.first_received_at)),
    column("last_received_at", Time, |row| Cell::Time(row.message.last_received_at)),
    column("status_times", Times("_at"), |row| Cell::Times(Some(&row.message.state.status_times))),
    column("events", Integer, |row| Cell::Integer(row.message.counts.events)),
    column("duplicates", Integer, |row| Cell::Integer(row.message.counts.duplicates)),
    column("late", Integer, |row| Cell::Integer(row.message.counts.late)),
    column("unrecognised", Integer, |row| Cell::Integer(row.message.counts.unrecognised)),
    column("as_of_position", Integer, |row| Cell::Integer(row.as_of_position)),
    column("labels", List, |row| Cell::Labels(row.message.state.kinds)),
    column("tags", Tags, |row| Cell::Tags(Cow::Borrowed(&row.texts.tags))),
    column("tags_dropped", Boolean, |row| Cell::Boolean(row.message.tags_dropped)),
    column("country", Text, |row| Cell::word(row.country.as_ref().map(Country::as_str))),
    column("time_to_sent_ms", Integer, |row| Cell::integer(row.durations_ms[0])),
    column("sent_to_delivered_ms", Integer, |row| Cell::integer(row.durations_ms[1])),
    column("occurred_times", Times("_occurred_at"), |row| {
        Cell::Times(details(row).map(|known| &known.occurred_times))
    }),
    column("occurred_at", Time, |row| {
        let state = &row.message.state;
        Cell::time(occurred_at(state.kinds, &state.details))
    }),
    column("segments", Integer, |row| Cell::integer(row.message.state.details.segments())),
    column("price", Decimal, |row| {
        let price = row.message.state.details.price();
        price.map_or(Cell::Empty, |price| Cell::Amount(price.amount))
    }),
    column("currency", Text, |row| {
        let price = details(row).and_then(|known| known.price.as_ref());
        Cell::word(price.map(|price| price.currency.as_str()))
    }),
    column("mcc", Text, |row| {
        Cell::word(row.message.state.details.carrier().map(|carrier| carrier.mcc()))
    }),
    column("mnc", Text, |row| {
        Cell::word(row.message.state.details.carrier().map(|carrier| carrier.mnc()))
    }),
    column("carrier", Text, |row| {
        Cell::text(row.message.state.details.carrier().and_then(|carrier| carrier.name()))
    }),
    column("clicks", Integer, |row| Cell::Integer(row.clicks.map_or(0, Clicks::count))),
    column("first_clicked_at", Time, |row| Cell::time(row.clicks.and_then(Clicks::first_at))),
    column("previews", Integer, |row| Cell::Integer(row.clicks.map_or(0, Clicks::previews))),
    column("feedback", Text, |row| {
        Cell::word(row.message.state.details.feedback().map(FeedbackOutcome::name))
    }),
];

const fn column(name: &'static str, kind: ColumnKind, value: OfMessage) -> Column {
    Column::of_message(name, kind, value)
}

fn details<'r>(row: &'r MessageRow<'r>) -> Option<&'r KnownDetails> {
    row.message.state.details.known()
}

//! Delivery reports: the meaning of the figures, and that every way to compute them agrees.

mod clock_changes;
mod country;
mod country_table;
mod detail_laws;
mod details;
mod figures;
mod histogram;
mod laws;
mod libphonenumber;
mod naive;
mod naive_details;
mod questions;
mod surfaces;

use delivery_ledger::domain::{NewEvent, Timestamp};

use crate::support::MessageBody;
use crate::support::events::event;

/// When the tests' messages begin: a full hour.
const EPOCH: &str = "2026-01-02T03:00:00Z";

/// A callback that arrives this many milliseconds after [`EPOCH`].
fn at(ms: i64, body: MessageBody) -> NewEvent {
    let epoch = Timestamp::parse(EPOCH).unwrap().micros();
    NewEvent { received_at: Timestamp::from_micros(epoch + ms * 1000), ..event(body) }
}

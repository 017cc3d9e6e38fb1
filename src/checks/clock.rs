//! Checks on the machine's clock. Twilio's callbacks have no time, so `received_at` depends on it.

use super::context::CheckContext;
use super::finding::Finding;
use crate::domain::{RecordedEvent, Timestamp};

/// No ledger is older than this program.
const FIRST_MOMENT: &str = "2025-01-01T00:00:00Z";
/// A later clock was set wrong.
const LAST_MOMENT: &str = "2100-01-01T00:00:00Z";

/// How far the last event may be ahead of now: clocks are adjusted by fractions of a second.
const AHEAD_MICROS_MAX: i64 = 2_000_000;

/// With a larger difference, the clock was set wrong rather than adjusted.
const SET_MICROS: i64 = 60_000_000;

/// How much earlier than its predecessor an event may have arrived: concurrent callbacks may be stored
/// in a different order, within the time that one request may take.
const BACK_MICROS_MAX: i64 = 15_000_000;

const ADVICE: &str = "use a time service, such as chrony; the times in the log stay as they are";

/// Checks the clock against plausible limits and against the last event.
pub fn clock(context: &CheckContext) -> Vec<Finding> {
    let now = context.now;
    let is_possible = Timestamp::parse(FIRST_MOMENT).is_some_and(|first| now > first)
        && Timestamp::parse(LAST_MOMENT).is_some_and(|last| now < last);
    if !is_possible {
        return vec![Finding::fail(format!("the clock shows {now}"), ADVICE)];
    }
    let last = context.head().zip(context.store());
    let last = last.and_then(|(head, store)| store.read_at(&[head]).ok()?.into_iter().next());
    let ahead = last.map_or(0, |event| event.received_at.micros() - now.micros());
    let detail =
        format!("the last event is {} s ahead of the clock, which shows {now}", ahead / 1_000_000);
    vec![match ahead {
        ahead if ahead > SET_MICROS => Finding::fail(detail, ADVICE),
        ahead if ahead > AHEAD_MICROS_MAX => Finding::warn(detail, ADVICE),
        _ => Finding::ok(now.to_string()),
    }]
}

/// Checks that the clock was not set back during the last callbacks.
pub fn order(context: &CheckContext) -> Vec<Finding> {
    let last = context.last_events().iter();
    let arrivals: Vec<_> = last.filter(|event| event.is_recorded_on_arrival()).collect();
    let back = |two: &[&RecordedEvent]| two[0].received_at.micros() - two[1].received_at.micros();
    let worst = arrivals.windows(2).max_by_key(|two| back(two));
    vec![match worst {
        None => return Vec::new(),
        Some(two) if back(two) > BACK_MICROS_MAX => Finding::warn(
            format!(
                "the clock was set back by {} s between positions {} and {}",
                back(two) / 1_000_000,
                two[0].position,
                two[1].position
            ),
            ADVICE,
        ),
        Some(_) => {
            Finding::ok(format!("not set back during the last {} callbacks", arrivals.len()))
        }
    }]
}

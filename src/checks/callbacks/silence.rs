//! Check that callbacks still arrive, compared with the same hour of the last seven days.

use std::time::Duration;

use crate::checks::arrivals::Usual;
use crate::checks::context::CheckContext;
use crate::checks::finding::Finding;
use crate::domain::Timestamp;
use crate::text::in_words;

/// A silence is unusual if it is this many times as long as the longest gap of the last days.
const GAPS: u32 = 10;

/// A shorter silence is never unusual: a restart takes some seconds.
const SILENCE_MIN: Duration = Duration::from_secs(120);

/// Checks how long ago the last callback was accepted.
pub fn silence(context: &CheckContext) -> Vec<Finding> {
    let Some(last) = last_accepted(context) else { return Vec::new() };
    let silent = since(context.now, last);
    let Some(usual) = context.usual() else {
        return vec![Finding::ok(format!(
            "the last callback was accepted {} ago",
            in_words(silent)
        ))];
    };
    let compared = format!(
        "usual at this hour: one every {}, no gap over {} in 7 days",
        in_words(usual.every),
        in_words(usual.longest_gap)
    );
    vec![match is_unusual(silent, usual) {
        false => Finding::ok(format!("last callback {} ago; {compared}", in_words(silent))),
        true => Finding::fail(
            format!("no callback was accepted for {}; {compared}", in_words(silent)),
            advice(context, last),
        )
        .from_origin(format!("since {last}")),
    }]
}

/// True if the silence is unusual.
pub fn is_silent(context: &CheckContext) -> bool {
    let silent = last_accepted(context).map(|last| since(context.now, last));
    silent.zip(context.usual()).is_some_and(|(silent, usual)| is_unusual(silent, usual))
}

fn is_unusual(silent: Duration, usual: Usual) -> bool {
    silent > SILENCE_MIN && silent > usual.longest_gap * GAPS
}

fn advice(context: &CheckContext, last: Timestamp) -> &'static str {
    let rejected = context.server.recent.as_ref().and_then(|recent| recent.minutes.last());
    match rejected.filter(|one| one.rejected > 0) {
        Some(one) if one.start() > last => {
            "they arrive, but are rejected: see the check refusals for the reason"
        }
        _ => {
            "they do not reach this server: check the callback URL at Twilio, the name in it, and the \
             proxy, in this order"
        }
    }
}

/// When the last callback was accepted, among the last events; `None` if there is none among them.
pub fn last_accepted(context: &CheckContext) -> Option<Timestamp> {
    let mut last = context.last_events().iter().rev();
    last.find(|event| event.is_recorded_on_arrival()).map(|event| event.received_at)
}

/// The time from one moment to now.
pub fn since(now: Timestamp, moment: Timestamp) -> Duration {
    Duration::from_micros((now.micros() - moment.micros()).max(0) as u64)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::is_unusual;
    use crate::checks::arrivals::Usual;

    #[test]
    fn a_silence_is_unusual_beyond_ten_of_the_longest_gaps() {
        let usual = |longest_gap| Usual {
            every: Duration::from_secs(1),
            longest_gap: Duration::from_secs(longest_gap),
        };
        assert!(is_unusual(Duration::from_secs(381), usual(38)));
        assert!(!is_unusual(Duration::from_secs(379), usual(38)));
        assert!(!is_unusual(Duration::from_secs(119), usual(1)), "a restart takes some seconds");
    }
}

//! When a refused event is sent again, and whether a target fails altogether.

use std::time::Duration;

use crate::domain::Timestamp;

/// The wait after the first failed attempt of an event; each further one is twice as long.
const FIRST_WAIT: Duration = Duration::from_secs(1);

/// The longest wait between two attempts of an event.
const WAIT_MAX: Duration = Duration::from_secs(3600);

/// The longest wait between two attempts while a target fails: it is then tried with few events, and should
/// notice soon that it is back.
const PROBE_WAIT_MAX: Duration = Duration::from_secs(30);

/// The longest Retry-After that is followed. A longer one is more likely a mistake.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(6 * 3600);

/// After this number of attempts in a row without an answer, or with one that is not about the event, a target
/// is failing. Those that were being sent in the moment of a restart are usually fewer.
const FAILURES_MAX: u32 = 40;

/// After this number of events in a row that are refused, each for the first time, a target is failing as well: it
/// has a wrong token, or its route is missing. Some refused events among others are fewer.
const REFUSALS_MAX: u32 = 400;

/// How long to wait after an attempt of an event failed for the `attempts`th time. `share`, from 0 to 1, is
/// random: it adds up to as much again, so that not everything is tried in the same moment.
pub fn wait(attempts: u32, retry_after: Option<Duration>, share: f64) -> Duration {
    let ours = doubled(attempts).min(WAIT_MAX).mul_f64(1.0 + share.clamp(0.0, 1.0));
    ours.max(retry_after.unwrap_or_default().min(RETRY_AFTER_MAX))
}

fn doubled(times: u32) -> Duration {
    FIRST_WAIT * 2_u32.saturating_pow(times.saturating_sub(1).min(20))
}

/// What a failed attempt says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// The target cannot accept anything now.
    OfTarget,
    /// It has refused this event.
    OfEvent,
}

/// Whether a target accepts anything at present.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Outage {
    failures: u32,
    refusals: u32,
    /// When the first of these attempts began.
    since: Option<Timestamp>,
    /// Attempts that began while the target was failing.
    probes: u32,
    next_probe_at: Option<Timestamp>,
}

impl Outage {
    /// As it was when an earlier process stopped.
    pub fn resumed(since: Option<Timestamp>) -> Self {
        let failures = since.map_or(0, |_| FAILURES_MAX);
        Self { failures, since, ..Self::default() }
    }

    /// Records a failed attempt, and the wait that the target asks for.
    pub fn failed(
        &mut self,
        kind: Failure,
        begun_at: Timestamp,
        now: Timestamp,
        retry_after: Option<Duration>,
    ) {
        // Others that were under way when the first ones failed say nothing new.
        let is_probe = self.next_probe_at().is_none_or(|at| begun_at >= at);
        if self.failing_since().is_some() && is_probe {
            self.probes = self.probes.saturating_add(1);
        }
        match kind {
            Failure::OfTarget => self.failures = self.failures.saturating_add(1),
            Failure::OfEvent => self.refusals = self.refusals.saturating_add(1),
        }
        self.since = Some(self.since.map_or(begun_at, |since| since.min(begun_at)));
        let wait = doubled(self.probes + 1).min(PROBE_WAIT_MAX);
        let wait = wait.max(retry_after.unwrap_or_default().min(RETRY_AFTER_MAX));
        if is_probe {
            self.next_probe_at = Some(after(now, wait));
        }
    }

    /// Records an accepted event. Returns when the outage began if there was one: everything that was
    /// tried since then had no chance.
    pub fn accepted(&mut self) -> Option<Timestamp> {
        let since = self.failing_since();
        *self = Self::default();
        since
    }

    /// Since when the target is failing; `None` if it is not.
    pub fn failing_since(&self) -> Option<Timestamp> {
        let is_failing = self.failures >= FAILURES_MAX || self.refusals >= REFUSALS_MAX;
        self.since.filter(|_| is_failing)
    }

    /// How many events that were never sent may be tried at once while the target is failing: ever more, so
    /// that a number of events that it cannot take does not hold up the others for long.
    pub fn probes(&self) -> usize {
        1 << self.probes.min(8)
    }

    /// Has the next attempt begin at once, after the clock was set back.
    pub fn make_due(&mut self) {
        self.next_probe_at = None;
    }

    /// When the next attempt may begin while the target is failing; `None` for at once.
    pub fn next_probe_at(&self) -> Option<Timestamp> {
        self.next_probe_at.filter(|_| self.failing_since().is_some())
    }
}

/// A time after another one.
pub fn after(at: Timestamp, wait: Duration) -> Timestamp {
    let wait = i64::try_from(wait.as_micros()).unwrap_or(i64::MAX);
    Timestamp::from_micros(at.micros().saturating_add(wait))
}

/// A time before another one.
pub fn before(at: Timestamp, wait: Duration) -> Timestamp {
    let wait = i64::try_from(wait.as_micros()).unwrap_or(i64::MAX);
    Timestamp::from_micros(at.micros().saturating_sub(wait))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Failure::{OfEvent, OfTarget};
    use super::{FAILURES_MAX, Outage, REFUSALS_MAX, after, wait};
    use crate::domain::Timestamp;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn each_wait_is_twice_as_long_as_the_last_up_to_an_hour() {
        let waits = [1, 2, 3, 10, 12, 13, u32::MAX].map(|attempts| wait(attempts, None, 0.0));
        assert_eq!(waits.map(|wait| wait.as_secs()), [1, 2, 4, 512, 2048, 3600, 3600]);
    }

    #[test]
    fn a_random_share_lengthens_a_wait_by_up_to_as_much_again() {
        assert_eq!(wait(3, None, 0.5), 6 * SECOND);
        assert_eq!(wait(3, None, 1.0), 8 * SECOND);
    }

    #[test]
    fn a_target_can_ask_for_a_longer_wait_but_not_for_a_shorter_one_or_for_days() {
        assert_eq!(wait(1, Some(90 * SECOND), 0.0), 90 * SECOND);
        assert_eq!(wait(5, Some(SECOND), 0.0), 16 * SECOND);
        assert_eq!(wait(1, Some(Duration::MAX), 0.0), 6 * 3600 * SECOND);
    }

    #[test]
    fn a_target_is_failing_after_forty_failures_in_a_row_and_since_the_first_of_them() {
        let at = |second: i64| Timestamp::from_micros(second * 1_000_000);
        let mut outage = Outage::default();
        outage.failed(OfTarget, at(1), at(2), None);
        assert_eq!(outage.accepted(), None);
        for second in 10..9 + i64::from(FAILURES_MAX) {
            outage.failed(OfTarget, at(second), at(second + 1), None);
        }
        assert_eq!(outage.failing_since(), None);
        // It began before the others, and took longer to fail.
        outage.failed(OfTarget, at(9), at(60), None);
        assert_eq!(outage.failing_since(), Some(at(9)));
        assert_eq!(outage.accepted(), Some(at(9)));
        assert_eq!(outage, Outage::default());
    }

    #[test]
    fn a_failing_target_is_tried_ever_less_often_down_to_twice_a_minute() {
        let at = |second: i64| Timestamp::from_micros(second * 1_000_000);
        let mut outage = Outage::default();
        // All of them began before it was known.
        for _ in 0..2 * FAILURES_MAX {
            outage.failed(OfTarget, at(0), at(1), None);
        }
        let mut waits = Vec::new();
        for _ in 0..7 {
            let begun_at = outage.next_probe_at().expect("it is failing");
            outage.failed(OfTarget, begun_at, begun_at, None);
            waits.extend(
                outage.next_probe_at().map(|next| (next.micros() - begun_at.micros()) / 1_000_000),
            );
        }
        assert_eq!(waits, [2, 4, 8, 16, 30, 30, 30]);
        let begun_at = outage.next_probe_at().expect("it is failing");
        outage.failed(OfTarget, begun_at, begun_at, Some(300 * SECOND));
        assert_eq!(outage.next_probe_at(), Some(after(begun_at, 300 * SECOND)));
    }

    #[test]
    fn a_target_that_refuses_everything_is_failing_later_than_one_that_does_not_answer() {
        let mut outage = Outage::default();
        let at = Timestamp::from_micros(1);
        for _ in 1..REFUSALS_MAX {
            outage.failed(OfEvent, at, at, None);
        }
        assert_eq!(outage.failing_since(), None);
        outage.failed(OfEvent, at, at, None);
        assert_eq!(outage.failing_since(), Some(at));
    }

    #[test]
    fn an_outage_outlasts_a_restart() {
        let since = Some(Timestamp::from_micros(7));
        assert_eq!(Outage::resumed(since).failing_since(), since);
        assert_eq!(Outage::resumed(None).failing_since(), None);
    }

    #[test]
    fn no_time_is_beyond_the_last_one() {
        assert_eq!(after(Timestamp::from_micros(i64::MAX), SECOND).micros(), i64::MAX);
    }
}

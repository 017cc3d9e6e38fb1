//! Generates the callbacks of a simulated day, in order of arrival.
//! They are generated lazily: ten million messages take no more memory than ten.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::f64::consts::TAU;

use fastrand::Rng;

use super::message::{CONTRADICTING, Channel, QUEUED, SimulatedMessage, Step, hex};

/// The simulated day, in milliseconds.
pub const DAY_MS: u64 = 86_400_000;

/// The time between two statuses of a message, in milliseconds.
const STEP_MS: u64 = 2_000;

/// The maximum transit time of a callback in milliseconds, without shuffling: less than a step.
const WAY_MS: u64 = 500;

/// The maximum transit time with shuffling, so that callbacks overtake each other.
const SHUFFLED_WAY_MS: u64 = 8_000;

/// The time in which a carrier fails: from 14 to 15 o'clock.
const CARRIER_FAILS_MS: std::ops::Range<u64> = 14 * 3_600_000..15 * 3_600_000;

/// The share of that hour's messages that use that carrier.
const FAILING_CARRIER_SHARE: f64 = 0.3;

/// The amplitude of the day's curve: 1 would leave the night without messages.
const DAY_CURVE: f64 = 0.8;

/// The plan of a simulation. Shares are from 0 to 1.
#[derive(Debug, Clone)]
pub struct SimulationPlan {
    /// The account of the messages.
    pub account_sid: String,
    /// The number of messages.
    pub messages: u64,
    /// The same seed gives the same callbacks.
    pub seed: u64,
    /// True if callbacks overtake each other.
    pub shuffle: bool,
    /// Share of callbacks that are duplicated.
    pub duplicates: f64,
    /// Share of callbacks that never arrive.
    pub lose: f64,
    /// Share of messages that are both undelivered and delivered.
    pub conflicts: f64,
    /// Share of messages that a messaging service sends, whose callbacks begin with `queued`.
    pub queued: f64,
    /// Share of forged callbacks.
    pub forged: f64,
    /// The time in carriers' receipts, as `YYMMDDhhmm`.
    pub receipt: String,
}

/// A carrier's receipt for a plan that yields the same callbacks on every day.
pub const FIXED_RECEIPT: &str = "2611231504";

/// One callback in transit.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Callback {
    /// The time of arrival, in milliseconds of the day.
    pub at_ms: u64,
    /// What is added to the URL: `?` and a query, or nothing.
    pub query: String,
    /// The body, a form.
    pub body: String,
    /// The value of I-Twilio-Idempotency-Token; equal for duplicates.
    pub idempotency_token: String,
    /// True if it is to be signed with a wrong token.
    pub forged: bool,
}

/// The callbacks of a plan, in order of arrival. The same plan yields the same callbacks.
pub struct Callbacks {
    plan: SimulationPlan,
    rng: Rng,
    begun: u64,
    on_their_way: BinaryHeap<Reverse<Callback>>,
}

impl SimulationPlan {
    /// The callbacks of the plan.
    pub fn callbacks(self) -> Callbacks {
        let rng = Rng::with_seed(self.seed);
        Callbacks { plan: self, rng, begun: 0, on_their_way: BinaryHeap::new() }
    }
}

impl Iterator for Callbacks {
    type Item = Callback;

    fn next(&mut self) -> Option<Callback> {
        // No callback of a later message can arrive before that message begins.
        while self.begun < self.plan.messages {
            let begins = begins_ms(self.begun, self.plan.messages);
            if self.on_their_way.peek().is_some_and(|Reverse(first)| first.at_ms < begins) {
                break;
            }
            self.begin_message(begins);
        }
        self.on_their_way.pop().map(|Reverse(callback)| callback)
    }
}

impl Callbacks {
    fn begin_message(&mut self, begins: u64) {
        self.begun += 1;
        let channel = Channel::any(&mut self.rng);
        let mut message = SimulatedMessage::new(channel, &mut self.rng);
        if self.happens(self.plan.queued) {
            message = message.by_a_service();
            self.send_step(&message, QUEUED, begins);
        }
        let steps = match begins {
            _ if self.happens(self.plan.conflicts) => CONTRADICTING,
            at if CARRIER_FAILS_MS.contains(&at) && self.happens(FAILING_CARRIER_SHARE) => {
                channel.way_of_failing_carrier()
            }
            _ => channel.way(&mut self.rng),
        };
        for (step, index) in steps.iter().zip(1..) {
            self.send_step(&message, *step, begins + STEP_MS * index);
        }
    }

    fn send_step(&mut self, message: &SimulatedMessage, step: Step, at_ms: u64) {
        let callback = Callback {
            at_ms,
            query: String::new(),
            body: message.body(&self.plan.account_sid, step, &self.plan.receipt),
            idempotency_token: token(&mut self.rng),
            forged: self.happens(self.plan.forged),
        };
        self.set_out(callback);
    }

    fn set_out(&mut self, callback: Callback) {
        let way = if self.plan.shuffle { SHUFFLED_WAY_MS } else { WAY_MS };
        let sent_ms = callback.at_ms;
        if self.happens(self.plan.duplicates) {
            let at_ms = sent_ms + self.rng.u64(0..way);
            self.on_their_way.push(Reverse(Callback { at_ms, ..callback.clone() }));
        }
        if !self.happens(self.plan.lose) {
            let at_ms = sent_ms + self.rng.u64(0..way);
            self.on_their_way.push(Reverse(Callback { at_ms, ..callback }));
        }
    }

    fn happens(&mut self, share: f64) -> bool {
        self.rng.f64() < share
    }
}

/// The time at which the n-th message begins, on a day that is busiest at noon.
fn begins_ms(index: u64, messages: u64) -> u64 {
    let wanted = (index as f64 + 0.5) / messages as f64;
    // The inverse of the cumulative share of messages, found by bisection.
    let share_until = |time: f64| time - DAY_CURVE * (TAU * time).sin() / TAU;
    let (mut early, mut late) = (0.0, 1.0);
    for _ in 0..40 {
        let middle = f64::midpoint(early, late);
        if share_until(middle) < wanted { early = middle } else { late = middle }
    }
    (early * DAY_MS as f64) as u64
}

/// A token in the form of a UUID, as Twilio's are.
pub(super) fn token(rng: &mut Rng) -> String {
    let hex = hex(rng);
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

#[cfg(test)]
mod tests {
    use super::{DAY_MS, FIXED_RECEIPT, SimulationPlan, begins_ms};

    fn plan() -> SimulationPlan {
        SimulationPlan {
            account_sid: "AC1".to_owned(),
            messages: 2_000,
            seed: 1,
            shuffle: true,
            duplicates: 0.1,
            lose: 0.05,
            conflicts: 0.02,
            queued: 0.0,
            forged: 0.01,
            receipt: FIXED_RECEIPT.to_owned(),
        }
    }

    #[test]
    fn the_same_plan_gives_the_same_callbacks_in_order_of_arrival() {
        let once: Vec<_> = plan().callbacks().collect();
        let again: Vec<_> = plan().callbacks().collect();
        assert_eq!(once, again);
        assert!(once.is_sorted_by_key(|callback| callback.at_ms));
        assert!(once.len() > 4_000);
    }

    #[test]
    fn faults_come_in_about_the_shares_asked_for() {
        let callbacks: Vec<_> = plan().callbacks().collect();
        let forged = callbacks.iter().filter(|callback| callback.forged).count();
        let tokens: std::collections::HashSet<_> =
            callbacks.iter().map(|callback| &callback.idempotency_token).collect();
        let doubled = callbacks.len() - tokens.len();
        assert!((20..100).contains(&forged), "{forged}");
        assert!((300..600).contains(&doubled), "{doubled}");
    }

    #[test]
    fn without_shuffling_a_message_is_sent_before_it_is_delivered() {
        let callbacks =
            SimulationPlan { shuffle: false, duplicates: 0.0, lose: 0.0, ..plan() }.callbacks();
        let mut sent = std::collections::HashSet::new();
        for callback in callbacks {
            let sid = callback.body.split('&').find(|p| p.starts_with("MessageSid=")).unwrap();
            if callback.body.contains("MessageStatus=sent") {
                sent.insert(sid.to_owned());
            } else if callback.body.contains("MessageStatus=delivered") {
                assert!(sent.contains(sid), "{}", callback.body);
            }
        }
        assert!(sent.len() > 1_000);
    }

    #[test]
    fn what_a_messaging_service_sends_begins_with_queued() {
        let quiet =
            SimulationPlan { shuffle: false, duplicates: 0.0, lose: 0.0, forged: 0.0, ..plan() };
        let callbacks: Vec<_> = SimulationPlan { queued: 0.5, ..quiet }.callbacks().collect();
        let sid = |body: &str| {
            let mut parameters = body.split('&');
            parameters.find(|parameter| parameter.starts_with("MessageSid=")).unwrap().to_owned()
        };
        let (mut seen, mut queued) = (std::collections::HashSet::new(), 0);
        for callback in &callbacks {
            let is_first = seen.insert(sid(&callback.body));
            let of_service = callback.body.contains("&MessagingServiceSid=MG");
            let is_queued = callback.body.contains("&MessageStatus=queued");
            assert_eq!(is_queued, is_first && of_service, "{}", callback.body);
            queued += u32::from(is_queued);
        }
        assert!((850..1_150).contains(&queued), "{queued} of 2,000");
    }

    #[test]
    fn noon_is_busier_than_midnight() {
        let begins: Vec<_> = (0..10_000).map(|index| begins_ms(index, 10_000)).collect();
        let within = |from: u64, to: u64| {
            begins.iter().filter(|at| (from * DAY_MS / 24..to * DAY_MS / 24).contains(at)).count()
        };
        assert!(within(11, 13) > 4 * within(0, 2), "{} {}", within(11, 13), within(0, 2));
    }
}

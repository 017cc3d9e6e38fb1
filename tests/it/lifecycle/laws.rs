//! Properties of the fold: the order and repetition of callbacks change only times and lateness. As a
//! control, a fold that depends on the order must fail the checks.

use std::cmp::Ordering;
use std::collections::{BTreeMap, HashMap};
use std::convert::Infallible;

use delivery_ledger::domain::message::details::Details;
use delivery_ledger::domain::message::event_ref::Fingerprint;
use delivery_ledger::domain::message::lifecycle::{
    Counts, DeliveryReceipt, Evidence, Incoming, Lifecycle,
};
use delivery_ledger::domain::message::status_reported::StatusReported;
use delivery_ledger::domain::{
    ErrorCode, NewEvent, Position, RecordedEvent, Rule, Status, Timestamp,
};
use delivery_ledger::projection::fold::fold;
use delivery_ledger::twilio::callback::ParsedCallback;
use proptest::prelude::*;
use proptest::sample::subsequence;
use proptest::test_runner::{Config, TestError, TestRunner};

use super::any_event::any_event;
use super::{folded, says};
use crate::support::events::{event, recorded, simulated, with_query, with_token};

/// The part of a message that must not depend on the order.
#[derive(Debug, Clone, PartialEq)]
struct Outcome {
    status: Option<Status>,
    terminal: bool,
    settled: bool,
    conflict: bool,
    error_code: Option<ErrorCode>,
    error_codes: Vec<ErrorCode>,
    addressed: [Option<String>; 4],
    receipt: Option<DeliveryReceipt>,
    details: Details,
}

impl Outcome {
    fn from_evidence(evidence: &Evidence) -> Self {
        Self {
            status: evidence.status(),
            terminal: evidence.is_terminal(),
            settled: evidence.is_settled(),
            conflict: evidence.has_conflict(),
            error_code: evidence.error_code(),
            error_codes: evidence.error_codes(),
            addressed: [
                evidence.from(),
                evidence.to(),
                evidence.messaging_service_sid(),
                Some(evidence.channel()),
            ]
            .map(|text| text.map(str::to_owned)),
            receipt: evidence.receipt.clone(),
            details: evidence.details.clone(),
        }
    }
}

/// A fold under test.
trait Fold: Clone {
    fn begin(rule: Rule) -> Self;
    fn hear(&mut self, heard: &StatusReported);
    fn outcome(&self) -> Outcome;
}

/// The product's fold.
impl Fold for Lifecycle {
    fn begin(rule: Rule) -> Self {
        Lifecycle::new(rule, Timestamp::from_micros(0))
    }

    fn hear(&mut self, heard: &StatusReported) {
        let position = 1 + self.history.len() as u64;
        let received_at = Timestamp::from_micros(position as i64);
        let arrival = Incoming {
            position,
            received_at,
            fingerprint: Fingerprint::of_content(position),
            reported: heard.clone(),
        };
        let mut no_ties = |_: Position, _: Position| -> Result<Ordering, Infallible> {
            panic!("no two events have one status here")
        };
        self.apply(arrival, &mut no_ties).unwrap();
    }

    fn outcome(&self) -> Outcome {
        Outcome::from_evidence(&self.evidence)
    }
}

/// A naive fold as a control: the last status to arrive is shown.
#[derive(Clone)]
struct LastStatusWins {
    by_rule: Lifecycle,
    last: Option<Status>,
}

impl Fold for LastStatusWins {
    fn begin(rule: Rule) -> Self {
        Self { by_rule: Fold::begin(rule), last: None }
    }

    fn hear(&mut self, heard: &StatusReported) {
        self.by_rule.hear(heard);
        self.last = heard.status.or(self.last);
    }

    fn outcome(&self) -> Outcome {
        Outcome { status: self.last, ..self.by_rule.outcome() }
    }
}

/// One event for each status, all facts of each unlike the others', and one with an unknown word.
fn one_of_each() -> Vec<StatusReported> {
    let words = Status::ALL.map(Status::name).into_iter().chain(["tunnelled"]);
    let read = words.zip(1..).map(|(word, number)| {
        let mut body = says(word).with("From", &format!("+{number}"));
        if number % 2 == 0 {
            body = body.with("ErrorCode", &format!("3000{number}"));
        }
        if number % 3 == 0 {
            body = body.with("To", "whatsapp:+1555").with("RawDlrDoneDate", &format!("{number}"));
        }
        ParsedCallback::parse(&event(body)).reported.unwrap()
    });
    read.collect()
}

/// An order of up to five of the events whose outcome differs from another order's of the same.
fn order_that_matters<F: Fold>() -> Option<Vec<&'static str>> {
    let events = one_of_each();
    let mut outcomes = HashMap::new();
    Rule::ALL.into_iter().find_map(|rule| {
        outcomes.clear();
        extend(&F::begin(rule), &events, &mut Vec::new(), &mut outcomes)
    })
}

/// Walks through all orders that begin with the one so far; `outcomes` is by the set of events.
fn extend<F: Fold>(
    so_far: &F,
    events: &[StatusReported],
    order: &mut Vec<usize>,
    outcomes: &mut HashMap<usize, Outcome>,
) -> Option<Vec<&'static str>> {
    if order.len() == 5 {
        return None;
    }
    for next in (0..events.len()).filter(|next| !order.contains(next)).collect::<Vec<_>>() {
        let mut fold = so_far.clone();
        fold.hear(&events[next]);
        order.push(next);
        let set = order.iter().fold(0, |set, index| set | 1 << index);
        let outcome = fold.outcome();
        if *outcomes.entry(set).or_insert_with(|| outcome.clone()) != outcome {
            let name = |index: &usize| events[*index].status.map_or("unknown", Status::name);
            return Some(order.iter().map(name).collect());
        }
        let found = extend(&fold, events, order, outcomes);
        if found.is_some() {
            return found;
        }
        order.pop();
    }
    None
}

#[test]
fn all_orders_of_up_to_five_statuses_give_the_same_result() {
    assert_eq!(order_that_matters::<Lifecycle>(), None);
}

#[test]
fn the_exhaustive_check_rejects_a_fold_by_arrival() {
    let order = order_that_matters::<LastStatusWins>().unwrap();
    assert_eq!(order, ["scheduled", "accepted", "queued", "sent", "sending"]);
}

/// Any callback about the message, from few values, so that ties and duplicates occur.
pub(super) fn any_callback() -> impl Strategy<Value = NewEvent> {
    let word = proptest::sample::select(vec![
        "scheduled",
        "accepted",
        "queued",
        "sending",
        "sent",
        "partially_delivered",
        "Delivered",
        "delivered",
        "READ",
        "canceled",
        "undelivered",
        "failed",
        "received",
        "tunnelled",
        "",
    ]);
    let sometimes = |name: &'static str, values: &'static [&'static str]| {
        let value = proptest::sample::select(values);
        proptest::option::weighted(0.4, value.prop_map(move |value| (name, value)))
    };
    let parameters = (
        sometimes("ErrorCode", &["30003", "30008", "9", "x"]),
        sometimes("From", &["+1", "+2", "rcs:brand"]),
        sometimes("To", &["+3", "whatsapp:+3", "rcs:+3"]),
        sometimes("ChannelPrefix", &["rcs", "line"]),
        sometimes("MessagingServiceSid", &["MG1", "MG2"]),
        sometimes("RawDlrDoneDate", &["2511160837", "2511160838"]),
        sometimes("EventType", &["READ", "CLICKED"]),
        sometimes("SmsStatus", &["sent", "failed"]),
    );
    let query = proptest::option::weighted(0.3, proptest::sample::select(vec!["a=1", "b=2"]));
    let token = proptest::option::weighted(0.3, proptest::sample::select(vec!["t1", "t2"]));
    let by_simulation = proptest::bool::weighted(0.3);
    let all = (word, parameters, query, token, by_simulation);
    all.prop_map(|(word, parameters, query, token, by_simulation)| {
        let (code, from, to, prefix, service, receipt, kind, sms) = parameters;
        let word_of = says(word);
        // Sometimes an address is missing, so that it comes from another event.
        let word_of =
            if from.is_none() && code.is_some() { word_of.without("From") } else { word_of };
        let word_of = if to.is_none() && sms.is_some() { word_of.without("To") } else { word_of };
        let extra = [code, from, to, prefix, service, receipt, kind, sms].into_iter().flatten();
        let body = extra.fold(word_of, |body, (name, value)| body.with(name, value));
        let bare = event(body);
        let asked = query.map_or(bare.clone(), |query| with_query(bare, query));
        let tried = token.map_or(asked.clone(), |token| with_token(asked, token));
        if by_simulation { simulated(tried) } else { tried }
    })
}

/// Some events, and the same in another order.
fn reordered() -> impl Strategy<Value = (Vec<NewEvent>, Vec<NewEvent>)> {
    let events = proptest::collection::vec(any_event(), 1..12);
    events.prop_flat_map(|events| (Just(events.clone()), Just(events).prop_shuffle()))
}

/// Some events, and the same in another order with some of them once more.
fn reordered_and_repeated() -> impl Strategy<Value = (Vec<NewEvent>, Vec<NewEvent>)> {
    let again = |events: Vec<NewEvent>| {
        let any_of_them = subsequence(events.clone(), 0..=events.len());
        (Just(events), any_of_them)
    };
    let shuffled = |(events, again): (Vec<NewEvent>, Vec<NewEvent>)| {
        let all = [events.clone(), again].concat();
        (Just(events), Just(all).prop_shuffle())
    };
    proptest::collection::vec(any_event(), 1..12).prop_flat_map(again).prop_flat_map(shuffled)
}

fn by_rule(rule: Rule, events: Vec<NewEvent>) -> Outcome {
    Outcome::from_evidence(&folded(rule, events).lifecycle.evidence)
}

fn by_arrival(rule: Rule, events: Vec<NewEvent>) -> Outcome {
    let last = |events: &[NewEvent]| {
        events.iter().rev().find_map(|event| ParsedCallback::parse(event).reported?.status)
    };
    Outcome { status: last(&events), ..by_rule(rule, events) }
}

/// Tests a fold with random events in random orders. Shrinking is limited, because each step is slow.
fn check_any_order(
    fold: fn(Rule, Vec<NewEvent>) -> Outcome,
    max_shrink_iters: u32,
) -> Result<(), String> {
    let config =
        Config { cases: 400, failure_persistence: None, max_shrink_iters, ..Config::default() };
    let outcome = TestRunner::new(config).run(&reordered_and_repeated(), |(events, again)| {
        for rule in Rule::ALL {
            prop_assert_eq!(fold(rule, events.clone()), fold(rule, again.clone()));
        }
        Ok(())
    });
    outcome.map_err(|error| match error {
        TestError::Fail(reason, _) => reason.to_string(),
        TestError::Abort(reason) => panic!("{reason}"),
    })
}

#[test]
fn any_order_and_repetition_gives_the_same_result() {
    assert_eq!(check_any_order(by_rule, 100), Ok(()));
}

#[test]
fn the_random_check_rejects_a_fold_by_arrival() {
    assert!(check_any_order(by_arrival, 0).is_err());
}

proptest! {
    #![proptest_config(Config { failure_persistence: None, ..Config::default() })]

    #[test]
    fn only_the_late_count_depends_on_the_order((events, other_order) in reordered()) {
        let counts = |events| Counts { late: 0, ..folded(Rule::default(), events).lifecycle.counts };
        prop_assert_eq!(counts(events), counts(other_order));
    }

    #[test]
    fn both_rules_agree_without_a_conflict(events in proptest::collection::vec(any_event(), 1..8)) {
        let [first, second] = Rule::ALL.map(|rule| by_rule(rule, events.clone()));
        prop_assert_eq!(first.conflict, second.conflict);
        if !first.conflict {
            prop_assert_eq!(first, second);
        }
    }

    #[test]
    fn recording_an_event_equals_merging_its_evidence(
        events in proptest::collection::vec(any_event(), 1..10),
    ) {
        let events = recorded(events);
        for rule in Rule::ALL {
            let heard = folded(rule, events.iter().map(|event| event.event.clone()));
            let merged = events.iter().fold(Evidence::new(rule), |so_far, event| {
                merged(&events, &so_far, &evidence(rule, event))
            });
            prop_assert_eq!(heard.lifecycle.evidence, merged);
        }
    }

    #[test]
    fn merging_adjacent_ranges_equals_folding_the_whole(
        events in proptest::collection::vec(any_event(), 2..12),
        split in any::<proptest::sample::Index>(),
    ) {
        let events = recorded(events);
        let split = split.index(events.len() - 1) + 1;
        for rule in Rule::ALL {
            let [mut joined, next] = [&events[..split], &events[split..]].map(|part| lifecycle(rule, part));
            joined.join(next, &mut by_content(&events)).unwrap();
            prop_assert_eq!(joined, lifecycle(rule, &events));
        }
    }

    #[test]
    fn merging_is_commutative_associative_and_idempotent(
        events in proptest::collection::vec(any_event(), 3..10),
        owners in proptest::collection::vec(0..7_u8, 10),
    ) {
        let events = recorded(events);
        for rule in Rule::ALL {
            let merge = |a: &Evidence, b: &Evidence| merged(&events, a, b);
            // Three sets that may overlap: an event of owner 3 is in the first and the second.
            let part = |bit: u8| {
                let of_part = events.iter().zip(&owners).filter(|(_, owner)| (*owner + 1) & bit > 0);
                of_part.fold(Evidence::new(rule), |so_far, (event, _)| merge(&so_far, &evidence(rule, event)))
            };
            let (a, b, c) = (part(1), part(2), part(4));
            prop_assert_eq!(merge(&a, &b), merge(&b, &a));
            prop_assert_eq!(merge(&merge(&a, &b), &c), merge(&a, &merge(&b, &c)));
            prop_assert_eq!(merge(&a, &a), a.clone());
            prop_assert_eq!(merge(&a, &Evidence::new(rule)), a.clone());
            prop_assert_eq!(merge(&Evidence::new(rule), &a), a);
        }
    }
}

fn evidence(rule: Rule, event: &RecordedEvent) -> Evidence {
    let reported = ParsedCallback::parse(event).reported.unwrap();
    let RecordedEvent { position, event: NewEvent { received_at, .. }, .. } = *event;
    Evidence::from_event(
        rule,
        Incoming { position, received_at, fingerprint: Fingerprint::of_content(0), reported },
    )
}

/// The events as they are, without the batches and the views.
fn lifecycle(rule: Rule, events: &[RecordedEvent]) -> Lifecycle {
    let key = ParsedCallback::parse(&events[0]).message_key().unwrap();
    fold(rule, &key, events.to_vec()).unwrap().lifecycle
}

fn merged(events: &[RecordedEvent], a: &Evidence, b: &Evidence) -> Evidence {
    let mut whole = a.clone();
    whole.merge(b.clone(), &mut by_content(events)).unwrap();
    whole
}

fn by_content(
    events: &[RecordedEvent],
) -> impl FnMut(Position, Position) -> Result<Ordering, Infallible> {
    let content = |event: &RecordedEvent| (event.query().to_owned(), event.body.clone());
    let content: BTreeMap<_, _> =
        events.iter().map(|event| (event.position, content(event))).collect();
    move |a, b| Ok(content[&a].cmp(&content[&b]))
}

//! What a store of forwarding has to do, on plain maps.

use std::collections::BTreeMap;

use delivery_ledger::domain::{Position, Timestamp};
use delivery_ledger::store::forward::{
    AnswerCount, ForwardStore, ReadTo, Step, TargetState, UnacceptedCounts, UnacceptedEvent, Which,
};
use uuid::Uuid;

/// The states of targets, by name.
#[derive(Default)]
pub struct Model(BTreeMap<String, Target>);

struct Target {
    state: TargetState,
    unaccepted: BTreeMap<Position, UnacceptedEvent>,
    /// By hour, answer and status: the number of attempts, and the last position.
    answers: BTreeMap<(i64, String, String), (u64, Position)>,
}

impl Model {
    pub fn version(&self, name: &str) -> Option<u64> {
        self.0.get(name).map(|target| target.state.version)
    }

    pub fn create(&mut self, name: &str, ledger_id: Uuid, from: ReadTo) {
        let state = TargetState {
            name: name.to_owned(),
            ledger_id,
            read_to: from,
            version: 1,
            failing_since: None,
            last_answer: None,
            accepted: 0,
        };
        let new = Target { state, unaccepted: BTreeMap::new(), answers: BTreeMap::new() };
        self.0.entry(name.to_owned()).or_insert(new);
    }

    pub fn record(&mut self, name: &str, version: u64, step: &Step, oldest_hour: i64) -> bool {
        let Some(target) = self.0.get_mut(name).filter(|found| found.state.version == version)
        else {
            return false;
        };
        let state = &mut target.state;
        state.read_to = step.read_to.unwrap_or(state.read_to);
        state.failing_since = step.failing_since;
        state.last_answer = step.last_answer.clone().or(state.last_answer.take());
        state.accepted += step.accepted;
        target.unaccepted.extend(step.unaccepted.iter().map(|e| (e.position, e.clone())));
        target.unaccepted.retain(|position, _| !step.finished.contains(position));
        for count in &step.answers {
            let key = (count.hour, count.answer.clone(), count.status.clone());
            let (attempts, last_position) = target.answers.entry(key).or_default();
            *attempts += count.attempts;
            *last_position = count.last_position.max(*last_position);
        }
        target.answers.retain(|(hour, ..), _| *hour >= oldest_hour);
        true
    }

    pub fn retry(&mut self, name: &str, which: Which, now: Timestamp) -> u64 {
        self.command(name, |target| {
            let meant = target.unaccepted.values_mut().filter(|event| is_meant(event, which));
            meant.map(|event| make_due(event, now, event.failed_at.is_some())).count()
        })
    }

    pub fn retry_since(&mut self, name: &str, since: Timestamp, now: Timestamp) -> u64 {
        let events =
            self.0.get_mut(name).into_iter().flat_map(|found| found.unaccepted.values_mut());
        let meant = events.filter(|event| event.first_attempt_at >= Some(since));
        meant.map(|event| make_due(event, now, true)).count() as u64
    }

    pub fn skip(&mut self, name: &str, which: Which) -> u64 {
        self.command(name, |target| forget(target, |event| is_meant(event, which)))
    }

    pub fn move_to(&mut self, name: &str, to: ReadTo) -> Option<u64> {
        self.0.contains_key(name).then(|| {
            self.command(name, |target| {
                target.state.read_to = to;
                forget(target, |event| event.position > to.position || event.failed_at.is_none())
            })
        })
    }

    pub fn cut_off(&mut self, name: &str, end: ReadTo) -> u64 {
        let reads_on = |found: &Target| found.state.read_to.position > end.position;
        if !self.0.get(name).is_some_and(reads_on) {
            return 0;
        }
        self.command(name, |target| {
            target.state.read_to = end;
            forget(target, |event| event.position > end.position)
        })
    }

    pub fn remove(&mut self, name: &str) -> bool {
        self.0.remove(name).is_some()
    }

    fn command(&mut self, name: &str, change: impl FnOnce(&mut Target) -> usize) -> u64 {
        let Some(target) = self.0.get_mut(name) else { return 0 };
        target.state.version += 1;
        change(target) as u64
    }

    /// Fails if the store says anything else about these targets.
    pub fn assert_equals(&self, store: &dyn ForwardStore, names: &[&str]) {
        let states: Vec<_> = self.0.values().map(|target| target.state.clone()).collect();
        assert_eq!(store.targets().unwrap(), states);
        for name in names {
            let target = self.0.get(*name);
            assert_eq!(store.target(name).unwrap(), target.map(|found| found.state.clone()));
            let events = target.into_iter().flat_map(|found| found.unaccepted.values().cloned());
            let (failed, waiting): (Vec<_>, Vec<_>) =
                events.clone().partition(|event| event.failed_at.is_some());
            let counts = UnacceptedCounts {
                waiting: waiting.len() as u64,
                failed: failed.len() as u64,
                first_waiting: waiting.first().map(|event| event.position),
            };
            assert_eq!(store.counts(name).unwrap(), counts);
            assert_eq!(store.waiting(name).unwrap(), waiting);
            for (after, limit) in [(0, 100), (0, 2), (5, 100), (u64::MAX, 100)] {
                let page = events.clone().filter(|event| event.position > after).take(limit);
                assert_eq!(store.unaccepted(name, after, limit).unwrap(), page.collect::<Vec<_>>());
            }
            for since in [0, 3, i64::MAX] {
                let answers = target.map_or(Vec::new(), |found| added_up(found, since));
                assert_eq!(store.answers(name, since).unwrap(), answers);
            }
        }
    }
}

fn is_meant(event: &UnacceptedEvent, which: Which) -> bool {
    match which {
        Which::At(position) => event.position == position,
        Which::Failed => event.failed_at.is_some(),
        Which::All => true,
    }
}

fn make_due(event: &mut UnacceptedEvent, now: Timestamp, anew: bool) {
    event.due_at = now;
    event.failed_at = None;
    event.first_attempt_at = event.first_attempt_at.filter(|_| !anew);
}

fn forget(target: &mut Target, is_forgotten: impl Fn(&UnacceptedEvent) -> bool) -> usize {
    let before = target.unaccepted.len();
    target.unaccepted.retain(|_, event| !is_forgotten(event));
    before - target.unaccepted.len()
}

fn added_up(target: &Target, since_hour: i64) -> Vec<AnswerCount> {
    let mut sums: Vec<AnswerCount> = Vec::new();
    for ((hour, answer, status), (attempts, last_position)) in &target.answers {
        if *hour < since_hour {
            continue;
        }
        match sums.iter_mut().find(|sum| sum.answer == *answer && sum.status == *status) {
            Some(sum) => {
                sum.hour = *hour;
                sum.attempts += attempts;
                sum.last_position = sum.last_position.max(*last_position);
            }
            None => sums.push(AnswerCount {
                hour: *hour,
                answer: answer.clone(),
                status: status.clone(),
                attempts: *attempts,
                last_position: *last_position,
            }),
        }
    }
    sums.sort_by(|a, b| {
        (b.attempts, &a.answer, &a.status).cmp(&(a.attempts, &b.answer, &b.status))
    });
    sums
}

//! What the store contract says of the quarantine.

use delivery_ledger::domain::event::Headers;
use delivery_ledger::domain::{Position, Timestamp};
use delivery_ledger::store::quarantine::{
    Limits, Quarantine, QuarantineSize, QuarantinedRequest, Rank,
};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, TestRunner};
use uuid::Uuid;

use super::Engine;

const LIMITS: Limits = Limits { requests: 100_000, bytes: 64 << 20 };

const PATHS: [&str; 3] = ["/sms", "/voice", "/"];

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(seconds * 1_000_000)
}

fn request(body: impl Into<Vec<u8>>) -> QuarantinedRequest {
    QuarantinedRequest {
        id: Uuid::now_v7(),
        received_at: at(1_764_000_000),
        method: "POST".to_owned(),
        target: "/message-status".to_owned(),
        headers: Headers::new([("host".to_owned(), b"h".to_vec())]),
        body: body.into(),
        reason: "signature_wrong".to_owned(),
        cause: None,
        rank: Rank::Other,
        whole: true,
    }
}

fn ranked(rank: Rank, body: &str) -> QuarantinedRequest {
    QuarantinedRequest { rank, ..request(body) }
}

/// All requests in order of arrival, read in pages.
fn all(quarantine: &dyn Quarantine) -> Vec<QuarantinedRequest> {
    let (mut all, mut after) = (Vec::new(), 0);
    loop {
        let page = quarantine.oldest(after, 7).unwrap();
        let Some((last, _)) = page.last() else { return all };
        after = *last;
        all.extend(page.into_iter().map(|(_, request)| request));
    }
}

/// The same, the newest first.
fn all_backwards(quarantine: &dyn Quarantine) -> Vec<QuarantinedRequest> {
    let (mut all, mut before) = (Vec::new(), None);
    loop {
        let page = quarantine.newest(before, 7).unwrap();
        let Some((last, _)) = page.last() else { return all };
        before = Some(*last);
        all.extend(page.into_iter().map(|(_, request)| request));
    }
}

fn bodies(quarantine: &dyn Quarantine) -> Vec<String> {
    let text = |request: QuarantinedRequest| String::from_utf8(request.body).unwrap();
    all(quarantine).into_iter().map(text).collect()
}

pub fn a_new_quarantine_is_empty<E: Engine>() {
    let engine = E::fresh();
    let quarantine = engine.quarantine();
    let size = quarantine.size().unwrap();
    assert_eq!((size.requests, size.recognised), (0, 0));
    assert_eq!(quarantine.oldest(0, 10).unwrap(), []);
    assert_eq!(quarantine.newest(None, 10).unwrap(), []);
    assert_eq!(quarantine.marked().unwrap(), []);
    quarantine.check_files_unmoved().unwrap();
}

pub fn requests_with_any_bytes_are_read_back_equal<E: Engine>() {
    let engine = E::fresh();
    let mut quarantine = engine.quarantine();
    let header = |name: &str, value: &[u8]| (name.to_owned(), value.to_vec());
    let odd = QuarantinedRequest {
        received_at: Timestamp::from_micros(-1),
        method: "P\0ST".to_owned(),
        target: "/\0?q=\u{202e}\u{fffd}\\x41'".to_owned(),
        headers: Headers::new([
            header("x-twilio-signature", b"\0\xff"),
            header("host", b""),
            header("host", b"another"),
        ]),
        body: (0..=255).collect(),
        cause: Some("a proxy\0 changed `ü`".to_owned()),
        rank: Rank::Recognised,
        whole: false,
        ..request("")
    };
    let all_sent = [request(""), odd, ranked(Rank::Possible, "n=3")];
    quarantine.keep(&all_sent, &LIMITS).unwrap();

    assert_eq!(all(&*quarantine), all_sent);
    for request in &all_sent {
        assert_eq!(quarantine.find(request.id).unwrap().as_ref(), Some(request));
    }
    assert_eq!(quarantine.find(Uuid::nil()).unwrap(), None);
}

pub fn pages_go_on_in_both_directions<E: Engine>() {
    let engine = E::fresh();
    let mut quarantine = engine.quarantine();
    let all_sent: Vec<_> = (0..10).map(|number| request(vec![number])).collect();
    quarantine.keep(&all_sent, &LIMITS).unwrap();

    let first = quarantine.oldest(0, 4).unwrap();
    let bodies = |page: &[(u64, QuarantinedRequest)]| -> Vec<u8> {
        page.iter().map(|(_, request)| request.body[0]).collect()
    };
    assert_eq!(bodies(&first), [0, 1, 2, 3]);
    assert_eq!(bodies(&quarantine.oldest(first[3].0, 4).unwrap()), [4, 5, 6, 7]);
    let last = quarantine.newest(None, 3).unwrap();
    assert_eq!(bodies(&last), [9, 8, 7]);
    assert_eq!(bodies(&quarantine.newest(Some(last[2].0), 2).unwrap()), [6, 5]);
    assert_eq!(quarantine.oldest(last[0].0, 4).unwrap(), []);
    assert_eq!(quarantine.newest(Some(first[0].0), 4).unwrap(), []);
    for beyond in [u64::MAX, i64::MAX as u64] {
        assert_eq!(quarantine.oldest(beyond, 4).unwrap(), []);
        assert_eq!(quarantine.newest(Some(beyond), 4).unwrap().len(), 4);
    }
}

pub fn large_requests_shorten_pages_and_none_is_skipped<E: Engine>() {
    let engine = E::fresh();
    let mut quarantine = engine.quarantine();
    let all_sent: Vec<_> = (0..12).map(|number| request(vec![number; 1 << 20])).collect();
    quarantine.keep(&all_sent, &LIMITS).unwrap();
    assert!(quarantine.oldest(0, 12).unwrap().len() < 12);
    assert!(quarantine.newest(None, 12).unwrap().len() < 12);
    assert!(all(&*quarantine) == all_sent);
    assert!(all_backwards(&*quarantine).into_iter().rev().eq(all_sent));
}

pub fn the_lowest_rank_is_evicted_first_and_of_one_rank_the_oldest<E: Engine>() {
    let engine = E::fresh();
    let mut quarantine = engine.quarantine();
    let limits = Limits { requests: 4, ..LIMITS };
    let (other, possible, recognised) = (Rank::Other, Rank::Possible, Rank::Recognised);
    let mut keep = |requests: &[(Rank, &str)]| {
        let requests: Vec<_> = requests.iter().map(|(rank, body)| ranked(*rank, body)).collect();
        let size = quarantine.keep(&requests, &limits).unwrap();
        assert_eq!(size, quarantine.size().unwrap());
        ((size.requests, size.recognised), bodies(&*quarantine).join(" "))
    };
    let four = keep(&[(other, "a"), (recognised, "B"), (possible, "c"), (other, "d")]);
    assert_eq!(four, ((4, 1), "a B c d".to_owned()));
    assert_eq!(keep(&[(possible, "e"), (recognised, "F")]), ((4, 2), "B c e F".to_owned()));
    assert_eq!(keep(&[(other, "g")]), ((4, 2), "B c e F".to_owned()));
    let recognised: Vec<_> = ["H", "I", "J"].map(|body| (recognised, body)).to_vec();
    assert_eq!(keep(&recognised), ((4, 4), "F H I J".to_owned()));
}

/// On PostgreSQL it changes the statistics, and with them the plan of later statements.
pub fn a_purge_does_not_change_what_is_evicted<E: Engine>() {
    let engine = E::fresh();
    let mut quarantine = engine.quarantine();
    quarantine.keep(&[request("a")], &LIMITS).unwrap();
    quarantine.purge(Some(at(0))).unwrap();
    let limits = Limits { requests: 3, ..LIMITS };
    let requests = ["b", "c", "d"].map(request);
    assert_eq!(quarantine.keep(&requests, &limits).unwrap().requests, 3);
    assert_eq!(bodies(&*quarantine), ["b", "c", "d"]);
}

pub fn no_more_requests_are_evicted_than_their_bytes_require<E: Engine>() {
    let batches = proptest::collection::vec(
        proptest::collection::vec((select(&Rank::ALL), 0..40_000_usize), 1..20),
        1..12,
    );
    let mut runner = TestRunner::new(Config {
        cases: 24 / E::SLOWER,
        failure_persistence: None,
        ..Config::default()
    });
    let outcome = runner.run(&(batches, 100..600_u64), |(batches, kib)| {
        let limits = Limits { bytes: kib * 1024, ..LIMITS };
        let engine = E::fresh();
        let mut quarantine = engine.quarantine();
        let mut before: Vec<QuarantinedRequest> = Vec::new();
        for batch in batches {
            let batch: Vec<_> = batch
                .iter()
                .map(|(rank, bytes)| QuarantinedRequest {
                    rank: *rank,
                    ..request(vec![b'x'; *bytes])
                })
                .collect();
            let kept = quarantine.keep(&batch, &limits).unwrap();
            prop_assert!(kept.bytes <= limits.bytes, "{:?}", kept);
            before.extend(batch);
            let left = all(&*quarantine);
            prop_assert!(!left.is_empty());
            let evicted = before.len() - left.len();
            if evicted > 0 {
                // The largest request, and what an engine may count for it and a page.
                prop_assert!(kept.bytes + 100_000 > limits.bytes, "{:?}", kept);
            }
            before = after_eviction(before, left.len());
            prop_assert_eq!(&left, &before);
        }
        Ok(())
    });
    outcome.unwrap_or_else(|error| panic!("{error}"));
}

pub fn the_paths_of_a_reason_are_counted<E: Engine>() {
    let engine = E::fresh();
    let mut quarantine = engine.quarantine();
    let with = |reason: &str, target: &str| QuarantinedRequest {
        reason: reason.to_owned(),
        target: target.to_owned(),
        ..request("")
    };
    let targets = ["/b?x=/a", "/a", "/c", "/b", "/a?", "/b?y?z", "?q", "/a/"];
    let requests: Vec<_> = targets.map(|target| with("path", target)).into();
    quarantine.keep(&requests, &LIMITS).unwrap();
    quarantine.keep(&[with("signature_wrong", "/c")], &LIMITS).unwrap();

    let expected = [("/b", 3), ("/a", 2), ("", 1), ("/a/", 1), ("/c", 1)];
    let expected = expected.map(|(path, times)| (path.to_owned(), times));
    assert_eq!(quarantine.paths("path", 10).unwrap(), expected);
    assert_eq!(quarantine.paths("path", 2).unwrap(), expected[..2]);
    assert_eq!(quarantine.paths("unknown", 10).unwrap(), []);
}

pub fn two_that_have_the_quarantine_open_see_what_the_other_does<E: Engine>() {
    let engine = E::fresh();
    let (mut one, mut other) = (engine.quarantine(), engine.quarantine());
    let requests = ["a", "b", "c"].map(request);
    one.keep(&requests, &LIMITS).unwrap();
    other.mark(&[requests[1].id], 7).unwrap();
    assert_eq!(one.marked().unwrap(), [(requests[1].id, 7)]);
    assert_eq!(other.remove(&[requests[1].id, requests[0].id, Uuid::nil()]).unwrap(), 2);
    assert_eq!(bodies(&*one), ["c"]);
    assert_eq!(one.size().unwrap().requests, 1);
    assert_eq!(one.marked().unwrap(), []);
}

pub fn several_that_keep_requests_at_once_stay_within_the_limits<E: Engine>() {
    let engine = E::fresh();
    let limits = Limits { requests: 20, ..LIMITS };
    std::thread::scope(|scope| {
        for _ in 0..3 {
            let mut quarantine = engine.quarantine();
            scope.spawn(move || {
                for number in 0..20 {
                    let requests: Vec<_> = (0..7).map(|_| request(vec![number])).collect();
                    quarantine.keep(&requests, &limits).unwrap();
                }
            });
        }
    });
    let quarantine = engine.quarantine();
    assert_eq!(quarantine.size().unwrap().requests, 20);
    assert_eq!(all(&*quarantine).len(), 20);
}

// Against a model.

/// What is done to a quarantine. Requests are named by their index among those that are left.
#[derive(Debug, Clone)]
enum Act {
    /// Ranks, seconds of arrival, and indexes of paths.
    Keep(Vec<(Rank, i64, usize)>),
    Mark(Vec<usize>, Position),
    Remove(Vec<usize>),
    Purge(Option<i64>),
}

fn any_act() -> impl Strategy<Value = Act> {
    let requests = || proptest::collection::vec((select(&Rank::ALL), 0..9_i64, 0..3_usize), 0..8);
    let some = || proptest::collection::vec(0..12_usize, 0..4);
    prop_oneof![
        4 => requests().prop_map(Act::Keep),
        1 => (some(), 0..99_u64).prop_map(|(indexes, after)| Act::Mark(indexes, after)),
        1 => some().prop_map(Act::Remove),
        1 => proptest::option::of(0..9_i64).prop_map(Act::Purge),
    ]
}

/// A quarantine of up to ten requests, on a list.
#[derive(Default)]
struct Model(Vec<(QuarantinedRequest, Option<Position>)>);

impl Model {
    fn ids(&self, indexes: &[usize]) -> Vec<Uuid> {
        let found = indexes.iter().filter_map(|index| self.0.get(*index));
        found.map(|(request, _)| request.id).collect()
    }

    /// Removes requests, and returns how many.
    fn remove(&mut self, removed: impl Fn(&QuarantinedRequest) -> bool) -> u64 {
        let before = self.0.len();
        self.0.retain(|(request, _)| !removed(request));
        (before - self.0.len()) as u64
    }

    fn keep(&mut self, requests: &[QuarantinedRequest], limit: usize) {
        self.0.extend(requests.iter().map(|request| (request.clone(), None)));
        let left = after_eviction(self.requests(), limit);
        self.0.retain(|(request, _)| left.contains(request));
    }

    fn requests(&self) -> Vec<QuarantinedRequest> {
        self.0.iter().map(|(request, _)| request.clone()).collect()
    }

    fn assert_equals(&self, quarantine: &dyn Quarantine) {
        let requests = self.requests();
        let QuarantineSize { requests: count, recognised, .. } = quarantine.size().unwrap();
        let own = requests.iter().filter(|request| request.rank == Rank::Recognised).count();
        assert_eq!((count, recognised), (requests.len() as u64, own as u64));
        assert_eq!(all(quarantine), requests);
        assert!(all_backwards(quarantine).into_iter().rev().eq(requests));
        let marked =
            self.0.iter().filter_map(|(request, mark)| mark.map(|mark| (request.id, mark)));
        let mut found = quarantine.marked().unwrap();
        found.sort();
        assert_eq!(
            found,
            marked.collect::<std::collections::BTreeMap<_, _>>().into_iter().collect::<Vec<_>>()
        );
    }
}

/// What is left of requests, in order of arrival, when only so many may stay.
fn after_eviction(mut requests: Vec<QuarantinedRequest>, limit: usize) -> Vec<QuarantinedRequest> {
    while requests.len() > limit {
        // Of equal ones it returns the first.
        let lowest = requests.iter().enumerate().min_by_key(|(_, request)| request.rank);
        let index = lowest.expect("there are more than the limit").0;
        requests.remove(index);
    }
    requests
}

pub fn any_acts_leave_the_requests_of_the_model<E: Engine>() {
    let limits = Limits { requests: 10, ..LIMITS };
    let acts = proptest::collection::vec(any_act(), 1..20);
    let mut runner = TestRunner::new(Config {
        cases: 48 / E::SLOWER,
        failure_persistence: None,
        ..Config::default()
    });
    let outcome = runner.run(&acts, |acts| {
        let engine = E::fresh();
        let (mut quarantine, mut model) = (engine.quarantine(), Model::default());
        for act in acts {
            match act {
                Act::Keep(requests) => {
                    let requests: Vec<_> = requests
                        .into_iter()
                        .map(|(rank, second, path)| QuarantinedRequest {
                            received_at: at(second),
                            target: PATHS[path].to_owned(),
                            ..ranked(rank, "x")
                        })
                        .collect();
                    model.keep(&requests, 10);
                    quarantine.keep(&requests, &limits).unwrap();
                }
                Act::Mark(indexes, after) => {
                    let ids = model.ids(&indexes);
                    quarantine.mark(&ids, after).unwrap();
                    let marked =
                        model.0.iter_mut().filter(|(request, _)| ids.contains(&request.id));
                    marked.for_each(|(_, mark)| *mark = Some(after));
                }
                Act::Remove(indexes) => {
                    let ids = model.ids(&indexes);
                    let expected = model.remove(|request| ids.contains(&request.id));
                    prop_assert_eq!(quarantine.remove(&ids).unwrap(), expected);
                }
                Act::Purge(before) => {
                    let before = before.map(at);
                    let expected = model
                        .remove(|request| before.is_none_or(|before| request.received_at < before));
                    prop_assert_eq!(quarantine.purge(before).unwrap(), expected);
                }
            }
            model.assert_equals(&*quarantine);
        }
        Ok(())
    });
    outcome.unwrap_or_else(|error| panic!("{error}"));
}

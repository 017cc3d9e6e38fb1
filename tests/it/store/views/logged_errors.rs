//! The errors that Twilio has logged, in the views' part of the store contract.

use delivery_ledger::domain::logged_error::{GROUPS_MAX, LoggedError, LoggedErrors};
use delivery_ledger::domain::{ErrorCode, Rule, Timestamp};
use delivery_ledger::store::{Batch, Views};

use super::batch;
use crate::store::Engine;

const URL: &str = "https://hooks.example.com/message-status";

fn code(number: u32) -> ErrorCode {
    ErrorCode::from_number(number).unwrap()
}

fn error(id: u64, number: u32, url: &str, second: i64) -> LoggedError {
    let at = Timestamp::from_micros(second * 1_000_000);
    LoggedError { id, code: code(number), url: url.into(), at }
}

fn counted(about: Option<(u32, &str)>, count: u64, first: i64, last: i64) -> LoggedErrors {
    LoggedErrors {
        about: about.map(|(number, url)| (code(number), url.into())),
        count,
        first: Timestamp::from_micros(first * 1_000_000),
        last: Timestamp::from_micros(last * 1_000_000),
    }
}

/// A step with these errors and no message.
fn project(views: &dyn Views, logged_errors: Vec<LoggedError>) {
    let from = views.checkpoint().unwrap().position;
    views.project(&Batch { logged_errors, ..batch(views, from, Vec::new()) }).unwrap();
}

pub fn each_logged_error_counts_once_by_code_and_url<E: Engine>() {
    let engine = E::fresh();
    let store = engine.open();
    assert_eq!(store.views().logged_errors().unwrap().1, []);

    let [one, two, third] = [(1, 20), (2, 10), (3, 30)].map(|(id, at)| error(id, 11200, URL, at));
    project(store.views(), vec![one.clone(), two.clone(), one.clone()]);
    project(
        store.views(),
        vec![third, two, error(4, 11217, URL, 5), error(5, 11200, "http://b", 6)],
    );
    drop(store);

    let store = engine.open();
    let expected = [
        counted(Some((11200, URL)), 3, 10, 30),
        counted(Some((11200, "http://b")), 1, 6, 6),
        counted(Some((11217, URL)), 1, 5, 5),
    ];
    assert_eq!(store.views().logged_errors().unwrap().1, expected);

    store.views().reset(Rule::default()).unwrap();
    assert_eq!(store.views().logged_errors().unwrap().1, []);
    project(store.views(), vec![one]);
    assert_eq!(store.views().logged_errors().unwrap().1, [counted(Some((11200, URL)), 1, 20, 20)]);
}

pub fn logged_errors_of_many_urls_are_counted_together<E: Engine>() {
    let engine = E::fresh();
    let store = engine.open();
    let groups = GROUPS_MAX as u64;
    let of = |id: u64| error(id, 11200, &format!("{URL}/{id}"), id as i64);

    project(store.views(), (1..=groups + 2).map(of).collect());
    // A known URL still has its own row.
    project(store.views(), vec![LoggedError { id: groups + 3, ..of(1) }]);

    let read = store.views().logged_errors().unwrap().1;
    assert_eq!(read.len(), GROUPS_MAX + 1);
    let last = i64::try_from(groups).unwrap() + 2;
    assert_eq!(read[0], counted(None, 2, last - 1, last));
    let first = read.last().unwrap();
    assert_eq!((first.count, first.about.as_ref().unwrap().1.as_str()), (2, &*format!("{URL}/1")));
}

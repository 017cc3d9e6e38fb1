//! The projection as a library: steps, rules, digests, and where it stops.

use std::ops::ControlFlow;

use delivery_ledger::domain::logged_error::LoggedErrors;
use delivery_ledger::domain::message::tags::IndexedTags;
use delivery_ledger::domain::{NewEvent, Rule, Timestamp};
use delivery_ledger::projection::digest::digest;
use delivery_ledger::projection::replay::{dry_run, replay};
use delivery_ledger::projection::{ProjectionError, catch_up};
use delivery_ledger::store::{Checkpoint, Store, StoreError, Views};
use proptest::prelude::*;

use super::go_on;
use crate::lifecycle::any_event;
use crate::support::events::{error_logged, event, one_a_second};
use crate::support::ledger::Ledger;
use crate::support::{delivered, failed, sent, sid, status};

/// The log's views at its head, read in steps that end at these positions.
fn projected(
    store: &dyn Store,
    rule: Rule,
    steps: &[u64],
) -> (Checkpoint, [u8; 32], Vec<LoggedErrors>) {
    let views = store.temporary_views(rule).unwrap();
    for up_to in steps.iter().copied().chain([store.head().unwrap()]) {
        catch_up(store, &*views, up_to, &mut go_on).unwrap();
    }
    (reached(&*views), digest(&*views).unwrap(), views.logged_errors().unwrap().1)
}

/// The checkpoint, whichever views it is of, and whatever tags they index.
fn reached(views: &dyn Views) -> Checkpoint {
    let (generation, indexed_tags) = (uuid::Uuid::nil(), IndexedTags::none());
    Checkpoint { generation, indexed_tags, ..views.checkpoint().unwrap() }
}

/// An error that Twilio has logged; some have the id of another.
fn any_logged_error() -> impl Strategy<Value = NewEvent> {
    let code = prop_oneof![Just(11200), Just(11217)];
    let url =
        prop_oneof![Just("https://hooks.example.com/a"), Just("https://hooks.example.com/b?c")];
    (0..4_u32, code, url, 0..1_000_000_i64).prop_map(|(id, code, url, at)| {
        error_logged(&format!("NO{id}"), code, url, Timestamp::from_micros(at))
    })
}

/// Callbacks about a few messages, some of no account or of another.
fn traffic() -> impl Strategy<Value = Vec<NewEvent>> {
    let about = |event: NewEvent, number: u32, account: &str| {
        let body = String::from_utf8(event.body).unwrap();
        let body = body.replace(&sid(1), &sid(number));
        let body = body.replace("AccountSid=AC", &format!("AccountSid={account}"));
        NewEvent { body: body.into_bytes(), ..event }
    };
    let account = prop_oneof![8 => Just("AC"), 1 => Just("&Other=AC"), 1 => Just("ACother")];
    let one = (any_event(), 0..4_u32, account);
    let one = one.prop_map(move |(event, number, account)| about(event, number, account));
    let one = prop_oneof![9 => one, 1 => any_logged_error()];
    proptest::collection::vec(one, 1..40).prop_map(one_a_second)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..Default::default() })]

    #[test]
    fn any_steps_give_the_same_views(
        events in traffic(),
        cuts in proptest::collection::btree_set(1..40_u64, 0..8),
    ) {
        let ledger = Ledger::new();
        let store = ledger.open();
        store.append(&events).unwrap();
        let head = events.len() as u64;
        let cuts: Vec<_> = cuts.into_iter().filter(|cut| *cut < head).collect();
        let one_by_one: Vec<_> = (1..head).collect();
        for rule in Rule::ALL {
            let at_once = projected(&*store, rule, &[]);
            prop_assert_eq!(&projected(&*store, rule, &cuts), &at_once);
            prop_assert_eq!(&projected(&*store, rule, &one_by_one), &at_once);
            // In use, with the appends in between, and by a replay.
            store.views().reset(rule).unwrap();
            catch_up(&*store, store.views(), head / 2, &mut go_on).unwrap();
            catch_up(&*store, store.views(), head, &mut go_on).unwrap();
            prop_assert_eq!(digest(store.views()).unwrap(), at_once.1);
            let replayed = replay(&*store, rule, &mut go_on).unwrap();
            prop_assert_eq!(replayed.digest, at_once.1);
            prop_assert_eq!(reached(store.views()), at_once.0.clone());
            prop_assert_eq!(store.views().logged_errors().unwrap().1, at_once.2.clone());
        }
    }
}

#[test]
fn more_than_one_full_batch_is_projected_as_one() {
    let words = ["queued", "sent", "delivered", "sent"];
    let events =
        (0..9_000).map(|number| event(status(&sid(number % 700), words[number as usize % 4])));
    let ledger = Ledger::new();
    let store = ledger.open();
    store.append(&one_a_second(events)).unwrap();

    let at_once = projected(&*store, Rule::default(), &[]);

    assert_eq!(projected(&*store, Rule::default(), &[1, 4095, 4097, 8191]), at_once);
}

#[test]
fn the_digest_depends_on_rule_messages_and_order() {
    let digest_of = |events: &[NewEvent], rule| {
        let ledger = Ledger::new();
        let store = ledger.open();
        store.append(events).unwrap();
        projected(&*store, rule, &[]).1
    };
    let events = one_a_second([event(sent(&sid(1))), event(sent(&sid(2)))]);
    let base = digest_of(&events, Rule::FailureTerminal);
    assert_eq!(digest_of(&events, Rule::FailureTerminal), base, "another ledger, the same content");
    assert_ne!(digest_of(&events, Rule::DeliveryWins), base);
    assert_ne!(digest_of(&events[..1], Rule::FailureTerminal), base);
    let other_order = one_a_second([events[1].clone(), events[0].clone()]);
    assert_ne!(digest_of(&other_order, Rule::FailureTerminal), base);
    let other_status =
        [events[0].clone(), NewEvent { body: delivered(&sid(2)).bytes(), ..events[1].clone() }];
    assert_ne!(digest_of(&other_status, Rule::FailureTerminal), base);
}

#[test]
fn two_projections_of_one_ledger_do_not_interfere() {
    let events = (0..3_000)
        .map(|number| event(status(&sid(number % 50), "sent").with("N", &number.to_string())));
    let ledger = Ledger::new();
    let store = ledger.open();
    store.append(&one_a_second(events)).unwrap();
    std::thread::scope(|scope| {
        for first in [1, 2, 3] {
            let store = &*store;
            scope.spawn(move || {
                for up_to in (first..=3_000).step_by(250) {
                    catch_up(store, store.views(), up_to, &mut go_on).unwrap();
                }
                catch_up(store, store.views(), 3_000, &mut go_on).unwrap();
            });
        }
    });
    let (checkpoint, digest_at_once, _) = projected(&*store, Rule::default(), &[]);
    assert_eq!(digest(store.views()).unwrap(), digest_at_once);
    assert_eq!(reached(store.views()), checkpoint);
}

#[test]
fn a_read_that_is_cancelled_resumes_where_it_stopped() {
    let ledger = Ledger::with_events(&[event(sent(&sid(1)))]);
    ledger.append(&[event(delivered(&sid(1)))]);
    let store = ledger.open();
    let stopped = catch_up(&*store, store.views(), 2, &mut |_| ControlFlow::Break(()));
    assert!(matches!(stopped, Err(ProjectionError::Stopped)));
    assert_eq!(store.views().checkpoint().unwrap().position, 2, "the batch it was at is whole");
}

#[test]
fn a_dry_run_lists_messages_that_another_rule_changes() {
    let ledger = Ledger::with_events(&one_a_second([
        event(sent(&sid(1))),
        event(delivered(&sid(2))),
        event(failed(&sid(2), "30003")),
        event(failed(&sid(3), "30003")),
    ]));
    let store = ledger.open();
    let before = digest(store.views()).unwrap();
    let mut changes = Vec::new();
    let tried = dry_run(&*store, Rule::DeliveryWins, &mut go_on, &mut |change| {
        let name =
            |status: Option<delivery_ledger::domain::Status>| status.map(|status| status.name());
        changes.push((change.key.message_sid.to_string(), name(change.from), name(change.to)));
    });

    assert_eq!(changes, [(sid(2), Some("failed"), Some("delivered"))]);
    assert_eq!(tried.unwrap().digest, projected(&*store, Rule::DeliveryWins, &[]).1);
    assert_eq!(digest(store.views()).unwrap(), before, "nothing was changed");
}

#[test]
fn a_gap_stops_the_projection_and_is_reported() {
    let ledger = Ledger::with_events(&[event(sent(&sid(1)))]);
    ledger.append(&[event(sent(&sid(2))), event(sent(&sid(3))), event(sent(&sid(4)))]);
    ledger.damage_log(|log| {
        log.execute("DELETE FROM events WHERE position = 3", []).unwrap();
    });
    let store = ledger.open();
    let stopped = catch_up(&*store, store.views(), 4, &mut go_on);
    assert!(matches!(stopped, Err(ProjectionError::Gap(3))), "{stopped:?}");
    assert_eq!(store.views().checkpoint().unwrap().position, 2, "up to the gap");
}

#[test]
fn an_unreadable_event_stops_the_projection_and_is_reported() {
    for damage in [
        "UPDATE events SET variables = x'09' WHERE position = 3",
        "UPDATE events SET variables = x'' WHERE position = 3",
        "UPDATE events SET event_id = x'01' WHERE position = 3",
        "UPDATE events SET envelope = 99 WHERE position = 3",
        "UPDATE events SET body = 'text' WHERE position = 3",
        "UPDATE events SET received_at = 'today' WHERE position = 3",
    ] {
        let ledger = Ledger::with_events(&[event(sent(&sid(1)))]);
        ledger.append(&[event(sent(&sid(2))), event(sent(&sid(3))), event(sent(&sid(4)))]);
        ledger.damage_log(|log| {
            log.execute(damage, []).unwrap();
        });
        let store = ledger.open();
        match catch_up(&*store, store.views(), 4, &mut go_on) {
            Err(ProjectionError::Store(StoreError::Unreadable { position: 3, .. })) => {}
            other => panic!("{damage}: {other:?}"),
        }
        assert_eq!(store.views().checkpoint().unwrap().position, 2, "up to that event");
    }
}

#[test]
fn another_event_at_the_checkpoint_stops_the_projection() {
    let ledger = Ledger::with_events(&[event(sent(&sid(1))), event(sent(&sid(2)))]);
    ledger.append(&[event(sent(&sid(3)))]);
    ledger.damage_log(|log| {
        log.execute("UPDATE events SET event_id = zeroblob(16) WHERE position = 2", []).unwrap();
    });
    let store = ledger.open();
    let stopped = catch_up(&*store, store.views(), 3, &mut go_on);
    assert!(matches!(stopped, Err(ProjectionError::OtherHistory(2))), "{stopped:?}");
}

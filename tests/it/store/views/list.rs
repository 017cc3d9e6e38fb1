//! Lists of messages: their order, their pages and their conditions.

use delivery_ledger::domain::country::Country;
use delivery_ledger::domain::message::filter::MessageFilter;
use delivery_ledger::domain::message::message_ref::MessageRef;
use delivery_ledger::domain::{NewEvent, Rule, Timestamp};
use delivery_ledger::store::Store;
use delivery_ledger::twilio::callback::ParsedCallback;
use delivery_ledger::wire::filter::{FilterContext, MessageParameters};
use delivery_ledger::wire::parameters;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::{Engine, SOUND, key, project_log};
use crate::lifecycle::any_event;
use crate::support::events::{event, one_a_second};
use crate::support::{ACCOUNT, sent, sid};

#[test]
fn random_events_belong_to_one_message() {
    let config = Config { cases: 50, failure_persistence: None, ..Config::default() };
    let outcome = TestRunner::new(config).run(&any_event(), |event| {
        let key_of = ParsedCallback::parse(&event).message_key();
        prop_assert_eq!(key_of, Some(key(Some(ACCOUNT), &sid(1))));
        Ok(())
    });
    outcome.unwrap();
}

// Lists.

fn filter(conditions: &[(&str, &str)]) -> MessageFilter {
    let values = conditions.iter().map(|(name, value)| (name.to_string(), value.to_string()));
    let parameters: MessageParameters = parameters::read(&values.collect()).unwrap();
    let inbound = parameters.inbound;
    let now = Timestamp::parse("2099-01-01T00:00:00Z").unwrap();
    let context =
        FilterContext { now, time_zone: Default::default(), default_country: Country::parse("US") };
    let filter = parameters.filter(&context).unwrap();
    MessageFilter { inbound, ..filter }
}

/// Every page of a list, as the ids of its messages.
fn pages(store: &dyn Store, conditions: &[(&str, &str)], limit: usize) -> Vec<Vec<u64>> {
    let (wanted, mut pages, mut before) = (filter(conditions), Vec::new(), None);
    loop {
        let listed = store.views().list(&wanted, before, limit).unwrap();
        pages.push(listed.messages.iter().map(|message| message.id).collect());
        before = listed.next_before;
        if before.is_none() {
            return pages;
        }
    }
}

pub fn lists_are_newest_first_and_pages_are_complete<E: Engine>() {
    let engine = E::fresh();
    let store = engine.open();
    store.append(&one_a_second((1..=7).map(|number| event(sent(&sid(number)))))).unwrap();
    project_log(&*store, store.views());
    assert_eq!(pages(&*store, &[], 3), [vec![7, 6, 5], vec![4, 3, 2], vec![1]]);
    assert_eq!(pages(&*store, &[], 7), [vec![7, 6, 5, 4, 3, 2, 1]], "the last page has no next");
    assert_eq!(pages(&*store, &[("to", "+19999999999")], 3), [Vec::<u64>::new()]);
}

/// A page is found by an index or by looking at messages; which makes no difference but in time.
pub fn a_list_has_exactly_the_messages_of_its_filter<E: Engine>() {
    let conditions: &[&[(&str, &str)]] = &[
        &[("conflict", "true")],
        &[("late", "true")],
        &[("duplicate", "true")],
        &[("duplicate", "false"), ("late", "true")],
        &[("status", "sent")],
        &[("status", "unknown")],
        &[("status", "failed"), ("conflict", "false")],
        &[("to", "+15550002671")],
        &[("to", "*2671")],
        &[("to", "*2671"), ("late", "true")],
        &[("to", "1 555 000-2671")],
        &[("to", "(555) 000-2671"), ("status", "sent")],
        &[("to", "whatsapp:0015550002671")],
        &[("from", "1 501 725 0604"), ("late", "false")],
        &[("from", "*0604"), ("status", "delivered")],
        &[("from", "+15017250604")],
        &[("to", "+15558675310"), ("from", "+15017250604")],
        &[("inbound", "false")],
        &[("inbound", "true")],
        &[("inbound", "true"), ("status", "unknown")],
        &[("inbound", "false"), ("status", "unknown")],
        &[("inbound", "false"), ("to", "*2671")],
        &[("simulated", "false")],
        &[("simulated", "true")],
        &[("simulated", "true"), ("inbound", "false")],
        &[("stuck", "1s"), ("simulated", "false")],
    ];
    let traffic = proptest::collection::vec((any_event(), 0..6_u32, 0..3_usize), 1..60);
    let mut runner = TestRunner::new(Config {
        cases: 24 / E::SLOWER,
        failure_persistence: None,
        ..Config::default()
    });
    let outcome = runner.run(&traffic, |traffic| {
        let engine = E::fresh();
        let store = engine.open();
        let about = |(event, number, to): (NewEvent, u32, usize)| {
            let to = ["%2B15558675310", "whatsapp%3A%2B15550002671", "%2B15550002671"][to];
            let body = String::from_utf8(event.body).unwrap();
            let body = body.replace(&sid(1), &sid(number)).replace("%2B15558675310", to);
            NewEvent { body: body.into_bytes(), ..event }
        };
        let events = one_a_second(traffic.into_iter().map(about));
        for step in events.chunks(7) {
            store.append(step).unwrap();
            project_log(&*store, store.views());
        }
        let check = |how: &str| {
            let (_, all) = store.views().page(0, 1000).unwrap();
            for conditions in conditions {
                let wanted = filter(conditions);
                let fit = all
                    .iter()
                    .rev()
                    .filter(|m| wanted.matches(&MessageRef::new(&m.key, &m.lifecycle)));
                let expected: Vec<_> = fit.map(|message| message.id).collect();
                let found = pages(&*store, conditions, 2).concat();
                prop_assert_eq!(&found, &expected, "{:?} {}", conditions, how);
            }
            prop_assert_eq!(store.views().check().unwrap(), SOUND);
            Ok(())
        };
        check("as they came")?;
        let generation = store.begin_generation(Rule::default()).unwrap();
        project_log(&*store, generation.views());
        assert!(generation.swap_in().unwrap());
        check("after a replay")
    });
    outcome.unwrap();
}

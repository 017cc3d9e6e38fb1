//! Targets that refuse, are slow or gone, and servers that are killed.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{forwarding, target};
use crate::support::application::{Application, Reply};
use crate::support::{App, delivered, sent, sid};

fn listed(app: &App) -> serde_json::Value {
    app.json(&["forward", "list", "--format", "json"])["data"][0].clone()
}

#[test]
fn an_event_that_is_refused_is_sent_again_and_its_attempts_are_counted() {
    let application = Application::start();
    let mut refusals = [500, 404, 302].into_iter();
    application.answers(move |_| Reply::Code(refusals.next().unwrap_or(200)));
    let app = forwarding(&application, "");
    app.receive(sent(&sid(1)).bytes());
    app.eventually("it is accepted", || application.received().len() == 4);
    let attempts: Vec<_> = application.received().iter().map(|it| it.attempt()).collect();
    assert_eq!(attempts, [1, 2, 3, 4]);
    assert_eq!(application.positions(), [1; 4]);
}

#[test]
fn events_of_a_message_wait_for_the_refused_one_and_other_messages_do_not() {
    let application = Application::start();
    let mut refused = 0;
    application.answers(move |received| {
        let is_first = received.position() == 1 && refused < 2;
        refused += usize::from(is_first);
        Reply::Code(if is_first { 503 } else { 200 })
    });
    let app = forwarding(&application, "");
    app.receive(sent(&sid(1)).bytes());
    app.receive(delivered(&sid(1)).bytes());
    app.receive(sent(&sid(2)).bytes());
    app.eventually("all are accepted", || application.received().len() == 5);
    let positions = application.positions();
    let of_first: Vec<_> = positions.iter().filter(|position| **position != 3).collect();
    assert_eq!(of_first, [&1, &1, &1, &2]);
    assert!(positions.iter().position(|it| *it == 3) < positions.iter().position(|it| *it == 2));
}

#[test]
fn a_target_can_ask_for_a_longer_wait() {
    let application = Application::start();
    let mut calls = 0;
    application.answers(move |_| {
        calls += 1;
        match calls {
            1 => Reply::With(429, "Retry-After", "4".to_owned()),
            _ => Reply::Code(200),
        }
    });
    let app = forwarding(&application, "");
    app.receive(sent(&sid(1)).bytes());
    app.eventually("it is refused", || application.received().len() == 1);
    app.eventually("the wait is stored", || listed(&app)["waiting"] == 1);
    let event = app.json(&["forward", "list", "orders", "--format", "json"])["data"][0].clone();
    let second = |name: &str| {
        let text = event[name].as_str().unwrap_or_else(|| panic!("{name} of {event}"));
        delivery_ledger::domain::Timestamp::parse(text).unwrap().micros() / 1_000_000
    };
    assert!(second("next_attempt_at") - second("first_attempt_at") >= 4, "{event}");
    app.eventually("it is accepted", || application.received().len() == 2);
}

#[test]
fn an_event_is_given_up_after_a_time_and_sent_again_when_an_operator_says_so() {
    let application = Application::start();
    application.answers(|received| Reply::Code(if received.position() == 1 { 422 } else { 200 }));
    let app = forwarding(&application, "give_up_after = \"1s\"");
    app.receive(sent(&sid(1)).bytes());
    app.receive(delivered(&sid(1)).bytes());
    app.eventually("it is given up, and the next one of its message is sent", || {
        listed(&app)["failed"] == 1 && application.positions().contains(&2)
    });
    let attempts = application.positions().iter().filter(|position| **position == 1).count();
    application.answers(|_| Reply::Code(200));
    assert!(app.run(&["forward", "retry", "orders"]).status.success());
    app.eventually("it is accepted", || {
        listed(&app)["failed"] == 0 && listed(&app)["waiting"] == 0
    });
    let last = application.received().pop().unwrap();
    assert_eq!((last.position(), last.attempt() as usize), (1, attempts + 1));
}

#[test]
fn an_answer_of_a_kind_that_is_no_acceptance_is_not_taken_for_one() {
    for (reply, expected) in [
        (Reply::Close, "closed"),
        (Reply::Silence, "timeout"),
        (Reply::With(307, "Location", "/elsewhere".to_owned()), "307"),
        (Reply::After(Duration::from_millis(1_800)), "timeout"),
    ] {
        let application = Application::start();
        let given = reply.clone();
        application.answers(move |_| given.clone());
        let app = forwarding(&application, "timeout = \"1s\"");
        app.receive(sent(&sid(1)).bytes());
        app.eventually("it is refused", || {
            listed(&app)["last_answer"]["answer"] == expected && listed(&app)["waiting"] == 1
        });
        assert!(application.received().iter().all(|it| it.target == "/hook"), "{reply:?}");
    }
}

#[test]
fn an_accepted_event_is_accepted_even_if_the_rest_of_the_answer_is_missing() {
    for reply in [Reply::Half, Reply::Endless] {
        let application = Application::start();
        application.answers(move |_| reply.clone());
        let app = forwarding(&application, "timeout = \"600s\"");
        app.receive(sent(&sid(1)).bytes());
        app.eventually("it is accepted", || listed(&app)["accepted"] == 1);
        assert_eq!(application.positions(), [1]);
    }
}

#[test]
fn a_slow_target_holds_up_no_other_and_has_a_bounded_number_of_requests() {
    let (slow, fast) = (Application::start(), Application::start());
    slow.answers(|_| Reply::After(Duration::from_millis(300)));
    let mut app = App::not_started(&[]);
    app.configure(&target("slow", &slow.url("/"), "requests = 3"));
    app.configure(&target("fast", &fast.url("/"), ""));
    app.restart();
    for number in 1..=20 {
        app.receive(sent(&sid(number)).bytes());
    }
    app.eventually("the fast one has everything", || fast.received().len() == 20);
    assert!(slow.received().len() < 20);
    app.eventually("so has the slow one", || slow.received().len() == 20);
    assert_eq!(slow.most_at_once(), 3);
}

#[test]
fn nothing_is_lost_or_repeated_uncounted_when_the_server_is_killed() {
    let application = Application::start();
    application.answers(|_| Reply::After(Duration::from_millis(20)));
    let mut app = forwarding(&application, "requests = 4");
    let mut sent_events = 0;
    for _ in 0..3 {
        for _ in 0..30 {
            sent_events += 1;
            app.receive(sent(&sid(sent_events)).bytes());
        }
        app.kill();
        app.restart();
    }
    app.eventually("everything is accepted", || listed(&app)["accepted"] == sent_events);
    let mut by_position: BTreeMap<u64, Vec<u32>> = BTreeMap::new();
    for received in application.received() {
        by_position.entry(received.position()).or_default().push(received.attempt());
    }
    assert_eq!(by_position.len(), sent_events as usize);
    for (position, attempts) in by_position {
        assert!(attempts.windows(2).all(|pair| pair[0] < pair[1]), "{position}: {attempts:?}");
    }
}

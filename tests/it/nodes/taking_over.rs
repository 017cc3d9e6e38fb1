//! A node that ends, dies or freezes: another one takes over, and whatever it does when it wakes does no harm.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::{leads, node, node_with, nodes_of, shows, two_nodes};
use crate::support::postgres::PostgresDatabase;
use crate::support::{App, delivered, sent, sid};

/// The views have to be what a replay makes of the log.
fn verifies(node: &App, messages: usize) {
    node.caught_up();
    assert_eq!(node.json(&["verify", "--format", "json"])["findings"], serde_json::json!([]));
    assert_eq!(node.messages().len(), messages);
}

#[test]
fn another_node_projects_once_the_leading_one_is_killed() {
    let database = PostgresDatabase::fresh();
    let (mut first, second) = two_nodes(&database);
    assert_eq!(first.receive(sent(&sid(1)).bytes()).code, 200);

    first.kill();

    assert_eq!(second.receive(sent(&sid(2)).bytes()).code, 200);
    shows(&second, &sid(2));
    assert!(leads(&second));
    verifies(&second, 2);
}

#[test]
fn a_node_that_stops_gives_up_the_lead_at_once() {
    let database = PostgresDatabase::fresh();
    let (mut first, second) = two_nodes(&database);

    first.stop();

    // A node that was killed would be listed for some seconds.
    let names = || nodes_of(&second)["running"].as_array().unwrap().len();
    second.eventually("the other one is no longer listed", || names() == 1);
    second.eventually("it leads", || leads(&second));
}

#[test]
fn a_frozen_leader_is_replaced_and_does_no_harm_when_it_wakes() {
    let database = PostgresDatabase::fresh();
    let (first, second) = two_nodes(&database);
    assert_eq!(first.receive(sent(&sid(1)).bytes()).code, 200);
    first.signal(Signal::STOP);

    second.eventually("it leads", || leads(&second));
    (2..=50).for_each(|n| assert_eq!(second.receive(sent(&sid(n)).bytes()).code, 200));
    first.signal(Signal::CONT);
    (2..=50).for_each(|n| assert_eq!(first.receive(delivered(&sid(n)).bytes()).code, 200));

    first.eventually("it has noticed", || !leads(&first));
    assert!(leads(&second));
    shows(&first, &sid(50));
    verifies(&first, 50);
    verifies(&second, 50);
}

/// Leases are by the clock of the database.
#[test]
fn a_node_whose_clock_is_an_hour_off_neither_takes_nor_loses_the_lead_by_that() {
    let database = PostgresDatabase::fresh();
    let first = node(&database);
    first.eventually("it leads", || leads(&first));
    for offset in ["+1h", "-1h"] {
        let preload = crate::support::clock::libfaketime();
        let environment = [
            ("LD_PRELOAD", preload.as_str()),
            ("FAKETIME", offset),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
            ("DONT_FAKE_MONOTONIC", "1"),
        ];
        let mut other = node_with(&database, &environment);
        // A clock that decides would decide for longer than a busy machine delays a renewal.
        let (begun, mut taken, mut looks) = (Instant::now(), 0, 0);
        while begun.elapsed() < Duration::from_secs(3) {
            taken += i32::from(leads(&other) || !leads(&first));
            looks += 1;
            std::thread::sleep(Duration::from_millis(100));
        }
        assert!(taken * 2 < looks, "{offset}: {taken} of {looks}");
        assert_eq!(other.receive(sent(&sid(1)).bytes()).code, 200);
        shows(&first, &sid(1));
        other.stop();
    }
    verifies(&first, 1);
}

/// As in an upgrade, one node after the other, to a version whose views have another format.
#[test]
fn views_of_another_version_are_rebuilt_by_the_node_that_takes_over() {
    let database = PostgresDatabase::fresh();
    let first = node(&database);
    assert_eq!(first.receive(sent(&sid(1)).bytes()).code, 200);
    shows(&first, &sid(1));
    first.signal(Signal::STOP);
    let connection = database.connect();
    connection.execute("UPDATE projections SET format = 'another'").unwrap();

    let second = node(&database);

    second.eventually("it leads", || leads(&second));
    assert_eq!(second.receive(sent(&sid(2)).bytes()).code, 200);
    shows(&second, &sid(2));
    verifies(&second, 2);
    first.signal(Signal::CONT);
    shows(&first, &sid(2));
    assert_eq!(first.messages(), second.messages());
}

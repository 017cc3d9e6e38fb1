//! The system clock is set back and forward while a server runs.

use std::time::{Duration, Instant};

use crate::support::clock::Clock;
use crate::support::{delivered, sent, sid};

/// The lag up to which a server is ready.
const READY_LAG_SECONDS_MAX: f64 = 5.0;

#[test]
fn a_clock_that_jumps_loses_no_callback_and_keeps_order_and_readiness() {
    let mut clock = Clock::start();
    let app = &clock.app;
    app.eventually("the views are known to belong to the log", || clock.state()["ready"] == true);
    let started = Instant::now();
    let offsets = ["+0", "+30d", "-2h", "-3650d", "+3650d", "+0"];
    for (offset, number) in offsets.into_iter().zip(1..) {
        clock.set(offset);
        let began = Instant::now();
        assert_eq!(app.receive(sent(&sid(number))).code, 200, "{offset}");
        assert_eq!(app.receive(delivered(&sid(number))).code, 200, "{offset}");
        let state = clock.state();
        // No event can have waited for longer than the server has received any.
        let lag = state["lag_seconds"].as_f64().unwrap();
        assert!((0.0..started.elapsed().as_secs_f64()).contains(&lag), "{offset}: {state}");
        assert_eq!(state["ready"], lag <= READY_LAG_SECONDS_MAX, "{offset}: {state}");
        app.caught_up();
        assert_eq!(app.form("/message-status").send(app.callbacks()).code, 403);
        assert!(began.elapsed() < Duration::from_secs(10), "{offset}");
    }

    let events = app.events();
    let years: Vec<_> =
        events.iter().map(|event| &event["received_at"].as_str().unwrap()[..4]).collect();
    assert!(years[8] > years[0] && years[6] < years[0], "the clock was not set: {years:?}");
    let positions: Vec<_> =
        events.iter().map(|event| event["position"].as_u64().unwrap()).collect();
    assert_eq!(positions, (1..=12).collect::<Vec<_>>());
    for number in 1..7 {
        let message = app.message(&sid(number));
        assert_eq!((&message["status"], &message["late"]), (&"delivered".into(), &0.into()));
    }
    let refusals = app.stderr().matches("callback refused").count();
    assert!(refusals > 1, "the rate limit of log lines must not depend on the system clock");
    assert_eq!(app.json(&["verify", "--format", "json"])["findings"], serde_json::json!([]));
    let began = Instant::now();
    clock.set("-1d");
    clock.app.stop();
    assert!(began.elapsed() < Duration::from_secs(9));
}

#[test]
fn a_stuck_projection_is_detected_even_if_the_clock_was_set_back() {
    let clock = Clock::start();
    let app = &clock.app;
    app.receive(sent(&sid(1)));
    app.caught_up();
    // Another connection locks the views.
    let views = rusqlite::Connection::open(app.views_file()).unwrap();
    views.execute_batch("BEGIN IMMEDIATE").unwrap();
    clock.set("-1d");
    app.receive(sent(&sid(2)));

    app.eventually("the reported lag grows", || clock.state()["lag_seconds"].as_f64() > Some(1.0));

    views.execute_batch("ROLLBACK").unwrap();
    app.caught_up();
    assert_eq!(clock.state()["lag_seconds"], 0.0);
}

//! `replay` next to a running server: its effect on the views, and that readers do not notice it.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use delivery_ledger::domain::Rule;
use delivery_ledger::projection::catch_up;
use delivery_ledger::store::{self, Access, Database, Store};
use rusqlite::Connection;
use serde_json::Value;

use crate::support::ledger::findings;
use crate::support::{App, delivered, sent, sid};

fn stderr(output: &std::process::Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn replay(app: &App) -> Value {
    app.json(&["replay", "--format", "json"])
}

fn verify(app: &App) -> Value {
    serde_json::from_slice(&app.run(&["verify", "--format", "json"]).stdout).unwrap()
}

fn views(app: &App) -> Connection {
    let views = Connection::open(app.views_file()).unwrap();
    views.busy_timeout(Duration::from_secs(5)).unwrap();
    views
}

/// The generations of the views that have a file.
fn generations(app: &App) -> Vec<String> {
    let names = std::fs::read_dir(app.folder()).unwrap();
    let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.starts_with("ledger.views.0") && name.ends_with(".db")).collect()
}

fn received(app: &App, messages: std::ops::Range<u32>) {
    for number in messages {
        assert_eq!(app.receive(sent(&sid(number))).code, 200);
        assert_eq!(app.receive(delivered(&sid(number))).code, 200);
    }
    app.caught_up();
}

/// The store as a replay opens it.
fn at_work(app: &App) -> Box<dyn Store> {
    store::open(&Database::Sqlite(app.log_file()), Access::Replay).unwrap()
}

#[test]
fn a_replay_repairs_the_views_of_a_running_server() {
    let app = App::start();
    received(&app, 0..20);
    views(&app).execute("UPDATE messages SET sid = x'00' || 'other' WHERE id = 7", []).unwrap();
    assert!(!findings(&verify(&app)).is_empty(), "the damage is there");

    let replayed = replay(&app);

    assert_eq!(
        (replayed["events"].clone(), replayed["checkpoint"].clone()),
        (40.into(), 40.into())
    );
    let verified = verify(&app);
    assert_eq!(findings(&verified), [""; 0]);
    assert_eq!(verified["digest"], replayed["digest"]);
    assert_eq!(generations(&app).len(), 1);
    received(&app, 20..25);
    assert_eq!(findings(&verify(&app)), [""; 0], "the server goes on in the new views");
}

/// During repeated replays under load every callback is accepted, and every query is answered at once and
/// up to date.
#[test]
fn no_request_fails_while_the_views_are_replaced() {
    let app = App::start();
    received(&app, 0..50);
    let (last, replays) = (AtomicU32::new(50), 12);
    std::thread::scope(|scope| {
        let traffic = scope.spawn(|| {
            while last.load(Ordering::Relaxed) < u32::MAX / 2 {
                let number = last.load(Ordering::Relaxed);
                assert_eq!(app.receive(sent(&sid(number))).code, 200);
                assert_eq!(app.receive(delivered(&sid(number))).code, 200);
                assert_eq!(app.message(&sid(number))["status"], "delivered");
                assert_eq!(app.message(&sid(number % 50))["events"], 2);
                last.fetch_add(1, Ordering::Relaxed);
            }
        });
        for _ in 0..replays {
            let (first, replayed) = (last.load(Ordering::Relaxed), replay(&app));
            assert!(replayed["checkpoint"].as_u64().unwrap() >= u64::from(first));
        }
        let sent = last.fetch_add(u32::MAX / 2, Ordering::Relaxed);
        assert!(sent > 60, "too little traffic: {sent}");
        traffic.join().unwrap();
    });
    app.caught_up();
    let verified = verify(&app);
    assert_eq!(findings(&verified), [""; 0]);
    assert_eq!(verified["digest"], replay(&app)["digest"]);
    // On a busy machine the projection may wait for the replay's writes longer than SQLite does.
    let stderr = app.stderr();
    let error = |line: &&str| line.contains("ERROR") && !line.contains("database is locked");
    assert_eq!(stderr.lines().find(error), None);
}

#[test]
fn a_killed_replay_does_no_harm() {
    let mut app = App::start();
    received(&app, 0..100);
    let mut killed = 0;
    for wait_us in (0..40_000).step_by(1_600) {
        let mut replay = app.command(&["replay"]).spawn();
        std::thread::sleep(Duration::from_micros(wait_us));
        replay.kill().unwrap();
        killed += u32::from(!replay.wait().unwrap().success());
        assert_eq!(app.receive(sent(&sid(wait_us as u32 + 1000))).code, 200);
        assert_eq!(app.message(&sid(wait_us as u32 + 1000))["status"], "sent");
    }
    assert!(killed > 10, "too few replays were killed: {killed}");
    app.caught_up();
    assert_eq!(findings(&verify(&app)), [""; 0]);

    assert_eq!(replay(&app)["digest"], verify(&app)["digest"], "it can be begun again");

    let leftover = app.folder().join(format!("ledger.views.{:032x}.db", 7));
    std::fs::write(leftover, "half of the views").unwrap();
    assert_eq!(generations(&app).len(), 2);
    app.stop();
    app.restart();
    assert_eq!(generations(&app).len(), 1);
    assert_eq!(findings(&verify(&app)), [""; 0]);
}

#[test]
fn a_server_that_starts_during_a_replay_does_not_disturb_it() {
    let mut app = App::start();
    received(&app, 0..10);
    app.stop();
    let replaying = at_work(&app);
    let generation = replaying.begin_generation(Rule::default()).unwrap();

    app.restart();
    received(&app, 10..12);
    let head = replaying.head().unwrap();
    catch_up(&*replaying, generation.views(), head, &mut |_| std::ops::ControlFlow::Continue(()))
        .unwrap();

    assert!(generation.swap_in().unwrap());
    drop(generation);
    received(&app, 12..14);
    let verified = verify(&app);
    assert_eq!(findings(&verified), [""; 0]);
    assert_eq!(verified["checkpoint"], 28);
}

#[test]
fn a_second_replay_is_refused_while_one_runs() {
    let app = App::start();
    received(&app, 0..3);
    let replaying = at_work(&app);
    let _generation = replaying.begin_generation(Rule::default()).unwrap();

    let second = app.run(&["replay"]);

    assert_eq!(second.status.code(), Some(1));
    let expected = "ledger.views.db is being rebuilt by another replay; wait until it has finished";
    assert!(stderr(&second).contains(expected), "{}", stderr(&second));
}

#[test]
fn other_commands_do_not_delete_the_views_of_a_running_replay() {
    let mut app = App::start();
    received(&app, 0..3);
    app.stop();
    let replaying = at_work(&app);
    let _generation = replaying.begin_generation(Rule::default()).unwrap();
    views(&app).execute("UPDATE refinery_schema_history SET checksum = 'older'", []).unwrap();

    let verified = app.run(&["serve", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]);

    assert_eq!(verified.status.code(), Some(1));
    assert!(stderr(&verified).contains("is being rebuilt by another replay"));
}

#[test]
fn a_replay_by_another_rule_than_the_servers_is_refused() {
    let app = App::start();
    received(&app, 0..3);

    let refused = app.command(&["replay"]).env("DELIVERY_LEDGER_RULE", "delivery-wins").output();

    assert_eq!(refused.status.code(), Some(1));
    let expected =
        "keeps its views by the rule failure-terminal, and delivery-wins is configured here";
    assert!(stderr(&refused).contains(expected), "{}", stderr(&refused));
}

/// The server might be started by another rule between a replay's look and its end.
#[test]
fn a_server_rebuilds_views_swapped_in_by_another_rule() {
    let app = App::start();
    received(&app, 0..3);
    let replaying = at_work(&app);
    let generation = replaying.begin_generation(Rule::DeliveryWins).unwrap();
    let head = replaying.head().unwrap();
    catch_up(&*replaying, generation.views(), head, &mut |_| std::ops::ControlFlow::Continue(()))
        .unwrap();
    assert!(generation.swap_in().unwrap());

    received(&app, 3..4);

    let by = |app: &App| app.json(&["verify", "--format", "json"])["rule"].clone();
    app.eventually("the views are the server's again", || by(&app) == "failure-terminal");
    assert_eq!(findings(&verify(&app)), [""; 0]);
}

#[test]
fn a_replay_replaces_damaged_views_of_a_running_server() {
    let app = App::start();
    received(&app, 0..3);
    let lost = "PRAGMA writable_schema = 1;
         UPDATE sqlite_master SET rootpage = 0 WHERE name = 'messages_by_sid'";
    views(&app).execute_batch(lost).unwrap();

    let replayed = replay(&app);

    assert_eq!(replayed["checkpoint"], 6);
    assert_eq!(findings(&verify(&app)), [""; 0]);
}

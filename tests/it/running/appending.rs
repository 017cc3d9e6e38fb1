//! Events that another process appends while a server is running.

use delivery_ledger::domain::{NewEvent, Source};
use delivery_ledger::store::{self, Access, Database, Store};
use serde_json::json;

use crate::support::events::{event, resource};
use crate::support::ledger::findings;
use crate::support::{ACCOUNT, App, delivered, sent, sid};

/// Opens the ledger of a running server as a command does.
fn open_alongside(app: &App) -> Box<dyn Store> {
    store::open(&Database::Sqlite(app.log_file()), Access::Append).unwrap()
}

fn answer(sid: &str, status: &str) -> NewEvent {
    resource(
        Source::Reconcile,
        json!({ "sid": sid, "account_sid": ACCOUNT, "status": status, "to": "+15558675310" }),
    )
}

#[test]
fn the_server_projects_events_appended_by_another_process() {
    let app = App::start();
    assert_eq!(app.receive(sent(&sid(1))).code, 200);

    open_alongside(&app).append(&[answer(&sid(1), "delivered")]).unwrap();

    app.caught_up_to(2);
    assert_eq!(app.message(&sid(1))["status"], "delivered");
    assert_eq!(app.get("/v1/messages").json()["data"][0]["status"], "delivered");
    assert_eq!(app.receive(delivered(&sid(1))).code, 200);
    app.caught_up_to(3);
    assert_eq!(findings(&app.json(&["verify", "--format", "json"])), [""; 0]);
}

/// Each append reads the head again, so no process needs to know what others appended.
#[test]
fn the_server_and_a_command_can_append_in_turn() {
    let app = App::start();
    let store = open_alongside(&app);
    for number in 0..20 {
        assert_eq!(app.receive(sent(&sid(number))).code, 200);
        let position = store.append(&[event(format!("n={number}"))]).unwrap();
        assert_eq!(position, u64::from(2 * number + 2));
    }
    app.caught_up_to(40);
    assert_eq!(findings(&app.json(&["verify", "--format", "json"])), [""; 0]);
}

#[test]
fn a_server_can_start_while_a_command_appends() {
    let mut app = App::start();
    let store = open_alongside(&app);
    app.stop();
    store.append(&[answer(&sid(1), "queued")]).unwrap();

    app.restart();

    store.append(&[answer(&sid(1), "delivered")]).unwrap();
    app.caught_up_to(2);
    assert_eq!(app.message(&sid(1))["status"], "delivered");
}

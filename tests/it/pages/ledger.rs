//! The ledger page: whether the record is intact, the line to keep elsewhere, and its jobs.

use serde_json::Value;

use super::health::reject_five;
use super::{html, links, text};
use crate::support::ledger::damage;
use crate::support::{App, Request, delivered, failed, sid};

/// A server with a message that has failed and was delivered.
fn app() -> App {
    let app = App::start();
    receive_all(&app);
    app
}

fn receive_all(app: &App) {
    for body in [delivered(&sid(1)), failed(&sid(1), "30003")] {
        assert_eq!(app.receive(body).code, 200);
    }
    app.caught_up();
}

/// Sends one of the page's forms, and returns the page once its job has ended.
fn act(app: &App, action: &str, fields: &str) -> String {
    let page = html(app, "/ledger");
    let body = format!("{}{fields}", super::hidden_fields(&page, action));
    let form = Request::new("POST", action);
    let form = form.header("Content-Type", "application/x-www-form-urlencoded").body(body);
    let sent = app.ask(form);
    assert_eq!((sent.code, sent.header("location")), (303, Some("/ledger#jobs")));
    app.eventually("the job has ended", || {
        let jobs = app.get("/v1/jobs").json();
        jobs["data"].as_array().unwrap().iter().all(|job| job["ended_at"] != Value::Null)
    });
    html(app, "/ledger")
}

#[test]
fn the_page_has_the_line_that_proves_the_log_later() {
    let app = app();
    let hash = app.json(&["verify", "--format", "json"])["hash"].as_str().unwrap().to_owned();
    let page = html(&app, "/ledger");
    assert!(page.contains(&format!(">2:{hash}</p>")), "{page}");
    assert!(page.contains(&format!("delivery-ledger verify --expect 2:{hash}")), "{page}");
    assert!(app.run(&["verify", "--expect", &format!("2:{hash}")]).status.success());
}

#[test]
fn a_verification_is_started_by_a_button_and_becomes_the_heading() {
    let app = app();
    assert!(text(&html(&app, "/ledger")).starts_with("Not verified yet"));
    let shown = text(&act(&app, "/ledger/verify", ""));
    assert!(shown.starts_with("Unchanged, up to position 2 Every event was read"), "{shown}");
    assert!(shown.contains("2 events read, nothing is wrong"), "{shown}");
    assert!(shown.contains("None has arrived since."), "{shown}");

    assert_eq!(app.receive(delivered(&sid(2))).code, 200);
    app.caught_up();
    let shown = text(&html(&app, "/ledger"));
    assert!(shown.contains("One event has arrived since."), "{shown}");
}

#[test]
fn a_changed_event_is_the_heading() {
    let mut app = app();
    app.stop();
    damage(&app.log_file(), |log| {
        log.execute("UPDATE events SET received_at = received_at + 1 WHERE position = 2", [])
            .unwrap();
    });
    app.restart();
    let shown = text(&act(&app, "/ledger/verify", ""));
    assert!(shown.contains("finding") && shown.contains("up to position 2"), "{shown}");
    assert!(shown.contains("changed-events"), "{shown}");
    assert!(!shown.contains("Unchanged"), "{shown}");
}

#[test]
fn a_dry_run_says_how_many_messages_would_change() {
    let app = app();
    let page = act(&app, "/ledger/dry-run", "rule=delivery-wins");
    let shown = text(&page);
    assert!(shown.contains("Dry run of the rule delivery-wins"), "{shown}");
    assert!(
        shown.contains("1 message would change: 1 from failed to delivered. Nothing was changed."),
        "{shown}"
    );
    let changes = app.get(&links(&page, "1 message")[0]).json();
    assert_eq!(changes["result"]["changes"][0]["message_sid"], sid(1));
    assert_eq!(app.message(&sid(1))["status"], "failed");
}

#[test]
fn the_blocks_show_what_was_verified() {
    let app = app();
    let label = |page: &str| {
        let label = page.split("<svg class=\"blocks\" role=\"img\" aria-label=\"").nth(1).unwrap();
        label.split('"').next().unwrap().to_owned()
    };
    assert_eq!(
        label(&html(&app, "/ledger")),
        "0 complete blocks, 0 verified, and one with 2 events"
    );
    let page = html(&app, "/ledger");
    assert!(page.contains("<rect fill=\"url(#hatch)\""), "{page}");
    let page = act(&app, "/ledger/verify", "");
    assert!(page.contains("<rect class=\"b-ok\"") && !page.contains("<rect fill"), "{page}");
}

#[test]
fn rejected_callbacks_and_the_last_backup_are_named() {
    let app = app();
    let backup = app.run(&["backup", "copy.db"]);
    assert!(backup.status.success(), "{backup:?}");
    // Pages show the result of the last checks.
    reject_five(&app);
    let shown = text(&html(&app, "/ledger"));
    assert!(shown.contains("Rejected Last 10 minutes 5 of "), "{shown}");
    assert!(shown.contains("Last backup "), "{shown}");
}

#[test]
fn a_masked_token_sees_no_root() {
    let mut app = App::not_started(&[]);
    app.use_token_with_scope("read:masked");
    app.restart();
    receive_all(&app);
    let page = act(&app, "/ledger/verify", "");
    let hash = app.json(&["verify", "--format", "json"])["hash"].as_str().unwrap().to_owned();
    assert!(!page.contains(&hash), "{page}");
    assert!(text(&page).contains("which this token does not see"), "{page}");
    assert!(text(&page).starts_with("Unchanged, up to position 2"), "{page}");
}

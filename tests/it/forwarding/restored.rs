//! A log that was restored is shorter than what targets have read of it.

use std::path::PathBuf;

use super::forwarding;
use crate::support::App;
use crate::support::application::{Application, Reply};
use crate::support::{delivered, sent, sid};

/// A stopped server whose target has refused events 1 and 2, and a copy of its log made in between, by
/// `backup`.
fn stopped(application: &Application) -> (App, PathBuf) {
    application.answers(|_| Reply::Code(503));
    let mut app = forwarding(application, "");
    app.receive(sent(&sid(1)).bytes());
    app.eventually("it is refused", || application.positions().contains(&1));
    assert!(app.run(&["backup", "backup.db"]).status.success());
    app.receive(sent(&sid(2)).bytes());
    app.eventually("it is refused", || application.positions().contains(&2));
    app.stop();
    std::fs::remove_file(app.log_file()).unwrap();
    let backup = app.folder().join("backup.db");
    (app, backup)
}

/// What the log still has is sent, and its next event, which has a position that another one had.
fn goes_on(application: &Application, app: &mut App) {
    application.answers(|_| Reply::Code(204));
    let before = application.received().len();
    app.restart();
    assert_eq!(app.receive(delivered(&sid(3)).bytes()).code, 200);
    app.eventually("both are sent", || {
        let mut sids: Vec<_> = application.received()[before..]
            .iter()
            .map(|request| (request.position(), request.parameter("MessageSid").unwrap()))
            .collect();
        sids.sort();
        sids == [(1, sid(1)), (2, sid(3))]
    });
}

#[test]
fn a_target_goes_on_after_a_restore() {
    let application = Application::start();
    let (mut app, _) = stopped(&application);
    assert!(app.run(&["restore", "backup.db"]).status.success());
    goes_on(&application, &mut app);
}

#[test]
fn a_target_goes_on_if_the_log_was_put_back_by_hand() {
    let application = Application::start();
    let (mut app, backup) = stopped(&application);
    std::fs::copy(backup, app.log_file()).unwrap();
    goes_on(&application, &mut app);
}

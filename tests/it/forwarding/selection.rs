//! Which events a target gets.

use super::{forwarding, target};
use crate::support::application::Application;
use crate::support::{App, OTHER_ACCOUNT, delivered, failed, sent, sid};

/// The positions that arrive with this selection, of the events of [`some_events`].
fn selected(settings: &str) -> Vec<u64> {
    let (application, everything) = (Application::start(), Application::start());
    let mut app = App::not_started(&[]);
    app.configure_first("callback_path = [\"/message-status\", \"/v1/sms/*\"]\n");
    app.configure(&target("orders", &application.url("/hook"), settings));
    app.configure(&target("all", &everything.url("/hook"), ""));
    app.restart();
    some_events(&app);
    app.eventually("the other target has everything", || everything.positions().len() == 6);
    // Both read the same pages at about the same time.
    app.eventually("this target has read the log", || {
        let listed = app.json(&["forward", "list", "--format", "json"]);
        listed["data"]
            .as_array()
            .unwrap()
            .iter()
            .all(|target| target["position"] == 6 && target["waiting"] == 0)
    });
    let mut positions = application.positions();
    positions.sort_unstable();
    positions
}

fn some_events(app: &App) {
    app.receive_at("/message-status?campaign=spring", sent(&sid(1)).bytes());
    app.receive_at("/v1/sms/7", delivered(&sid(1)).bytes());
    app.receive(sent(&sid(1)).with("Late", "1").bytes());
    app.receive_of_other_account(sent(&sid(2)));
    app.receive(failed(&sid(3), "30003").bytes());
    app.receive(failed(&sid(3), "30003").bytes());
}

#[test]
fn a_target_without_conditions_gets_everything() {
    assert_eq!(selected(""), [1, 2, 3, 4, 5, 6]);
}

#[test]
fn a_target_can_get_the_events_of_one_account() {
    assert_eq!(selected(&format!("account = \"{OTHER_ACCOUNT}\"")), [4]);
}

#[test]
fn a_target_can_get_what_came_to_some_paths() {
    assert_eq!(selected("path = \"/v1/sms/*\""), [2]);
    assert_eq!(selected("path = [\"/v1/sms/7\", \"/message-status\"]"), [1, 2, 3, 4, 5, 6]);
}

#[test]
fn a_target_can_get_the_events_with_a_tag() {
    assert_eq!(selected("tags = { campaign = \"spring\" }"), [1]);
}

#[test]
fn a_target_can_get_the_events_that_report_a_status() {
    assert_eq!(selected("status = \"failed\""), [5, 6]);
}

#[test]
fn a_target_can_get_only_what_moved_a_message() {
    assert_eq!(selected("events = \"advanced\""), [1, 2, 4, 5]);
}

#[test]
fn a_target_begins_with_what_arrives_after_its_first_start_unless_it_is_told_otherwise() {
    let application = Application::start();
    let mut app = App::start();
    for number in 1..=3 {
        app.receive(sent(&sid(number)).bytes());
    }
    app.stop();
    app.configure(&format!(
        "\n[forward.new]\nurl = \"{}\"\n[forward.after]\nurl = \"{}\"\nfrom = 2\n",
        application.url("/new"),
        application.url("/after")
    ));
    app.restart();
    app.receive(sent(&sid(4)).bytes());
    app.eventually("both have their events", || application.received().len() == 3);
    let mut arrived: Vec<_> = application
        .received()
        .iter()
        .map(|received| (received.target.clone(), received.position()))
        .collect();
    arrived.sort();
    assert_eq!(
        arrived,
        [("/after".to_owned(), 3), ("/after".to_owned(), 4), ("/new".to_owned(), 4)]
    );
}

#[test]
fn a_target_that_was_not_running_goes_on_where_it_stopped() {
    let application = Application::start();
    let mut app = forwarding(&application, "");
    app.receive(sent(&sid(1)).bytes());
    app.eventually("it arrives", || application.positions() == [1]);
    app.stop();
    app.restart();
    app.receive(sent(&sid(2)).bytes());
    app.eventually("it arrives", || application.positions().len() == 2);
    assert_eq!(application.positions(), [1, 2]);
    assert!(application.received().iter().all(|received| received.attempt() == 1));
}

//! Forwarding: targets get the events of the log, signed anew, in order per message, and none is lost.

mod commands;
mod failures;
mod message_format;
mod outages;
mod requests;
mod restored;
mod selection;
mod shown;

use crate::support::App;
use crate::support::application::Application;

/// A server that forwards to an application from the beginning of the log on, with more settings of the target.
fn forwarding(application: &Application, settings: &str) -> App {
    let mut app = App::not_started(&[]);
    app.configure(&target("orders", &application.url("/hook"), settings));
    app.restart();
    app
}

/// The section of a target.
fn target(name: &str, url: &str, settings: &str) -> String {
    format!("\n[forward.{name}]\nurl = \"{url}\"\nfrom = \"start\"\n{settings}\n")
}

#[test]
fn a_server_logs_its_targets_at_the_start_without_the_query_of_their_urls() {
    let application = Application::start();
    let mut app = App::not_started(&[]);
    let url = application.url("/hook?token=hunter2");
    app.configure(&target("orders", &url, "status = \"delivered\""));
    app.restart();
    let expected =
        format!("forwarding to orders at {}: status delivered", application.url("/hook?…"));
    app.eventually("it is logged", || app.stderr().contains(&expected));
    assert!(!app.stderr().contains("hunter2"), "{}", app.stderr());
}

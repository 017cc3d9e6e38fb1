//! What the server shows of its targets: the API, the health page, the metrics.

use super::forwarding;
use crate::pages::{html, text};
use crate::support::application::{Application, Reply};
use crate::support::{sent, sid};

#[test]
fn the_api_and_the_health_page_show_how_far_each_target_has_got() {
    let application = Application::start();
    application.answers(|received| Reply::Code(if received.position() == 1 { 422 } else { 204 }));
    let app = forwarding(&application, "give_up_after = \"1s\"");
    app.receive(sent(&sid(1)).bytes());
    app.receive(sent(&sid(2)).bytes());
    let target = || app.get("/v1/targets").json()["data"][0].clone();
    app.eventually("one is accepted and one is given up", || {
        target()["accepted"] == 1 && target()["failed"] == 1
    });
    let shown = target();
    assert_eq!(shown["name"], "orders");
    assert_eq!(shown["url"], application.url("/hook"));
    assert_eq!([&shown["position"], &shown["waiting"], &shown["lag_events"]], [2, 0, 0]);
    let words = text(&html(&app, "/health"));
    for expected in ["Forwarding", "orders", "gave up events", "forward retry orders"] {
        assert!(words.contains(expected), "{expected} is not in {words}");
    }
    app.eventually("the metrics are up to date", || {
        let metrics = String::from_utf8(app.get("/metrics").body).unwrap();
        metrics.contains("delivery_ledger_forward_failed_events{target=\"orders\"} 1")
            && metrics.contains("delivery_ledger_forward_lag_events{target=\"orders\"} 0")
            && metrics.contains(
                "delivery_ledger_forward_attempts_total{outcome=\"accepted\",target=\"orders\"} 1",
            )
    });
}

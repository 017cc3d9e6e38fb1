//! `GET /v1/messages`: pages, filters, cursors, and what is refused.

use serde_json::Value;

use crate::support::{App, delivered, failed, sent, sid};

/// Messages 1 to 5: sent, delivered, failed, sent twice, delivered and failed.
fn app() -> App {
    let app = App::start();
    app.receive(sent(&sid(1)));
    app.receive(delivered(&sid(2)).with("To", "+15550002671"));
    app.receive(failed(&sid(3), "30003").with("To", "whatsapp:+15550002671"));
    app.receive(sent(&sid(4)));
    app.receive(sent(&sid(4)));
    app.receive(delivered(&sid(5)));
    app.receive(failed(&sid(5), "30005"));
    app.caught_up();
    app
}

fn numbers(page: &Value) -> Vec<u32> {
    let rows = page["data"].as_array().unwrap().iter();
    rows.map(|row| row["message_sid"].as_str().unwrap()[2..].parse().unwrap()).collect()
}

fn found(app: &App, query: &str) -> Vec<u32> {
    let answer = app.get(&format!("/v1/messages?{query}"));
    assert_eq!(answer.code, 200, "{query}: {}", answer.json());
    numbers(&answer.json())
}

#[test]
fn a_list_has_the_newest_messages_first_without_timelines() {
    let app = app();
    let page = app.get("/v1/messages").json();
    assert_eq!(numbers(&page), [5, 4, 3, 2, 1]);
    assert_eq!(page["next_cursor"], Value::Null);
    assert_eq!(page["as_of_position"], 7);
    let mut one = app.message(&sid(5));
    let explanation = ["why", "error_message", "channel_status_message"];
    for only_of_one in explanation.into_iter().chain(["links", "timeline"]) {
        one.as_object_mut().unwrap().remove(only_of_one).unwrap();
    }
    assert_eq!(page["data"][0], one);
}

#[test]
fn every_filter_selects_the_right_messages() {
    let app = app();
    for (query, expected) in [
        ("status=sent", &[4, 1][..]),
        ("status=unknown", &[]),
        ("error_code=30003", &[3]),
        ("to=%2B15550002671", &[3, 2]),
        ("to=+15550002671", &[3, 2]),
        ("to=whatsapp:%2B15550002671", &[3]),
        ("to=*2671", &[3, 2]),
        ("to=*2671&status=failed", &[3]),
        ("from=*0604&limit=2", &[5, 4]),
        ("address=*2671", &[3, 2]),
        ("address=*0604", &[5, 4, 3, 2, 1]),
        ("address=whatsapp:%2B15550002671", &[3]),
        ("open=true", &[4, 1]),
        ("open=false", &[5, 3, 2]),
        ("account_sid=ACother", &[]),
        ("channel=whatsapp", &[3]),
        ("since=2020-01-01&until=2099-01-01", &[5, 4, 3, 2, 1]),
        ("since=2099-01-01T00:00:00Z", &[]),
        ("conflict=true", &[5]),
        ("duplicate=true", &[4]),
        ("late=false&conflict=false&duplicate=false", &[3, 2, 1]),
        ("stuck=6h", &[]),
    ] {
        assert_eq!(found(&app, query), expected, "{query}");
    }
}

/// Callbacks that arrive while a client reads page by page neither appear in its pages nor shift them.
#[test]
fn pages_are_stable_while_callbacks_arrive() {
    let app = app();
    let (mut query, mut seen) = ("limit=2".to_owned(), Vec::new());
    for arriving in 6.. {
        let page = app.get(&format!("/v1/messages?{query}")).json();
        seen.extend(numbers(&page));
        app.receive(sent(&sid(arriving)));
        app.receive(delivered(&sid(1)));
        app.caught_up();
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        query = format!("limit=2&after={cursor}");
    }
    assert_eq!(seen, [5, 4, 3, 2, 1]);
}

#[test]
fn a_cursor_leads_on_only_in_its_own_list() {
    let app = app();
    let cursor = app.get("/v1/messages?limit=2").json()["next_cursor"].as_str().unwrap().to_owned();

    assert_eq!(
        app.get(&format!("/v1/messages?limit=1&after={cursor}")).code,
        200,
        "another length"
    );
    let other = app.get(&format!("/v1/messages?limit=2&status=sent&after={cursor}"));
    assert_eq!(other.code, 409);
    assert_eq!(
        other.json()["detail"],
        "after: this cursor belongs to a list with other filters; repeat the filters of the page that it \
         comes from, or begin with the first page"
    );
}

#[test]
fn invalid_parameters_get_a_problem_with_the_valid_values() {
    let app = app();
    for (query, expected) in [
        ("limit=0", "limit `0` is not a number from 1 to 1000"),
        ("limit=1001", "limit `1001` is not a number from 1 to 1000"),
        ("limit=ten", "limit `ten` is not a number from 1 to 1000"),
        ("after=xyz", "after `xyz` is not the next_cursor of an earlier page"),
        ("after=bTIAAAAAAAAAAAAAAAAAAAAA", "is not the next_cursor of an earlier page"),
        ("stat=sent", "there is no parameter `stat` here; there are status, error_code"),
        ("status=sent&status=failed", "parameter `status` is given twice"),
        ("status=nonsense", "status `nonsense` is not one of scheduled, accepted"),
        ("since=2026-02-02&until=2026-02-01", "is not before until"),
        ("to=*67", "to `*67` is not an address, * and at least four digits"),
        ("since=2026-13-01", "since `2026-13-01` is not a time, such as"),
        ("conflict=yes", "conflict `yes` is not true or false"),
        ("stuck=0s", "stuck `0s` is not at least a second, 1s"),
        (
            "stuck=99999999999d",
            "stuck `99999999999d` is not so short that its number is at most 4294967295",
        ),
        ("stuck=-6h", "stuck `-6h` is not a length of time, such as 90m or 6h"),
        ("to=", "to `` is not an address"),
    ] {
        let answer = app.get(&format!("/v1/messages?{query}"));
        let excluding = expected == "is not before until";
        assert_eq!(answer.code, if excluding { 409 } else { 400 }, "{query}");
        assert_eq!(answer.header("content-type"), Some("application/problem+json"));
        let detail = answer.json()["detail"].as_str().unwrap().to_owned();
        assert!(detail.contains(expected), "{query}: {detail}");
    }
    assert_eq!(app.get("/v1/messages?status=%FF").code, 400);
}

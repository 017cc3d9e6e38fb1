//! The health page: the verdict, the six figures, the panels about what is missing, and every check.

use delivery_ledger::domain::Timestamp;
use serde_json::json;
use time::OffsetDateTime;

use super::{html, text, visit};
use crate::support::events::error_logged;
use crate::support::{App, SECONDARY_TOKEN, TOKEN, delivered, sent, sid, signature};

/// The URL that Twilio calls, which differs from the configured one.
const CALLED: &str = "https://other.example.com";

/// An account that is not configured.
const NEW_ACCOUNT: &str = "AC00000000000000000000000000000003";

/// A server that has rejected five callbacks, because Twilio calls it by another host.
fn with_rejected() -> App {
    let app = App::start();
    reject_five(&app);
    app
}

/// Sends five callbacks for another host, and waits until the page shows them.
pub fn reject_five(app: &App) {
    for number in 0..5 {
        let body = sent(&sid(number)).bytes();
        let theirs = signature(TOKEN, &format!("{CALLED}/message-status"), &body);
        let request = app.form("/message-status").header("Host", "other.example.com");
        let request = request.header("X-Twilio-Signature", &theirs).body(body);
        assert_eq!(request.send(app.callbacks()).code, 403);
    }
    app.kept(5);
    // The page may be two seconds old.
    app.eventually("the page shows all", || html(app, "/health").contains("of the newest 5"));
}

#[test]
fn the_page_shows_a_verdict_six_figures_and_every_check() {
    let app = App::start();
    assert_eq!(app.receive(delivered(&sid(1))).code, 200);
    app.caught_up();

    let page = html(&app, "/health");
    let words = text(&page);

    // The harness creates key files that every user can read.
    assert!(
        page.contains("<title>Well, but look at key files · delivery-ledger</title>"),
        "{page}"
    );
    assert!(
        words.contains("Well, but look at key files Key files: other users can read"),
        "{words}"
    );
    for figure in [
        "Last accepted 0",
        "Rejected 0 of 1 in 10 min",
        "View lag 0.0 s 0 events",
        "Disk free ",
        "Last backup none is known",
        "Last verified none yet",
    ] {
        assert!(words.contains(figure), "{figure} is not in {words}");
    }
    let checks = app.get("/v1/checks").json();
    let checks = checks["checks"].as_array().unwrap();
    assert_eq!(page.matches("<tr><td><span class=\"st ").count(), checks.len());
    assert!(words.contains("public_url https://hooks.example.com --public-url"), "{words}");
    assert!(page.contains("<details class=\"area\" id=\"records\" open>"), "a warning is open");
    assert!(page.contains("<details class=\"area\" id=\"configuration\"><summary>"), "{page}");
    assert!(page.contains("<a href=\"/health\" aria-current=\"page\">Health</a>"), "{page}");
    assert!(page.contains("This page as JSON: <a href=\"/v1/checks\">"), "{page}");
    assert!(!words.contains("Silence callbacks a minute"), "{words}");
}

#[test]
fn rejected_callbacks_are_shown_with_their_cause_and_the_setting_to_change() {
    let app = with_rejected();

    let page = html(&app, "/health");
    let words = text(&page);

    assert!(words.contains("Callbacks have been rejected since "), "{words}");
    assert!(
        words.contains(
            "All 5 since then, for one likely cause: the signature matches if the public URL has the host \
             that the request names. With the public URL https://other.example.com, 5 of the newest 5 would \
             be accepted."
        ),
        "{words}"
    );
    assert!(words.contains("Rejected 5 of 5 since "), "{words}");
    assert!(words.contains("True for all of the newest 5."), "{words}");
    assert!(page.contains("2. Change <code>--public-url</code>, then restart"), "{page}");
    assert!(page.contains(
        "<del>--public-url https://hooks.example.com</del><ins>--public-url https://other.example.com</ins>"
    ), "{page}");
    assert!(words.contains("2 failed") || words.contains("1 failed"), "{words}");
}

#[test]
fn a_callback_url_that_twilio_could_not_reach_is_shown_among_the_callbacks() {
    let app = App::start();
    let now = Timestamp::from(OffsetDateTime::now_utc());
    let error = error_logged("NO1", 11200, &app.url("/message-status?order=17"), now);
    assert_eq!(app.receive_json("/message-status", error.body.clone()).code, 200);
    assert_eq!(
        app.receive_json("/message-status", error.body.clone()).code,
        200,
        "Twilio repeats it"
    );
    app.caught_up();

    let page = html(&app, "/health");
    let words = text(&page);

    let url = app.url("/message-status");
    assert!(
        words.contains(&format!(
            "Twilio could not reach {url} (11200: HTTP retrieval failure): once, "
        )),
        "{words}"
    );
    assert!(page.contains("<details class=\"area\" id=\"callbacks\" open>"), "{page}");
    let checks = app.get("/v1/checks").json();
    let check = checks["checks"].as_array().unwrap().iter();
    let check = check.clone().find(|check| check["name"] == "errors at Twilio").unwrap();
    assert_eq!((&check["area"], &check["outcome"]), (&json!("callbacks"), &json!("warn")));
    assert!(check["advice"].as_str().unwrap().contains("log of the proxy"));
}

#[test]
fn after_the_cause_is_corrected_the_recheck_is_still_offered() {
    let app = App::start();
    let body = sent(&sid(1)).with("AccountSid", NEW_ACCOUNT).bytes();
    let theirs = signature(SECONDARY_TOKEN, &app.url("/message-status"), &body);
    let request = app.form("/message-status").header("X-Twilio-Signature", &theirs);
    assert_eq!(request.body(body).send(app.callbacks()).code, 403);
    assert!(!html(&app, "/health").contains("id=\"rj\""), "one rejection is usual");

    app.configure(&format!("[accounts.{NEW_ACCOUNT}]\nauth_token = \"{SECONDARY_TOKEN}\"\n"));
    app.eventually("the key is read", || html(&app, "/health").contains("id=\"rj\""));

    let words = text(&html(&app, "/health"));
    assert!(words.contains("1 of the newest 1 would be accepted now."), "{words}");
    assert!(words.contains("2. Correct the cause Nothing is left to change."), "{words}");
}

#[test]
fn an_operator_rechecks_on_the_page_and_others_see_the_command() {
    let mut app = with_rejected();
    assert!(!html(&app, "/health").contains("action=\"/health/recheck\""));
    assert!(text(&html(&app, "/health")).contains(
        "delivery-ledger quarantine recheck --dry-run --public-url https://other.example.com"
    ));
    app.stop();
    app.use_token_with_scope("read operate");
    app.restart();
    let recheck = |dry_run: bool| {
        let form = format!("dry_run={dry_run}&public_url=https%3A%2F%2Fother.example.com");
        app.ask(app.form("/health/recheck").body(form))
    };

    let answer = recheck(true);
    assert_eq!((answer.code, answer.header("location")), (303, Some("/health#rj")));
    assert_eq!(app.get("/readyz").json()["head"], 0, "nothing was appended");
    assert_eq!(recheck(false).code, 303);
    app.caught_up_to(5);

    let words = text(&html(&app, "/health"));
    assert!(words.contains("Accepted 5 of 5 at "), "{words}");
    assert!(words.contains("Nothing is in quarantine."), "{words}");
    assert_eq!(app.message(&sid(4))["status"], "sent");
}

#[test]
fn a_failed_check_is_marked_in_the_navigation_of_every_page() {
    let app = with_rejected();
    let page = html(&app, "/messages?since=7d");
    assert!(page.contains("<span class=\"vh\">1 check failed</span></a>"), "{page}");
}

#[test]
fn text_of_callbacks_stays_text() {
    let app = App::start();
    let path = "/sms%3Cscript%3E&amp;'onload=alert(1)";
    let request = app.form(path).header("X-Twilio-Signature", "AAAAAAAAAAAAAAAAAAAAAAAAAAA=");
    assert_eq!(request.body(sent(&sid(1))).send(app.callbacks()).code, 404);
    app.eventually("it is shown", || {
        text(&html(&app, "/health")).contains("which is not a callback path")
    });
    let page = html(&app, "/health");
    let main = page.split_once("<main").unwrap().1;
    assert!(!main.contains("<script"), "{main}");
}

#[test]
fn the_page_needs_a_token_that_reads() {
    let mut app = App::not_started(&[]);
    app.use_token_with_scope("send");
    app.restart();
    assert_eq!(visit(&app, "/health").code, 403);

    let mut app = App::not_started(&[]);
    app.use_token_with_scope("read:masked");
    app.restart();
    assert!(text(&html(&app, "/health")).contains("Waiting for the first callback"));
}

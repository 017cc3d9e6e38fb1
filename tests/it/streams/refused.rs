//! What is refused: public URLs that Twilio cannot call, by this program, and requests, by Twilio.

use super::{ledger, printed, stderr, streams, with_public_url};
use crate::support::twilio::{Fault, Twilio};
use crate::support::{ACCOUNT, App, TOKEN};

const COMMANDS: [&[&str]; 3] = [&["setup"], &["setup", "--yes"], &["check"]];

#[test]
fn a_public_url_that_twilio_cannot_call_is_refused_before_any_request() {
    for (public_url, expected) in [
        ("http://hooks.example.com", "public URL `http://hooks.example.com` is not https"),
        ("https://127.0.0.1:8080", "Twilio cannot reach 127.0.0.1 over the internet"),
        ("http://localhost:8080", "Twilio cannot reach localhost over the internet"),
        ("https://[::1]", "Twilio cannot reach [::1] over the internet"),
        ("https://10.0.0.7/it", "Twilio cannot reach 10.0.0.7 over the internet"),
    ] {
        let twilio = Twilio::start();
        let app = with_public_url(&twilio, public_url);
        for command in COMMANDS {
            let output = streams(&app, command);
            assert_eq!(output.status.code(), Some(1), "{public_url}");
            assert!(stderr(&output).contains(expected), "{}", stderr(&output));
        }
        assert_eq!(twilio.requests(), [""; 0]);
    }
}

#[test]
fn a_public_url_and_a_whole_path_are_needed() {
    let twilio = Twilio::start();
    let (name, url) = twilio.variable();
    let app = App::not_started(&[(name, &url)]);
    let without = streams(&app, &["setup"]);
    assert!(stderr(&without).contains("set DELIVERY_LEDGER_PUBLIC_URL"), "{}", stderr(&without));
    let app = ledger(&twilio);
    let prefix = streams(&app, &["check", "--event-streams-path", "/es/*"]);
    assert!(stderr(&prefix).contains("`/es/*` is a prefix"), "{}", stderr(&prefix));
    assert_eq!(twilio.requests(), [""; 0]);
}

#[test]
fn what_twilio_refuses_is_reported_with_its_words_and_advice() {
    for (fault, expected) in [
        (
            Fault::Refuse(401, 20003, "Authenticate"),
            "HTTP 401, error 20003: Authenticate (see https://www.twilio.com/docs/errors/20003); check \
             the account SID and its auth token",
        ),
        (Fault::Refuse(404, 20404, "not found"), "HTTP 404, error 20404: not found"),
        (Fault::Response(429, Some(3600)), "Twilio takes no more requests at the moment"),
        (Fault::Refuse(400, 20001, "no"), "Twilio answered `GET /v1/Sinks` with HTTP 400"),
    ] {
        for command in COMMANDS {
            let twilio = Twilio::start();
            let app = ledger(&twilio);
            twilio.next(fault);
            let output = streams(&app, command);
            let text = stderr(&output);
            assert_eq!(output.status.code(), Some(1), "{fault:?}: {text}");
            assert!(text.contains("read what is set up at Twilio"), "{text}");
            assert!(text.contains(expected), "{text}");
            assert!(!text.contains(TOKEN), "{text}");
            assert_eq!(twilio.requests().len(), 1, "{fault:?}");
        }
    }
}

#[test]
fn a_request_is_repeated_after_429() {
    let twilio = Twilio::start();
    let app = ledger(&twilio);
    twilio.next(Fault::Response(429, Some(0)));
    printed(&streams(&app, &["setup"]));
    assert_eq!(twilio.requests().len(), 2);
}

#[test]
fn a_sink_of_which_it_is_not_known_whether_it_was_created_is_not_created_again() {
    let twilio = Twilio::start();
    let app = ledger(&twilio);
    twilio.next(Fault::None);
    twilio.next(Fault::DoneBut(502));
    let output = streams(&app, &["setup", "--yes"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("another run continues"), "{}", stderr(&output));
    printed(&streams(&app, &["setup", "--yes"]));
    assert_eq!((twilio.sinks(ACCOUNT).len(), twilio.subscriptions(ACCOUNT).len()), (1, 1));
}

//! `streams setup`: it shows what it would create, creates what is missing, and nothing a second time.

use serde_json::json;

use super::{
    DESTINATION, SINK, SUBSCRIPTION, TYPES, ledger, posts, printed, stderr, streams, webhook,
    with_public_url,
};
use crate::support::twilio::{API_KEY, Twilio};
use crate::support::{ACCOUNT, App, OTHER_ACCOUNT, OTHER_TOKEN};

/// The event types of the fake, as [`TYPES`] has them.
fn all_types() -> Vec<(String, u64)> {
    TYPES.iter().map(|(name, version)| ((*name).to_owned(), u64::from(*version))).collect()
}

#[test]
fn without_yes_it_shows_what_it_would_create_and_sends_no_post() {
    let twilio = Twilio::start();
    let app = ledger(&twilio);

    let shown = printed(&streams(&app, &["setup"]));

    assert!(shown.contains(&format!("destination   {DESTINATION}\n")), "{shown}");
    assert!(shown.contains("sink          to be created: a webhook, POST"), "{shown}");
    assert!(shown.contains("subscription  to be created\n"), "{shown}");
    for (name, _) in TYPES {
        assert!(shown.contains(&format!("{name:<48} to be added\n")), "{shown}");
    }
    let command = format!("  delivery-ledger streams setup --account-sid {ACCOUNT} --yes\n");
    assert!(shown.ends_with(&command), "{shown}");
    assert_eq!(posts(&twilio), [""; 0]);
}

#[test]
fn with_yes_it_creates_a_sink_and_a_subscription_of_every_type() {
    let twilio = Twilio::start();
    let app = ledger(&twilio);

    let shown = printed(&streams(&app, &["setup", "--yes"]));

    let (sinks, subscriptions) = (twilio.sinks(ACCOUNT), twilio.subscriptions(ACCOUNT));
    assert_eq!((sinks.len(), subscriptions.len()), (1, 1));
    assert_eq!(sinks[0]["sink_configuration"], webhook(DESTINATION));
    assert_eq!(subscriptions[0]["sink_sid"], sinks[0]["sid"]);
    assert_eq!(subscriptions[0]["receive_events_from_subaccounts"], false);
    assert_eq!(twilio.subscribed(ACCOUNT), all_types());
    assert!(shown.contains(&format!("{} created, active", sinks[0]["sid"].as_str().unwrap())));
    assert_eq!(posts(&twilio), ["POST /v1/Sinks?", "POST /v1/Subscriptions?"]);
}

#[test]
fn a_second_run_changes_nothing() {
    let twilio = Twilio::start();
    let app = ledger(&twilio);
    printed(&streams(&app, &["setup", "--yes"]));
    let before = posts(&twilio);

    for arguments in [&["setup", "--yes"][..], &["setup"]] {
        let shown = printed(&streams(&app, arguments));
        assert!(shown.ends_with("Everything exists: there is nothing to create.\n"), "{shown}");
    }

    assert_eq!(posts(&twilio), before);
    assert_eq!(twilio.subscribed(ACCOUNT), all_types());
}

#[test]
fn an_existing_subscription_gets_the_missing_types_only() {
    let twilio = Twilio::start();
    let app = ledger(&twilio);
    twilio.has_sink(ACCOUNT, SINK, "active", "webhook", webhook(DESTINATION));
    let present = [("com.twilio.messaging.message.sent", 4), ("com.twilio.voice.twiml", 1)];
    twilio.has_subscription(ACCOUNT, SUBSCRIPTION, SINK, &present);

    let preview = printed(&streams(&app, &["setup"]));
    assert!(preview.contains(&format!("{:<48} exists\n", present[0].0)), "{preview}");
    printed(&streams(&app, &["setup", "--yes"]));

    let path = format!("POST /v1/Subscriptions/{SUBSCRIPTION}/SubscribedEvents?");
    assert_eq!(posts(&twilio), vec![path; TYPES.len() - 1]);
    let subscribed = twilio.subscribed(ACCOUNT);
    assert_eq!(subscribed.len(), TYPES.len() + 1);
    assert!(subscribed.contains(&(present[0].0.to_owned(), 4)), "its version stays");
}

#[test]
fn sinks_of_others_are_left_alone_wherever_they_are_in_the_list() {
    let twilio = Twilio::start();
    let app = ledger(&twilio);
    twilio.page_size(2);
    let kinesis = json!({ "arn": "arn:aws", "role_arn": "arn:aws", "external_id": "an id" });
    twilio.has_sink(ACCOUNT, "DG1", "active", "kinesis", kinesis);
    for (sid, other) in [
        ("DG2", "https://hooks.example.com/event-streams/2"),
        ("DG3", "http://hooks.example.com/event-streams"),
        ("DG4", "https://other.example.com/event-streams"),
    ] {
        twilio.has_sink(ACCOUNT, sid, "active", "webhook", webhook(other));
    }
    let get = json!({ "destination": DESTINATION, "method": "GET" });
    twilio.has_sink(ACCOUNT, "DG5", "active", "webhook", get);
    twilio.has_subscription(ACCOUNT, "DF1", "DG4", &TYPES);

    let shown = printed(&streams(&app, &["setup", "--yes"]));

    assert!(shown.contains("DG5 does not POST"), "{shown}");
    assert_eq!(twilio.sinks(ACCOUNT).len(), 6);
    let subscriptions = twilio.subscriptions(ACCOUNT);
    assert_eq!(subscriptions[1]["sink_sid"], twilio.sinks(ACCOUNT)[5]["sid"]);
    let shown = printed(&streams(&app, &["setup", "--yes"]));
    assert!(shown.contains("there is nothing to create"), "the last pages are read too: {shown}");
}

#[test]
fn a_sink_with_a_password_in_its_url_is_this_ledgers_and_no_secret_is_printed() {
    let twilio = Twilio::start();
    let (name, url) = twilio.variable();
    let public = ("DELIVERY_LEDGER_PUBLIC_URL", "https://hooks.example.com");
    let (key, secret) = API_KEY;
    let key = [("TWILIO_API_KEY", key), ("TWILIO_API_SECRET", secret)];
    let app = App::not_started(&[(name, &url), public, key[0], key[1]]);
    let with_password = "https://user:open-sesame@hooks.example.com/event-streams";
    twilio.has_sink(ACCOUNT, SINK, "active", "webhook", webhook(with_password));
    let kinesis = json!({ "arn": "arn:aws", "external_id": "open-sesame" });
    twilio.has_sink(ACCOUNT, "DG2", "active", "kinesis", kinesis);
    twilio.has_subscription(ACCOUNT, SUBSCRIPTION, SINK, &TYPES[..2]);

    for arguments in [
        &["setup"][..],
        &["setup", "--yes", "-v"],
        &["check"],
        &["check", "--format", "json"],
        &["setup", "-vv"],
    ] {
        let output = streams(&app, arguments);
        let all = format!("{}{}", String::from_utf8_lossy(&output.stdout), stderr(&output));
        assert!(all.contains(SINK), "{all}");
        assert!(!all.contains("open-sesame") && !all.contains(secret), "{all}");
    }
    assert_eq!(twilio.sinks(ACCOUNT).len(), 2, "no other sink is created");
}

#[test]
fn events_of_subaccounts_are_included_if_that_is_wanted() {
    let twilio = Twilio::start();
    let app = ledger(&twilio);
    let includes = || twilio.subscriptions(ACCOUNT)[0]["receive_events_from_subaccounts"].clone();

    printed(&streams(&app, &["setup", "--yes"]));
    let preview = printed(&streams(&app, &["setup", "--subaccounts"]));
    assert!(preview.contains("to be changed: with the events of subaccounts"), "{preview}");
    assert!(preview.contains(" --subaccounts --yes\n"), "{preview}");
    assert_eq!(includes(), false);
    printed(&streams(&app, &["setup", "--subaccounts", "--yes"]));

    assert_eq!(includes(), true);
    let shown = printed(&streams(&app, &["setup", "--subaccounts", "--yes"]));
    assert!(shown.contains("there is nothing to create"), "{shown}");
}

#[test]
fn each_account_has_streams_of_its_own() {
    let twilio = Twilio::start();
    twilio.has_subaccount(OTHER_ACCOUNT, "other", "active", OTHER_TOKEN);
    let app = ledger(&twilio);

    let other = ["streams", "setup", "--yes", "--account-sid", OTHER_ACCOUNT];
    printed(&app.run(&other));

    assert_eq!((twilio.sinks(ACCOUNT).len(), twilio.sinks(OTHER_ACCOUNT).len()), (0, 1));
    let unnamed = app.run(&["streams", "setup", "--yes"]);
    assert_eq!(unnamed.status.code(), Some(2));
    let text = stderr(&unnamed);
    assert!(text.contains(ACCOUNT) && text.contains(OTHER_ACCOUNT), "{text}");
    assert!(text.contains("name one with --account-sid"), "{text}");
}

#[test]
fn path_and_public_url_can_be_given_and_are_in_the_command_that_is_shown() {
    let twilio = Twilio::start();
    let app = with_public_url(&twilio, "https://one.example.com,https://two.example.com/it");
    let chosen = ["--public-url", "https://two.example.com/it", "--event-streams-path", "/es"];

    let shown = printed(&streams(&app, &[&["setup"], &chosen[..]].concat()));
    assert!(shown.contains("destination   https://two.example.com/it/es\n"), "{shown}");
    assert!(shown.contains(&format!(" streams setup {} ", chosen.join(" "))), "{shown}");

    let several = streams(&app, &["setup"]);
    assert_eq!(several.status.code(), Some(2));
    let expected = "there are several public URLs: https://one.example.com, \
                    https://two.example.com/it; choose one with --public-url";
    assert!(stderr(&several).contains(expected), "{}", stderr(&several));
}

#[test]
fn a_sink_that_is_not_active_is_not_created_again_and_the_output_says_what_to_do() {
    let twilio = Twilio::start();
    let app = ledger(&twilio);
    twilio.new_sinks_are(ACCOUNT, "initialized");

    let failed = streams(&app, &["setup", "--yes"]);

    assert_eq!(failed.status.code(), Some(1));
    let text = stderr(&failed);
    assert!(
        text.contains("Sink must be active") && text.contains("another run continues"),
        "{text}"
    );
    let shown = String::from_utf8(failed.stdout).unwrap();
    assert!(shown.contains("created, initialized"), "{shown}");
    assert!(shown.contains("delete it at Twilio"), "{shown}");
    let again = streams(&app, &["setup", "--yes"]);
    assert_eq!(again.status.code(), Some(1));
    assert_eq!(twilio.sinks(ACCOUNT).len(), 1, "no second sink is created");
}

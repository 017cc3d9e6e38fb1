//! `doctor`'s checks on the configuration: the source of each setting, tokens, URLs.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use delivery_ledger::domain::event::Headers;
use delivery_ledger::domain::{NewEvent, Source};
use serde_json::json;

use super::{Page, delivered_just_now, doctor, examine, seconds_ago};
use crate::support::events::{resource, with_query};
use crate::support::ledger::Ledger;
use crate::support::{ACCOUNT, Command, TOKEN, sid};

#[test]
fn each_setting_is_shown_with_its_source() {
    let ledger = Ledger::new();
    fs::write(ledger.file("delivery-ledger.toml"), "rule = \"delivery-wins\"\n").unwrap();
    let flags = ["--listen", "127.0.0.1:2", "--database", "sqlite:books.db"];

    let page = Page::from_command(doctor(&ledger.file(""), &flags));

    assert_eq!(page.detail("file"), "delivery-ledger.toml");
    assert_eq!(page.detail("setting database"), "sqlite:books.db (--database)");
    assert_eq!(page.detail("setting listen"), "127.0.0.1:2 (--listen)");
    assert_eq!(
        page.detail("setting public_url"),
        "https://hooks.example.com (DELIVERY_LEDGER_PUBLIC_URL)"
    );
    assert_eq!(page.detail("setting rule"), "delivery-wins (delivery-ledger.toml, line 1)");
    assert_eq!(page.detail("setting verify_every"), "86400 s (default)");
}

#[test]
fn an_invalid_setting_is_a_failed_check_and_the_other_checks_still_run() {
    let ledger = Ledger::with_events(&[delivered_just_now()]);
    for (variable, value, name) in [
        ("DELIVERY_LEDGER_LISTEN", "nowhere", "setting listen"),
        ("DELIVERY_LEDGER_ADMIN_LISTEN", "8081", "setting admin_listen"),
        ("DELIVERY_LEDGER_RULE", "whatever", "setting rule"),
        ("DELIVERY_LEDGER_VERIFY_EVERY", "often", "setting verify_every"),
        ("DELIVERY_LEDGER_WAL_CHECKPOINTS", "mine", "setting wal_checkpoints"),
        ("DELIVERY_LEDGER_ERROR_CODES", "none.csv", "setting error_codes"),
        ("DELIVERY_LEDGER_DEFAULT_COUNTRY", "UK", "setting default_country"),
        ("DELIVERY_LEDGER_TIME_ZONE", "Berlin", "setting time_zone"),
        ("DELIVERY_LEDGER_PUBLIC_URL", "https://my_host", "setting public_url"),
        ("DELIVERY_LEDGER_API_TOKEN_FILE", "none", "setting api_tokens"),
        ("TWILIO_API_BASE_URL", "api.twilio.com", "setting twilio_api_base_url"),
        ("TWILIO_REGION", "ie1.twilio.com", "setting twilio_api_base_url"),
        ("TWILIO_EDGE", "-dublin", "setting twilio_api_base_url"),
        ("TWILIO_EDGE", "evil.example/", "setting twilio_api_base_url"),
        ("TWILIO_API_KEY", "SK1", "setting twilio_api_key"),
        ("DELIVERY_LEDGER_DATABASE", "oracle:ledger", "setting database"),
    ] {
        let page = Page::from_command(doctor(&ledger.file(""), &[]).env(variable, value));
        assert_eq!(page.outcome(name), "fail", "{variable}={value}");
        assert_eq!(page.code, Some(3), "{variable}={value}");
        let is_ledger_known = name != "setting database";
        assert_eq!(page.find("log").is_some(), is_ledger_known, "{variable}={value}");
    }
}

#[test]
fn an_invalid_target_of_forwarding_is_a_failed_check() {
    let ledger = Ledger::new();
    let with = |target: &str| {
        let file = format!("[forward.orders]\n{target}\n");
        fs::write(ledger.file("delivery-ledger.toml"), file).unwrap();
        Page::from_command(doctor(&ledger.file(""), &[]))
    };
    let page = with("url = \"https://app.example.com/\"");
    assert_eq!(page.detail("setting forward"), "orders (delivery-ledger.toml, line 2)");

    let page = with("url = \"ftp://app.example.com/\"");
    assert_eq!(page.outcome("setting forward"), "fail");
    assert!(page.detail("setting forward").starts_with("forward.orders.url: `ftp://app"));
    assert!(page.find("serve").is_none(), "it is reported only once");

    let page = with("url = \"https://hooks.example.com/message-status\"");
    assert_eq!((page.outcome("setting forward"), page.outcome("serve")), ("ok", "fail"));
    assert!(page.detail("serve").contains("of this ledger itself"), "{}", page.detail("serve"));
}

/// As in Twilio's own libraries.
#[test]
fn region_and_edge_determine_the_host_of_twilios_api() {
    let ledger = Ledger::new();
    let shown = |variables: &[(&str, &str)]| {
        let command = doctor(&ledger.file(""), &[]);
        let with = |command: Command, (name, value): &(&str, &str)| command.env(name, value);
        Page::from_command(variables.iter().fold(command, with))
            .detail("setting twilio_api_base_url")
            .to_owned()
    };
    let (dublin, ie1) = (("TWILIO_EDGE", "dublin"), ("TWILIO_REGION", "ie1"));
    for (variables, host, from) in [
        (&[][..], "https://api.twilio.com", "default"),
        (&[dublin, ie1], "https://api.dublin.ie1.twilio.com", "TWILIO_EDGE"),
        (&[dublin], "https://api.dublin.us1.twilio.com", "TWILIO_EDGE"),
        (&[ie1], "https://api.ie1.twilio.com", "TWILIO_REGION"),
        (&[("TWILIO_REGION", ""), ("TWILIO_EDGE", "")], "https://api.twilio.com", "default"),
        (
            &[("TWILIO_API_BASE_URL", "https://twilio.example"), dublin, ie1],
            "https://twilio.example",
            "TWILIO_API_BASE_URL",
        ),
    ] {
        let detail = shown(variables);
        assert!(detail.contains(host) && detail.contains(from), "{variables:?}: {detail}");
    }
    assert!(shown(&[ie1]).contains("set TWILIO_EDGE too"));
    assert!(!shown(&[dublin, ie1]).contains("TWILIO_EDGE too"));
}

/// Imported messages that are years old will never change, so no action is needed.
#[test]
fn stuck_messages_that_are_too_old_to_change_give_no_warning() {
    let record = json!({
        "sid": sid(1), "account_sid": ACCOUNT, "status": "sent", "direction": "outbound-api",
        "date_created": "Thu, 24 Aug 2023 05:01:45 +0000",
    });
    let page =
        examine(&Ledger::with_events(&[seconds_ago(resource(Source::Import, record), 86_400)]));
    assert_eq!((page.outcome("stuck messages"), page.outcome("reconcile")), ("ok", "ok"));
    assert!(page.detail("stuck messages").contains("1 have been open for over 72 hours"));
}

#[test]
fn a_guessable_api_token_is_reported() {
    let ledger = Ledger::new();
    let with = |token: &str| {
        let page = doctor(&ledger.file(""), &[]).env("DELIVERY_LEDGER_API_TOKEN", token);
        Page::from_command(page).outcome("API tokens").to_owned()
    };
    assert_eq!(with("long enough to be a token"), "ok");
    assert_eq!(with("short"), "warn");
}

#[test]
fn a_public_admin_listener_without_a_token_is_a_failed_check() {
    let arguments = ["--admin-listen", "0.0.0.0:1"];

    let page = Page::from_command(doctor(&Ledger::new().file(""), &arguments));

    assert_eq!(page.outcome("serve"), "fail");
    assert!(page.detail("serve").contains("others can reach"));
}

#[test]
fn an_unreadable_configuration_file_is_a_failed_check() {
    let ledger = Ledger::with_events(&[delivered_just_now()]);
    fs::write(ledger.file("delivery-ledger.toml"), "database = 1\n").unwrap();

    let page = examine(&ledger);
    assert_eq!(page.outcome("file"), "fail");
    assert!(page.detail("file").contains("line 1"));
    assert!(page.find("log").is_none(), "the file may name another ledger");

    let named = Page::from_command(doctor(&ledger.file(""), &["--database", "sqlite:ledger.db"]));
    assert_eq!((named.outcome("file"), named.outcome("log")), ("fail", "ok"));
}

#[test]
fn keys_are_reported_with_their_source() {
    let ledger = Ledger::new();
    fs::write(ledger.file("token"), TOKEN).unwrap();
    let with = |variable: &str, value: &str| {
        Page::from_command(
            doctor(&ledger.file(""), &[]).env("TWILIO_AUTH_TOKEN", "").env(variable, value),
        )
    };
    let name = format!("keys {ACCOUNT}");

    let page = with("TWILIO_AUTH_TOKEN_FILE", "token");
    assert_eq!(page.outcome(&name), "ok");
    assert_eq!(page.detail(&name), "primary token set, from TWILIO_AUTH_TOKEN_FILE (token)");

    let page = with("TWILIO_AUTH_TOKEN_FILE", "gone");
    assert_eq!(page.outcome(&name), "fail");
    assert!(page.find("serve").is_none(), "the mistake is reported only once");

    let page = with("TWILIO_AUTH_TOKEN", "12345");
    assert_eq!(page.outcome(&name), "warn");
    assert!(page.detail(&name).contains("does not have the form of Twilio's"));

    let page = with("TWILIO_AUTH_TOKEN", "'in quotes'");
    assert_eq!(page.outcome(&name), "fail");
    assert!(page.detail(&name).starts_with("TWILIO_AUTH_TOKEN: the token has blanks or quotes"));

    let both = doctor(&ledger.file(""), &[]).env("TWILIO_AUTH_TOKEN_SECONDARY", TOKEN);
    assert!(Page::from_command(both).detail(&name).contains("both tokens are the same"));

    let none =
        doctor(&ledger.file(""), &[]).env("TWILIO_AUTH_TOKEN", "").env("TWILIO_ACCOUNT_SID", "");
    assert_eq!(Page::from_command(none).outcome("keys"), "fail");
}

#[test]
fn a_key_file_that_other_users_can_read_is_reported() {
    let ledger = Ledger::new();
    fs::write(ledger.file("token"), TOKEN).unwrap();
    let with_mode = |mode| {
        fs::set_permissions(ledger.file("token"), fs::Permissions::from_mode(mode)).unwrap();
        let page = doctor(&ledger.file(""), &[])
            .env("TWILIO_AUTH_TOKEN", "")
            .env("TWILIO_AUTH_TOKEN_FILE", "token");
        Page::from_command(page).outcome("key files").to_owned()
    };
    assert_eq!(with_mode(0o600), "ok");
    assert_eq!(with_mode(0o644), "warn");

    fs::write(ledger.file("secret"), "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
    fs::set_permissions(ledger.file("secret"), fs::Permissions::from_mode(0o644)).unwrap();
    let target = "[forward.crm]\nurl = \"https://crm.example.com/\"\nformat = \"message\"\n\
                  secret_file = \"secret\"\n";
    fs::write(ledger.file("delivery-ledger.toml"), target).unwrap();
    assert_eq!(with_mode(0o600), "warn", "the secret of a target is a key too");
    fs::remove_file(ledger.file("secret")).unwrap();

    let toml = format!("[accounts.{ACCOUNT}]\nauth_token = \"{TOKEN}\"\n");
    fs::write(ledger.file("delivery-ledger.toml"), toml).unwrap();
    let file = ledger.file("delivery-ledger.toml");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    let page = Page::from_command(doctor(&ledger.file(""), &[]));
    assert_eq!(page.outcome("key files"), "warn", "the configuration file itself contains a key");
}

#[test]
fn the_public_url_should_be_https_and_reachable_by_twilio() {
    for (url, outcome) in [
        ("https://hooks.example.com", "ok"),
        ("https://hooks.example.com:8443/twilio", "ok"),
        ("http://hooks.example.com", "warn"),
        ("https://localhost", "warn"),
        ("https://10.0.0.7:8080", "warn"),
        ("https://[::1]/", "warn"),
        ("", "warn"),
    ] {
        let ledger = Ledger::new();
        let page = doctor(&ledger.file(""), &[]).env("DELIVERY_LEDGER_PUBLIC_URL", url);
        assert_eq!(Page::from_command(page).outcome("public URL"), outcome, "{url}");
    }
}

#[test]
fn callback_urls_should_ask_twilio_to_retry() {
    for (overrides, outcome) in [
        ("", "ok"),
        ("rc=3&rp=5xx,ct", "ok"),
        ("none", "warn"),
        ("rc=0&rp=all", "warn"),
        ("ct=2000", "warn"),
    ] {
        let ledger = Ledger::new();
        let page =
            doctor(&ledger.file(""), &[]).env("DELIVERY_LEDGER_CALLBACK_OVERRIDES", overrides);
        assert_eq!(Page::from_command(page).outcome("callback URL"), outcome, "{overrides}");
    }
    let page = Page::from_command(doctor(&Ledger::new().file(""), &[]));
    assert!(
        page.detail("callback URL")
            .starts_with("https://hooks.example.com/message-status#rc=5&rp=all ")
    );
}

#[test]
fn a_promoted_token_is_detected_from_the_last_callbacks() {
    let name = format!("signing key {ACCOUNT}");
    let by_secondary =
        NewEvent { verified_by: Some("secondary".to_owned()), ..delivered_just_now() };
    let page = examine(&Ledger::with_events(&[delivered_just_now(), by_secondary.clone()]));
    assert_eq!(page.outcome(&name), "warn");
    assert!(page.check(&name)["advice"].as_str().unwrap().contains("make it the primary token"));

    let page = examine(&Ledger::with_events(&[by_secondary, delivered_just_now()]));
    assert_eq!(page.outcome(&name), "ok", "only the last callback counts");
}

#[test]
fn callback_queries_that_a_proxy_may_sort_give_a_warning() {
    let page =
        |query: &str| examine(&Ledger::with_events(&[with_query(delivered_just_now(), query)]));

    let unordered = page("order=17&campaign=4");
    assert_eq!(unordered.outcome("callback query"), "warn");
    assert!(unordered.detail("callback query").starts_with("1 of the last callbacks have"));
    assert!(page("campaign=4&order=17&bodySHA256=00").find("callback query").is_none());
    assert!(page("order=17").find("callback query").is_none());
}

/// Regression: another region's token was reported as promoted.
#[test]
fn a_token_of_another_region_is_not_reported_as_promoted() {
    let name = format!("signing key {ACCOUNT}");
    let by = |key: &str, region: &str| {
        let event = NewEvent { verified_by: Some(key.to_owned()), ..delivered_just_now() };
        let others = event.headers.iter().filter(|(name, _)| *name != "x-home-region");
        let others =
            others.map(|(name, value)| (name.to_owned(), value.to_vec())).collect::<Vec<_>>();
        let region = ("x-home-region".to_owned(), region.as_bytes().to_vec());
        NewEvent { headers: Headers::new(others.into_iter().chain([region])), ..event }
    };

    let page = examine(&Ledger::with_events(&[by("primary", "us1"), by("secondary", "ie1")]));
    assert!(!page.problems().contains(&name.as_str()), "{:?}", page.checks());
    let checks = format!("{:?}", page.checks());
    assert!(checks.contains("from region ie1, a region that has a token of its own"), "{checks}");
    assert!(!checks.contains("promoted"), "{checks}");

    let page = examine(&Ledger::with_events(&[by("primary", "us1"), by("ie1", "ie1")]));
    assert!(!page.problems().contains(&name.as_str()), "{:?}", page.checks());

    let in_one_region = [by("primary", "ie1"), by("primary", "us1"), by("secondary", "ie1")];
    let page = examine(&Ledger::with_events(&in_one_region));
    assert!(format!("{:?}", page.checks()).contains("promoted"), "{:?}", page.checks());
}

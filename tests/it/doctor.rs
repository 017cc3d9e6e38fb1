//! `doctor`: each check where all is well and where it is not, and what it never does.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::time::{Duration, Instant};

use delivery_ledger::domain::{NewEvent, Source, Timestamp};
use proptest::prelude::*;
use serde_json::{Value, json};
use time::OffsetDateTime;

use crate::support::events::{event, resource};
use crate::support::ledger::Ledger;
use crate::support::{
    ACCOUNT, App, Command, SECONDARY_TOKEN, TOKEN, delivered, sent, sid, signature,
};

/// A page, and the exit code that came with it.
struct Page {
    code: Option<i32>,
    json: Value,
}

impl Page {
    fn of(command: Command) -> Self {
        let output = command.output();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(stderr, "", "nothing but the page");
        let json = serde_json::from_slice(&output.stdout).expect("JSON on stdout");
        Self { code: output.status.code(), json }
    }

    fn checks(&self) -> &[Value] {
        self.json["checks"].as_array().unwrap()
    }

    fn names(&self) -> Vec<&str> {
        self.checks().iter().map(|check| check["name"].as_str().unwrap()).collect()
    }

    fn find(&self, name: &str) -> Option<&Value> {
        self.checks().iter().find(|check| check["name"] == name)
    }

    #[track_caller]
    fn check(&self, name: &str) -> &Value {
        self.find(name).unwrap_or_else(|| panic!("no {name} in {:?}", self.names()))
    }

    #[track_caller]
    fn outcome(&self, name: &str) -> &str {
        self.check(name)["outcome"].as_str().unwrap()
    }

    #[track_caller]
    fn detail(&self, name: &str) -> &str {
        self.check(name)["detail"].as_str().unwrap()
    }

    /// What is not well.
    fn troubles(&self) -> Vec<&str> {
        let unwell = self.checks().iter().filter(|check| check["outcome"] != "ok");
        unwell.map(|check| check["name"].as_str().unwrap()).collect()
    }
}

/// `doctor` in a folder, with a sound configuration in the environment.
fn doctor(folder: &Path, arguments: &[&str]) -> Command {
    Command::new(folder, &[&["doctor", "--format", "json"], arguments].concat())
        .env("TWILIO_ACCOUNT_SID", ACCOUNT)
        .env("TWILIO_AUTH_TOKEN", TOKEN)
        .env("DELIVERY_LEDGER_PUBLIC_URL", "https://hooks.example.com")
        // Nobody listens there.
        .env("DELIVERY_LEDGER_ADMIN_LISTEN", "127.0.0.1:1")
}

fn examine(ledger: &Ledger) -> Page {
    Page::of(doctor(&ledger.file(""), &[]))
}

fn now() -> Timestamp {
    Timestamp::from(OffsetDateTime::now_utc())
}

/// An event that arrived so many seconds ago.
fn seconds_ago(event: NewEvent, seconds: i64) -> NewEvent {
    NewEvent { received_at: Timestamp::from_micros(now().micros() - seconds * 1_000_000), ..event }
}

fn delivered_just_now() -> NewEvent {
    seconds_ago(event(delivered(&sid(1))), 0)
}

fn sent_days_ago() -> NewEvent {
    seconds_ago(event(sent(&sid(2))), 2 * 86_400)
}

/// Everything in a folder with its content.
fn content(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let named = |path: std::path::PathBuf| {
        (path.file_name().unwrap().to_str().unwrap().to_owned(), fs::read(&path).unwrap())
    };
    let mut content: Vec<_> = files.map(named).collect();
    content.sort();
    content
}

#[test]
fn a_ledger_that_is_well_has_nothing_but_a_server_and_a_backup_to_be_reminded_of() {
    let page = examine(&Ledger::of(&[delivered_just_now()]));

    assert_eq!(page.troubles(), ["backup", "ready"]);
    assert_eq!(
        (page.code, &page.json["failed"], &page.json["warned"]),
        (Some(0), &json!(0), &json!(2))
    );
}

#[test]
fn what_was_refused_is_told_with_its_cause_and_once_it_is_put_right() {
    let mut app = App::start();
    assert!(Page::of(doctor(app.folder(), &[])).find("quarantine").is_none());
    let body = delivered(&sid(1)).bytes();
    // Signed for the host as Twilio knows it, which is not the one that is configured.
    let theirs = signature(TOKEN, "https://other.example.com/message-status", &body);
    let refused = app.form("/message-status").header("Host", "other.example.com");
    let refused = refused.header("X-Twilio-Signature", &theirs).body(body);
    assert_eq!(refused.send(app.callbacks()).code, 403);
    app.eventually("it is kept", || {
        Page::of(doctor(app.folder(), &[]))
            .find("quarantine")
            .is_some_and(|check| check["outcome"] == "warn")
    });
    let page = Page::of(doctor(app.folder(), &[]));
    assert_eq!(
        page.detail("quarantine"),
        "1 are kept; of the newest 1, 1: matches if the public URL has the host that the request names"
    );

    app.stop();
    let page = Page::of(doctor(app.folder(), &["--public-url", "https://other.example.com"]));
    assert_eq!(page.detail("quarantine"), "1 are kept; of the newest 1, 1 would be taken now");
    let page = Page::of(doctor(app.folder(), &["--quick"]));
    assert!(page.find("quarantine").is_none());
}

#[test]
fn the_page_has_one_shape() {
    let ledger = Ledger::of(&[delivered_just_now(), delivered_just_now()]);
    let page = examine(&ledger);

    let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(keys(&page.json), ["checks", "failed", "warned"]);
    for check in page.checks() {
        assert_eq!(keys(check), ["name", "area", "outcome", "detail", "advice"]);
        assert_eq!(check["advice"].is_null(), check["outcome"] == "ok", "{check}");
    }
    assert_eq!(
        page.names(),
        [
            "file",
            "setting listen",
            "setting admin_listen",
            "setting admin_hosts",
            "setting api_tokens",
            "setting callback_path",
            "setting public_url",
            "setting callback_overrides",
            "setting twilio_api_base_url",
            "setting twilio_api_timeout",
            "setting twilio_api_key",
            "setting database",
            "setting rule",
            "setting verify_every",
            "setting reconcile.every",
            "setting quarantine",
            "setting wal_checkpoints",
            "setting error_codes",
            "serve",
            "keys AC0123456789abcdef0123456789abcdef",
            "key files",
            "public URL",
            "callback URL",
            "signing key AC0123456789abcdef0123456789abcdef",
            "permissions",
            "access",
            "file system",
            "names",
            "leftovers",
            "disk",
            "growth",
            "write-ahead log",
            "log",
            "engine",
            "guards",
            "views",
            "rule",
            "stuck messages",
            "clock",
            "order of arrival",
            "reconcile",
            "backup",
            "ready",
            "open files",
        ]
    );
}

#[test]
fn the_table_says_the_same_for_people() {
    let ledger = Ledger::of(&[delivered_just_now()]);
    let arguments = ["doctor", "--admin-listen", "127.0.0.1:1"];

    let output = ledger.run(&arguments);

    assert_eq!(output.status.code(), Some(3), "no account is configured");
    let text = String::from_utf8(output.stdout).unwrap();
    for line in [
        "configuration\n  ok    file                         none; flags, environment and defaults\n",
        "  ok    setting admin_listen         127.0.0.1:1 (--admin-listen)\n",
        "  fail  keys                         no Twilio account is configured: set TWILIO_ACCOUNT_SID",
        "                                     → serve does not start without an account and its token\n",
        "\nserver\n  warn  ready                        no server answers on 127.0.0.1:1\n",
        "\n1 failed, 3 to look at, ",
    ] {
        assert!(text.contains(line), "{line:?} is not in\n{text}");
    }
}

#[test]
fn where_there_is_no_ledger_none_is_made() {
    let folder = tempfile::tempdir().unwrap();

    let page = Page::of(doctor(folder.path(), &["--database", "sqlite:books/2026.db"]));

    assert_eq!(page.code, Some(0));
    assert_eq!(page.troubles(), ["log", "ready"]);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn a_ledger_is_read_and_nothing_of_it_changes() {
    let ledger = Ledger::of(&[delivered_just_now(), sent_days_ago()]);
    let before = content(&ledger.file(""));

    examine(&ledger);

    let after = content(&ledger.file(""));
    // A reader may leave what SQLite keeps its locks in, empty.
    let is_of_readers = |name: &str| name.ends_with("-shm") || name.ends_with("-wal");
    let kept: Vec<_> = after.iter().filter(|(name, _)| !is_of_readers(name)).cloned().collect();
    assert_eq!(kept, before);
    assert!(after.iter().all(|(name, bytes)| !name.ends_with("-wal") || bytes.is_empty()));
}

#[test]
fn each_setting_is_told_with_where_it_came_from() {
    let ledger = Ledger::new();
    fs::write(ledger.file("delivery-ledger.toml"), "rule = \"delivery-wins\"\n").unwrap();
    let flags = ["--listen", "127.0.0.1:2", "--database", "sqlite:books.db"];

    let page = Page::of(doctor(&ledger.file(""), &flags));

    assert_eq!(page.detail("file"), "delivery-ledger.toml");
    assert_eq!(page.detail("setting database"), "sqlite:books.db (--database)");
    assert_eq!(page.detail("setting listen"), "127.0.0.1:2 (--listen)");
    assert_eq!(
        page.detail("setting public_url"),
        "https://hooks.example.com (DELIVERY_LEDGER_PUBLIC_URL)"
    );
    assert_eq!(page.detail("setting rule"), "delivery-wins (delivery-ledger.toml)");
    assert_eq!(page.detail("setting verify_every"), "86400 s (default)");
}

#[test]
fn a_setting_that_is_wrong_is_a_failed_check_and_the_page_goes_on() {
    let ledger = Ledger::of(&[delivered_just_now()]);
    for (variable, value, name) in [
        ("DELIVERY_LEDGER_LISTEN", "nowhere", "setting listen"),
        ("DELIVERY_LEDGER_ADMIN_LISTEN", "8081", "setting admin_listen"),
        ("DELIVERY_LEDGER_RULE", "whatever", "setting rule"),
        ("DELIVERY_LEDGER_VERIFY_EVERY", "often", "setting verify_every"),
        ("DELIVERY_LEDGER_WAL_CHECKPOINTS", "mine", "setting wal_checkpoints"),
        ("DELIVERY_LEDGER_ERROR_CODES", "none.csv", "setting error_codes"),
        ("DELIVERY_LEDGER_PUBLIC_URL", "https://my_host", "setting public_url"),
        ("DELIVERY_LEDGER_API_TOKEN_FILE", "none", "setting api_tokens"),
        ("TWILIO_API_BASE_URL", "api.twilio.com", "setting twilio_api_base_url"),
        ("TWILIO_REGION", "ie1.twilio.com", "setting twilio_api_base_url"),
        ("TWILIO_EDGE", "-dublin", "setting twilio_api_base_url"),
        ("TWILIO_EDGE", "evil.example/", "setting twilio_api_base_url"),
        ("TWILIO_API_KEY", "SK1", "setting twilio_api_key"),
        ("DELIVERY_LEDGER_DATABASE", "oracle:ledger", "setting database"),
    ] {
        let page = Page::of(doctor(&ledger.file(""), &[]).env(variable, value));
        assert_eq!(page.outcome(name), "fail", "{variable}={value}");
        assert_eq!(page.code, Some(3), "{variable}={value}");
        let is_ledger_known = name != "setting database";
        assert_eq!(page.find("log").is_some(), is_ledger_known, "{variable}={value}");
    }
}

/// As Twilio's own libraries have it.
#[test]
fn region_and_edge_choose_the_host_of_twilios_api() {
    let ledger = Ledger::new();
    let shown = |variables: &[(&str, &str)]| {
        let command = doctor(&ledger.file(""), &[]);
        let with = |command: Command, (name, value): &(&str, &str)| command.env(name, value);
        Page::of(variables.iter().fold(command, with))
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

/// Messages of years ago that an import brought will never change; nothing is to be done about them.
#[test]
fn stuck_messages_that_are_too_old_to_change_are_no_trouble() {
    let record = json!({
        "sid": sid(1), "account_sid": ACCOUNT, "status": "sent", "direction": "outbound-api",
        "date_created": "Thu, 24 Aug 2023 05:01:45 +0000",
    });
    let page = examine(&Ledger::of(&[seconds_ago(resource(Source::Import, record), 86_400)]));
    assert_eq!((page.outcome("stuck messages"), page.outcome("reconcile")), ("ok", "ok"));
    assert!(page.detail("stuck messages").contains("1 have been open for 72 hours"));
}

#[test]
fn an_api_token_that_could_be_guessed_is_told() {
    let ledger = Ledger::new();
    let with = |token: &str| {
        let page = doctor(&ledger.file(""), &[]).env("DELIVERY_LEDGER_API_TOKEN", token);
        Page::of(page).outcome("API tokens").to_owned()
    };
    assert_eq!(with("long enough to be a token"), "ok");
    assert_eq!(with("short"), "warn");
}

#[test]
fn an_admin_listener_that_all_can_reach_without_a_token_is_a_failed_check() {
    let arguments = ["--admin-listen", "0.0.0.0:1"];

    let page = Page::of(doctor(&Ledger::new().file(""), &arguments));

    assert_eq!(page.outcome("serve"), "fail");
    assert!(page.detail("serve").contains("others can reach"));
}

#[test]
fn a_configuration_file_that_cannot_be_read_is_a_failed_check() {
    let ledger = Ledger::of(&[delivered_just_now()]);
    fs::write(ledger.file("delivery-ledger.toml"), "database = 1\n").unwrap();

    let page = examine(&ledger);
    assert_eq!(page.outcome("file"), "fail");
    assert!(page.detail("file").contains("line 1"));
    assert!(page.find("log").is_none(), "the file may name another ledger");

    let named = Page::of(doctor(&ledger.file(""), &["--database", "sqlite:ledger.db"]));
    assert_eq!((named.outcome("file"), named.outcome("log")), ("fail", "ok"));
}

#[test]
fn keys_are_told_by_where_they_come_from() {
    let ledger = Ledger::new();
    fs::write(ledger.file("token"), TOKEN).unwrap();
    let with = |variable: &str, value: &str| {
        Page::of(doctor(&ledger.file(""), &[]).env("TWILIO_AUTH_TOKEN", "").env(variable, value))
    };
    let name = format!("keys {ACCOUNT}");

    let page = with("TWILIO_AUTH_TOKEN_FILE", "token");
    assert_eq!(page.outcome(&name), "ok");
    assert_eq!(page.detail(&name), "primary token set, from TWILIO_AUTH_TOKEN_FILE (token)");

    let page = with("TWILIO_AUTH_TOKEN_FILE", "gone");
    assert_eq!(page.outcome(&name), "fail");
    assert!(page.find("serve").is_none(), "it is told once");

    let page = with("TWILIO_AUTH_TOKEN", "'in quotes'");
    assert_eq!(page.outcome(&name), "warn");
    assert!(page.detail(&name).contains("has not the form of Twilio's"));

    let both = doctor(&ledger.file(""), &[]).env("TWILIO_AUTH_TOKEN_SECONDARY", TOKEN);
    assert!(Page::of(both).detail(&name).contains("both tokens are the same"));

    let none =
        doctor(&ledger.file(""), &[]).env("TWILIO_AUTH_TOKEN", "").env("TWILIO_ACCOUNT_SID", "");
    assert_eq!(Page::of(none).outcome("keys"), "fail");
}

#[test]
fn a_file_of_keys_that_others_can_read_is_told() {
    let ledger = Ledger::new();
    fs::write(ledger.file("token"), TOKEN).unwrap();
    let with_mode = |mode| {
        fs::set_permissions(ledger.file("token"), fs::Permissions::from_mode(mode)).unwrap();
        let page = doctor(&ledger.file(""), &[])
            .env("TWILIO_AUTH_TOKEN", "")
            .env("TWILIO_AUTH_TOKEN_FILE", "token");
        Page::of(page).outcome("key files").to_owned()
    };
    assert_eq!(with_mode(0o600), "ok");
    assert_eq!(with_mode(0o644), "warn");

    let toml = format!("[accounts.{ACCOUNT}]\nauth_token = \"{TOKEN}\"\n");
    fs::write(ledger.file("delivery-ledger.toml"), toml).unwrap();
    let file = ledger.file("delivery-ledger.toml");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    let page = Page::of(doctor(&ledger.file(""), &[]));
    assert_eq!(page.outcome("key files"), "warn", "the configuration file holds one itself");
}

#[test]
fn a_public_url_is_one_that_twilio_reaches_over_https() {
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
        assert_eq!(Page::of(page).outcome("public URL"), outcome, "{url}");
    }
}

#[test]
fn a_callback_url_asks_twilio_to_try_again() {
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
        assert_eq!(Page::of(page).outcome("callback URL"), outcome, "{overrides}");
    }
    let page = Page::of(doctor(&Ledger::new().file(""), &[]));
    assert!(
        page.detail("callback URL")
            .starts_with("https://hooks.example.com/message-status#rc=5&rp=all ")
    );
}

#[test]
fn a_token_that_was_promoted_is_noticed_by_the_last_callbacks() {
    let name = format!("signing key {ACCOUNT}");
    let by_secondary =
        NewEvent { verified_by: Some("secondary".to_owned()), ..delivered_just_now() };
    let page = examine(&Ledger::of(&[delivered_just_now(), by_secondary.clone()]));
    assert_eq!(page.outcome(&name), "warn");
    assert!(page.check(&name)["advice"].as_str().unwrap().contains("make it the primary one"));

    let page = examine(&Ledger::of(&[by_secondary, delivered_just_now()]));
    assert_eq!(page.outcome(&name), "ok", "the last one counts");
}

#[test]
fn files_that_others_may_read_or_take_away_are_told() {
    let ledger = Ledger::of(&[delivered_just_now()]);
    let with_mode = |file: &str, mode| {
        fs::set_permissions(ledger.file(file), fs::Permissions::from_mode(mode)).unwrap();
        let page = examine(&ledger);
        // What a reader leaves has the mode that the log had then.
        let _not_there = fs::remove_file(ledger.file("ledger.db-shm"));
        let _not_there = fs::remove_file(ledger.file("ledger.db-wal"));
        page.outcome("permissions").to_owned()
    };
    assert_eq!(with_mode("ledger.db", 0o640), "warn");
    assert_eq!(with_mode("ledger.db", 0o600), "ok");
    assert_eq!(with_mode("", 0o777), "warn");
    assert_eq!(with_mode("", 0o700), "ok");
}

/// As a user who may not read the ledger, where the tests run as one who may read everything.
fn examine_as_stranger(ledger: &Ledger) -> Page {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_delivery-ledger"));
    let database = format!("sqlite:{}", ledger.log_file().display());
    command.current_dir("/").env_clear().args(["--database", &database]);
    command.args(["doctor", "--format", "json", "--admin-listen", "127.0.0.1:1"]);
    if rustix::process::geteuid().is_root() {
        command.uid(65534).gid(65534);
    }
    let output = command.output().expect("the program starts");
    let json = serde_json::from_slice(&output.stdout).expect("JSON on stdout");
    Page { code: output.status.code(), json }
}

#[test]
fn without_the_right_to_read_the_ledger_that_is_what_is_told() {
    let ledger = Ledger::of(&[delivered_just_now()]);
    for file in [ledger.log_file(), ledger.views_file()] {
        fs::set_permissions(file, fs::Permissions::from_mode(0o000)).unwrap();
    }
    fs::set_permissions(ledger.file(""), fs::Permissions::from_mode(0o755)).unwrap();
    let page = examine_as_stranger(&ledger);
    assert_eq!((page.code, page.outcome("access"), page.outcome("log")), (Some(3), "fail", "fail"));

    fs::set_permissions(ledger.file(""), fs::Permissions::from_mode(0o000)).unwrap();
    let page = examine_as_stranger(&ledger);
    assert_eq!(page.outcome("log"), "fail");
    assert!(page.detail("log").contains("cannot look for"));
    fs::set_permissions(ledger.file(""), fs::Permissions::from_mode(0o700)).unwrap();
}

#[test]
fn a_log_with_two_names_is_told() {
    let ledger = Ledger::of(&[delivered_just_now()]);
    fs::hard_link(ledger.log_file(), ledger.file("also.db")).unwrap();

    assert_eq!(examine(&ledger).outcome("names"), "fail");
}

#[test]
fn what_was_left_lying_about_is_told() {
    let ledger = Ledger::of(&[delivered_just_now()]);
    fs::write(ledger.file(".b.db.unfinished-x1y2"), "half a copy").unwrap();
    let page = examine(&ledger);
    assert_eq!(page.outcome("leftovers"), "warn");
    assert!(page.detail("leftovers").contains(".b.db.unfinished-x1y2"));

    let orphaned = Ledger::new();
    fs::write(orphaned.file("ledger.db-wal"), "another's").unwrap();
    let page = examine(&orphaned);
    assert_eq!((page.outcome("leftovers"), page.code), ("fail", Some(3)));
}

#[test]
fn a_write_ahead_log_that_only_grows_is_told() {
    let ledger = Ledger::of(&[delivered_just_now()]);
    let wal = fs::File::create(ledger.file("ledger.views.db-wal")).unwrap();
    wal.set_len(200 << 20).unwrap();

    assert_eq!(examine(&ledger).outcome("write-ahead log"), "warn");
}

#[test]
fn growth_is_what_came_in_the_last_week() {
    let week_ago = |number| seconds_ago(event(delivered(&sid(number))), 30 * 86_400);
    let old: Vec<_> = (0..900).map(week_ago).collect();
    let new: Vec<_> =
        (900..970).map(|number| seconds_ago(event(delivered(&sid(number))), 60)).collect();

    let page = examine(&Ledger::of(&[old, new].concat()));

    assert!(page.detail("growth").starts_with("10 events "), "{}", page.detail("growth"));
}

#[test]
fn a_log_that_cannot_be_read_is_a_failed_check_and_the_page_goes_on() {
    let ledger = Ledger::of(&[delivered_just_now()]);
    fs::write(
        ledger.log_file(),
        "this is no database, and it is longer than its header would be".repeat(9),
    )
    .unwrap();

    let page = examine(&ledger);

    assert_eq!((page.outcome("log"), page.code), ("fail", Some(3)));
    assert_eq!(page.outcome("ready"), "warn");
    assert!(page.find("views").is_none(), "the log's check has said why");
}

#[test]
fn a_log_that_another_program_changed_is_told() {
    let ledger = Ledger::of(&[delivered_just_now()]);
    ledger.log_sql("PRAGMA journal_mode = DELETE").unwrap();
    assert_eq!(examine(&ledger).outcome("engine"), "warn");

    let ledger = Ledger::of(&[delivered_just_now()]);
    ledger.log_sql("CREATE TABLE mine(x)").unwrap();
    let page = examine(&ledger);
    assert_eq!(page.outcome("guards"), "fail");
    assert!(page.detail("guards").contains("mine"));
}

#[test]
fn views_that_are_not_the_logs_are_told() {
    let ledger = Ledger::of(&[delivered_just_now()]);
    assert_eq!(examine(&ledger).detail("views"), "up to position 1 of 1");

    let another = Ledger::of(&[delivered_just_now()]);
    fs::copy(another.views_file(), ledger.views_file()).unwrap();
    assert_eq!(examine(&ledger).outcome("views"), "warn");

    let shortened = Ledger::of(&[delivered_just_now()]);
    fs::copy(shortened.log_file(), shortened.file("older.db")).unwrap();
    shortened.append(&[delivered_just_now()]);
    shortened.project();
    fs::copy(shortened.file("older.db"), shortened.log_file()).unwrap();
    let page = examine(&shortened);
    assert_eq!(page.outcome("views"), "fail");
    assert!(page.detail("views").contains("the log is older than its views"));
}

#[test]
fn views_that_are_missing_are_no_trouble_where_a_start_makes_them_in_a_moment() {
    let ledger = Ledger::of(&[delivered_just_now()]);
    fs::remove_file(ledger.views_file()).unwrap();

    let page = examine(&ledger);

    assert_eq!(page.detail("views"), "up to position 0 of 1");
    assert_eq!(page.outcome("views"), "ok");
}

#[test]
fn another_rule_than_that_of_the_views_is_told() {
    let ledger = Ledger::of(&[delivered_just_now()]);

    let page = doctor(&ledger.file(""), &[]).env("DELIVERY_LEDGER_RULE", "delivery-wins");

    assert_eq!(Page::of(page).outcome("rule"), "warn");
}

#[test]
fn stuck_messages_are_told_and_what_reconcile_did_about_them() {
    let ledger = Ledger::of(&[sent_days_ago()]);
    let page = examine(&ledger);
    assert_eq!((page.outcome("stuck messages"), page.outcome("reconcile")), ("warn", "warn"));

    let ran = |ended_at: Timestamp, stopped_by: Value| {
        let last_run =
            json!({ "ended_at": ended_at.to_string(), "appended": 3, "stopped_by": stopped_by });
        let state = json!({ "last_run": last_run }).to_string();
        fs::write(ledger.file("ledger.reconcile.json"), state).unwrap();
        let page = examine(&ledger);
        (page.outcome("reconcile").to_owned(), page.detail("reconcile").to_owned())
    };
    assert_eq!(ran(now(), Value::Null).0, "ok");
    let long_ago = Timestamp::from_micros(now().micros() - 4 * 86_400_000_000);
    assert_eq!(ran(long_ago, Value::Null).0, "warn");
    let (outcome, detail) = ran(now(), json!("Twilio refuses account AC1"));
    assert_eq!(outcome, "warn");
    assert!(detail.contains("Twilio refuses account AC1"));
}

#[test]
fn a_clock_that_the_log_is_ahead_of_is_told() {
    let ahead = |seconds: i64| {
        let page = examine(&Ledger::of(&[seconds_ago(event(delivered(&sid(1))), -seconds)]));
        page.outcome("clock").to_owned()
    };
    assert_eq!(ahead(0), "ok");
    assert_eq!(ahead(30), "warn");
    assert_eq!(ahead(7200), "fail");
}

#[test]
fn a_clock_that_was_set_back_is_told_by_the_order_of_arrival() {
    let (before, after) = (seconds_ago(event(delivered(&sid(1))), 60), event(sent(&sid(1))));
    let after = NewEvent {
        received_at: Timestamp::from_micros(before.received_at.micros() - 3_600_000_000),
        ..after
    };
    let page = examine(&Ledger::of(&[before.clone(), after.clone()]));
    assert_eq!(page.outcome("order of arrival"), "warn");
    assert_eq!(
        page.detail("order of arrival"),
        "the clock was set back by 3600 s between positions 1 and 2"
    );

    let noted = [("origin".to_owned(), "elsewhere".to_owned())].into();
    let page = examine(&Ledger::of(&[before.clone(), NewEvent { notes: noted, ..after }, before]));
    assert_eq!(page.outcome("order of arrival"), "ok", "what was recorded later has its own time");
}

#[test]
fn a_backup_is_remembered() {
    let ledger = Ledger::of(&[delivered_just_now()]);
    let copy = tempfile::tempdir().unwrap();
    let file = copy.path().join("copy.db");
    assert!(ledger.run(&["backup", file.to_str().unwrap()]).status.success());

    let page = examine(&ledger);
    assert_eq!(page.outcome("backup"), "ok");
    assert!(page.detail("backup").contains("up to position 1 of 1"), "{}", page.detail("backup"));
    let record = fs::read(ledger.file("ledger.backup.json")).unwrap();
    let record: Value = serde_json::from_slice(&record).unwrap();
    assert_eq!(record["file"], file.canonicalize().unwrap().to_str().unwrap());

    let changed = |name: &str, value: Value| {
        let mut record = record.clone();
        record[name] = value;
        fs::write(ledger.file("ledger.backup.json"), record.to_string()).unwrap();
        let page = examine(&ledger);
        (page.outcome("backup").to_owned(), page.detail("backup").to_owned())
    };
    let (outcome, detail) = changed("ended_at", json!("2026-01-02T03:04:05.000000Z"));
    assert!(outcome == "warn" && detail.contains("days ago"), "{detail}");
    let (_, detail) = changed("ledger_id", json!("019a0000-0000-7000-8000-000000000000"));
    assert_eq!(detail, "none is known", "another ledger was begun at the same place");
    let (outcome, detail) = changed("position", json!(2));
    assert!(outcome == "warn" && detail.contains("shorter than its backup"), "{detail}");
}

#[test]
fn a_backup_that_cannot_be_written_down_is_made_all_the_same() {
    let ledger = Ledger::of(&[delivered_just_now()]);
    fs::create_dir(ledger.file("ledger.backup.json")).unwrap();

    let output = ledger.run(&["backup", "copy.db"]);

    assert!(output.status.success());
    assert!(ledger.file("copy.db").exists());
    assert!(String::from_utf8_lossy(&output.stderr).contains("not written down"));
}

/// `doctor` beside a server, with its addresses.
fn beside(app: &App, arguments: &[&str]) -> Page {
    let (listen, admin) = (app.callbacks().to_string(), app.admin().to_string());
    let addresses = ["--listen", &listen, "--admin-listen", &admin];
    let usual = ["doctor", "--format", "json", "--public-url", "https://hooks.example.com"];
    Page::of(app.command(&[&usual[..], &addresses, arguments].concat()))
}

#[test]
fn a_server_that_runs_says_how_it_is() {
    let app = App::start();
    assert_eq!(app.receive(delivered(&sid(1))).code, 200);
    app.caught_up();

    let page = beside(&app, &["--server"]);

    // The harness writes its files of keys for everybody to read.
    assert_eq!(page.troubles(), ["key files", "backup"]);
    for name in ["ready", "callbacks", "version", "verification", "refusals"] {
        assert_eq!(page.outcome(name), "ok", "{name}");
    }
    assert_eq!(page.detail("refusals"), "0 of 1 callbacks since the server started");
    assert_eq!(page.code, Some(0));
}

#[test]
fn a_server_that_wants_a_token_is_asked_with_one() {
    let app = App::start_in(&[("DELIVERY_LEDGER_API_TOKEN", "long enough to be a token")], &[]);

    let page = beside(&app, &[]);

    assert_eq!(page.outcome("version"), "ok");
    assert!(!page.json.to_string().contains("long enough to be a token"));
}

#[test]
fn refusals_are_told_with_what_they_have_in_common() {
    let app = App::start();
    for _ in 0..12 {
        let forged = app.form("/message-status").body(delivered(&sid(1)));
        let signature = "AAAAAAAAAAAAAAAAAAAAAAAAAAA=";
        assert_eq!(forged.header("X-Twilio-Signature", signature).send(app.callbacks()).code, 403);
    }
    let page = beside(&app, &[]);
    assert_eq!(page.outcome("refusals"), "fail", "nothing was ever stored");
    assert_eq!(
        page.detail("refusals"),
        "12 of 12 callbacks since the server started, 12 of them signature_wrong"
    );

    assert_eq!(app.receive(delivered(&sid(1))).code, 200);
    assert_eq!(beside(&app, &[]).outcome("refusals"), "warn");
}

#[test]
fn a_server_that_is_not_ready_is_a_failed_check_also_in_a_hurry() {
    let mut app = App::start();
    assert_eq!(app.receive(delivered(&sid(1))).code, 200);
    fs::rename(app.log_file(), app.folder().join("moved.db")).unwrap();
    app.eventually("it is noticed", || app.get("/readyz").code == 503);

    let page = beside(&app, &["--quick"]);

    assert_eq!((page.outcome("ready"), page.code), ("fail", Some(3)));
    assert!(page.detail("ready").contains("is not the file that was opened"));
    app.kill();
}

#[test]
fn a_server_that_is_due_and_does_not_answer_is_a_failed_check() {
    let ledger = Ledger::of(&[delivered_just_now()]);
    let quick = |arguments: &[&str]| {
        Page::of(doctor(&ledger.file(""), &[&["--quick"], arguments].concat()))
    };
    assert_eq!((quick(&[]).outcome("ready"), quick(&[]).code), ("warn", Some(0)));
    assert_eq!(
        (quick(&["--server"]).outcome("ready"), quick(&["--server"]).code),
        ("fail", Some(3))
    );

    let _held = ledger.open();
    assert!(quick(&[]).detail("ready").starts_with("a process holds the ledger"));
}

#[test]
fn a_health_check_takes_a_moment_and_looks_at_little() {
    let ledger = Ledger::of(&[delivered_just_now()]);
    let began = Instant::now();

    let page = Page::of(doctor(&ledger.file(""), &["--quick"]));

    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    assert_eq!(page.code, Some(0));
    for name in ["growth", "guards", "stuck messages", "backup", "refusals"] {
        assert!(page.find(name).is_none(), "{name}");
    }
    for name in ["log", "disk", "keys AC0123456789abcdef0123456789abcdef", "ready"] {
        assert!(page.find(name).is_some(), "{name}");
    }
}

#[test]
fn a_server_that_never_answers_does_not_hold_the_page_up() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap().to_string();
    let began = Instant::now();

    let page = Page::of(doctor(&Ledger::new().file(""), &["--quick", "--admin-listen", &address]));

    assert_eq!(page.outcome("ready"), "warn");
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
}

/// A server that says this of itself, until the test ends.
fn pretended(readyz: Value, metrics: &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let mut stream = stream;
            let mut head = [0; 1024];
            let count = stream.read(&mut head).unwrap_or(0);
            let asked = String::from_utf8_lossy(&head[..count]).into_owned();
            let body = match asked.starts_with("GET /metrics") {
                true => metrics.to_owned(),
                false => readyz.to_string(),
            };
            let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
            let _gone = stream.write_all(answer.as_bytes());
        }
    });
    address
}

#[test]
fn a_server_of_another_version_and_what_its_verification_found_are_told() {
    let verified = json!({ "at": "2026-11-23T19:52:01.482317Z", "position": 38, "findings": 2 });
    let readyz = json!({ "ready": true, "head": 38, "checkpoint": 38, "verified": verified });
    let address =
        pretended(readyz, "delivery_ledger_build_info{version=\"9.8.7\"} 1\n").to_string();

    let page = Page::of(doctor(&Ledger::new().file(""), &["--admin-listen", &address]));

    assert_eq!(page.outcome("version"), "warn");
    assert!(page.detail("version").starts_with("the server is 9.8.7"));
    assert_eq!(page.outcome("verification"), "fail");
    assert_eq!(page.detail("verification"), "2026-11-23T19:52:01.482317Z: 2 findings");
}

#[test]
fn another_program_at_the_servers_address_is_not_taken_for_it() {
    let address = pretended(json!({ "hello": "world" }), "").to_string();

    let page = Page::of(doctor(&Ledger::new().file(""), &["--admin-listen", &address]));

    assert_eq!(page.outcome("ready"), "warn");
    assert!(page.find("version").is_none());
}

#[test]
fn callbacks_that_arrive_nowhere_are_told() {
    let app = App::start();
    let admin = app.admin().to_string();
    let page = app.command(&[
        "doctor",
        "--format",
        "json",
        "--listen",
        "127.0.0.1:1",
        "--admin-listen",
        &admin,
    ]);

    assert_eq!(Page::of(page).outcome("callbacks"), "warn");
}

#[test]
fn a_limit_of_open_files_that_shuts_twilio_out_is_told() {
    let ledger = Ledger::new();
    let script = format!(
        "ulimit -n 500; exec {} doctor --quick --format json",
        env!("CARGO_BIN_EXE_delivery-ledger")
    );
    let output = std::process::Command::new("sh")
        .args(["-c", &script])
        .current_dir(ledger.file(""))
        .env_clear()
        .output()
        .unwrap();
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    let page = Page { code: output.status.code(), json };
    assert_eq!(page.outcome("open files"), "warn");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn no_secret_is_ever_on_the_page(
        tokens in prop::collection::vec("[a-zA-Z0-9]{20,40}", 7),
        is_broken in any::<bool>(),
        table in any::<bool>(),
    ) {
        let ledger = Ledger::of(&[delivered_just_now()]);
        for (number, token) in tokens.iter().enumerate() {
            fs::write(ledger.file(&format!("secret-{number}")), token).unwrap();
        }
        // One that is written without quotes is what the file's reader stumbles over.
        let quote = if is_broken { "" } else { "\"" };
        let toml = format!(
            "[accounts.AC1]\nauth_token = {quote}{}{quote}\nauth_token_secondary_file = \"secret-1\"\n\
             shared_keys = {{ key = \"secret-2\" }}\n\
             [api_tokens.one]\ntoken_file = \"secret-3\"\nscope = \"read\"\n",
            tokens[0]
        );
        fs::write(ledger.file("delivery-ledger.toml"), toml).unwrap();
        let format = if table { "table" } else { "json" };
        let output = ledger
            .command(&["doctor", "--format", format, "--admin-listen", "127.0.0.1:1"])
            .env("TWILIO_ACCOUNT_SID", ACCOUNT)
            .env("TWILIO_AUTH_TOKEN", &tokens[4])
            .env("TWILIO_AUTH_TOKEN_SECONDARY", SECONDARY_TOKEN)
            .env("DELIVERY_LEDGER_API_TOKEN", &tokens[5])
            .env("TWILIO_API_KEY", "SK1")
            .env("TWILIO_API_SECRET", &tokens[6])
            .output();
        let page = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        prop_assert!(page.contains("AC1") || is_broken);
        for token in tokens.iter().map(String::as_str).chain([SECONDARY_TOKEN]) {
            prop_assert!(!page.contains(token), "{token} is in\n{page}");
        }
    }
}

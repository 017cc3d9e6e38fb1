//! Situations that users reported publicly, and similar ones: tests/data/reported_cases.json has the input
//! and the expected result of each.
//!
//! `{account}`, `{sid}` and `{padding}` in a case stand for the configured account, a message SID
//! that no other case has, and letters that fill a body up.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use delivery_ledger::domain::{NewEvent, Timestamp};
use delivery_ledger::store::{self, Access, Database};
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;

use crate::support::events::event;
use crate::support::ledger::Ledger;
use crate::support::twilio::{Twilio, resource};
use crate::support::{
    ACCOUNT, App, Request, TOKEN, json_signature, sent, sid as sid_of, signature,
};

/// The message SIDs of cases are numbered from here.
const FIRST_SID: u32 = 0x1_0000;
/// Those of imported records, and of messages that are open.
const FIRST_IMPORTED_SID: u32 = 0x2_0000;
const FIRST_OPEN_SID: u32 = 0x3_0000;

/// The number of polls for a stored request, ten per second.
const KEEPING_LOOKS: u32 = 30;

/// The beginning of the general cause, reported if no specific one was found.
const GENERAL_CAUSE: &str = "a forgery, ";

#[derive(Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
enum Case {
    Callback {
        id: String,
        what: String,
        /// Further arguments of `serve`.
        #[serde(default)]
        serve: Vec<String>,
        requests: Vec<Sent>,
        expect: Expected,
    },
    Cause {
        id: String,
        what: String,
        #[serde(default)]
        serve: Vec<String>,
        signed_url: String,
        request: Sent,
        expect: ExpectedCause,
    },
    Import {
        id: String,
        what: String,
        file: String,
        #[serde(default)]
        args: Vec<String>,
        text: Option<String>,
        base64: Option<String>,
        expect: ExpectedImport,
    },
    Reconcile {
        id: String,
        what: String,
        imported: Option<Imported>,
        /// How many messages are open since yesterday.
        open: u32,
        args: Vec<String>,
        expect: ExpectedRun,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Sent {
    #[serde(default = "post")]
    method: String,
    path: String,
    #[serde(default = "form")]
    content_type: String,
    #[serde(default)]
    body: String,
    /// The body is JSON: its hash goes into the query, and the URL alone is signed.
    #[serde(default)]
    json: bool,
    /// The form's hash goes into the query, as if the user had put it there.
    #[serde(default)]
    own_body_hash: bool,
    #[serde(default)]
    padding: usize,
    #[serde(default)]
    headers: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    status_code: u16,
    /// Members of what `audit` says of a message.
    message: Option<Value>,
    /// A SID of which there is no message.
    no_message: Option<String>,
    /// How many events are stored.
    stored: Option<u64>,
    /// Whether the refusal is in the metrics or on stderr.
    #[serde(default)]
    counted: bool,
    /// Whether the request is kept in the quarantine.
    #[serde(default)]
    kept: bool,
    /// Whether the message is never a stuck one.
    #[serde(default)]
    not_stuck: bool,
    /// Whether lists leave the message out.
    #[serde(default)]
    not_listed: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ExpectedCause {
    status_code: u16,
    /// The cause has this text, and is not the general one.
    cause_contains: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ExpectedImport {
    exit: Option<i32>,
    appended: Option<u64>,
    inbound: Option<u64>,
    reason_contains: Option<String>,
    exit_0_or_reason_contains: Option<String>,
    message: Option<Value>,
}

/// Messages that Twilio's records say are `sent`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Imported {
    count: u32,
    /// Members that are not as usual.
    record: Value,
    /// How long ago they were created.
    hours_ago: Option<i64>,
    /// One record a line instead of a page of a list.
    #[serde(default)]
    lines: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ExpectedRun {
    imported_fetched: Option<usize>,
    open_fetched: Option<usize>,
    listed: bool,
}

fn post() -> String {
    "POST".to_owned()
}

fn form() -> String {
    "application/x-www-form-urlencoded".to_owned()
}

fn cases() -> Vec<Case> {
    let text = include_str!("../../data/reported_cases.json");
    serde_json::from_str(text).expect("the cases are of the form that this module documents")
}

/// Failed expectations with the IDs of their cases.
#[derive(Default)]
struct Failures(Vec<String>);

impl Failures {
    fn expect(&mut self, holds: bool, id: &str, context: impl FnOnce() -> String) {
        if !holds {
            self.0.push(format!("{id}: {}", context()));
        }
    }

    #[track_caller]
    fn are_none(self) {
        assert!(self.0.is_empty(), "{} wrong:\n{}", self.0.len(), self.0.join("\n"));
    }
}

/// Whether a message has these members.
fn has(message: &Value, members: &Value) -> bool {
    let members = members.as_object().unwrap().iter();
    members.filter(|(name, _)| *name != "sid").all(|(name, value)| message[name] == *value)
}

fn filled_in(text: &str, sid: &str, padding: usize) -> String {
    let text = text.replace("{account}", ACCOUNT).replace("{sid}", sid);
    text.replace("{padding}", &"x".repeat(padding))
}

fn hash(body: &str) -> String {
    Sha256::digest(body).iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Sent {
    /// The request, signed over this URL, or else over the public URL with its path.
    fn to(&self, app: &App, sid: &str, signed_url: Option<&str>) -> Request {
        let body = filled_in(&self.body, sid, self.padding);
        let mut target = filled_in(&self.path, sid, 0);
        if self.json || self.own_body_hash {
            target += &format!("?bodySHA256={}", hash(&body));
        }
        let url = signed_url.map_or_else(|| app.url(&target), str::to_owned);
        let signature = match self.json || self.method == "GET" {
            true => json_signature(TOKEN, &url),
            false => signature(TOKEN, &url, body.as_bytes()),
        };
        let kind = if self.json { "application/json" } else { &self.content_type };
        let request = Request::new(&self.method, &target)
            .header("Content-Type", kind)
            .header("X-Twilio-Signature", &signature)
            .body(body);
        self.headers.iter().fold(request, |request, (name, value)| request.header(name, value))
    }
}

/// A server for each set of arguments, made when it is first needed.
#[derive(Default)]
struct Servers(BTreeMap<Vec<String>, App>);

impl Servers {
    fn with(&mut self, arguments: &[String]) -> &App {
        let start = || App::start_with(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
        self.0.entry(arguments.to_vec()).or_insert_with(start)
    }
}

/// How many events the log has.
fn stored(app: &App) -> u64 {
    app.get("/readyz").json()["head"].as_u64().unwrap()
}

/// Refused callbacks by the metrics, and lines on stderr.
fn refusals(app: &App) -> (f64, usize) {
    let metrics = String::from_utf8(app.get("/metrics").body).unwrap();
    let refused = metrics.lines().filter(|line| {
        line.starts_with("delivery_ledger_callbacks_total{") && line.contains("outcome=\"refused\"")
    });
    let counts = refused.map(|line| line.rsplit_once(' ').unwrap().1.parse::<f64>().unwrap());
    (counts.sum(), app.stderr().lines().count())
}

/// How many requests are in the quarantine, whose file may not be made yet.
fn kept(app: &App) -> u64 {
    let output = app.run(&["quarantine", "list", "--format", "json"]);
    let list: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    list["requests"].as_u64().unwrap_or(0)
}

/// Polls until more than this many requests are stored; returns false on a timeout.
fn is_kept(app: &App, before: u64) -> bool {
    (0..KEEPING_LOOKS).any(|_| {
        let kept = kept(app) > before;
        if !kept {
            std::thread::sleep(Duration::from_millis(100));
        }
        kept
    })
}

#[test]
fn reported_callbacks_have_the_expected_result() {
    let mut servers = Servers::default();
    let mut failures = Failures::default();
    let mut never_open = Vec::new();
    for (number, case) in (FIRST_SID..).zip(cases()) {
        let Case::Callback { id, what, serve, requests, expect } = case else { continue };
        let sid = sid_of(number);
        let app = servers.with(&serve);
        let before = (stored(app), refusals(app), if expect.kept { kept(app) } else { 0 });
        for request in requests {
            let code = request.to(app, &sid, None).send(app.callbacks()).code;
            let context = || format!("{what}: answered {code}, not {}", expect.status_code);
            failures.expect(code == expect.status_code, &id, context);
        }
        let stored = stored(app) - before.0;
        failures.expect(expect.stored.is_none_or(|expected| stored == expected), &id, || {
            format!("{what}: {stored} events are stored")
        });
        if let Some(members) = &expect.message {
            let answer = app.get(&format!("/v1/messages/{sid}"));
            let message: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
            failures.expect(answer.code == 200 && has(&message, members), &id, || {
                format!("{what}: {members} is not in {message}")
            });
        }
        if let Some(none) = &expect.no_message {
            let code = app.get(&format!("/v1/messages/{none}")).code;
            failures.expect(code == 404, &id, || format!("{what}: {none} is a message"));
        }
        if expect.counted {
            let now = refusals(app);
            failures.expect(now.0 > before.1.0 || now.1 > before.1.1, &id, || {
                format!("{what}: neither counted nor on stderr")
            });
        }
        if expect.kept {
            failures.expect(is_kept(app, before.2), &id, || format!("{what}: it is not kept"));
        }
        if expect.not_stuck || expect.not_listed {
            never_open.push((id, what, serve, sid, expect));
        }
    }
    // Stuck is what is open for longer than a second.
    servers
        .0
        .values()
        .filter(|app| stored(app) > 0)
        .for_each(App::wait_until_all_events_are_a_second_old);
    for (id, what, serve, sid, expect) in never_open {
        let app = servers.with(&serve);
        app.caught_up();
        let lists = [("/v1/messages?limit=1000", expect.not_listed)];
        let lists = lists.into_iter().chain([("/v1/messages?stuck=1s", expect.not_stuck)]);
        for (list, _) in lists.filter(|(_, matters)| *matters) {
            let messages = app.get(list).json();
            let messages = messages["data"].as_array().unwrap();
            let is_there = messages.iter().any(|message| message["message_sid"] == *sid);
            failures.expect(!is_there, &id, || format!("{what}: it is in {list}"));
        }
    }
    failures.are_none();
}

#[test]
fn reported_signature_failures_are_diagnosed() {
    let mut servers = Servers::default();
    let mut failures = Failures::default();
    for (number, case) in (FIRST_SID..).zip(cases()) {
        let Case::Cause { id, what, serve, signed_url, mut request, expect } = case else {
            continue;
        };
        if request.body.is_empty() {
            request.body = String::from_utf8(sent(&sid_of(number)).bytes()).unwrap();
        }
        let app = servers.with(&serve);
        let before = kept(app);
        let answer = request.to(app, &sid_of(number), Some(&signed_url)).send(app.callbacks());
        failures.expect(answer.code == expect.status_code, &id, || {
            format!("{what}: answered {}", answer.code)
        });
        if !is_kept(app, before) {
            failures.expect(false, &id, || format!("{what}: it is not kept"));
            continue;
        }
        let list = app.json(&["quarantine", "list", "--limit", "1", "--format", "json"]);
        let cause = list["data"][0]["cause"].as_str().unwrap_or("none").to_owned();
        let is_found = cause.contains(&expect.cause_contains) && !cause.starts_with(GENERAL_CAUSE);
        failures.expect(is_found && cause != "none", &id, || format!("{what}: {cause}"));
    }
    failures.are_none();
}

#[test]
fn reported_files_are_imported_or_rejected_with_the_reason() {
    let mut failures = Failures::default();
    for (number, case) in (FIRST_SID..).zip(cases()) {
        let Case::Import { id, what, file, args, text, base64, expect } = case else { continue };
        let sid = sid_of(number);
        let ledger = Ledger::new();
        let content = match (text, base64) {
            (Some(text), _) => filled_in(&text, &sid, 0).into_bytes(),
            (_, base64) => STANDARD.decode(base64.expect("a case has text or base64")).unwrap(),
        };
        std::fs::write(ledger.file(&file), content).unwrap();
        let path = ledger.file(&file);
        let mut arguments = vec!["import", path.to_str().unwrap(), "--report", "json"];
        arguments.extend(args.iter().map(String::as_str));

        let output = ledger.run(&arguments);

        let report: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        let exit = output.status.code();
        let context = || {
            let stderr = String::from_utf8_lossy(&output.stderr);
            format!("{what}: exit {exit:?}, {report}, {stderr}")
        };
        let refusals = report["refusals"].as_array().into_iter().flatten();
        let reasons: String = refusals.map(|refusal| refusal["reason"].to_string()).collect();
        let counted = |name: &str, expected: Option<u64>| {
            expected.is_none_or(|expected| report[name].as_u64() == Some(expected))
        };
        let reasons = reasons.to_lowercase();
        let names = |part: &Option<String>| {
            part.as_ref().is_none_or(|part| reasons.contains(&part.to_lowercase()))
        };
        let as_expected = expect.exit.is_none_or(|expected| exit == Some(expected))
            && counted("appended", expect.appended)
            && counted("inbound", expect.inbound)
            && names(&expect.reason_contains)
            && (exit == Some(0) || names(&expect.exit_0_or_reason_contains));
        failures.expect(as_expected, &id, context);
        if let Some(members) = &expect.message {
            let output = ledger.run(&["audit", &sid, "--format", "json"]);
            let message: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
            failures.expect(has(&message, members), &id, || {
                format!("{what}: {members} is not in {message}")
            });
        }
    }
    failures.are_none();
}

impl Imported {
    /// The file with the records; the fake has the same messages.
    fn file(&self, twilio: &Twilio) -> String {
        let records = (0..self.count).map(|number| {
            let sid = sid_of(FIRST_IMPORTED_SID + number);
            let mut record = resource(&sid, "sent");
            if let Some(hours) = self.hours_ago {
                let then = OffsetDateTime::now_utc() - time::Duration::hours(hours);
                let then = then.format(&Rfc2822).unwrap();
                record["date_created"] = json!(then);
                record["date_sent"] = json!(then);
            }
            for (name, value) in self.record.as_object().unwrap() {
                record[name] = value.clone();
            }
            if self.hours_ago.is_some() {
                twilio.has_with(&sid, "sent", record.clone());
            }
            record
        });
        let records: Vec<_> = records.collect();
        match self.lines {
            true => records.iter().map(|record| format!("{record}\n")).collect(),
            false => json!({ "messages": records, "next_page_uri": null }).to_string(),
        }
    }
}

#[test]
fn reported_reconcile_cases_fetch_only_messages_that_can_change() {
    let mut failures = Failures::default();
    for case in cases() {
        let Case::Reconcile { id, what, imported, open, args, expect } = case else { continue };
        let twilio = Twilio::start();
        let (name, url) = twilio.variable();
        let app = App::not_started(&[(name, &url), ("TWILIO_API_TIMEOUT", "5s")]);
        let log = store::open(&Database::Sqlite(app.log_file()), Access::Create).unwrap();
        let yesterday = Timestamp::from(OffsetDateTime::now_utc() - time::Duration::hours(20));
        let open_sids: Vec<_> = (0..open).map(|number| sid_of(FIRST_OPEN_SID + number)).collect();
        let events = open_sids.iter().map(|sid| {
            twilio.has(sid, "delivered");
            NewEvent { received_at: yesterday, ..event(sent(sid)) }
        });
        log.append(&events.collect::<Vec<_>>()).unwrap();
        drop(log);
        if let Some(imported) = &imported {
            std::fs::write(app.folder().join("records"), imported.file(&twilio)).unwrap();
            let output = app.run(&["import", "records"]);
            assert!(output.status.success(), "{id}: {}", String::from_utf8_lossy(&output.stderr));
        }
        let mut arguments = vec!["reconcile", "--format", "json", "--account-sid", ACCOUNT];
        arguments.extend(args.iter().map(String::as_str));

        let output = app.run(&arguments);

        let requests = twilio.requests();
        let fetched = |first: u32, count: u32| {
            let is_asked =
                |sid: &String| requests.iter().any(|request| request.contains(sid.as_str()));
            (first..first + count).map(sid_of).filter(is_asked).count()
        };
        let counts = (
            fetched(FIRST_IMPORTED_SID, imported.map_or(0, |imported| imported.count)),
            fetched(FIRST_OPEN_SID, open),
            requests.iter().any(|request| request.contains("/Messages.json?")),
        );
        let as_expected = expect.imported_fetched.is_none_or(|expected| counts.0 == expected)
            && expect.open_fetched.is_none_or(|expected| counts.1 == expected)
            && counts.2 == expect.listed;
        failures.expect(as_expected, &id, || {
            let stderr = String::from_utf8_lossy(&output.stderr);
            format!("{what}: (imported fetched, open fetched, listed) is {counts:?}; {stderr}")
        });
    }
    failures.are_none();
}

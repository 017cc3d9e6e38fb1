//! Makes a ledger with this version; tests/data/ledgers/make stores one for each release.
//!
//! The traffic is always the same; identifiers, salts and times differ from run to run.

use std::fs::{read, write};
use std::io::Write;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::release::{audits, facts, ndjson};
use crate::support::twilio::{Twilio, resource};
use crate::support::{
    ACCOUNT, App, MessageBody, OTHER_ACCOUNT, Request, SHARED_KEY, TOKEN, delivered, failed,
    json_signature, sent, shared_key_signature, sid, signature, status,
};

/// The public URL of the ledger's callbacks.
pub const PUBLIC_URL: &str = "https://hooks.example.com";
/// Another public URL, which is not configured while the server runs.
pub const OTHER_URL: &str = "https://other.example.com";
/// Rechecks the quarantine with both public URLs.
pub const RECHECK: [&str; 8] = [
    "quarantine",
    "recheck",
    "--public-url",
    PUBLIC_URL,
    "--public-url",
    OTHER_URL,
    "--format",
    "json",
];
/// More than the 256 events of one node that the views keep of the tree.
const MESSAGES: u32 = 130;

/// Fills a folder with the files of a ledger, and with what this version says about it.
pub fn make(folder: &Path) {
    let twilio = Twilio::start();
    let (name, url) = twilio.variable();
    let mut app = App::not_started(&[(name, &url), ("TWILIO_API_TIMEOUT", "5s")]);

    imported_and_sent(&app);
    app.restart();
    recovered_from_the_quarantine(&app);
    every_kind_of_callback(&app);
    app.stop();
    assert_eq!(app.json(&RECHECK)["appended"], 2);
    let backup = app.json(&["backup", "backup.db", "--format", "json"]);
    app.restart();
    for number in 0..MESSAGES {
        app.receive(sent(&sid(0x1000 + number)));
        app.receive(delivered(&sid(0x1000 + number)));
    }
    left_in_the_quarantine(&app);
    app.caught_up();
    app.stop();
    reconciled(&app, &twilio);
    // Not projected: the views of the ledger are one event behind.
    corrected_by_import(&app);

    let links = pack_ledger(app.folder(), &folder.join("ledger"));
    pack(&read(app.folder().join("backup.db")).unwrap(), &folder.join("backup.db.gz"));
    let export = |what: &str| app.run(&["export", what]).stdout;
    pack(&export("events"), &folder.join("events.ndjson.gz"));
    pack(&export("messages"), &folder.join("messages.ndjson.gz"));
    pack(ndjson(&audits(&app)).as_bytes(), &folder.join("audits.ndjson.gz"));
    let verified = app.json(&["verify", "--format", "json"]);
    let quarantine = app.json(&["quarantine", "list", "--format", "json"]);
    let expected = json!({
        "root": line(&verified["head"], &verified["hash"]),
        "backup": line(&backup["head"], &backup["hash"]),
        "quarantine": facts(quarantine["data"].clone()),
        "links": links,
    });
    write(folder.join("expected.json"), format!("{expected:#}\n")).unwrap();
}

fn imported_and_sent(app: &App) {
    let records = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/import/page.json");
    app.json(&["import", records, "--report", "json"]);
    let public = ["--public-url", PUBLIC_URL, "--format", "json"];
    let message = ["send", "--to", "+15558675310", "--from", "+15017250604", "--body", "Hello"];
    app.json(&[&message[..], &public].concat());
    // Twilio rejects this number.
    app.run(&["send", "--to", "+15005550001", "--from", "+15017250604", "--body", "Hello"]);
}

/// These are in the log, from the quarantine.
fn recovered_from_the_quarantine(app: &App) {
    signed_for_another_url(app, [sent(&sid(0x101)), delivered(&sid(0x101))]);
    app.eventually("the quarantine has them", || {
        app.json(&["quarantine", "list", "--format", "json"])["requests"] == 2
    });
}

/// Two that verify with [`OTHER_URL`], and a forged one.
fn left_in_the_quarantine(app: &App) {
    signed_for_another_url(app, [sent(&sid(0x102)), delivered(&sid(0x102))]);
    let forged = app.form("/message-status").header("X-Twilio-Signature", "AAAA");
    assert_eq!(forged.body(failed(&sid(0x103), "30007")).send(app.callbacks()).code, 403);
}

fn signed_for_another_url(app: &App, bodies: [MessageBody; 2]) {
    for body in bodies.map(|body| body.bytes()) {
        let signature = signature(TOKEN, &format!("{OTHER_URL}/message-status"), &body);
        let request = app.form("/message-status").header("X-Twilio-Signature", &signature);
        assert_eq!(request.body(body).send(app.callbacks()).code, 403);
    }
}

/// Late, duplicate, conflicting, unknown, tagged, inbound, without a message, of two accounts, in JSON, not
/// in UTF-8, signed with each kind of key.
fn every_kind_of_callback(app: &App) {
    let receive = |bodies: &[MessageBody]| {
        bodies.iter().for_each(|body| assert_eq!(app.receive(body.clone()).code, 200));
    };
    let [usual, late, conflict, unknown, read, error] =
        [0x201, 0x202, 0x203, 0x204, 0x205, 0x206].map(sid);
    receive(&[status(&usual, "queued"), sent(&usual), delivered(&usual)]);
    receive(&[delivered(&late), sent(&late)]);
    let undelivered = status(&conflict, "undelivered").with("ErrorCode", "30005");
    receive(&[sent(&conflict), undelivered, delivered(&conflict)]);
    receive(&[sent(&unknown), status(&unknown, "teleported")]);
    let whatsapp = |status: MessageBody| {
        status.with("To", "whatsapp:+447700900123").with("From", "whatsapp:+14155238886")
    };
    receive(&[whatsapp(sent(&read)), whatsapp(delivered(&read)), whatsapp(status(&read, "read"))]);
    receive(&[sent(&error), failed(&error, "30003").with("ErrorMessage", "Unreachable")]);
    receive(&[sent(&sid(0x207)).with("MessagingServiceSid", "MG0123456789abcdef0123456789abcdef")]);
    receive(&[status(&sid(0x208), "x").without("MessageStatus").with("SmsStatus", "received")]);
    receive(&[sent("").without("MessageSid").without("SmsSid")]);
    assert_eq!(app.receive_of_other_account(delivered(&sid(0x209))).code, 200);
    for _ in 0..2 {
        let form = signed(app, "/message-status", &delivered(&sid(0x20a)).bytes());
        let form =
            form.header("I-Twilio-Idempotency-Token", "32e709c9-0e95-47c0-8f0d-c6c868cf6241");
        assert_eq!(form.send(app.callbacks()).code, 200);
    }
    for body in [sent(&sid(0x20b)), delivered(&sid(0x20b))] {
        assert_eq!(app.receive_at("/message-status?campaign=spring&order=17", body).code, 200);
    }
    let not_utf8 = [&sent(&sid(0x20c)).bytes()[..], b"&Note=%FF\xff"].concat();
    let form =
        signed(app, "/message-status", &not_utf8).header("X-Twilio-Note", &"long ".repeat(60));
    assert_eq!(form.send(app.callbacks()).code, 200);
    json_body(app);
    by_shared_key(app);
}

fn signed(app: &App, target: &str, body: &[u8]) -> Request {
    let signature = signature(TOKEN, &app.url(target), body);
    app.form(target).header("X-Twilio-Signature", &signature).body(body)
}

fn json_body(app: &App) {
    let body = json!({"MessageSid": sid(0x20d), "AccountSid": ACCOUNT, "MessageStatus": "sent"});
    let body = body.to_string();
    let hash = Sha256::digest(&body).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let target = format!("/message-status?bodySHA256={hash}");
    let request = Request::new("POST", &target)
        .header("Content-Type", "application/json")
        .header("X-Twilio-Signature", &json_signature(TOKEN, &app.url(&target)));
    assert_eq!(request.body(body).send(app.callbacks()).code, 200);
}

fn by_shared_key(app: &App) {
    let body = delivered(&sid(0x20e)).with("AccountSid", OTHER_ACCOUNT).bytes();
    let signature = shared_key_signature(SHARED_KEY, &app.url("/message-status"), &body);
    let request = app.form("/message-status").header("X-Twilio-Signature", &signature).header(
        "X-Twilio-Webhooks-Signature-Settings",
        "key=webhooks_sharedkey_01,algorithm=HMAC_SHA256",
    );
    assert_eq!(request.body(body).send(app.callbacks()).code, 200);
}

/// Twilio knows more of one message than its callbacks have reported.
fn reconciled(app: &App, twilio: &Twilio) {
    twilio.has(&sid(0x207), "delivered");
    app.wait_until_all_events_are_a_second_old();
    let reconcile = ["reconcile", "--account-sid", ACCOUNT, "--format", "json"];
    let summary = app.json(&[&reconcile[..], &["--older-than", "1s", "--no-list"]].concat());
    assert_ne!(summary["appended"], 0, "{summary}");
}

/// A record of Twilio's about a message whose callbacks ended with `sent`.
fn corrected_by_import(app: &App) {
    let mut record = resource(&sid(0x20c), "undelivered");
    record["error_code"] = json!(30006);
    write(app.folder().join("record.json"), record.to_string()).unwrap();
    let imported = app.json(&["import", "record.json", "--report", "json"]);
    assert_eq!(imported["appended"], 1, "{imported}");
}

/// `POSITION:HASH`, as `verify --expect` takes it.
fn line(head: &Value, hash: &Value) -> String {
    format!("{head}:{}", hash.as_str().unwrap())
}

/// The ends of names of files that say something about this machine, not about the events.
const LEFT_OUT: [&str; 4] = ["-shm", ".lock", ".backup.json", ".access.jsonl"];

/// Packs each file of the ledger that has content, and returns its symbolic links.
fn pack_ledger(from: &Path, to: &Path) -> Map<String, Value> {
    let mut links = Map::new();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if !name.starts_with("ledger.") || LEFT_OUT.iter().any(|end| name.ends_with(end)) {
            continue;
        }
        if path.is_symlink() {
            let target = std::fs::read_link(&path).unwrap();
            links.insert(name.to_owned(), json!(target));
        } else if path.metadata().unwrap().len() > 0 {
            pack(&read(&path).unwrap(), &to.join(format!("{name}.gz")));
        }
    }
    links
}

fn pack(content: &[u8], to: &Path) {
    std::fs::create_dir_all(to.parent().unwrap()).unwrap();
    let mut packed = GzEncoder::new(std::fs::File::create(to).unwrap(), Compression::best());
    packed.write_all(content).unwrap();
    packed.finish().unwrap();
}

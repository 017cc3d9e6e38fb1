//! Reloading keys and tokens while a server runs.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::symlink;
use std::time::Instant;

use rustix::fs::{CWD, FileType, Mode, mknodat};
use rustix::process::Signal;

use crate::support::{
    ACCOUNT, App, OTHER_ACCOUNT, OTHER_TOKEN, Request, Response, SECONDARY_TOKEN, SHARED_KEY,
    TOKEN, delivered, sent, shared_key_signature, sid, signature,
};

/// A token that was never configured before.
const NEW_TOKEN: &str = "99999999999999999999999999999999";

/// A callback of the second account, whose keys are in files, signed with this token.
fn signed_with(app: &App, token: &str) -> u16 {
    signed_for(app, OTHER_ACCOUNT, token)
}

fn signed_for(app: &App, account: &str, token: &str) -> u16 {
    let body = sent(&sid(1)).with("AccountSid", account).bytes();
    let signature = signature(token, &app.url("/message-status"), &body);
    send(app, &[("X-Twilio-Signature", &signature)], body).code
}

fn signed_with_shared_key(app: &App, secret: &str) -> u16 {
    let body = sent(&sid(1)).with("AccountSid", OTHER_ACCOUNT).bytes();
    let signature = shared_key_signature(secret, &app.url("/message-status"), &body);
    let settings = "key=webhooks_sharedkey_01,algorithm=HMAC_SHA256";
    let headers =
        [("X-Twilio-Signature", &*signature), ("X-Twilio-Webhooks-Signature-Settings", settings)];
    send(app, &headers, body).code
}

fn send(app: &App, headers: &[(&str, &str)], body: Vec<u8>) -> Response {
    let request = app.form("/message-status").body(body);
    let add = |request: Request, (name, value): &(&str, &str)| request.header(name, value);
    headers.iter().fold(request, add).send(app.callbacks())
}

fn write(app: &App, name: &str, text: &str) {
    fs::write(app.folder().join(name), text).unwrap();
}

/// How often keys were read again with this outcome.
fn reloads(app: &App, outcome: &str) -> u64 {
    let text = String::from_utf8(app.get("/metrics").body).unwrap();
    let series = format!("delivery_ledger_key_reloads_total{{outcome=\"{outcome}\"}} ");
    text.lines().find_map(|line| line.strip_prefix(&series)).unwrap().parse().unwrap()
}

/// Sends SIGHUP, and waits until the keys have been reloaded.
fn reread(app: &App) {
    let count = || reloads(app, "ok") + reloads(app, "failed");
    let before = count();
    app.signal(Signal::HUP);
    app.eventually("the keys are read again", || count() > before);
}

#[test]
fn sighup_reloads_keys_without_interrupting_anything() {
    let app = App::start();
    assert_eq!(signed_with(&app, OTHER_TOKEN), 200);
    write(&app, "other-token", NEW_TOKEN);

    reread(&app);

    assert_eq!(signed_with(&app, NEW_TOKEN), 200);
    assert_eq!(signed_with(&app, OTHER_TOKEN), 403);
    let stderr = app.stderr();
    let line = format!("keys were read again: {OTHER_ACCOUNT}: primary token changed");
    assert!(stderr.contains(&line), "{stderr}");
    assert!(!stderr.contains(NEW_TOKEN) && !stderr.contains(OTHER_TOKEN));
}

#[test]
fn sighup_without_a_change_is_logged() {
    let app = App::start();

    reread(&app);

    app.eventually("it is logged", || app.stderr().contains("none has changed"));
    assert_eq!(signed_with(&app, OTHER_TOKEN), 200);
    assert_eq!(signed_for(&app, ACCOUNT, TOKEN), 200);
}

#[test]
fn a_changed_key_file_is_noticed_without_a_signal() {
    let app = App::start();
    write(&app, "other-token", NEW_TOKEN);

    app.eventually("the new token fits", || signed_with(&app, NEW_TOKEN) == 200);

    assert_eq!(signed_with(&app, OTHER_TOKEN), 403);
}

/// A server reads its keys first and opens its ledger then, which may take a while.
#[test]
fn a_key_file_changed_during_startup_is_noticed() {
    let app = App::not_started(&[]);
    let addresses = ["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"];
    // The server reads the token from a pipe, and finds another in the file from then on.
    let token = app.folder().join("other-token");
    fs::remove_file(&token).unwrap();
    mknodat(CWD, &token, FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
    let mut starting = app.command(&[&["serve"], &addresses[..]].concat()).spawn();
    let mut pipe = fs::OpenOptions::new().write(true).open(&token).unwrap();
    write(&app, "new-token", NEW_TOKEN);
    fs::rename(app.folder().join("new-token"), token).unwrap();
    pipe.write_all(OTHER_TOKEN.as_bytes()).unwrap();
    drop(pipe);

    let lines = BufReader::new(starting.stderr.take().unwrap()).lines().map_while(Result::ok);
    let noticed = lines.take(8).any(|line| line.contains("primary token changed"));
    starting.kill().unwrap();
    starting.wait().unwrap();
    assert!(noticed);
}

#[test]
fn a_changed_symbolic_link_to_a_key_is_noticed() {
    // As Kubernetes does: the file is a link through a folder that is itself a link.
    let mut app = App::not_started(&[]);
    let folder = |name: &str, token: &str| {
        fs::create_dir(app.folder().join(name)).unwrap();
        write(&app, &format!("{name}/token"), token);
    };
    folder("..1", OTHER_TOKEN);
    folder("..2", NEW_TOKEN);
    symlink("..1", app.folder().join("..data")).unwrap();
    fs::remove_file(app.folder().join("other-token")).unwrap();
    symlink("..data/token", app.folder().join("other-token")).unwrap();
    app.restart();
    assert_eq!(signed_with(&app, OTHER_TOKEN), 200);

    symlink("..2", app.folder().join("..data_tmp")).unwrap();
    fs::rename(app.folder().join("..data_tmp"), app.folder().join("..data")).unwrap();

    app.eventually("the new token fits", || signed_with(&app, NEW_TOKEN) == 200);
}

#[test]
fn a_token_file_named_by_the_environment_is_reloaded() {
    let mut app =
        App::not_started(&[("TWILIO_AUTH_TOKEN", ""), ("TWILIO_AUTH_TOKEN_FILE", "own-token")]);
    write(&app, "own-token", TOKEN);
    app.restart();
    assert_eq!(signed_for(&app, ACCOUNT, TOKEN), 200);
    write(&app, "own-token", &format!("{NEW_TOKEN}\n"));

    reread(&app);

    assert_eq!(signed_for(&app, ACCOUNT, NEW_TOKEN), 200);
    assert_eq!(signed_for(&app, ACCOUNT, SECONDARY_TOKEN), 200, "as before");
}

/// Twilio's regions sign with their own tokens; regression: only two tokens could be configured.
#[test]
fn any_number_of_named_tokens_are_reloaded() {
    let app = App::start();
    app.configure("auth_tokens = { ie1 = \"ie1-token\", au1 = \"au1-token\" }\n");
    write(&app, "ie1-token", SECONDARY_TOKEN);
    write(&app, "au1-token", &format!("{}\n", "a".repeat(32)));
    reread(&app);

    for token in [OTHER_TOKEN, SECONDARY_TOKEN, &"a".repeat(32)] {
        assert_eq!(signed_with(&app, token), 200);
    }
    let by: Vec<_> = app.events().iter().map(|event| event["verified_by"].clone()).collect();
    assert_eq!(by, ["primary", "ie1", "au1"]);

    write(&app, "ie1-token", NEW_TOKEN);
    reread(&app);
    assert_eq!(signed_with(&app, SECONDARY_TOKEN), 403, "it was exchanged");
    assert_eq!(signed_with(&app, NEW_TOKEN), 200);
    assert!(app.stderr().contains(&format!("{OTHER_ACCOUNT}: token ie1 changed")));

    write(&app, "ie1-token", "half");
    reread(&app);
    assert_eq!(signed_with(&app, NEW_TOKEN), 200, "half a token takes nothing away");
}

#[test]
fn a_token_can_be_rotated_through_the_secondary_without_rejections() {
    let app = App::start();
    app.configure("auth_token_secondary_file = \"next-token\"\n");
    write(&app, "next-token", NEW_TOKEN);
    reread(&app);
    assert_eq!(signed_with(&app, OTHER_TOKEN), 200, "before it is promoted");
    assert_eq!(signed_with(&app, NEW_TOKEN), 200, "after it was");

    write(&app, "other-token", NEW_TOKEN);
    let without = fs::read_to_string(app.folder().join("delivery-ledger.toml")).unwrap();
    let without = without.replace("auth_token_secondary_file = \"next-token\"\n", "");
    write(&app, "delivery-ledger.toml", &without);
    reread(&app);

    assert_eq!(signed_with(&app, NEW_TOKEN), 200);
    assert_eq!(signed_with(&app, OTHER_TOKEN), 403);
    let by: Vec<_> = app.events().iter().map(|event| event["verified_by"].clone()).collect();
    assert_eq!(by, ["primary", "secondary", "primary"]);
}

#[test]
fn shared_keys_are_reloaded() {
    let app = App::start();
    assert_eq!(signed_with_shared_key(&app, SHARED_KEY), 200);
    write(&app, "shared-key", "another secret");

    reread(&app);

    assert_eq!(signed_with_shared_key(&app, "another secret"), 200);
    assert_eq!(signed_with_shared_key(&app, SHARED_KEY), 403);
    assert!(app.stderr().contains("shared key webhooks_sharedkey_01 changed"));
}

#[test]
fn accounts_can_be_added_and_removed_in_the_configuration_file() {
    let app = App::start();
    let path = app.folder().join("delivery-ledger.toml");
    let before = fs::read_to_string(&path).unwrap();
    let third = "AC00000000000000000000000000000003";
    app.configure(&format!("[accounts.{third}]\nauth_token_file = \"third-token\"\n"));
    write(&app, "third-token", NEW_TOKEN);

    reread(&app);
    assert_eq!(signed_for(&app, third, NEW_TOKEN), 200);

    fs::write(&path, before).unwrap();
    reread(&app);
    assert_eq!(signed_for(&app, third, NEW_TOKEN), 403);
    let stderr = app.stderr();
    assert!(stderr.contains(&format!("{third}: added")), "{stderr}");
    assert!(stderr.contains(&format!("{third}: removed")), "{stderr}");
}

#[test]
fn an_invalid_key_file_keeps_the_old_key() {
    let app = App::start();
    let broken = |text: &[u8], reason: &str| {
        let failed = reloads(&app, "failed");
        fs::write(app.folder().join("other-token"), text).unwrap();
        app.eventually("it is noticed", || reloads(&app, "failed") > failed);
        assert_eq!(signed_with(&app, OTHER_TOKEN), 200, "{reason}");
        app.eventually("it is logged", || app.stderr().contains(reason));
    };
    broken(b"", "other-token is empty");
    broken(b"\xff\xfe", "cannot read the secret in other-token");
    broken(&OTHER_TOKEN.as_bytes()[..20], "does not have the form of Twilio's tokens");
    let stderr = app.stderr();
    assert!(!stderr.contains(&OTHER_TOKEN[..20]), "a part of a token is logged");

    // Nor does one that is gone; and once it is right it is taken, without a signal.
    fs::remove_file(app.folder().join("other-token")).unwrap();
    reread(&app);
    assert_eq!(signed_with(&app, OTHER_TOKEN), 200);
    write(&app, "other-token", NEW_TOKEN);
    app.eventually("the new token fits", || signed_with(&app, NEW_TOKEN) == 200);
}

#[test]
fn one_accounts_invalid_key_file_does_not_block_anothers_reload() {
    let mut app =
        App::not_started(&[("TWILIO_AUTH_TOKEN", ""), ("TWILIO_AUTH_TOKEN_FILE", "own-token")]);
    write(&app, "own-token", TOKEN);
    app.restart();
    write(&app, "other-token", "");
    write(&app, "own-token", NEW_TOKEN);

    reread(&app);

    assert_eq!(signed_for(&app, ACCOUNT, NEW_TOKEN), 200);
    assert_eq!(signed_with(&app, OTHER_TOKEN), 200);
}

#[test]
fn an_unreadable_configuration_changes_nothing() {
    let app = App::start();
    app.configure("auth_token = 12345678901234567890\n");

    reread(&app);

    assert_eq!(signed_with(&app, OTHER_TOKEN), 200);
    assert_eq!(signed_for(&app, ACCOUNT, TOKEN), 200);
    let stderr = app.stderr();
    assert!(stderr.contains("delivery-ledger.toml: line 4"), "{stderr}");
    assert!(!stderr.contains("1234567890"), "{stderr}");
}

#[test]
fn an_empty_configuration_removes_no_account() {
    let app = App::start();
    write(&app, "delivery-ledger.toml", "");

    reread(&app);

    assert_eq!(signed_with(&app, OTHER_TOKEN), 200);
    assert!(app.stderr().contains("delivery-ledger.toml is empty"), "{}", app.stderr());
}

#[test]
fn an_unchanged_error_is_logged_once() {
    let app = App::start();
    write(&app, "other-token", "");
    app.eventually("it is logged", || app.stderr().contains("other-token is empty"));

    // Another file that changes makes the server read all of them again.
    for reads in 2..=3 {
        app.configure("# a comment\n");
        app.eventually("the files are read again", || reloads(&app, "failed") == reads);
    }

    assert_eq!(app.stderr().matches("other-token is empty").count(), 1);
}

#[test]
fn api_tokens_are_reloaded_and_never_all_removed() {
    let mut app = App::not_started(&[("DELIVERY_LEDGER_API_TOKEN_FILE", "api-token")]);
    write(&app, "api-token", "the first of the tokens");
    app.restart();
    let code = |token: &str| {
        let bearer = format!("Bearer {token}");
        Request::new("GET", "/v1/messages").header("Authorization", &bearer).send(app.admin()).code
    };
    assert_eq!(code("the first of the tokens"), 200);

    write(&app, "api-token", "another of the tokens");
    app.eventually("it is logged", || app.stderr().contains("keys were read again: API tokens"));
    assert_eq!(code("another of the tokens"), 200);
    assert_eq!(code("the first of the tokens"), 401);

    write(&app, "api-token", "");
    app.eventually("it is logged", || app.stderr().contains("the API tokens stay in use"));
    assert_eq!(code("another of the tokens"), 200);
    assert_eq!(code("no token at all"), 401);
}

#[test]
fn twenty_key_rotations_under_load_reject_no_callback() {
    let app = App::start();
    let tokens = [OTHER_TOKEN, NEW_TOKEN];
    // Both are accepted all the time: one is the primary, the other the secondary.
    app.configure("auth_token_secondary_file = \"next-token\"\n");
    write(&app, "next-token", NEW_TOKEN);
    reread(&app);
    let done = std::sync::atomic::AtomicBool::new(false);
    let acknowledged = std::thread::scope(|scope| {
        let traffic = scope.spawn(|| {
            let mut acknowledged = 0;
            while !done.load(std::sync::atomic::Ordering::Relaxed) {
                let number = acknowledged;
                let body = delivered(&sid(number)).with("AccountSid", OTHER_ACCOUNT).bytes();
                let token = tokens[number as usize % 2];
                let signature = signature(token, &app.url("/message-status"), &body);
                let answer = send(&app, &[("X-Twilio-Signature", &signature)], body);
                assert_eq!(answer.code, 200, "callback {number}");
                acknowledged += 1;
            }
            acknowledged
        });
        for round in 0..20 {
            // Renamed into place, as one changes a file in use.
            for (name, token) in
                [("other-token", tokens[(round + 1) % 2]), ("next-token", tokens[round % 2])]
            {
                write(&app, "in-the-making", token);
                fs::rename(app.folder().join("in-the-making"), app.folder().join(name)).unwrap();
            }
            reread(&app);
        }
        done.store(true, std::sync::atomic::Ordering::Relaxed);
        traffic.join().unwrap()
    });
    assert!(acknowledged > 20, "{acknowledged}");
    assert_eq!(app.events().len(), acknowledged as usize);
    assert!(reloads(&app, "ok") >= 21);
}

#[test]
fn the_time_of_the_last_reload_is_a_metric() {
    let app = App::start();
    let at = || {
        let text = String::from_utf8(app.get("/metrics").body).unwrap();
        let series = "delivery_ledger_key_reload_timestamp_seconds ";
        let value = text.lines().find_map(|line| line.strip_prefix(series)).unwrap();
        value.parse::<f64>().unwrap()
    };
    assert_eq!(at(), 0.0);
    let began = Instant::now();

    reread(&app);

    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    assert!((now.as_secs_f64() - at()) < began.elapsed().as_secs_f64() + 1.0);
}

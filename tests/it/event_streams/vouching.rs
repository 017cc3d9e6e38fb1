//! Who may sign CloudEvents: an account for itself, its subaccounts, and accounts that are not configured.

use serde_json::Value;

use super::{PATH, cloud_event, of_account, send};
use crate::support::{ACCOUNT, App, OTHER_ACCOUNT, OTHER_TOKEN, TOKEN, sid};

const UNKNOWN: &str = "AC00000000000000000000000000000009";

fn delivered_of(account_sid: &str, number: u32) -> String {
    cloud_event(account_sid, &format!("EZ{number}"), &sid(number), "delivered").to_string()
}

/// The note `signed_by` of each event.
fn signed_by(app: &App) -> Vec<Value> {
    app.events().iter().map(|event| event["notes"]["signed_by"].clone()).collect()
}

#[test]
fn an_event_of_another_configured_account_is_kept_and_is_no_evidence() {
    let app = App::start();
    let each = [ACCOUNT, OTHER_ACCOUNT, UNKNOWN].into_iter().zip(1..);
    let each: Vec<_> = each.map(|(account, number)| delivered_of(account, number)).collect();

    assert_eq!(send(&app, PATH, TOKEN, &format!("[{}]", each.join(","))).code, 200);

    assert_eq!(signed_by(&app), [Value::Null, ACCOUNT.into(), Value::Null]);
    let mut known: Vec<_> =
        app.messages().iter().map(|message| message["message_sid"].clone()).collect();
    known.sort_by_key(Value::to_string);
    assert_eq!(known, [sid(1), sid(3)]);
}

#[test]
fn a_single_cloud_event_needs_the_signature_of_its_account_to_be_evidence() {
    let app = App::start();
    let theirs = delivered_of(OTHER_ACCOUNT, 1);

    assert_eq!(send(&app, PATH, OTHER_TOKEN, &theirs).code, 200);
    assert_eq!(send(&app, PATH, TOKEN, &theirs).code, 200);
    assert_eq!(send(&app, PATH, "no token of ours", &theirs).code, 403);

    assert_eq!(signed_by(&app), [Value::Null, ACCOUNT.into()]);
    assert_eq!(app.message(&sid(1))["events"], 1);
}

#[test]
fn a_parent_signs_for_its_subaccount_and_not_the_other_way_round() {
    let mut app = App::not_started(&[]);
    app.configure(&format!("parent = \"{ACCOUNT}\"\n"));
    app.restart();
    let both = format!("[{},{}]", delivered_of(ACCOUNT, 1), delivered_of(OTHER_ACCOUNT, 2));

    assert_eq!(send(&app, PATH, TOKEN, &both).code, 200);
    assert_eq!(send(&app, PATH, OTHER_TOKEN, &both).code, 200);

    assert_eq!(signed_by(&app), [Value::Null, Value::Null, OTHER_ACCOUNT.into(), Value::Null]);
}

#[test]
fn accounts_with_the_same_token_sign_for_each_other() {
    let mut app = App::not_started(&[]);
    std::fs::write(app.folder().join("other-token"), TOKEN).unwrap();
    app.restart();

    assert_eq!(send(&app, PATH, TOKEN, &delivered_of(OTHER_ACCOUNT, 1)).code, 200);

    assert_eq!(signed_by(&app), [Value::Null]);
}

/// Regression: only elements with the form of CloudEvents were checked, so the holder of any token could
/// report clicks on the messages of every account.
#[test]
fn a_click_in_an_array_needs_a_signer_too() {
    let app = App::start();
    let message = sid(1);
    let click = format!(
        r#"{{"event_type":"click","sms_sid":"{message}","account_sid":"{OTHER_ACCOUNT}","link":"https://a.example"}}"#
    );

    let array = format!("[{},{click}]", of_account("EZ2", &sid(2), "sent"));
    assert_eq!(send(&app, PATH, TOKEN, &array).code, 200);
    assert_eq!(send(&app, PATH, TOKEN, &click).code, 403, "alone, its own account has to sign it");

    assert_eq!(signed_by(&app), [Value::Null, ACCOUNT.into()]);
    assert_eq!(app.messages().len(), 1);
}

#[test]
fn a_parent_has_to_be_another_configured_account() {
    for parent in [OTHER_ACCOUNT, UNKNOWN, "AC1"] {
        let app = App::not_started(&[]);
        app.configure(&format!("parent = \"{parent}\"\n"));
        let output =
            app.run(&["serve", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]);
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success(), "{stderr}");
        assert!(stderr.contains(&format!("accounts.{OTHER_ACCOUNT}.parent")), "{stderr}");
    }
}

//! Requests corrupted by proxies, platforms and frameworks, with the cause reported for each.
//! tests/data/corrupted_requests.json lists what was signed, what arrived, and the expected cause.

use std::collections::BTreeMap;
use std::time::Instant;

use delivery_ledger::domain::BodyKind;
use serde::Deserialize;

use super::refused::{Refused, sha256};
use crate::support::{App, OTHER_TOKEN, TOKEN, signature};

const USUAL_BODY: &str = "AccountSid=AC0123456789abcdef0123456789abcdef\
                          &MessageSid=SM00000000000000000000000000000001\
                          &MessageStatus=delivered&To=%2B15558675310&From=%2B15017250604";

/// A corrupted request; omitted fields have their default values.
#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Corrupted {
    what: String,
    public_url: String,
    further: Vec<String>,
    callback_paths: Vec<String>,
    signed_url: String,
    signed_body: Option<String>,
    target: String,
    headers: BTreeMap<String, String>,
    body: String,
    json: bool,
    /// The signature as it arrives; `{}` stands for the original one.
    signature: String,
    token: String,
    cause: String,
}

impl Default for Corrupted {
    fn default() -> Self {
        Self {
            what: String::new(),
            public_url: "https://hooks.example.com".to_owned(),
            further: Vec::new(),
            callback_paths: vec!["/message-status".to_owned()],
            signed_url: "https://hooks.example.com/message-status".to_owned(),
            signed_body: None,
            target: "/message-status".to_owned(),
            headers: BTreeMap::new(),
            body: USUAL_BODY.to_owned(),
            json: false,
            signature: "{}".to_owned(),
            token: "own".to_owned(),
            cause: String::new(),
        }
    }
}

impl Corrupted {
    fn all() -> Vec<Self> {
        let text = include_str!("../../../data/corrupted_requests.json");
        serde_json::from_str(text).expect("the table is valid")
    }

    fn arrived(&self) -> Refused {
        let signed_body = match (&self.signed_body, self.json) {
            (Some(body), _) => body,
            (None, true) => "",
            (None, false) => &self.body,
        };
        let token = match self.token.as_str() {
            "own" => TOKEN,
            "other" => OTHER_TOKEN,
            _ => "ffffffffffffffffffffffffffffffff",
        };
        let url = self.signed_url.replace("SHA256", &sha256(&self.body));
        let url = url.replace(&format!("body{}", sha256(&self.body)), "bodySHA256");
        let signature = signature(token, &url, signed_body.as_bytes());
        Refused {
            signature: self.signature.replace("{}", &signature),
            kind: if self.json { BodyKind::Json } else { BodyKind::Form },
            headers: self.headers.clone().into_iter().collect(),
            further_urls: self.further.clone(),
            callback_paths: self.callback_paths.clone(),
            ..Refused::new(&self.public_url, &self.target).body(self.body.as_str())
        }
    }
}

/// Regression: a third of these had only the general cause.
#[test]
fn every_kind_of_corruption_is_diagnosed() {
    let mut wrong = Vec::new();
    for corrupted in Corrupted::all() {
        let logged = corrupted.arrived().cause();
        if logged != corrupted.cause {
            let Corrupted { what, cause, .. } = corrupted;
            wrong.push(format!("{what}\n  expected: {cause}\n  logged:   {logged}"));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// The cost of a search is bounded, however many combinations there are.
#[test]
fn a_forged_signature_has_no_diagnosis_and_a_bounded_cost() {
    for corrupted in Corrupted::all() {
        let forged = Corrupted { token: "nobody".to_owned(), ..corrupted };
        let begun = Instant::now();
        let logged = forged.arrived().cause();
        let claims = logged.starts_with("matches") || logged.starts_with("signed");
        assert!(!claims, "{}: {logged}", forged.what);
        // 0.2 s unoptimised on a busy machine; a release build takes a hundredth of that.
        assert!(begun.elapsed().as_secs() < 5, "{}: {:?}", forged.what, begun.elapsed());
        for sent in forged.headers.values().chain([&forged.target]).filter(|sent| sent.len() > 2) {
            let configured = forged.callback_paths.contains(sent);
            assert!(configured || !logged.contains(sent.as_str()), "{}: {logged}", forged.what);
        }
    }
}

/// Regression: the quarantine stored none of the headers that a later diagnosis needs.
#[test]
fn proxy_headers_are_stored_with_a_rejected_request_without_addresses() {
    let mut app = App::start();
    let body = USUAL_BODY.as_bytes();
    let signed = signature(TOKEN, "https://www.contoso.example/q7/message-status", body);
    let request = app
        .form("/message-status")
        .header("Forwarded", "for=192.0.2.1;host=\"www.contoso.example\";proto=https")
        .header("X-Forwarded-Prefix", "/q7")
        .header("X-Forwarded-For", "192.0.2.1")
        .header("Authorization", "Bearer hunter2")
        .header("Cookie", "hunter2")
        .header("X-Twilio-Signature", &signed);
    assert_eq!(request.body(body).send(app.callbacks()).code, 403);
    app.stop();

    let kept = app.json(&["quarantine", "list", "--format", "json"])["data"][0].clone();
    let show = ["quarantine", "show", kept["id"].as_str().unwrap(), "--format", "json"];
    let shown = app.json(&[&show[..], &["--public-url", "https://hooks.example.com"]].concat());

    let cause = "matches if the public URL has the host that the request names in Forwarded and has \
                 the path that the request names in X-Forwarded-Prefix";
    assert_eq!(kept["cause"], cause);
    assert_eq!(shown["now"]["cause"], cause);
    let headers = shown["headers"].to_string();
    assert!(headers.contains(r#"host=\"www.contoso.example\";proto=https"#), "{headers}");
    for not_kept in ["192.0.2.1", "hunter2"] {
        assert!(!headers.contains(not_kept), "{headers}");
    }
}

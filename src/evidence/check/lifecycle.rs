//! Compares the lifecycle in a bundle with a fold of its events.

use serde_json::{Map, Value};

use super::findings::{FindingKind, Findings};
use crate::domain::statement::Statement;
use crate::domain::{AccountSid, ErrorCodes, MessageKey, MessageSid, Position, Rule};
use crate::evidence::bundle::{Bundle, RULE_VERSION};
use crate::projection::fold::{Folded, fold};
use crate::wire::Message;

/// The members of a lifecycle: what `audit` shows in addition depends on more than the events.
const MEMBERS: [&str; 23] = [
    "message_sid",
    "status",
    "terminal",
    "settled",
    "conflict",
    "rule",
    "account_sid",
    "messaging_service_sid",
    "from",
    "to",
    "channel",
    "error_code",
    "error_title",
    "error_codes",
    "raw_dlr_done_date",
    "first_received_at",
    "last_received_at",
    "status_times",
    "events",
    "duplicates",
    "late",
    "unrecognised",
    "as_of_position",
];

/// The lifecycle of a bundle that is sealed up to this size.
pub fn lifecycle_json(folded: &Folded, size: Position) -> Value {
    let message = Message::new(&folded.key, &folded.lifecycle, size, &ErrorCodes::default());
    let Ok(Value::Object(mut all)) = serde_json::to_value(message) else {
        unreachable!("a message is a JSON object")
    };
    let member = |name: &str| (name.to_owned(), all.remove(name).unwrap_or(Value::Null));
    Value::Object(MEMBERS.iter().copied().map(member).collect::<Map<_, _>>())
}

/// Folds the events again; returns the message if any event tells of it.
pub fn check_lifecycle(
    bundle: &Bundle,
    statement: Option<&Statement>,
    findings: &mut Findings,
) -> Option<Folded> {
    if bundle.rule_version != RULE_VERSION {
        let detail = format!(
            "its rules have the version {}, and this program knows {RULE_VERSION}",
            bundle.rule_version
        );
        findings.add(FindingKind::LifecycleDiffers, detail);
        return None;
    }
    let named = bundle.lifecycle["rule"].as_str();
    let Some(rule) = named.map_or(Some(Rule::default()), Rule::parse) else {
        findings.add(FindingKind::LifecycleDiffers, "this program does not know its rule");
        return None;
    };
    let folded = fold_bundle(bundle, rule);
    let Some(statement) = statement else { return folded };
    let expected =
        folded.as_ref().map_or(Value::Null, |folded| lifecycle_json(folded, statement.size));
    if expected != bundle.lifecycle {
        findings.add(FindingKind::LifecycleDiffers, difference(&expected, &bundle.lifecycle));
    }
    folded
}

fn fold_bundle(bundle: &Bundle, rule: Rule) -> Option<Folded> {
    let key = MessageKey {
        account_sid: bundle.account_sid.as_deref().and_then(AccountSid::parse),
        message_sid: MessageSid::parse(&bundle.message_sid)?,
    };
    let mut whole: Vec<_> = bundle
        .events
        .iter()
        .filter(|event| event.event.erased.is_none())
        .map(|event| event.event.clone())
        .collect();
    // What is out of order or repeated is a finding of its own.
    whole.sort_by_key(|event| event.position);
    whole.dedup_by_key(|event| event.position);
    fold(rule, &key, whole)
}

/// The first member that differs.
fn difference(expected: &Value, found: &Value) -> String {
    let (Value::Object(expected), Value::Object(found)) = (expected, found) else {
        return match expected.is_null() {
            true => "no event tells of the message, and there is a lifecycle".to_owned(),
            false => "its events tell of the message, and there is no lifecycle".to_owned(),
        };
    };
    let differs = |name: &&String| expected.get(*name) != found.get(*name);
    match expected.keys().chain(found.keys()).find(differs) {
        Some(name) => {
            let shown = |object: &Map<String, Value>| match object.get(name) {
                // JSON has no control characters; what prints this escapes the others.
                Some(value) => value.to_string().chars().take(80).collect(),
                None => "missing".to_owned(),
            };
            let name: String = name.escape_debug().take(40).collect();
            format!("`{name}` is {}, and its events give {}", shown(found), shown(expected))
        }
        None => "it differs".to_owned(),
    }
}

//! Recognises output of this program that cannot be imported, by the names of its columns or
//! members. A few names are enough, because people remove and reorder columns.

/// Members that only messages in this program's exports and lists have, and none of Twilio's records.
const OF_MESSAGES: [&str; 10] = [
    "status_times",
    "first_received_at",
    "last_received_at",
    "as_of_position",
    "error_codes",
    "error_title",
    "unrecognised",
    "duplicates",
    "raw_dlr_done_date",
    "timeline",
];

/// Further members of messages, some of them Twilio's too: they only count together with
/// `message_sid`, which Twilio calls `sid`.
const ALSO_OF_MESSAGES: [&str; 15] = [
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
    "events",
    "late",
    "labels",
    "message_sid",
];

/// Members that only events have.
const OF_EVENTS: [&str; 5] = ["event_id", "received_at", "verified_by", "body_base64", "headers"];

/// The program's JSON outputs: the name of each, and the members that identify it.
const DOCUMENTS: [(&str, &[&str]); 14] = [
    ("a message with its timeline (audit)", &["message_sid", "timeline"]),
    ("the manifest of an export", &["ledger_id", "files"]),
    ("a delivery report", &["by", "rows", "total"]),
    ("a result of verify", &["head", "findings"]),
    ("a result of replay", &["head", "events_per_second"]),
    ("a result of import", &["appended", "known", "refusals"]),
    ("a result of doctor", &["checks", "warned"]),
    ("a result of reconcile", &["fetched", "stopped_by"]),
    ("a plan of reconcile", &["to_fetch", "lists"]),
    ("a list of the quarantine", &["data", "requests"]),
    ("a request in the quarantine", &["target", "reason", "headers"]),
    ("a summary of simulate", &["acknowledged", "latency_ms"]),
    ("an error of the API", &["type", "title", "request_id"]),
    ("a page of the API", &["data", "next_cursor"]),
];

/// The columns of a report as CSV.
const OF_REPORTS: [&str; 3] = ["delivery_rate", "failure_rate", "time_to_sent_ms_p50"];

/// A description of an input with these members, if it is this program's output and not an event.
pub fn describe_document(names: &[String]) -> Option<String> {
    let has = |name: &str| names.iter().any(|have| have == name);
    let document = DOCUMENTS.iter().find(|(_, members)| members.iter().all(|name| has(name)));
    if let Some((what, _)) = document {
        return Some(refused(what));
    }
    if OF_REPORTS.into_iter().any(has) {
        return Some(refused("a delivery report"));
    }
    let is_message = is_message(names);
    is_message.then(|| {
        "this is an export of messages: it tells where they stood and not what came; export events \
         can be imported"
            .to_owned()
    })
}

/// True if columns or members are those of this program's messages, not of Twilio's.
pub fn is_message(names: &[String]) -> bool {
    let has = |name: &str| names.iter().any(|have| have == name);
    let all_are_ours = || names.iter().all(|name| ALSO_OF_MESSAGES.contains(&&**name));
    OF_MESSAGES.into_iter().any(has) || has("message_sid") && all_are_ours()
}

/// A description of a table with these columns, if it is this program's output. None can be imported.
pub fn describe_table(names: &[String]) -> Option<String> {
    let of_events = OF_EVENTS.into_iter().any(|name| names.iter().any(|have| have == name));
    match of_events {
        true => Some(
            "of the exports of events only NDJSON can be imported, CSV cannot: export events as \
             NDJSON"
                .to_owned(),
        ),
        false => describe_document(names),
    }
}

/// True if one of this program's tables has a column of this name.
pub fn is_own_column(name: &str) -> bool {
    [&OF_MESSAGES[..], &ALSO_OF_MESSAGES, &OF_EVENTS, &OF_REPORTS]
        .into_iter()
        .any(|names| names.contains(&name))
}

fn refused(what: &str) -> String {
    format!("this is {what}, which delivery-ledger wrote; export events can be imported")
}

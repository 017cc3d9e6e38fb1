//! The Messages resource of the fake: creating and listing messages, and feedback on them.

use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::{Rfc2822, Rfc3339};

use super::{ReceivedRequest, State, TEXT};
use crate::support::bodies::ACCOUNT;

/// The parameters that a request to create a message may have.
const CREATE: [&str; 10] = [
    "To",
    "From",
    "MessagingServiceSid",
    "Body",
    "MediaUrl",
    "ContentSid",
    "ContentVariables",
    "SendAt",
    "ScheduleType",
    "ProvideFeedback",
];

/// A message as Twilio's API returns it.
pub fn resource(sid: &str, status: &str) -> Value {
    let now = OffsetDateTime::now_utc();
    let sent = (now - time::Duration::seconds(10)).format(&Rfc2822).unwrap();
    let now = now.format(&Rfc2822).unwrap();
    json!({
        "account_sid": ACCOUNT, "api_version": "2010-04-01", "body": TEXT,
        "date_created": now, "date_sent": sent, "date_updated": now,
        "direction": "outbound-api", "error_code": null, "error_message": null,
        "from": "+15017250604", "messaging_service_sid": null, "num_media": "0",
        "num_segments": "1", "price": null, "price_unit": "USD", "sid": sid, "status": status,
        "subresource_uris": { "media": format!("/2010-04-01/Accounts/{ACCOUNT}/Messages/{sid}/Media.json") },
        "to": "+15558675310", "uri": format!("/2010-04-01/Accounts/{ACCOUNT}/Messages/{sid}.json"),
    })
}

/// Creates a message.
pub(super) fn create(request: &ReceivedRequest, state: &mut State) -> Result<(u16, Value), String> {
    if request.content_type != "application/x-www-form-urlencoded" {
        return Err(format!("Content-Type {}", request.content_type));
    }
    let get =
        |name: &str| request.form.iter().find(|(have, _)| have == name).map(|(_, v)| v.clone());
    for (name, _) in &request.form {
        if !CREATE.contains(&name.as_str()) && name != "StatusCallback" {
            return Err(format!("unknown parameter {name}"));
        }
        let times = request.form.iter().filter(|(have, _)| have == name).count();
        if times > 1 && name != "MediaUrl" {
            return Err(format!("{name} is given {times} times"));
        }
    }
    let to = get("To").ok_or("To is missing")?;
    if get("From").or(get("MessagingServiceSid")).is_none() {
        return Err("neither From nor MessagingServiceSid".to_owned());
    }
    if let Some(at) = get("SendAt") {
        OffsetDateTime::parse(&at, &Rfc3339).map_err(|error| format!("SendAt: {error}"))?;
        if get("ScheduleType").as_deref() != Some("fixed") {
            return Err("ScheduleType".to_owned());
        }
    }
    if to == "+15005550001" {
        let message = "The 'To' number is not a valid phone number";
        return Ok((400, json!({"code": 21211, "message": message, "status": 400})));
    }
    let service = get("MessagingServiceSid");
    let status = match (&service, get("SendAt")) {
        (Some(_), Some(_)) => "scheduled",
        (Some(_), None) => "accepted",
        (None, _) => "queued",
    };
    state.made.push(request.form.clone());
    let mut message = resource(&format!("SM{:032x}", 0xf00 + state.made.len()), status);
    message["to"] = json!(to);
    message["from"] = json!(get("From"));
    message["messaging_service_sid"] = json!(service);
    message["date_sent"] = Value::Null;
    state.messages.insert(0, message.clone());
    Ok((201, message))
}

/// Records feedback on a message.
pub(super) fn feedback(
    request: &ReceivedRequest,
    account: &str,
    sid: &str,
    state: &mut State,
) -> Result<(u16, Value), String> {
    let outcome = match &request.form[..] {
        [(name, outcome)] if name == "Outcome" => outcome.clone(),
        form => return Err(format!("not Outcome alone: {form:?}")),
    };
    if !["confirmed", "unconfirmed"].contains(&outcome.as_str()) {
        return Err(format!("Outcome {outcome}"));
    }
    if !state.messages.iter().any(|message| message["sid"] == sid) {
        return Ok((404, json!({"code": 20404, "message": "not found", "status": 404})));
    }
    state.feedback.push((sid.to_owned(), outcome.clone()));
    let now = OffsetDateTime::now_utc().format(&Rfc2822).unwrap();
    let uri = format!("/2010-04-01/Accounts/{account}/Messages/{sid}/Feedback.json");
    Ok((
        201,
        json!({
            "account_sid": account, "message_sid": sid, "outcome": outcome,
            "date_created": now, "date_updated": now, "uri": uri,
        }),
    ))
}

/// A page of the list of messages.
pub(super) fn list(request: &ReceivedRequest, state: &State) -> Result<(u16, Value), String> {
    let get = |name: &str| {
        request.query.iter().find(|(have, _)| have == name).map(|(_, value)| value.clone())
    };
    let known = ["DateSent>", "DateSent<", "PageSize", "Page", "PageToken"];
    if let Some((name, _)) = request.query.iter().find(|(name, _)| !known.contains(&name.as_str()))
    {
        return Err(format!("unknown parameter {name}"));
    }
    let moment = |name: &str| {
        let text = get(name).ok_or(format!("{name} is missing"))?;
        OffsetDateTime::parse(&text, &Rfc3339).map_err(|error| format!("{name}: {error}"))
    };
    let (since, until) = (moment("DateSent>")?, moment("DateSent<")?);
    let wanted: usize = get("PageSize").and_then(|size| size.parse().ok()).ok_or("PageSize")?;
    if !(1..=1000).contains(&wanted) {
        return Err(format!("PageSize {wanted} (20007)"));
    }
    let size = state.page_size.unwrap_or(wanted);
    let sent_at = |message: &Value| {
        let text = message["date_sent"].as_str().or(message["date_created"].as_str());
        OffsetDateTime::parse(text.unwrap(), &Rfc2822).unwrap()
    };
    // Twilio's own times have a resolution of a second.
    let window = since..=until + time::Duration::seconds(1);
    let all = state.messages.iter().filter(|message| window.contains(&sent_at(message)));
    let all: Vec<_> = all.collect();
    let page: usize = get("Page").map_or(Ok(0), |page| page.parse()).map_err(|_| "Page")?;
    if page > 0 && get("PageToken") != Some(format!("PT{page}")) {
        return Err("PageToken".to_owned());
    }
    let next = ((page + 1) * size < all.len()).then(|| {
        let page = page + 1;
        let dates: Vec<_> = ["DateSent>", "DateSent<"]
            .map(|name| {
                format!("{}={}", name.replace('>', "%3E").replace('<', "%3C"), get(name).unwrap())
            })
            .to_vec();
        format!(
            "{}?{}&PageSize={wanted}&Page={page}&PageToken=PT{page}",
            request.path,
            dates.join("&")
        )
    });
    let messages: Vec<_> = all.into_iter().skip(page * size).take(size).collect();
    Ok((
        200,
        json!({
            "messages": messages, "page": page, "page_size": wanted, "start": page * size,
            "end": page * size + messages.len(), "first_page_uri": request.path, "uri": request.path,
            "previous_page_uri": null, "next_page_uri": next,
        }),
    ))
}

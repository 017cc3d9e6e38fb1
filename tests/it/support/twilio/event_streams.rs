//! Event Streams of the fake: sinks, subscriptions and their event types, of each account.

use serde_json::{Value, json};

use super::{ReceivedRequest, Twilio};

/// The sinks and subscriptions of one account.
#[derive(Default)]
pub struct EventStreams {
    sinks: Vec<Value>,
    subscriptions: Vec<Value>,
    /// Each with the SID of its subscription.
    types: Vec<Value>,
    /// The status of new sinks; active if none is given.
    pub new_status: Option<&'static str>,
    pub page_size: Option<usize>,
}

impl Twilio {
    /// Adds a sink of an account.
    pub fn has_sink(
        &self,
        account: &str,
        sid: &str,
        status: &str,
        kind: &str,
        configuration: Value,
    ) {
        let sink = sink(sid, status, kind, configuration);
        self.state().event_streams.entry(account.to_owned()).or_default().sinks.push(sink);
    }

    /// Adds a subscription of an account.
    pub fn has_subscription(&self, account: &str, sid: &str, sink: &str, types: &[(&str, u32)]) {
        let mut state = self.state();
        let streams = state.event_streams.entry(account.to_owned()).or_default();
        streams.subscriptions.push(subscription(account, sid, sink, false));
        let types = types.iter().map(|(name, version)| subscribed(account, sid, name, *version));
        streams.types.extend(types);
    }

    /// Gives sinks that an account creates from now on this status.
    pub fn new_sinks_are(&self, account: &str, status: &'static str) {
        let mut state = self.state();
        state.event_streams.entry(account.to_owned()).or_default().new_status = Some(status);
    }

    /// The sinks of an account.
    pub fn sinks(&self, account: &str) -> Vec<Value> {
        self.of(account, |streams| streams.sinks.clone())
    }

    /// The subscriptions of an account.
    pub fn subscriptions(&self, account: &str) -> Vec<Value> {
        self.of(account, |streams| streams.subscriptions.clone())
    }

    /// The event types of an account's subscriptions, with their versions.
    pub fn subscribed(&self, account: &str) -> Vec<(String, u64)> {
        let of_one = |of: &Value| {
            (of["type"].as_str().unwrap().to_owned(), of["schema_version"].as_u64().unwrap())
        };
        self.of(account, |streams| streams.types.iter().map(of_one).collect())
    }

    fn of<T>(&self, account: &str, read: impl Fn(&EventStreams) -> Vec<T>) -> Vec<T> {
        self.state().event_streams.get(account).map(read).unwrap_or_default()
    }
}

/// Answers a request to Event Streams.
pub(super) fn answer(
    request: &ReceivedRequest,
    account: &str,
    streams: &mut EventStreams,
) -> Result<(u16, Value), String> {
    let parts: Vec<_> = request.path.trim_start_matches("/v1/").split('/').collect();
    match (request.method.as_str(), &parts[..]) {
        ("GET", ["Sinks"]) => page(request, streams, "sinks", streams.sinks.clone()),
        ("GET", ["Subscriptions"]) => {
            page(request, streams, "subscriptions", streams.subscriptions.clone())
        }
        ("GET", ["Subscriptions", sid, "SubscribedEvents"]) => {
            let is_of = |of: &&Value| of["subscription_sid"] == *sid;
            page(request, streams, "types", streams.types.iter().filter(is_of).cloned().collect())
        }
        ("POST", ["Sinks"]) => create_sink(request, streams),
        ("POST", ["Subscriptions"]) => create_subscription(request, account, streams),
        ("POST", ["Subscriptions", sid]) => {
            let [includes] = form(request, ["ReceiveEventsFromSubaccounts"], &[])?;
            let of = streams.subscriptions.iter_mut().find(|of| of["sid"] == *sid);
            let of = of.ok_or("no such subscription")?;
            of["receive_events_from_subaccounts"] = json!(includes == "true");
            Ok((200, of.clone()))
        }
        ("POST", ["Subscriptions", sid, "SubscribedEvents"]) => {
            let [name, version] = form(request, ["Type", "SchemaVersion"], &[])?;
            let version = version.parse().map_err(|_| format!("SchemaVersion {version}"))?;
            let created = subscribed(account, sid, &name, version);
            add_type(streams, created.clone())?;
            Ok((201, created))
        }
        _ => Err("unknown path of Event Streams".to_owned()),
    }
}

fn create_sink(
    request: &ReceivedRequest,
    streams: &mut EventStreams,
) -> Result<(u16, Value), String> {
    let names = ["Description", "SinkConfiguration", "SinkType"];
    let [_, configuration, kind] = form(request, names, &[])?;
    let configuration: Value =
        serde_json::from_str(&configuration).map_err(|error| error.to_string())?;
    if kind != "webhook" || configuration["method"] != "POST" {
        return Err(format!("{kind} {configuration}"));
    }
    let sid = format!("DG{:032x}", 0xa00 + streams.sinks.len());
    let sink = sink(&sid, streams.new_status.unwrap_or("active"), &kind, configuration);
    streams.sinks.push(sink.clone());
    Ok((201, sink))
}

fn create_subscription(
    request: &ReceivedRequest,
    account: &str,
    streams: &mut EventStreams,
) -> Result<(u16, Value), String> {
    let repeated = ["Types", "ReceiveEventsFromSubaccounts"];
    let [_, sink] = form(request, ["Description", "SinkSid"], &repeated)?;
    let of = streams.sinks.iter().find(|of| of["sid"] == sink.as_str()).ok_or("no such sink")?;
    if of["status"] != "active" {
        let message = "Sink must be active";
        return Ok((400, json!({ "code": 20001, "message": message, "status": 400 })));
    }
    let sid = format!("DF{:032x}", 0xb00 + streams.subscriptions.len());
    let from_subaccounts = ("ReceiveEventsFromSubaccounts".to_owned(), "true".to_owned());
    let includes = request.form.contains(&from_subaccounts);
    for (_, text) in request.form.iter().filter(|(name, _)| name == "Types") {
        let of: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let (name, version) = (of["type"].as_str(), of["schema_version"].as_u64());
        let (name, version) = name.zip(version).ok_or(format!("Types {text}"))?;
        add_type(streams, subscribed(account, &sid, name, u32::try_from(version).unwrap()))?;
    }
    let created = subscription(account, &sid, &sink, includes);
    streams.subscriptions.push(created.clone());
    Ok((201, created))
}

fn add_type(streams: &mut EventStreams, added: Value) -> Result<(), String> {
    let is_same =
        |of: &Value| ["type", "subscription_sid"].iter().all(|name| of[name] == added[name]);
    if streams.types.iter().any(is_same) {
        return Err(format!("{} is subscribed already", added["type"]));
    }
    streams.types.push(added);
    Ok(())
}

/// The values of the parameters that a request has to have once; only these others are known.
fn form<const N: usize>(
    request: &ReceivedRequest,
    required: [&str; N],
    others: &[&str],
) -> Result<[String; N], String> {
    if request.content_type != "application/x-www-form-urlencoded" {
        return Err(format!("Content-Type {}", request.content_type));
    }
    let is_known = |name: &str| required.contains(&name) || others.contains(&name);
    if let Some((name, _)) = request.form.iter().find(|(name, _)| !is_known(name)) {
        return Err(format!("unknown parameter {name}"));
    }
    let values = required.map(|name| {
        let given: Vec<_> = request.form.iter().filter(|(have, _)| have == name).collect();
        match given[..] {
            [(_, value)] => Ok(value.clone()),
            _ => Err(format!("{name} is given {} times", given.len())),
        }
    });
    let values: Vec<_> = values.into_iter().collect::<Result<_, _>>()?;
    Ok(values.try_into().expect("as many as names"))
}

/// A page, whose next one is named by an absolute URL of Twilio's host.
fn page(
    request: &ReceivedRequest,
    streams: &EventStreams,
    key: &str,
    all: Vec<Value>,
) -> Result<(u16, Value), String> {
    let get = |name: &str| request.query.iter().find(|(have, _)| have == name).map(|(_, v)| v);
    let wanted: usize = get("PageSize").and_then(|size| size.parse().ok()).ok_or("PageSize")?;
    if !(1..=1000).contains(&wanted) {
        return Err(format!("PageSize {wanted}"));
    }
    let number: usize = get("Page").map_or(Ok(0), |page| page.parse()).map_err(|_| "Page")?;
    if number > 0 && get("PageToken") != Some(&format!("PT{number}")) {
        return Err("PageToken".to_owned());
    }
    let size = streams.page_size.unwrap_or(wanted);
    let url =
        |page| format!("https://events.twilio.com{}?PageSize={wanted}&Page={page}", request.path);
    let next = number + 1;
    let next = (next * size < all.len()).then(|| format!("{}&PageToken=PT{next}", url(next)));
    let shown: Vec<_> = all.into_iter().skip(number * size).take(size).collect();
    let meta = json!({
        "key": key, "page": number, "page_size": wanted, "first_page_url": url(0), "url": url(number),
        "previous_page_url": null, "next_page_url": next,
    });
    Ok((200, json!({ key: shown, "meta": meta })))
}

fn sink(sid: &str, status: &str, kind: &str, configuration: Value) -> Value {
    let url = format!("https://events.twilio.com/v1/Sinks/{sid}");
    json!({
        "sid": sid, "status": status, "sink_type": kind, "sink_configuration": configuration,
        "description": "a sink", "date_created": "2026-11-04T15:42:32Z",
        "date_updated": "2026-11-04T15:42:32Z", "url": url,
        "links": { "sink_test": format!("{url}/Test"), "sink_validate": format!("{url}/Validate") },
    })
}

fn subscription(account: &str, sid: &str, sink: &str, subaccounts: bool) -> Value {
    let url = format!("https://events.twilio.com/v1/Subscriptions/{sid}");
    json!({
        "account_sid": account, "sid": sid, "sink_sid": sink, "description": "a subscription",
        "date_created": "2026-11-04T15:42:32Z", "date_updated": "2026-11-04T15:42:32Z", "url": url,
        "links": { "subscribed_events": format!("{url}/SubscribedEvents") },
        "receive_events_from_subaccounts": subaccounts,
    })
}

fn subscribed(account: &str, subscription: &str, name: &str, version: u32) -> Value {
    json!({
        "account_sid": account, "type": name, "schema_version": version,
        "subscription_sid": subscription,
        "url": format!("https://events.twilio.com/v1/Subscriptions/{subscription}/SubscribedEvents/{name}"),
    })
}

//! The conditions of a target, from its section.

use anyhow::{Result, bail};

use super::value::Value;
use crate::config::credential;
use crate::config::file::ForwardEntry;
use crate::domain::account_names::AccountNames;
use crate::domain::event::filter::EventFilter;
use crate::domain::message::tags::{NAME_BYTES_MAX, VALUE_BYTES_MAX};
use crate::domain::similar::suggestion;
use crate::domain::{AccountSid, Source, Status};
use crate::forward::target::{Events, Format, Selection};
use crate::twilio::callback_path::CallbackPath;
use crate::twilio::signature::BaseUrl;

/// The statuses of inbound messages, which callbacks may report too.
const INBOUND: [&str; 2] = ["receiving", "received"];

/// Reads the conditions of a target of this format. Without a condition on the source, a target gets the events
/// of every source that its format has.
pub fn read(
    target: &str,
    entry: &ForwardEntry,
    format: &Format,
    account_names: impl FnOnce() -> AccountNames,
    public_urls: impl FnOnce() -> Vec<BaseUrl>,
) -> Result<Selection> {
    let value = |key: &'static str, value| Value::new(target, key, value);
    let account_sid = value("account", &entry.account);
    let account_sid = account_sid.map(|given| account(&given, &account_names())).transpose()?;
    let tags = value("tags", &entry.tags).map_or(Ok(Vec::new()), |given| tags(&given))?;
    let status = value("status", &entry.status).map(|given| status(&given)).transpose()?;
    let source = value("source", &entry.source);
    let source = source.map(|given| source_of(&given, format)).transpose()?;
    let paths = value("path", &entry.path);
    let paths = paths.map_or(Ok(Vec::new()), |given| paths_of(&given, &public_urls()))?;
    let events = value("events", &entry.events).map(|given| given.one_of(["all", "advanced"]));
    let events = match events.transpose()? {
        Some("advanced") => Events::Advanced,
        _ => Events::All,
    };
    let filter = EventFilter { account_sid, tags, status, source, ..EventFilter::default() };
    Ok(Selection { filter, paths, events })
}

/// An account by its SID or its name.
fn account(given: &Value<'_>, names: &AccountNames) -> Result<AccountSid> {
    let Some(written) = given.text() else {
        return Err(given.error("is not a string: an account's SID (AC…) or its name"));
    };
    let has_form_of_secret = credential::is_token(written);
    match names.resolve(written) {
        Ok(sid) if sid.as_str() != written => return Ok(sid),
        Err(unknown) if !has_form_of_secret && !credential::has_form_of_sid(written) => {
            return Err(given.error(&format!("is not {unknown}")));
        }
        _ => credential::account_sid(given.key(), written)?,
    }
    match AccountSid::parse(written) {
        Some(sid) => Ok(sid),
        None => Err(given.error("is empty; it is an account's SID (AC…) or its name")),
    }
}

/// The paths, and the same below each public URL: a proxy may have cut the path of that, but events have it.
fn paths_of(given: &Value<'_>, public_urls: &[BaseUrl]) -> Result<Vec<CallbackPath>> {
    let mut paths = Vec::new();
    for text in given.texts()? {
        paths.push(CallbackPath::parse(text).map_err(|reason| given.error_in(text, &reason))?);
        let prefixes = public_urls.iter().map(path_of).filter(|prefix| !prefix.is_empty());
        let below =
            prefixes.filter_map(|prefix| CallbackPath::parse(&format!("{prefix}{text}")).ok());
        paths.extend(below);
    }
    Ok(paths)
}

/// The path of a public URL; empty if it has none.
fn path_of(public_url: &BaseUrl) -> &str {
    let (_, rest) = public_url.as_given().split_once("://").unwrap_or_default();
    rest.find('/').map_or("", |at| rest[at..].trim_end_matches('/'))
}

/// Tags as a message keeps them: others would be found in no event.
fn tags(given: &Value<'_>) -> Result<Vec<(String, String)>> {
    let pairs = given.pairs()?;
    for (name, value) in &pairs {
        if !(1..=NAME_BYTES_MAX).contains(&name.len()) {
            let reason = format!("is not the name of a tag, which has 1 to {NAME_BYTES_MAX} bytes");
            return Err(given.error_in(name, &reason));
        }
        if value.len() > VALUE_BYTES_MAX {
            bail!(
                "{}: the value of {} has {} bytes; a tag's has at most {VALUE_BYTES_MAX}",
                given.key(),
                name.escape_debug(),
                value.len()
            );
        }
    }
    Ok(pairs.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
}

/// The name of a status. An unknown one is refused, because a misspelt one would select nothing.
fn status(given: &Value<'_>) -> Result<String> {
    let written = given.text().unwrap_or_default();
    let mut known = Status::ALL.map(Status::name).into_iter().chain(INBOUND);
    let name = known.find(|name| name.eq_ignore_ascii_case(written));
    name.map(str::to_owned).ok_or_else(|| {
        let all: Vec<_> = Status::ALL.map(Status::name).into_iter().chain(INBOUND).collect();
        let similar = suggestion(written, all.iter().copied());
        given.error(&format!("is not one of {}{similar}", all.join(", ")))
    })
}

fn source_of(given: &Value<'_>, format: &Format) -> Result<Source> {
    let name = given.one_of(Source::ALL.map(Source::name))?;
    match Source::parse(name).filter(|source| format.has(*source)) {
        Some(source) => Ok(source),
        None => {
            let format_name = format.name();
            let has = Source::ALL.into_iter().filter(|source| format.has(*source));
            let has = has.map(Source::name).collect::<Vec<_>>().join(", ");
            Err(given
                .error(&format!("has no events of the format `{format_name}`, which has {has}")))
        }
    }
}

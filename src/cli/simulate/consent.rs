//! The check that a ledger is meant for simulations. Events cannot be deleted from a log, so simulated
//! ones are mixed with real ones only with the user's consent.

use std::net::IpAddr;
use std::time::Duration;

use anyhow::Result;
use secrecy::ExposeSecret;
use serde_json::Value;

use crate::cli::UsageError;
use crate::cli::common::http_client::get_within;
use crate::config::Settings;
use crate::simulate::Target;

/// The default URL of the admin listener of `serve`.
pub const DEFAULT_ADMIN: &str = "http://127.0.0.1:8081";

/// How long the admin listener may take. It only looks up a row and some events, but its machine
/// may be busy.
const PATIENCE: Duration = Duration::from_secs(10);

/// What is asked. It needs no token, but a proxy in front may want one.
const QUESTION: &str = "/readyz";

/// The maximum length of a shown reason, in characters.
const REASON_MAX: usize = 300;

/// The state of a ledger, as reported by its admin listener.
enum Ledger {
    /// It has no event, or only simulated ones.
    ForSimulations,
    HasOtherEvents,
    /// The listener does not report that all events are simulated: there are others, or the views are
    /// being rebuilt.
    MayHaveOtherEvents,
    /// The state could not be determined, for this reason.
    Unknown(String),
}

/// Checks that all events of the ledger behind `admin` are simulated. If not, or if that is unknown,
/// the error says what to do.
pub fn require(target: &Target, admin: &str, settings: &Settings) -> Result<()> {
    let ledger = match admin == DEFAULT_ADMIN && !is_here(target.authority()) {
        true => Ledger::Unknown(format!(
            "{} is another machine's, so {admin} is not asked about it",
            target.as_str()
        )),
        false => ask(admin, settings)?,
    };
    match ledger {
        Ledger::ForSimulations => Ok(()),
        Ledger::HasOtherEvents => Err(UsageError(format!(
            "the ledger at {admin} has events that no simulation sent, and simulated ones would \
             stay among them for ever: use a ledger of its own, or repeat with --yes"
        ))
        .into()),
        Ledger::MayHaveOtherEvents => Err(UsageError(format!(
            "the ledger at {admin} does not say that simulations sent all of its events, and \
             simulated ones would stay among them for ever: use a ledger of its own, or repeat with \
             --yes"
        ))
        .into()),
        Ledger::Unknown(reason) => Err(UsageError(format!(
            "nobody says whether the ledger has events that no simulation sent: {reason}; name its \
             admin listener with --admin, or repeat with --yes"
        ))
        .into()),
    }
}

fn ask(admin: &str, settings: &Settings) -> Result<Ledger> {
    let listener = Target::parse(admin.trim_end_matches('/'));
    let listener = listener.map_err(|wrong| UsageError(format!("--admin: {wrong}")))?;
    let tokens = settings.api_tokens()?;
    let token = tokens.first().map(|token| token.secret.expose_secret().to_owned());
    let has_token = token.is_some();
    let authority = listener.authority();
    let address = match authority.rsplit_once(':') {
        Some((_, port)) if port.parse::<u16>().is_ok() => authority.to_owned(),
        _ => format!("{authority}:80"),
    };
    let path = format!("{}{QUESTION}", listener.path().trim_end_matches('/'));
    Ok(match get_within(PATIENCE, &address, authority, &path, token) {
        Err(error) => Ledger::Unknown(format!("{admin} does not answer ({error:#})")),
        // A server that is not ready reports it too.
        Ok((200 | 503, body)) => said(admin, &body),
        Ok((code, body)) => Ledger::Unknown(format!(
            "{admin} answers {code}{}{}",
            reason(&body),
            what_to_do(code, has_token)
        )),
    })
}

/// Reads `only_simulated` from the response; it is missing if the ledger has other events or does not
/// know.
fn said(admin: &str, body: &str) -> Ledger {
    let state = serde_json::from_str::<Value>(body).unwrap_or_default();
    match &state["only_simulated"] {
        Value::Bool(true) => Ledger::ForSimulations,
        Value::Bool(false) => Ledger::HasOtherEvents,
        _ if state["ready"].is_boolean() => Ledger::MayHaveOtherEvents,
        _ => Ledger::Unknown(format!("{admin} does not answer as a ledger's admin listener does")),
    }
}

/// True if the authority is a loopback address or an unspecified one.
fn is_here(authority: &str) -> bool {
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if port.parse::<u16>().is_ok() => host,
        _ => authority,
    };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let is_loopback = |address: IpAddr| address.is_loopback() || address.is_unspecified();
    host.eq_ignore_ascii_case("localhost") || host.parse().is_ok_and(is_loopback)
}

/// The detail of a problem (RFC 9457), if the body is one.
fn reason(body: &str) -> String {
    let problem = serde_json::from_str::<Value>(body).unwrap_or_default();
    let detail = problem["detail"].as_str().unwrap_or_default();
    match detail.chars().filter(|character| !character.is_control()).take(REASON_MAX) {
        shown if !detail.is_empty() => format!(" ({})", shown.collect::<String>()),
        _ => String::new(),
    }
}

fn what_to_do(code: u16, has_token: bool) -> &'static str {
    match (code, has_token) {
        (401, false) => ", so set DELIVERY_LEDGER_API_TOKEN (or …_FILE) to a token that may read",
        (401, true) => ", so the configured API token is not one of that ledger's",
        (403, _) => {
            ", so use a token that may read, and a host name in its admin_hosts or a loopback one"
        }
        _ => "",
    }
}

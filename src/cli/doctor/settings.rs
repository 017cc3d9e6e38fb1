//! Checks of the configuration: whether it can be read, the origin of each value, and whether `serve`
//! starts with it.

use super::context::DoctorContext;
use super::finding::Finding;
use crate::config::ApiToken;

/// The configuration file.
pub fn file(context: &DoctorContext) -> Vec<Finding> {
    vec![match (&context.unreadable, context.settings.config_file()) {
        (Some(reason), _) => Finding::fail(
            reason.clone(),
            "correct the file; until then its settings are unknown here, and serve does not start",
        ),
        (None, Some(file)) => Finding::ok(file.display().to_string()),
        (None, None) => Finding::ok("none; flags, environment and defaults"),
    }]
}

/// Reports each setting with its origin.
pub fn each(context: &DoctorContext) -> Vec<Finding> {
    let effective = context.settings.effective().into_iter();
    let finding = effective.map(|effective| match effective.value {
        Ok(value) => Finding::ok(format!("{value} ({})", effective.origin)).of(effective.setting),
        Err(error) => Finding::fail(
            format!("{error:#} ({})", effective.origin),
            "correct it; docs/operations/settings.md has every setting and its form",
        )
        .of(effective.setting),
    });
    finding.collect()
}

/// Whether `serve` starts with all settings together. An invalid setting or key has a finding of its
/// own.
pub fn serve(context: &DoctorContext) -> Vec<Finding> {
    let is_reported = |message: &str| {
        let effective = context.settings.effective().into_iter();
        let wrong = effective.filter_map(|effective| effective.value.err());
        let keys = match context.settings.each_account() {
            Err(error) => vec![error],
            Ok(accounts) => accounts.into_values().filter_map(Result::err).collect(),
        };
        wrong.chain(keys).any(|error| format!("{error:#}") == message)
    };
    match context.settings.server().map_err(|error| format!("{error:#}")) {
        Ok(_) => vec![Finding::ok("serve starts with these settings")],
        Err(message) if context.unreadable.is_some() || is_reported(&message) => Vec::new(),
        Err(message) => {
            vec![Finding::fail(message, "serve does not start until this is corrected")]
        }
    }
}

/// Checks that no API token is short enough to be guessed.
pub fn api_tokens(context: &DoctorContext) -> Vec<Finding> {
    let Ok(tokens) = context.settings.api_tokens() else { return Vec::new() };
    let short: Vec<_> = tokens.iter().filter_map(ApiToken::shortness).collect();
    vec![match &short[..] {
        _ if tokens.is_empty() => return Vec::new(),
        [] => Finding::ok("none is short enough to be guessed"),
        short => Finding::warn(short.join("; "), "create a longer one, and give it to the clients"),
    }]
}

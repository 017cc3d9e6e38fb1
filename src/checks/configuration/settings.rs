//! Checks on the configuration: whether it can be read, the origin of each value, and whether `serve`
//! starts with it.

use crate::checks::context::CheckContext;
use crate::checks::finding::Finding;
use crate::config::{self, ApiToken, EffectiveSetting};

/// The configuration file.
pub fn file(context: &CheckContext) -> Vec<Finding> {
    if let Some(Err(reason)) = &context.file_now {
        return vec![Finding::fail(
            reason.clone(),
            "correct the file: serve does not start with it again, and reads no keys from it",
        )];
    }
    vec![match (&context.unreadable, context.settings.config_file()) {
        (Some(reason), _) => Finding::fail(
            reason.clone(),
            "correct the file; until then its settings are unknown here, and serve does not start",
        ),
        (None, Some(file)) => Finding::ok(file.display().to_string()),
        (None, None) => Finding::ok("none; flags, environment and defaults"),
    }]
}

/// Reports each setting with its origin. In a running server it is the value that was read at the start,
/// with a warning if the file has another one by now.
pub fn each(context: &CheckContext) -> Vec<Finding> {
    let now = match &context.file_now {
        Some(Ok(settings)) => settings.effective(),
        _ => Vec::new(),
    };
    let changed = |effective: &EffectiveSetting| {
        let now = now.iter().find(|other| other.setting == effective.setting)?;
        let is_same = match (&now.value, &effective.value) {
            (Ok(now), Ok(value)) => now == value,
            _ => false,
        };
        (!is_same).then(|| in_words(now))
    };
    let effective = context.settings.effective().into_iter();
    // A server has no pager.
    let effective = effective.filter(|effective| effective.setting != config::PAGER.key);
    let finding = effective.map(|effective| {
        let finding = match (&effective.value, changed(&effective)) {
            (_, Some(changed)) if RELOADED.contains(&effective.setting) => Finding::ok(changed),
            (Ok(value), Some(changed)) => Finding::warn(
                format!("{value}; by now it would be {changed}"),
                "restart serve: it reads this setting only at its start",
            ),
            (Ok(value), None) => Finding::ok(value),
            (Err(error), _) => Finding::fail(
                format!("{error:#}"),
                "correct it; docs/operations/settings.md has every setting and its form",
            ),
        };
        finding.of(effective.setting).from_origin(effective.origin.to_string())
    });
    finding.collect()
}

/// The settings that a running server reads again.
const RELOADED: [&str; 1] = ["api_tokens"];

fn in_words(effective: &EffectiveSetting) -> String {
    match &effective.value {
        Ok(value) => value.clone(),
        Err(error) => format!("invalid: {error:#}"),
    }
}

/// Whether `serve` starts with all settings together. An invalid setting or key has a finding of its
/// own.
pub fn serve(context: &CheckContext) -> Vec<Finding> {
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
pub fn api_tokens(context: &CheckContext) -> Vec<Finding> {
    let Ok(tokens) = context.key_settings().api_tokens() else { return Vec::new() };
    let short: Vec<_> = tokens.iter().filter_map(ApiToken::shortness).collect();
    vec![match &short[..] {
        _ if tokens.is_empty() => return Vec::new(),
        [] => Finding::ok("none is short enough to be guessed"),
        short => Finding::warn(short.join("; "), "create a longer one, and give it to the clients"),
    }]
}

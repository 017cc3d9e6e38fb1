//! The configuration: can it be read, where does each value come from, would `serve` start with it?

use super::check::Finding;
use super::patient::Patient;
use crate::config::ApiToken;

/// The configuration file.
pub fn file(patient: &Patient) -> Vec<Finding> {
    vec![match (&patient.unreadable, patient.settings.config_file()) {
        (Some(reason), _) => Finding::fail(
            reason.clone(),
            "mend the file; until then what it says is not known here, and serve does not start",
        ),
        (None, Some(file)) => Finding::ok(file.display().to_string()),
        (None, None) => Finding::ok("none; flags, environment and defaults"),
    }]
}

/// Each setting, with where it came from.
pub fn each(patient: &Patient) -> Vec<Finding> {
    let shown = patient.settings.effective().into_iter();
    let finding = shown.map(|shown| match shown.value {
        Ok(value) => Finding::ok(format!("{value} ({})", shown.origin)).of(shown.setting),
        Err(error) => Finding::fail(
            format!("{error:#} ({})", shown.origin),
            "correct it; docs/operations/settings.md has every setting and its form",
        )
        .of(shown.setting),
    });
    finding.collect()
}

/// Whether all of them together let `serve` start. A setting or a key that is wrong is
/// told of by itself.
pub fn serve(patient: &Patient) -> Vec<Finding> {
    let told = |message: &str| {
        let shown = patient.settings.effective().into_iter();
        let wrong = shown.filter_map(|shown| shown.value.err());
        let keys = match patient.settings.each_account() {
            Err(error) => vec![error],
            Ok(accounts) => accounts.into_values().filter_map(Result::err).collect(),
        };
        wrong.chain(keys).any(|error| format!("{error:#}") == message)
    };
    match patient.settings.server().map_err(|error| format!("{error:#}")) {
        Ok(_) => vec![Finding::ok("serve starts with these settings")],
        Err(message) if patient.unreadable.is_some() || told(&message) => Vec::new(),
        Err(message) => {
            vec![Finding::fail(message, "serve does not start until that is put right")]
        }
    }
}

/// Whether the tokens for questions can be guessed, where there are any.
pub fn api_tokens(patient: &Patient) -> Vec<Finding> {
    let Ok(tokens) = patient.settings.api_tokens() else { return Vec::new() };
    let short: Vec<_> = tokens.iter().filter_map(ApiToken::shortness).collect();
    vec![match &short[..] {
        _ if tokens.is_empty() => return Vec::new(),
        [] => Finding::ok("none is short enough to be guessed"),
        short => Finding::warn(short.join("; "), "make another one, and give it to those who ask"),
    }]
}

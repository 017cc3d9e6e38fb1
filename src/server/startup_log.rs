//! The log lines of a start: what the server listens on, and settings that are probably mistakes.

use std::net::TcpListener;

use anyhow::Result;

use crate::config::{ApiToken, KeySource, Read, ServerConfig, Settings};
use crate::twilio::callback_path::CallbackPath;
use crate::twilio::signature::BaseUrl;

/// Logs addresses, tokens, public URLs and targets, and warns of likely mistakes.
pub fn write(
    config: &ServerConfig,
    settings: &Settings,
    callbacks: &TcpListener,
    admin: &TcpListener,
) -> Result<()> {
    let (callbacks, admin) = (callbacks.local_addr()?, admin.local_addr()?);
    let of_streams = settings.event_streams_path()?;
    for path in &config.callback_paths {
        let what = if *path == of_streams { "Event Streams" } else { "callbacks" };
        tracing::info!("receiving {what} on http://{callbacks}{path}");
    }
    tracing::info!("answering questions on http://{admin}");
    warn_of_short(&config.api_tokens);
    for ApiToken { name, scope, .. } in &config.api_tokens {
        tracing::info!("questions are answered to API token {}: {scope}", name.escape_debug());
    }
    for url in config.public_urls.iter().map(|url| url.as_given()) {
        match config.public_url_is_guessed {
            false => tracing::info!("checking signatures against {url}"),
            true => tracing::warn!(
                "checking signatures against {url}, for want of a public URL; Twilio signs the URL \
                 that it calls: set DELIVERY_LEDGER_PUBLIC_URL or --public-url to it"
            ),
        }
    }
    for target in &config.targets {
        tracing::info!(
            "forwarding to {} at {}: {}",
            target.name,
            target.shown_url(),
            target.selection
        );
    }
    warn_of_unrecorded_lookups(config, settings)?;
    warn_of_odd_tokens(config, settings);
    warn_of_repeated_paths(config);
    Ok(())
}

/// Warns of tokens that are short enough to be guessed.
pub fn warn_of_short(tokens: &[ApiToken]) {
    for shortness in tokens.iter().filter_map(ApiToken::shortness) {
        tracing::warn!("{shortness}");
    }
}

/// Warns if masked tokens may look up numbers, and nobody can see how many they try.
fn warn_of_unrecorded_lookups(config: &ServerConfig, settings: &Settings) -> Result<()> {
    let may_find = |token: &&ApiToken| token.scope.find && token.scope.read == Some(Read::Masked);
    let finding = config.api_tokens.iter().find(may_find);
    if let (Some(ApiToken { name, .. }), None) = (finding, settings.access_log()?) {
        tracing::warn!(
            "API token {} may look up numbers (scope find), and access records are switched off, so \
             that nobody can see how many it tries: set access_log or DELIVERY_LEDGER_ACCESS_LOG",
            name.escape_debug()
        );
    }
    Ok(())
}

/// Warns of tokens that do not have the form of Twilio's: a mistyped token verifies nothing.
fn warn_of_odd_tokens(config: &ServerConfig, settings: &Settings) {
    let sources = settings.key_sources();
    for (sid, keys) in config.accounts.iter() {
        for (name, _) in keys.tokens().filter(|(_, token)| !token.is_usual()) {
            let is_it = |source: &&KeySource| {
                source.account_sid == sid.as_str() && source.key.split(' ').any(|word| word == name)
            };
            let setting = sources.iter().find(is_it).map_or("a setting", |source| &source.setting);
            tracing::warn!(
                "{setting}: the {name} token of account {sid} does not have the form of Twilio's, 32 \
                 hexadecimal digits; if it is wrong, no callback of that account is accepted"
            );
        }
    }
}

/// Warns of public URLs that already end with the callback path, which is appended to them.
fn warn_of_repeated_paths(config: &ServerConfig) {
    let paths = || config.callback_paths.iter().map(CallbackPath::as_given);
    for url in config.public_urls.iter().map(BaseUrl::as_given) {
        if let Some(path) = paths().find(|path| url.ends_with(path)) {
            tracing::warn!(
                "DELIVERY_LEDGER_PUBLIC_URL or --public-url: {url} ends with the callback path, so \
                 Twilio is expected to call {url}{path}; leave {path} out unless it does"
            );
        }
    }
}

//! The settings that decide which callbacks a listener accepts.

use std::sync::Arc;

use anyhow::{Result, bail};

use super::Settings;
use super::messages::invalid;
use super::setting::declarations::EVENT_STREAMS_PATH;
use crate::twilio::accounts::Accounts;
use crate::twilio::callback_path::CallbackPath;
use crate::twilio::signature::BaseUrl;

/// Signing keys, signed URLs and callback paths.
#[derive(Debug, Clone)]
pub struct ListenerConfig {
    /// The accounts with their keys.
    pub accounts: Arc<Accounts>,
    /// The public URLs that Twilio signs.
    pub public_urls: Arc<[BaseUrl]>,
    /// The paths at which callbacks and Event Streams are received.
    pub callback_paths: Arc<[CallbackPath]>,
}

impl Settings {
    /// Refuses an admin listener that others can reach if it needs no token.
    pub fn refuse_open_admin(&self) -> Result<()> {
        let admin_listen = self.admin_listen()?;
        if admin_listen.ip().is_loopback() || !self.api_tokens()?.is_empty() {
            return Ok(());
        }
        bail!(
            "the admin listener is bound to {admin_listen}, which others can reach: set \
             DELIVERY_LEDGER_API_TOKEN (or …_FILE), or bind it to 127.0.0.1 with --admin-listen"
        );
    }

    /// The path on which Event Streams are received.
    ///
    /// # Errors
    ///
    /// It is not a path, or it is a prefix: a sink at Twilio needs the whole URL.
    pub fn event_streams_path(&self) -> Result<CallbackPath> {
        let (name, path) = self.text(&EVENT_STREAMS_PATH);
        let refused = |error: &str| invalid(name, format!("{name}: `{path}` {error}"));
        match CallbackPath::parse(&path) {
            Ok(parsed) if parsed.is_prefix() => {
                Err(refused("is a prefix; give the whole path, such as /event-streams"))
            }
            Ok(parsed) => Ok(parsed),
            Err(error) => Err(refused(&error)),
        }
    }

    /// Every path on which requests of Twilio's are received: the callback paths, and that of Event Streams
    /// unless it is one of them.
    pub fn received_paths(&self) -> Result<Vec<CallbackPath>> {
        let (mut paths, of_streams) = (self.callback_paths()?, self.event_streams_path()?);
        if !paths.iter().any(|path| path.matches(of_streams.as_given())) {
            paths.push(of_streams);
        }
        Ok(paths)
    }

    /// The configuration that a server would check callbacks with.
    pub fn listener(&self) -> Result<ListenerConfig> {
        let mut public_urls = self.public_urls()?;
        if public_urls.is_empty() {
            // The same default as in `serve`.
            public_urls.extend(BaseUrl::parse(&format!("http://{}", self.listen()?)));
        }
        Ok(ListenerConfig {
            accounts: Arc::new(self.accounts()?),
            public_urls: public_urls.into(),
            callback_paths: self.received_paths()?.into(),
        })
    }
}

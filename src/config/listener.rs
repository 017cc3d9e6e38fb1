//! The settings that decide which callbacks a listener accepts.

use std::sync::Arc;

use anyhow::Result;

use super::Settings;
use crate::twilio::accounts::Accounts;
use crate::twilio::callback_path::CallbackPath;
use crate::twilio::signature::BaseUrl;

/// Signing keys, signed URLs and callback paths.
#[derive(Debug, Clone)]
pub struct ListenerConfig {
    pub accounts: Arc<Accounts>,
    pub public_urls: Arc<[BaseUrl]>,
    pub callback_paths: Arc<[CallbackPath]>,
}

impl Settings {
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
            callback_paths: self.callback_paths()?.into(),
        })
    }
}

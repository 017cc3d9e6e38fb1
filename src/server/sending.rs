//! Sending messages over HTTP: the Twilio client and its current credentials.

use anyhow::Result;

use crate::config::{ServerConfig, Settings};
use crate::domain::AccountSid;
use crate::http::{Sender, SendingAccount};
use crate::twilio_api::{Client, RequestLimits};

/// `None` if no TLS client can be made because the system has no certificates; the server still
/// receives callbacks.
pub fn configured(settings: &Settings, config: &ServerConfig) -> Result<Option<Sender>> {
    settings.warn_of_region();
    let (base_url, timeout) = (settings.twilio_base_url()?, settings.twilio_timeout()?);
    let client = match Client::new(&base_url, timeout, RequestLimits::new(u64::MAX, || false)) {
        Ok(client) => client,
        Err(error) => {
            let reason = format!("{:#}", anyhow::Error::from(error));
            tracing::warn!(%reason, "Twilio cannot be asked, so no messages are sent over HTTP");
            return Ok(None);
        }
    };
    settings.credentials(None)?;
    let settings = settings.clone();
    Ok(Some(Sender::new(
        client,
        Box::new(move |named| {
            sender(&settings, named).map_err(|error| {
                tracing::error!(error = format!("{error:#}"), "nothing can be sent");
                "the server's configuration cannot be read".to_owned()
            })
        }),
        config.status_callback.clone(),
    )))
}

/// The account and its credentials, read again for each message, since tokens change while a server
/// runs.
fn sender(settings: &Settings, named: Option<&str>) -> Result<SendingAccount> {
    let settings = settings.reread()?;
    let named = match named {
        // No name has this form, and there may be thousands of names.
        Some(sid) if AccountSid::has_documented_form(sid) => AccountSid::parse(sid),
        Some(name) => match settings.account_names()?.resolve(name) {
            Ok(account_sid) => Some(account_sid),
            Err(error) => {
                let name = name.escape_debug();
                return Ok(SendingAccount::Unknown(format!("account_sid `{name}` is not {error}")));
            }
        },
        None => None,
    };
    let Ok(account_sid) = settings.sending_account(named) else {
        return Ok(SendingAccount::Unknown("name the account: account_sid".to_owned()));
    };
    if !settings.has_account(&account_sid) {
        let sid = account_sid.as_str();
        return Ok(SendingAccount::Unknown(format!("no token is configured for account {sid}")));
    }
    let who = settings.twilio_credentials(&account_sid)?;
    Ok(SendingAccount::Known(account_sid, who))
}

//! Settings for calling Twilio: base URL, credentials, and the callback URL of messages sent.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};

use super::messages::warn_once;
use super::{
    CALLBACK_OVERRIDES, Settings, TWILIO_API_BASE_URL, TWILIO_API_TIMEOUT, credential, one_path,
};
use crate::domain::AccountSid;
use crate::domain::time::duration;
use crate::subaccounts::Subaccount;
use crate::twilio::callback_path::CallbackPath;
use crate::twilio::signature::BaseUrl;
use crate::twilio_api::{Client, Credentials, RequestLimits};

const DEFAULT_BASE_URL: &str = "https://api.twilio.com";

/// The region of a host that names only an edge, and the one whose host needs no edge.
const DEFAULT_REGION: &str = "us1";

/// How long a part of a host name may be (RFC 1035).
const HOST_LABEL_BYTES_MAX: usize = 63;

impl Settings {
    /// Where Twilio's API is: as it is configured, or else where the region and the edge have it.
    pub fn twilio_base_url(&self) -> Result<String> {
        let Some((setting, url)) = self.given_text(&TWILIO_API_BASE_URL) else {
            return self.twilio_host_of_region();
        };
        let Some((scheme, rest)) = url.split_once("://") else {
            bail!("{setting}: `{url}` is not of the form {DEFAULT_BASE_URL}");
        };
        let authority = rest.split('/').next().unwrap_or_default();
        if authority.contains('@') || rest.contains(['?', '#']) {
            bail!("{setting}: a base URL has no user name, query or fragment");
        }
        let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host);
        match scheme {
            "https" if !host.is_empty() => {}
            "http" if matches!(host, "127.0.0.1" | "localhost" | "[::1]") => {}
            "http" if !host.is_empty() => tracing::warn!(
                "{setting} begins with http://: Twilio's credentials travel to {host} unencrypted"
            ),
            _ => bail!("{setting}: `{url}` is not of the form {DEFAULT_BASE_URL}"),
        }
        Ok(url.trim_end_matches('/').to_owned())
    }

    /// The host as Twilio's own libraries make it of `TWILIO_REGION` and `TWILIO_EDGE`:
    /// `api.EDGE.REGION.twilio.com`, in the region us1 if there is only an edge.
    fn twilio_host_of_region(&self) -> Result<String> {
        let (edge, region) = (self.host_label("TWILIO_EDGE")?, self.host_label("TWILIO_REGION")?);
        let region = region.or_else(|| edge.as_ref().map(|_| DEFAULT_REGION.to_owned()));
        let labels = [edge, region].into_iter().flatten().map(|label| format!(".{label}"));
        Ok(format!("https://api{}.twilio.com", labels.collect::<String>()))
    }

    /// A client of Twilio's API as it is configured, within limits.
    pub fn twilio_client(&self, limits: RequestLimits) -> Result<Client> {
        self.warn_of_region();
        Client::new(&self.twilio_base_url()?, self.twilio_timeout()?, limits)
            .context("prepare to ask Twilio")
    }

    /// Where Event Streams is: on the host that Twilio's own libraries make of the same region and edge,
    /// `events` instead of `api`. Any other base URL, such as that of a proxy, is that of both.
    pub fn event_streams_base_url(&self) -> Result<String> {
        let base_url = self.twilio_base_url()?;
        let of_twilio = base_url.strip_prefix("https://api.").filter(|rest| {
            let host = rest.split(['/', ':']).next().unwrap_or_default();
            host == "twilio.com" || host.ends_with(".twilio.com")
        });
        let of_twilio = of_twilio.map(|rest| format!("https://events.{rest}"));
        Ok(of_twilio.unwrap_or(base_url))
    }

    /// A client of Event Streams, within limits.
    pub fn event_streams_client(&self, limits: RequestLimits) -> Result<Client> {
        self.warn_of_region();
        Client::new(&self.event_streams_base_url()?, self.twilio_timeout()?, limits)
            .context("prepare to ask Twilio")
    }

    /// The credentials of each configured account and active subaccount, or of the named one alone.
    pub fn credentials(
        &self,
        named: Option<AccountSid>,
    ) -> Result<BTreeMap<AccountSid, Credentials>> {
        if let Some(named) = named {
            let credentials = self.twilio_credentials(&named)?;
            return Ok(BTreeMap::from([(named, credentials)]));
        }
        let configured = self.account_sids().into_iter().map(|account_sid| {
            let credentials = self.configured_credentials(&account_sid)?;
            Ok((account_sid, credentials))
        });
        let subaccounts = self.readable_subaccounts().into_iter().filter(Subaccount::is_active);
        let subaccounts = subaccounts
            .map(|subaccount| Ok((subaccount.sid.clone(), subaccount_credentials(subaccount))));
        configured.chain(subaccounts).collect()
    }

    /// Logs [`region_warning`](Self::region_warning), if there is one, once per process.
    pub fn warn_of_region(&self) {
        self.region_warning().into_iter().for_each(warn_once);
    }

    /// What is to be said of the host that the region has without an edge
    /// (<https://www.twilio.com/docs/global-infrastructure/api-domain-migration-guide>).
    pub fn region_warning(&self) -> Option<String> {
        let base_url = self.twilio_base_url().ok()?;
        let region = base_url.strip_prefix("https://api.")?.strip_suffix(".twilio.com")?;
        (!region.contains('.') && region != DEFAULT_REGION).then(|| {
            format!(
                "Twilio has announced that api.{region}.twilio.com stops answering: set TWILIO_EDGE \
                 too, such as dublin for ie1"
            )
        })
    }

    /// A part of a host name in the environment, in lower case; `None` if it is not set or empty.
    fn host_label(&self, variable: &str) -> Result<Option<String>> {
        let Some(value) = self.environment.get(variable) else { return Ok(None) };
        let label = value.trim().to_ascii_lowercase();
        let is_label = label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && label.len() <= HOST_LABEL_BYTES_MAX
            && !label.starts_with('-')
            && !label.ends_with('-');
        match is_label {
            true => Ok(Some(label).filter(|label| !label.is_empty())),
            false => bail!(
                "{variable}: `{}` is no region or edge of Twilio's, such as ie1 and dublin",
                value.escape_debug()
            ),
        }
    }

    /// How long an answer of Twilio's may take.
    pub fn twilio_timeout(&self) -> Result<Duration> {
        let (setting, value) = self.text(&TWILIO_API_TIMEOUT);
        duration::parse(&value)
            .ok()
            .ok_or_else(|| anyhow!("{setting}: `{value}` is not a time from 1s on, such as 30s"))
    }

    /// As whom an account's messages are asked for: the API key, where one is configured and the
    /// account is the environment's, or the only one, else the account's own auth token, as of a
    /// subaccount.
    pub fn twilio_credentials(&self, account_sid: &AccountSid) -> Result<Credentials> {
        match self.subaccount(account_sid) {
            Some(subaccount) => Ok(subaccount_credentials(subaccount)),
            None => self.configured_credentials(account_sid),
        }
    }

    fn configured_credentials(&self, account_sid: &AccountSid) -> Result<Credentials> {
        let in_environment = self.environment.get("TWILIO_ACCOUNT_SID");
        let sid = account_sid.as_str();
        let only = self.file.accounts.len() <= 1;
        if in_environment.map_or(only, |own| own == sid)
            && let Some(key) = self.api_key()?
        {
            return Ok(key);
        }
        let own = self.account_in_environment()?.filter(|(own, ..)| own == sid);
        let token = match (own, self.file.accounts.get(sid)) {
            (Some((_, token, _)), _) => Some(token),
            (None, Some(entry)) => self.file.auth_token(
                &format!("accounts.{sid}.auth_token"),
                &entry.auth_token,
                &entry.auth_token_file,
            )?,
            (None, None) => None,
        };
        let password =
            token.with_context(|| format!("no token is configured for account {sid}"))?;
        Ok(Credentials { user: sid.to_owned(), password })
    }

    /// The API key in the environment, with its secret.
    pub(super) fn api_key(&self) -> Result<Option<Credentials>> {
        let key = self.environment.get("TWILIO_API_KEY").cloned();
        match (key, self.secret("TWILIO_API_SECRET")?) {
            (Some(user), Some(password)) => {
                credential::api_key("TWILIO_API_KEY", &user)?;
                let password = credential::secret("TWILIO_API_SECRET", password)?;
                Ok(Some(Credentials { user, password }))
            }
            (Some(_), None) => bail!(
                "TWILIO_API_KEY is set, but not its secret: set TWILIO_API_SECRET or \
                 TWILIO_API_SECRET_FILE"
            ),
            (None, Some(_)) => {
                bail!("TWILIO_API_SECRET is set, but not whose it is: TWILIO_API_KEY")
            }
            (None, None) => Ok(None),
        }
    }

    /// The account that messages are sent for: the one named, else the environment's, else the only
    /// one in the file.
    pub fn sending_account(&self, named: Option<AccountSid>) -> Result<AccountSid> {
        let only = || match self.file.accounts.len() {
            1 => self.file.accounts.keys().next().map(String::as_str),
            _ => None,
        };
        let in_environment = self.environment.get("TWILIO_ACCOUNT_SID").map(String::as_str);
        if let Some(sid) = in_environment {
            credential::account_sid("TWILIO_ACCOUNT_SID", sid)?;
        }
        let sid = || in_environment.or_else(only).and_then(AccountSid::parse);
        named.or_else(sid).ok_or_else(|| {
            anyhow!("which account is it? Set TWILIO_ACCOUNT_SID, or name one with --account-sid")
        })
    }

    /// True if Twilio can be asked about this account.
    pub fn has_account(&self, account_sid: &AccountSid) -> bool {
        self.account_sids().contains(account_sid) || self.subaccount(account_sid).is_some()
    }

    /// Every configured account.
    pub fn account_sids(&self) -> Vec<AccountSid> {
        let in_environment = self.environment.get("TWILIO_ACCOUNT_SID");
        let mut sids: Vec<_> =
            in_environment.into_iter().chain(self.file.accounts.keys()).collect();
        sids.sort_unstable();
        sids.dedup();
        sids.into_iter().filter_map(|sid| AccountSid::parse(sid)).collect()
    }

    /// Twilio's connection overrides, as the fragment of the callback URL; empty if there are none.
    pub fn callback_overrides(&self) -> String {
        match self.text(&CALLBACK_OVERRIDES).1.as_str() {
            "none" => String::new(),
            overrides => overrides.trim_start_matches('#').to_owned(),
        }
    }

    /// The URL that a message's callbacks are to be sent to: the first public URL, the first callback
    /// path, and how Twilio is to connect.
    pub fn status_callback(&self) -> Result<String> {
        let public_urls = self.public_urls()?;
        let Some(public_url) = public_urls.first() else {
            bail!(
                "Twilio has to know where to tell what becomes of the message: set \
                 DELIVERY_LEDGER_PUBLIC_URL or --public-url to the URL under which it reaches \
                 serve, or name another with --status-callback"
            );
        };
        let paths = self.callback_paths()?;
        let Some(path) = one_path(&paths) else {
            bail!(
                "the callback path `{}` is a prefix, so Twilio has to be given the whole URL: name it \
                 with --status-callback",
                paths.first().map_or("", CallbackPath::as_given)
            );
        };
        Ok(self.callback_url(public_url, path))
    }

    /// The URL of a callback path, with how Twilio is to connect to it.
    pub(super) fn callback_url(&self, public_url: &BaseUrl, path: &str) -> String {
        let overrides = match self.callback_overrides().as_str() {
            "" => String::new(),
            overrides => format!("#{overrides}"),
        };
        format!("{}{path}{overrides}", public_url.as_given())
    }
}

fn subaccount_credentials(Subaccount { sid, auth_token, .. }: Subaccount) -> Credentials {
    Credentials { user: sid.as_str().to_owned(), password: auth_token }
}

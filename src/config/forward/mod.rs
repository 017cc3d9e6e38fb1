//! The targets of forwarding, from the sections `[forward.NAME]` of the configuration file.

mod own_url;
mod selection;
mod url;
mod value;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use secrecy::ExposeSecret;

use self::own_url::{OwnUrls, is_own_address};
use self::value::Value;
use super::file::ForwardEntry;
use super::{Origin, Settings, credential};
use crate::domain::event::parse_position;
use crate::domain::time::duration;
use crate::forward::address::Url;
use crate::forward::target::{
    Beginning, Format, GIVE_UP_AFTER, GIVE_UP_AFTER_MAX, NAME_BYTES_MAX, REQUESTS, REQUESTS_MAX,
    TARGETS_MAX, TIMEOUT, TIMEOUT_MAX, Target,
};
use crate::forward::webhook_secret::WebhookSecret;
use crate::twilio::callback_path::CallbackPath;
use crate::twilio::signature::BaseUrl;

/// A target that is configured, or what is wrong with it.
#[derive(Debug)]
pub struct ConfiguredTarget {
    /// Its name.
    pub name: String,
    /// Where it is configured.
    pub origin: Origin,
    /// The target, or the reason why it is invalid.
    pub target: Result<Target>,
}

/// Reads the URL of a flag to which events are sent. The user has chosen it, so it may be link-local.
pub fn forward_url(text: &str) -> Result<Url, String> {
    url::parse(text, true)
        .map_err(|reason| format!("`{}` {reason}", url::shown(text).escape_debug()))
}

impl Settings {
    /// The targets that events are forwarded to, by name; none if none is configured.
    ///
    /// # Errors
    ///
    /// A target is invalid, or there are more than [`TARGETS_MAX`]. The error names the key and the value, but
    /// no secret.
    pub fn targets(&self) -> Result<Vec<Target>> {
        let count = self.file.forward.len();
        if count > TARGETS_MAX {
            bail!("[forward.…]: there are {count} targets; {TARGETS_MAX} are the maximum");
        }
        self.each_target().into_iter().map(|each| each.target).collect()
    }

    /// Every target, each with what is wrong with it alone.
    pub fn each_target(&self) -> Vec<ConfiguredTarget> {
        let each = self.file.forward.iter().map(|(name, entry)| ConfiguredTarget {
            name: name.clone(),
            origin: self.origin_in_file(&[&format!("forward.{name}")]),
            target: self.target(name, entry),
        });
        each.collect()
    }

    /// Refuses a target that is this ledger itself: each event would come back as a new one, for ever.
    ///
    /// Only what the configuration shows is recognised: no host name is looked up, except `localhost`.
    pub fn refuse_loops(&self) -> Result<()> {
        if self.file.forward.is_empty() {
            return Ok(());
        }
        let (public_urls, callback_paths) = (self.public_urls()?, self.received_paths()?);
        self.targets_without_loops(self.listen()?, &public_urls, &callback_paths).map(drop)
    }

    /// The targets, none of which is this ledger itself.
    pub(super) fn targets_without_loops(
        &self,
        listen: SocketAddr,
        public_urls: &[BaseUrl],
        callback_paths: &[CallbackPath],
    ) -> Result<Vec<Target>> {
        let own = OwnUrls { listen, public_urls, callback_paths };
        let targets = self.targets()?;
        for Target { name, url, .. } in &targets {
            if let Some(own) = own.reached_by(url, is_own_address) {
                bail!(
                    "forward.{name}.url: `{}` is {own} of this ledger itself, so every event would come \
                     back as a new one; give the URL of the application that is to get the events",
                    url::shown(url.as_str())
                );
            }
        }
        Ok(targets)
    }

    /// The files of the targets' secrets.
    pub(super) fn target_secret_files(&self) -> impl Iterator<Item = PathBuf> {
        let files = self.file.forward.values().filter_map(|entry| entry.secret_file.as_ref());
        files.map(|file| self.file.path(file))
    }

    fn target(&self, name: &str, entry: &ForwardEntry) -> Result<Target> {
        check_name(name)?;
        let value = |key: &'static str, value| Value::new(name, key, value);
        let allow_link_local = value("allow_link_local", &entry.allow_link_local);
        let allow_link_local = allow_link_local.map_or(Ok(false), |value| value.boolean())?;
        let url = value("url", &entry.url).with_context(|| {
            format!(
                "forward.{name}.url is missing: the URL to forward to, such as {}",
                url::EXAMPLE
            )
        })?;
        let url = url::target_url(&url, allow_link_local)?;
        let format = self.target_format(name, entry)?;
        // Names and URLs that are invalid are reported by themselves.
        let account_names = || self.account_names().unwrap_or_default();
        let public_urls = || self.public_urls().unwrap_or_default();
        let selection = selection::read(name, entry, &format, account_names, public_urls)?;
        let length = |key, given, default, max| {
            value(key, given).map_or(Ok(default), |value| length(&value, max))
        };
        Ok(Target {
            name: name.to_owned(),
            url,
            selection,
            from: value("from", &entry.from)
                .map_or(Ok(Beginning::default()), |from| begin(&from))?,
            format,
            give_up_after: length(
                "give_up_after",
                &entry.give_up_after,
                GIVE_UP_AFTER,
                GIVE_UP_AFTER_MAX,
            )?,
            timeout: length("timeout", &entry.timeout, TIMEOUT, TIMEOUT_MAX)?,
            requests: value("requests", &entry.requests)
                .map_or(Ok(REQUESTS), |of| requests(&of))?,
            allow_link_local,
        })
    }

    fn target_format(&self, name: &str, entry: &ForwardEntry) -> Result<Format> {
        let key = format!("forward.{name}.secret");
        let given = Value::new(name, "format", &entry.format);
        let format =
            given.as_ref().map_or(Ok("request"), |given| given.one_of(["request", "message"]))?;
        let has_secret = entry.secret.is_some() || entry.secret_file.is_some();
        match (format, has_secret) {
            ("request", false) => Ok(Format::Request),
            ("request", true) => bail!(
                "{key} is only for format = \"message\"; a request is signed with the account's auth token: \
                 remove it, or set the format"
            ),
            (_, false) => bail!(
                "{key}_file is missing: format = \"message\" is signed with a secret; make one with `echo \
                 whsec_$(openssl rand -base64 32)`, and give it to the target too"
            ),
            (_, true) => {
                let secret = self.file.secret(&key, &entry.secret, &entry.secret_file)?;
                let key = if entry.secret.is_some() { key } else { format!("{key}_file") };
                let secret = credential::secret(&key, secret.context("it is set")?)?;
                let secret = WebhookSecret::parse(secret.expose_secret());
                secret.map(Format::Message).map_err(|reason| anyhow!("{key}: the secret {reason}"))
            }
        }
    }
}

fn check_name(name: &str) -> Result<()> {
    let is_letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let is_name = name.len() <= NAME_BYTES_MAX
        && name.bytes().next().is_some_and(is_letter)
        && name.bytes().all(|byte| is_letter(byte) || b"_-".contains(&byte));
    if is_name {
        return Ok(());
    }
    bail!(
        "[forward.{}]: this is not the name of a target, which has at most {NAME_BYTES_MAX} lower-case \
         letters, digits, dashes and underscores, and begins with a letter or a digit",
        name.escape_debug()
    )
}

fn begin(from: &Value<'_>) -> Result<Beginning> {
    match from.text_or_number() {
        Some(text) if text == "now" => Ok(Beginning::Now),
        Some(text) if text == "start" => Ok(Beginning::Start),
        Some(text) if parse_position(&text).is_some() => {
            Ok(parse_position(&text).map(Beginning::After).unwrap_or_default())
        }
        _ => Err(from.error("is not now, start, or a position from 0 to 9223372036854775807")),
    }
}

fn length(given: &Value<'_>, max: Duration) -> Result<Duration> {
    let expected = || {
        let max = match max.as_secs() {
            seconds if seconds >= 24 * 3600 => format!("{}d", seconds / (24 * 3600)),
            seconds => format!("{seconds}s"),
        };
        given.error(&format!("is not a time from 1s to {max}, such as 35s or 3d"))
    };
    let length = given.text().and_then(|text| duration::parse(text).ok());
    length.filter(|length| *length <= max).ok_or_else(expected)
}

fn requests(given: &Value<'_>) -> Result<usize> {
    let number = given.number().and_then(|number| usize::try_from(number).ok());
    number
        .filter(|number| (1..=REQUESTS_MAX).contains(number))
        .ok_or_else(|| given.error(&format!("is not a number from 1 to {REQUESTS_MAX}")))
}

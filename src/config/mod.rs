//! Flags, environment and file, in this order of precedence, become typed settings.
//! Nothing else reads the environment.

mod access_log;
mod accounts;
mod api_token;
mod country;
mod credential;
mod database;
mod file;
mod forward;
mod listener;
mod messages;
mod quarantine;
mod reconcile;
mod reread;
mod retention;
mod seal;
mod setting;
mod twilio_api;
mod url;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use secrecy::SecretString;

pub use self::accounts::account::subaccount_keys;
pub use self::accounts::configured_account::{
    ConfiguredAccount, ConfiguredKey, ConfiguredSubaccounts,
};
pub use self::accounts::key_source::KeySource;
use self::accounts::subaccounts::SubaccountsMemo;
pub use self::accounts::subaccounts::SubaccountsSummary;
pub use self::api_token::{ApiScope, ApiToken, ConfiguredToken, Read};
pub use self::credential::{account_sid as check_account_sid, auth_token as check_auth_token};
use self::file::ConfigFile;
pub use self::file::template::{AUTH_TOKEN_FILE, TemplateAccount, template};
pub use self::forward::{ConfiguredTarget, forward_url};
pub use self::listener::ListenerConfig;
pub use self::messages::UsageError;
use self::messages::invalid;
pub use self::reconcile::Reconciling;
pub use self::seal::WitnessEntry;
use self::setting::Given;
pub use self::setting::declarations::*;
pub use self::setting::effective::EffectiveSetting;
pub use self::setting::environment::{
    ACCOUNT_VARIABLES, API_VARIABLES, PAGER_VARIABLES, TERMINAL_VARIABLES, Variable,
};
pub use self::setting::origin::Origin;
pub use self::setting::{Flags, Setting};
use crate::access_log::Destination;
use crate::domain::account_names::AccountNames;
use crate::domain::country::Country;
use crate::domain::message::tags::{IndexedTags, NAME_BYTES_MAX};
use crate::domain::time::duration;
use crate::domain::time::zone::Zone;
use crate::domain::{ErrorCodes, Rule};
use crate::forward::target::Target;
use crate::store::quarantine::Limits;
use crate::twilio::accounts::Accounts;
use crate::twilio::callback_path::CallbackPath;
use crate::twilio::signature::BaseUrl;

/// The configuration file if none is named.
pub const DEFAULT_FILE: &str = "delivery-ledger.toml";

/// All sources of settings: flags, environment and file. Values are parsed when they are asked for.
#[derive(Debug, Clone)]
pub struct Settings {
    flags: Flags,
    environment: HashMap<String, String>,
    file: ConfigFile,
    /// False if no file is read, even if there is one.
    reads_file: bool,
    subaccounts: SubaccountsMemo,
}

/// The settings of a server.
#[derive(Debug)]
pub struct ServerConfig {
    /// The address on which callbacks are received.
    pub listen: SocketAddr,
    /// The address of the admin listener.
    pub admin_listen: SocketAddr,
    /// The paths at which callbacks are received.
    pub callback_paths: Vec<CallbackPath>,
    /// The public URLs that Twilio signs.
    pub public_urls: Vec<BaseUrl>,
    /// Whether the public URL is to be guessed from the address listened on.
    pub public_url_is_guessed: bool,
    /// The host names that admin requests may be addressed to, besides the loopback ones.
    pub admin_hosts: Vec<String>,
    /// Every admin request needs one of these; none is needed if there are none.
    pub api_tokens: Vec<ApiToken>,
    /// The accounts with their keys.
    pub accounts: Accounts,
    /// The names of accounts.
    pub account_names: AccountNames,
    /// How often the log is verified in the background; `None` if it is not.
    pub verify_every: Option<Duration>,
    /// How much of the rejected requests is kept; `None` if none is.
    pub quarantine: Option<Limits>,
    /// Where access records are written; `None` if there are none.
    pub access_log: Option<Destination>,
    /// The settings of reconciliation.
    pub reconciling: Reconciling,
    /// The age at which messages are erased; `None` if they are kept.
    pub erase_after: Option<Duration>,
    /// The table of error codes.
    pub error_codes: ErrorCodes,
    /// The country of numbers without a calling code; `None` if none is configured.
    pub default_country: Option<Country>,
    /// The time zone of days and times in queries, unless they name another one.
    pub time_zone: Zone,
    /// The status callback URL of messages sent; `None` if it is not known.
    pub status_callback: Option<String>,
    /// The targets that events are forwarded to.
    pub targets: Vec<Target>,
}

impl Settings {
    /// Reads the environment and the named file. If none is named, `delivery-ledger.toml` is read if it
    /// exists.
    pub fn load(file: Option<&Path>, flags: Flags) -> Result<Self> {
        let file = match file {
            Some(path) => ConfigFile::read(path)?,
            None if Path::new(DEFAULT_FILE).exists() => ConfigFile::read(Path::new(DEFAULT_FILE))?,
            None => ConfigFile::default(),
        };
        Ok(Self {
            flags,
            environment: environment(),
            file,
            reads_file: true,
            subaccounts: SubaccountsMemo::default(),
        })
    }

    /// The settings without a file, for a command that goes on although the file cannot be read.
    pub fn without_file(flags: Flags) -> Self {
        Self {
            flags,
            environment: environment(),
            file: ConfigFile::default(),
            reads_file: true,
            subaccounts: SubaccountsMemo::default(),
        }
    }

    /// Settings of these flags and variables alone, whatever the environment and the file say: for a server
    /// that its own program configures.
    pub fn isolated<'a>(
        flags: Flags,
        variables: impl IntoIterator<Item = (&'a str, String)>,
    ) -> Self {
        let environment = variables.into_iter().map(|(name, value)| (name.to_owned(), value));
        let environment = environment.collect();
        Self {
            flags,
            environment,
            file: ConfigFile::default(),
            reads_file: false,
            subaccounts: SubaccountsMemo::default(),
        }
    }

    /// These settings with further flags.
    pub fn with_flags(&self, flags: Flags) -> Self {
        let mut settings = self.clone();
        settings.flags.extend(flags);
        settings
    }

    /// The configuration file that was read; `None` if there is none.
    pub fn config_file(&self) -> Option<&Path> {
        self.file.read_from.as_deref()
    }

    /// The time zone of days and times that have no offset from UTC.
    pub fn time_zone(&self) -> Result<Zone> {
        let (name, value) = self.text(&TIME_ZONE);
        Zone::parse(&value).map_err(|unknown| invalid(name, format!("{name}: {unknown}")))
    }

    /// The rule of precedence.
    pub fn rule(&self) -> Result<Rule> {
        Ok(self.configured_rule()?.unwrap_or_default())
    }

    /// The configured rule; `None` if none is configured, in which case commands use the rule of the
    /// existing views.
    pub fn configured_rule(&self) -> Result<Option<Rule>> {
        let Some((name, rule)) = self.given_text(&RULE) else { return Ok(None) };
        Rule::parse(&rule).map(Some).ok_or_else(|| {
            anyhow!("{name}: `{rule}` is not a rule; use failure-terminal or delivery-wins")
        })
    }

    /// The table of error codes: the file of the flag or the setting, or else the built-in table.
    pub fn error_codes(&self, flag: Option<&Path>) -> Result<ErrorCodes> {
        let flag = flag.map(|path| ("--error-codes", path.to_owned()));
        let given = || {
            let (name, path) = self.given_text(&ERROR_CODES)?;
            let in_file = name == ERROR_CODES.key;
            Some((name, if in_file { self.file.path(Path::new(&path)) } else { path.into() }))
        };
        let Some((setting, path)) = flag.or_else(given) else { return Ok(ErrorCodes::default()) };
        let text = std::fs::read_to_string(&path)
            .with_context(|| format!("{setting}: cannot read {}", path.display()))?;
        ErrorCodes::parse(&text).map_err(|bad| anyhow!("{setting}: {}: {bad}", path.display()))
    }

    /// Everything a server needs, or the first invalid setting.
    pub fn server(&self) -> Result<ServerConfig> {
        let listen = self.listen()?;
        let admin_listen = self.admin_listen()?;
        let api_tokens = self.api_tokens()?;
        self.refuse_open_admin()?;
        let public_urls = self.public_urls()?;
        let callback_paths = self.callback_paths()?;
        let received_paths = self.received_paths()?;
        let targets = self.targets_without_loops(listen, &public_urls, &received_paths)?;
        let status_callback = public_urls.first().zip(one_path(&callback_paths));
        let status_callback = status_callback.map(|(url, path)| self.callback_url(url, path));
        Ok(ServerConfig {
            listen,
            admin_listen,
            status_callback,
            callback_paths: received_paths,
            public_url_is_guessed: public_urls.is_empty(),
            public_urls,
            admin_hosts: self.admin_hosts(),
            api_tokens,
            accounts: self.accounts()?,
            account_names: self.account_names()?,
            verify_every: self.verify_every()?,
            quarantine: self.quarantine()?,
            access_log: self.access_log()?,
            reconciling: self.reconciling()?,
            erase_after: self.erase_after()?,
            error_codes: self.error_codes(None)?,
            default_country: self.default_country()?,
            time_zone: self.time_zone()?,
            targets,
        })
    }

    /// The address of the callback listener.
    pub fn listen(&self) -> Result<SocketAddr> {
        self.address(&LISTEN)
    }

    /// The address of the admin listener.
    pub fn admin_listen(&self) -> Result<SocketAddr> {
        self.address(&ADMIN_LISTEN)
    }

    fn address(&self, setting: &Setting) -> Result<SocketAddr> {
        let (name, value) = self.text(setting);
        let example = setting.default.unwrap_or_default();
        let text = || format!("{name}: `{value}` is not an address and port, such as {example}");
        value.parse().map_err(|_| invalid(name, text()))
    }

    fn admin_hosts(&self) -> Vec<String> {
        self.given(&ADMIN_HOSTS).map_or_else(Vec::new, |given| given.values)
    }

    /// The tags that are indexed; `None` if the setting is not given.
    ///
    /// # Errors
    ///
    /// A name is empty, or longer than that of a tag can be.
    pub fn indexed_tags(&self) -> Result<Option<IndexedTags>> {
        let Some(given) = self.given(&TAGS_NAMES) else { return Ok(None) };
        let is_name = |name: &&String| (1..=NAME_BYTES_MAX).contains(&name.len());
        if let Some(name) = given.values.iter().find(|name| !is_name(name)) {
            let name = name.escape_debug();
            let expected = format!("the name of a tag, which has 1 to {NAME_BYTES_MAX} bytes");
            bail!("{}: `{name}` is not {expected}", given.name);
        }
        Ok(Some(IndexedTags::Only(given.values.into_iter().collect())))
    }

    /// How often the log is verified in the background; `None` if it is not.
    fn verify_every(&self) -> Result<Option<Duration>> {
        let (name, value) = self.text(&VERIFY_EVERY);
        if value == "off" {
            return Ok(None);
        }
        duration::parse(&value).ok().map(Some).ok_or_else(|| {
            anyhow!("{name}: `{value}` is neither off nor a time from 1s on, such as 24h")
        })
    }

    /// The paths on which callbacks are received, at least one.
    pub fn callback_paths(&self) -> Result<Vec<CallbackPath>> {
        let given = self.given(&CALLBACK_PATH).filter(|given| !given.values.is_empty());
        let (name, paths) = match given {
            Some(Given { name, values }) => (name, values),
            None => ("the default", CALLBACK_PATH.default.into_iter().map(String::from).collect()),
        };
        let parse = |path: &String| {
            let text = |error| format!("{name}: `{path}` {error}");
            CallbackPath::parse(path).map_err(|error| invalid(name, text(error)))
        };
        paths.iter().map(parse).collect()
    }

    /// The URLs that Twilio may have called; empty if none is configured.
    pub fn public_urls(&self) -> Result<Vec<BaseUrl>> {
        let Some(Given { name, values }) = self.given(&PUBLIC_URL) else { return Ok(Vec::new()) };
        let read = |text: &String| {
            url::public_urls(text).map_err(|error| invalid(name, format!("{error:#}")))
        };
        Ok(values.iter().map(read).collect::<Result<Vec<_>>>()?.concat())
    }

    /// The pager for long output on a terminal: the program and its arguments. `None` if it is not
    /// wanted.
    pub fn pager(&self) -> Option<String> {
        let fallback = || {
            let mut variables = PAGER.fallback_variables.iter();
            variables.find_map(|variable| self.environment.get(*variable).cloned())
        };
        let pager = self.given_text(&PAGER).map(|(_, pager)| pager).or_else(fallback);
        let pager = pager.or_else(|| PAGER.default.map(str::to_owned));
        pager.filter(|pager| pager != NO_PAGER)
    }

    /// Whether the environment has options for `less`.
    pub fn has_less_options(&self) -> bool {
        self.environment.contains_key("LESS")
    }

    /// A secret from the environment, or from the file that `…_FILE` names.
    fn secret(&self, variable: &str) -> Result<Option<SecretString>> {
        if let Some(value) = self.environment.get(variable) {
            return Ok(Some(SecretString::from(value.clone())));
        }
        let file_variable = format!("{variable}_FILE");
        let path = self.environment.get(&file_variable);
        path.map(|path| credential::read_file(&file_variable, Path::new(path))).transpose()
    }
}

/// The first path that is not a prefix: a callback URL needs all of its path.
fn one_path(paths: &[CallbackPath]) -> Option<&str> {
    paths.iter().find(|path| !path.is_prefix()).map(CallbackPath::as_given)
}

/// The width of the terminal in columns, from `COLUMNS`; `None` if it is not set to a positive number.
pub fn columns() -> Option<usize> {
    let columns = std::env::var("COLUMNS").ok()?.parse().ok();
    columns.filter(|columns| *columns > 0)
}

/// Other programs may have variables that are not UTF-8; ours are.
fn environment() -> HashMap<String, String> {
    let variables = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    variables.filter(|(_, value)| !value.is_empty()).collect()
}

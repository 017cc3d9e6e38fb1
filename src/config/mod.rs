//! Flags, environment and file, in this order of precedence, become typed settings.
//! Nothing else reads the environment.

mod account;
mod api_token;
mod credential;
mod file;
mod key_source;
mod named;
mod quarantine;
mod reconcile;
mod reread;
mod secret;
mod shown;
mod twilio_api;
mod url;
mod usage_error;
mod warning;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use secrecy::SecretString;

pub use self::api_token::{ApiScope, ApiToken};
use self::file::ConfigFile;
pub use self::key_source::KeySource;
pub use self::named::NamedDatabase;
pub use self::reconcile::Reconciling;
pub use self::shown::Shown;
pub use self::usage_error::UsageError;
use self::usage_error::invalid;
use crate::domain::error_codes::ErrorCodes;
use crate::domain::{Rule, duration};
use crate::store::Database;
use crate::store::quarantine::Limits;
use crate::twilio::accounts::Accounts;
use crate::twilio::callback_path::CallbackPath;
use crate::twilio::signature::BaseUrl;

const DEFAULT_FILE: &str = "delivery-ledger.toml";
const DEFAULT_DATABASE: &str = "sqlite:ledger.db";
const DEFAULT_LISTEN: &str = "127.0.0.1:8080";
const DEFAULT_ADMIN_LISTEN: &str = "127.0.0.1:8081";
const DEFAULT_CALLBACK_PATH: &str = "/message-status";
const DEFAULT_VERIFY_EVERY: Duration = Duration::from_secs(24 * 60 * 60);

/// What every command may set.
#[derive(Debug, Clone, Default)]
pub struct GlobalFlags {
    pub database: Option<String>,
}

/// What `serve` may set.
#[derive(Debug, Clone, Default)]
pub struct ServeFlags {
    pub listen: Option<String>,
    pub admin_listen: Option<String>,
    pub callback_paths: Vec<String>,
    pub public_urls: Vec<String>,
    pub verify_every: Option<String>,
    pub reconcile_every: Option<String>,
}

/// Where the settings come from, before any of them is read as what it stands for.
#[derive(Debug, Clone)]
pub struct Settings {
    flags: GlobalFlags,
    environment: HashMap<String, String>,
    file: ConfigFile,
}

/// What `serve` needs to know.
#[derive(Debug)]
pub struct ServerConfig {
    pub listen: SocketAddr,
    pub admin_listen: SocketAddr,
    pub callback_paths: Vec<CallbackPath>,
    pub public_urls: Vec<BaseUrl>,
    /// Whether the public URL is to be guessed from the address listened on.
    pub public_url_is_guessed: bool,
    pub admin_hosts: Vec<String>,
    /// Of which one is needed to ask; none is where there are none.
    pub api_tokens: Vec<ApiToken>,
    pub accounts: Accounts,
    /// How often the log is verified in the background; nothing where it is not.
    pub verify_every: Option<Duration>,
    /// How much is kept of what is refused; nothing where nothing is.
    pub quarantine: Option<Limits>,
    pub reconciling: Reconciling,
    /// Where Twilio is to tell what becomes of messages sent; nothing where that is not known.
    pub status_callback: Option<String>,
}

impl Settings {
    /// Reads the file that was named, or `delivery-ledger.toml` where there is one,
    /// and the process's environment.
    pub fn load(file: Option<&Path>, flags: GlobalFlags) -> Result<Self> {
        let file = match file {
            Some(path) => ConfigFile::read(path)?,
            None if Path::new(DEFAULT_FILE).exists() => ConfigFile::read(Path::new(DEFAULT_FILE))?,
            None => ConfigFile::default(),
        };
        Ok(Self { flags, environment: environment(), file })
    }

    /// The same without a file, for whoever has to go on where it cannot be read.
    pub fn without_file(flags: GlobalFlags) -> Self {
        Self { flags, environment: environment(), file: ConfigFile::default() }
    }

    /// The configuration file, where there is one.
    pub fn config_file(&self) -> Option<&Path> {
        self.file.read_from.as_deref()
    }

    /// Whether where the ledger lives is told by a flag or the environment, whatever the file says.
    pub fn database_is_named_outside_file(&self) -> bool {
        self.flags.database.is_some() || self.environment.contains_key("DELIVERY_LEDGER_DATABASE")
    }

    /// Where the ledger lives.
    pub fn database(&self) -> Result<Database> {
        let database = self.place()?;
        match self.leaves_wal_checkpoints()? {
            true => Ok(database.replicated()),
            false => Ok(database),
        }
    }

    /// The same, whoever's its WAL checkpoints are: for whoever only reads.
    pub fn place(&self) -> Result<Database> {
        let url = self.flags.database.clone().map(|value| ("--database", value));
        let url = self.or_environment(url, "DELIVERY_LEDGER_DATABASE");
        let url = url.or_else(|| self.file.database.clone().map(|value| ("database", value)));
        let (setting, url) = url.unwrap_or(("the default", DEFAULT_DATABASE.to_owned()));
        Database::parse(&url).map_err(|reason| invalid(setting, format!("{setting}: {reason}")))
    }

    /// Whether the log's WAL checkpoints are another program's, such as Litestream's.
    fn leaves_wal_checkpoints(&self) -> Result<bool> {
        let in_file = self.file.wal_checkpoints.clone().map(|value| ("wal_checkpoints", value));
        let whose = self.or_environment(None, "DELIVERY_LEDGER_WAL_CHECKPOINTS").or(in_file);
        match whose.as_ref().map(|(setting, value)| (setting, value.as_str())) {
            None | Some((_, "own")) => Ok(false),
            Some((_, "external")) => Ok(true),
            Some((setting, other)) => bail!(
                "{setting}: `{other}` is neither own nor external, which leaves them to Litestream"
            ),
        }
    }

    /// The rule of precedence.
    pub fn rule(&self) -> Result<Rule> {
        Ok(self.configured_rule()?.unwrap_or_default())
    }

    /// The rule, where one is configured: a command without one keeps to the rule of the views.
    pub fn configured_rule(&self) -> Result<Option<Rule>> {
        let name = self.or_environment(None, "DELIVERY_LEDGER_RULE");
        let name = name.or_else(|| self.file.rule.clone().map(|value| ("rule", value)));
        let Some((setting, name)) = name else { return Ok(None) };
        Rule::parse(&name).map(Some).ok_or_else(|| {
            anyhow!("{setting}: `{name}` is no rule; it is failure-terminal or delivery-wins")
        })
    }

    /// The table of error codes that takes the place of the built-in one, where one is configured.
    pub fn error_codes(&self, flag: Option<&Path>) -> Result<Option<ErrorCodes>> {
        let flag = flag.map(|path| ("--error-codes", path.to_owned()));
        let in_environment = || {
            let path = self.environment.get("DELIVERY_LEDGER_ERROR_CODES");
            path.map(|path| ("DELIVERY_LEDGER_ERROR_CODES", PathBuf::from(path)))
        };
        let in_file =
            || self.file.error_codes.as_ref().map(|path| ("error_codes", self.file.path(path)));
        let Some((setting, path)) = flag.or_else(in_environment).or_else(in_file) else {
            return Ok(None);
        };
        let text = std::fs::read_to_string(&path)
            .with_context(|| format!("{setting}: cannot read {}", path.display()))?;
        let table = ErrorCodes::parse(&text);
        table.map(Some).map_err(|bad| anyhow!("{setting}: {}: {bad}", path.display()))
    }

    /// Everything a server needs, or the first setting that is wrong.
    pub fn server(&self, flags: ServeFlags) -> Result<ServerConfig> {
        let listen = self.listen(flags.listen)?;
        let admin_listen = self.admin_listen(flags.admin_listen)?;
        let api_tokens = self.api_tokens()?;
        if api_tokens.is_empty() && !admin_listen.ip().is_loopback() {
            bail!(
                "the admin listener is bound to {admin_listen}, which others can reach: set \
                 DELIVERY_LEDGER_API_TOKEN (or …_FILE), or bind it to 127.0.0.1 with --admin-listen"
            );
        }
        let public_urls = self.public_urls(flags.public_urls)?;
        let callback_paths = self.callback_paths(flags.callback_paths)?;
        let status_callback = public_urls.first().zip(one_path(&callback_paths));
        let status_callback = status_callback.map(|(url, path)| self.callback_url(url, path));
        Ok(ServerConfig {
            listen,
            admin_listen,
            status_callback,
            callback_paths,
            public_url_is_guessed: public_urls.is_empty(),
            public_urls,
            admin_hosts: self.admin_hosts(),
            api_tokens,
            accounts: self.accounts()?,
            verify_every: self.verify_every(flags.verify_every)?,
            quarantine: self.quarantine()?,
            reconciling: self.reconciling(flags.reconcile_every)?,
        })
    }

    /// Where callbacks are received.
    pub fn listen(&self, flag: Option<String>) -> Result<SocketAddr> {
        let flag = flag.map(|value| ("--listen", value));
        self.address(flag, ("DELIVERY_LEDGER_LISTEN", &self.file.listen, "listen"), DEFAULT_LISTEN)
    }

    /// Where questions are answered.
    pub fn admin_listen(&self, flag: Option<String>) -> Result<SocketAddr> {
        let flag = flag.map(|value| ("--admin-listen", value));
        let elsewhere = ("DELIVERY_LEDGER_ADMIN_LISTEN", &self.file.admin_listen, "admin_listen");
        self.address(flag, elsewhere, DEFAULT_ADMIN_LISTEN)
    }

    fn admin_hosts(&self) -> Vec<String> {
        self.list("DELIVERY_LEDGER_ADMIN_HOSTS", self.file.admin_hosts.as_ref())
    }

    fn verify_every(&self, flag: Option<String>) -> Result<Option<Duration>> {
        let flag = flag.map(|value| ("--verify-every", value));
        let value = self.or_environment(flag, "DELIVERY_LEDGER_VERIFY_EVERY");
        let in_file = || self.file.verify_every.clone().map(|value| ("verify_every", value));
        match value.or_else(in_file) {
            None => Ok(Some(DEFAULT_VERIFY_EVERY)),
            Some((_, off)) if off == "off" => Ok(None),
            Some((setting, value)) => duration::parse(&value).map(Some).ok_or_else(|| {
                anyhow!("{setting}: `{value}` is neither off nor a time from 1s on, such as 24h")
            }),
        }
    }

    fn or_environment(
        &self,
        flag: Option<(&'static str, String)>,
        name: &'static str,
    ) -> Option<(&'static str, String)> {
        flag.or_else(|| self.environment.get(name).map(|value| (name, value.clone())))
    }

    fn address(
        &self,
        flag: Option<(&'static str, String)>,
        (variable, in_file, key): (&'static str, &Option<String>, &'static str),
        default: &str,
    ) -> Result<SocketAddr> {
        let value = self.or_environment(flag, variable);
        let value = value.or_else(|| in_file.clone().map(|value| (key, value)));
        let (setting, value) = value.unwrap_or(("the default", default.to_owned()));
        value.parse().map_err(|_| {
            let text =
                format!("{setting}: `{value}` is not an address and port, such as {default}");
            invalid(setting, text)
        })
    }

    /// Where callbacks are received, at least one path.
    pub fn callback_paths(&self, flags: Vec<String>) -> Result<Vec<CallbackPath>> {
        const VARIABLE: &str = "DELIVERY_LEDGER_CALLBACK_PATH";
        let (setting, mut paths) = match self.environment.contains_key(VARIABLE) {
            _ if !flags.is_empty() => ("--callback-path", flags),
            true => (VARIABLE, self.list(VARIABLE, None)),
            false => ("callback_path", self.list(VARIABLE, self.file.callback_path.as_ref())),
        };
        if paths.is_empty() {
            paths.push(DEFAULT_CALLBACK_PATH.to_owned());
        }
        let parse = |path: &String| {
            let text = |error| format!("{setting}: `{path}` {error}");
            CallbackPath::parse(path).map_err(|error| invalid(setting, text(error)))
        };
        paths.iter().map(parse).collect()
    }

    /// The URLs that Twilio may have called; none where that is not configured.
    pub fn public_urls(&self, flags: Vec<String>) -> Result<Vec<BaseUrl>> {
        let (given, setting) = match flags.is_empty() {
            true => (self.list("DELIVERY_LEDGER_PUBLIC_URL", self.file.public_url.as_ref()), ""),
            false => (flags, "--public-url"),
        };
        let read = |text: &String| {
            url::public_urls(text).map_err(|error| invalid(setting, format!("{error:#}")))
        };
        Ok(given.iter().map(read).collect::<Result<Vec<_>>>()?.concat())
    }

    /// A list in the environment is separated by commas.
    fn list(&self, variable: &str, in_file: Option<&file::OneOrMany>) -> Vec<String> {
        match (self.environment.get(variable), in_file) {
            (Some(value), _) => value
                .split(',')
                .map(str::trim)
                .filter(|item| !item.is_empty())
                .map(String::from)
                .collect(),
            (None, Some(values)) => values.to_vec(),
            (None, None) => Vec::new(),
        }
    }

    /// A secret from the environment, or from the file that `…_FILE` names.
    fn secret(&self, variable: &str) -> Result<Option<SecretString>> {
        if let Some(value) = self.environment.get(variable) {
            return Ok(Some(SecretString::from(value.clone())));
        }
        let file_variable = format!("{variable}_FILE");
        let path = self.environment.get(&file_variable);
        path.map(|path| secret::read(&file_variable, Path::new(path))).transpose()
    }
}

/// The first path that is not a prefix: a callback URL needs all of its path.
fn one_path(paths: &[CallbackPath]) -> Option<&str> {
    paths.iter().find(|path| !path.is_prefix()).map(CallbackPath::as_given)
}

/// Other programs may have variables that are not UTF-8; ours are.
fn environment() -> HashMap<String, String> {
    let variables = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    variables.filter(|(_, value)| !value.is_empty()).collect()
}

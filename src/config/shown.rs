//! Every setting as it is in use, with where it came from; of secrets only that they are set.

use std::time::Duration;

use anyhow::Result;

use super::{ServeFlags, Settings};
use crate::store::quarantine::Limits;

/// One setting.
#[derive(Debug)]
pub struct Shown {
    /// As the configuration file has it.
    pub setting: &'static str,
    /// The value in words, or what is wrong with it.
    pub value: Result<String>,
    /// The flag or variable that has it, the configuration file, or `default`.
    pub from: String,
}

/// A setting whose origin is being found out: the first place that has it counts.
struct Looked<'a> {
    settings: &'a Settings,
    setting: &'static str,
    from: Option<String>,
}

impl Settings {
    /// Every setting but the accounts' keys, which [`Settings::key_sources`] has.
    pub fn shown(&self, flags: &ServeFlags) -> Vec<Shown> {
        let of_the_doors = self.shown_of_the_doors(flags);
        let others = self.shown_of_twilio(flags).into_iter().chain(self.shown_of_the_ledger(flags));
        of_the_doors.into_iter().chain(others).collect()
    }

    fn shown_of_the_doors(&self, flags: &ServeFlags) -> Vec<Shown> {
        let file = &self.file;
        vec![
            self.look_for("listen")
                .flag("--listen", flags.listen.is_some())
                .variable("DELIVERY_LEDGER_LISTEN")
                .file(file.listen.is_some())
                .is(self.listen(flags.listen.clone())),
            self.look_for("admin_listen")
                .flag("--admin-listen", flags.admin_listen.is_some())
                .variable("DELIVERY_LEDGER_ADMIN_LISTEN")
                .file(file.admin_listen.is_some())
                .is(self.admin_listen(flags.admin_listen.clone())),
            self.look_for("admin_hosts")
                .variable("DELIVERY_LEDGER_ADMIN_HOSTS")
                .file(file.admin_hosts.is_some())
                .is(Ok(or(self.admin_hosts(), "loopback only"))),
            self.look_for("api_tokens")
                .variable("DELIVERY_LEDGER_API_TOKEN")
                .variable("DELIVERY_LEDGER_API_TOKEN_FILE")
                .file(file.api_token.is_some() || file.api_token_file.is_some())
                .file(!file.api_tokens.is_empty())
                .is(self.api_tokens_in_words()),
        ]
    }

    fn shown_of_twilio(&self, flags: &ServeFlags) -> Vec<Shown> {
        let file = &self.file;
        let urls = self.public_urls(flags.public_urls.clone()).map(|urls| {
            let urls: Vec<_> = urls.iter().map(|url| url.as_given().to_owned()).collect();
            or(urls, "none, so that it is guessed")
        });
        let paths = self.callback_paths(flags.callback_paths.clone());
        let overrides = Some(self.callback_overrides()).filter(|overrides| !overrides.is_empty());
        let key = self.api_key().map(|key| if key.is_some() { "set" } else { "none" });
        vec![
            self.look_for("callback_path")
                .flag("--callback-path", !flags.callback_paths.is_empty())
                .file(file.callback_path.is_some())
                .is(paths.map(|paths| paths.join(", "))),
            self.look_for("public_url")
                .flag("--public-url", !flags.public_urls.is_empty())
                .variable("DELIVERY_LEDGER_PUBLIC_URL")
                .file(file.public_url.is_some())
                .is(urls),
            self.look_for("callback_overrides")
                .variable("DELIVERY_LEDGER_CALLBACK_OVERRIDES")
                .file(file.callback_overrides.is_some())
                .is(Ok(overrides.unwrap_or("none"))),
            self.look_for("twilio_api_base_url")
                .variable("TWILIO_API_BASE_URL")
                .file(file.twilio_api_base_url.is_some())
                .variable("TWILIO_EDGE")
                .variable("TWILIO_REGION")
                .is(self.twilio_base_url()),
            self.look_for("twilio_api_timeout")
                .variable("TWILIO_API_TIMEOUT")
                .file(file.twilio_api_timeout.is_some())
                .is(self.twilio_timeout().map(|timeout| format!("{} s", timeout.as_secs()))),
            self.look_for("twilio_api_key")
                .variable("TWILIO_API_SECRET")
                .variable("TWILIO_API_SECRET_FILE")
                .is(key),
        ]
    }

    fn shown_of_the_ledger(&self, flags: &ServeFlags) -> Vec<Shown> {
        let file = &self.file;
        let verify_every = self.verify_every(flags.verify_every.clone());
        let in_words = |every: Option<Duration>| {
            every.map_or("off".to_owned(), |every| format!("{} s", every.as_secs()))
        };
        let verify_every = verify_every.map(in_words);
        let reconcile_every = self.reconciling(flags.reconcile_every.clone());
        let reconcile_every = reconcile_every.map(|configured| in_words(configured.every));
        let quarantine = self.quarantine().map(|limits| {
            limits.map_or("off".to_owned(), |Limits { requests, bytes }| {
                format!("up to {requests} requests, {} MiB", bytes >> 20)
            })
        });
        let external = self.leaves_wal_checkpoints();
        let table = self.error_codes(None);
        vec![
            self.look_for("database")
                .flag("--database", self.flags.database.is_some())
                .variable("DELIVERY_LEDGER_DATABASE")
                .file(file.database.is_some())
                .is(self.place()),
            self.look_for("rule")
                .variable("DELIVERY_LEDGER_RULE")
                .file(file.rule.is_some())
                .is(self.rule().map(|rule| rule.name())),
            self.look_for("verify_every")
                .flag("--verify-every", flags.verify_every.is_some())
                .variable("DELIVERY_LEDGER_VERIFY_EVERY")
                .file(file.verify_every.is_some())
                .is(verify_every),
            self.look_for("reconcile.every")
                .flag("--reconcile-every", flags.reconcile_every.is_some())
                .variable("DELIVERY_LEDGER_RECONCILE_EVERY")
                .file(file.reconcile.every.is_some())
                .is(reconcile_every),
            self.look_for("quarantine")
                .variable("DELIVERY_LEDGER_QUARANTINE")
                .variable("DELIVERY_LEDGER_QUARANTINE_REQUESTS")
                .variable("DELIVERY_LEDGER_QUARANTINE_MIB")
                .file(file.quarantine.is_some())
                .file(file.quarantine_requests.or(file.quarantine_mib).is_some())
                .is(quarantine),
            self.look_for("wal_checkpoints")
                .variable("DELIVERY_LEDGER_WAL_CHECKPOINTS")
                .file(file.wal_checkpoints.is_some())
                .is(external.map(|external| if external { "external" } else { "own" })),
            self.look_for("error_codes")
                .variable("DELIVERY_LEDGER_ERROR_CODES")
                .file(file.error_codes.is_some())
                .is(table.map(|table| table.map_or("built in", |_| "a table of your own"))),
        ]
    }

    fn api_tokens_in_words(&self) -> Result<String> {
        let tokens = self.api_tokens()?;
        let each =
            tokens.iter().map(|token| format!("{} ({}) set", token.name, token.scope.name()));
        Ok(or(each.collect(), "none"))
    }

    fn look_for(&self, setting: &'static str) -> Looked<'_> {
        Looked { settings: self, setting, from: None }
    }
}

impl Looked<'_> {
    fn flag(self, flag: &str, is_given: bool) -> Self {
        self.place(is_given, || flag.to_owned())
    }

    fn variable(self, variable: &str) -> Self {
        let is_set = self.settings.environment.contains_key(variable);
        self.place(is_set, || variable.to_owned())
    }

    fn file(self, has_it: bool) -> Self {
        let file = self.settings.config_file();
        self.place(has_it, || file.map_or_else(String::new, |file| file.display().to_string()))
    }

    fn place(self, has_it: bool, name: impl FnOnce() -> String) -> Self {
        let from = self.from.or_else(|| has_it.then(name));
        Self { from, ..self }
    }

    fn is(self, value: Result<impl ToString>) -> Shown {
        let value = value.map(|value| value.to_string());
        Shown { setting: self.setting, value, from: self.from.unwrap_or("default".to_owned()) }
    }
}

fn or(texts: Vec<String>, otherwise: &str) -> String {
    if texts.is_empty() { otherwise.to_owned() } else { texts.join(", ") }
}

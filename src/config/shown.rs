//! Every setting as it is in use, with where it came from; of secrets only that they are set.

use anyhow::Result;

use super::{ServeFlags, Settings};

/// One setting.
#[derive(Debug)]
pub struct Shown {
    /// As the configuration file has it.
    pub setting: &'static str,
    /// The value in words, or what is wrong with it.
    pub value: Result<String>,
    /// The flag or variable that has it, `delivery-ledger.toml`, or `default`.
    pub from: String,
}

/// Where a setting may come from, in this order.
struct Origin {
    flag: Option<&'static str>,
    variables: &'static [&'static str],
    is_in_file: bool,
}

impl Settings {
    /// Every setting but the accounts' keys, which [`Settings::key_sources`] has.
    pub fn shown(&self, flags: &ServeFlags) -> Vec<Shown> {
        let file = &self.file;
        let own = |variables, is_in_file| Origin { flag: None, variables, is_in_file };
        let flag = |flag, is_given: bool, variables, is_in_file| Origin {
            flag: is_given.then_some(flag),
            variables,
            is_in_file,
        };
        let database = flag(
            "--database",
            self.flags.database.is_some(),
            &["DELIVERY_LEDGER_DATABASE"],
            file.database.is_some(),
        );
        let listen = flag(
            "--listen",
            flags.listen.is_some(),
            &["DELIVERY_LEDGER_LISTEN"],
            file.listen.is_some(),
        );
        let admin_listen = flag(
            "--admin-listen",
            flags.admin_listen.is_some(),
            &["DELIVERY_LEDGER_ADMIN_LISTEN"],
            file.admin_listen.is_some(),
        );
        let callback_path = flag(
            "--callback-path",
            !flags.callback_paths.is_empty(),
            &[],
            file.callback_path.is_some(),
        );
        let public_url = flag(
            "--public-url",
            !flags.public_urls.is_empty(),
            &["DELIVERY_LEDGER_PUBLIC_URL"],
            file.public_url.is_some(),
        );
        let verify_every = flag(
            "--verify-every",
            flags.verify_every.is_some(),
            &["DELIVERY_LEDGER_VERIFY_EVERY"],
            file.verify_every.is_some(),
        );
        let api_token = own(
            &["DELIVERY_LEDGER_API_TOKEN", "DELIVERY_LEDGER_API_TOKEN_FILE"],
            file.api_token.is_some()
                || file.api_token_file.is_some()
                || !file.api_tokens.is_empty(),
        );
        let rows: [(&'static str, Result<String>, Origin); 12] = [
            ("database", self.place().map(|value| value.to_string()), database),
            ("listen", self.listen(flags.listen.clone()).map(|value| value.to_string()), listen),
            (
                "admin_listen",
                self.admin_listen(flags.admin_listen.clone()).map(|value| value.to_string()),
                admin_listen,
            ),
            (
                "admin_hosts",
                Ok(or(self.admin_hosts().join(", "), "loopback only")),
                own(&["DELIVERY_LEDGER_ADMIN_HOSTS"], file.admin_hosts.is_some()),
            ),
            ("api_tokens", self.api_tokens_in_words(), api_token),
            (
                "callback_path",
                self.callback_paths(flags.callback_paths.clone()).map(|paths| paths.join(", ")),
                callback_path,
            ),
            ("public_url", self.public_urls_in_words(flags), public_url),
            (
                "callback_overrides",
                Ok(or(self.callback_overrides().to_owned(), "none")),
                own(&["DELIVERY_LEDGER_CALLBACK_OVERRIDES"], file.callback_overrides.is_some()),
            ),
            (
                "rule",
                self.rule().map(|rule| rule.name().to_owned()),
                own(&["DELIVERY_LEDGER_RULE"], file.rule.is_some()),
            ),
            ("verify_every", self.verify_every_in_words(flags), verify_every),
            (
                "wal_checkpoints",
                self.leaves_wal_checkpoints()
                    .map(|external| if external { "external" } else { "own" }.to_owned()),
                own(&["DELIVERY_LEDGER_WAL_CHECKPOINTS"], file.wal_checkpoints.is_some()),
            ),
            (
                "error_codes",
                self.error_codes(None).map(|table| {
                    if table.is_some() { "a table of your own" } else { "built in" }.to_owned()
                }),
                own(&["DELIVERY_LEDGER_ERROR_CODES"], file.error_codes.is_some()),
            ),
        ];
        let shown = |(setting, value, origin)| Shown { setting, value, from: self.from(&origin) };
        rows.into_iter().map(shown).collect()
    }

    fn from(&self, origin: &Origin) -> String {
        let is_set = |variable: &&&str| self.environment.contains_key(**variable);
        match (origin.flag, origin.variables.iter().find(is_set), origin.is_in_file) {
            (Some(flag), ..) => flag.to_owned(),
            (None, Some(variable), _) => (*variable).to_owned(),
            (None, None, true) => {
                self.config_file().map_or_else(String::new, |file| file.display().to_string())
            }
            (None, None, false) => "default".to_owned(),
        }
    }

    fn api_tokens_in_words(&self) -> Result<String> {
        let tokens = self.api_tokens()?;
        let each =
            tokens.iter().map(|token| format!("{} ({}) set", token.name, token.scope.name()));
        Ok(or(each.collect::<Vec<_>>().join(", "), "none"))
    }

    fn public_urls_in_words(&self, flags: &ServeFlags) -> Result<String> {
        let urls = self.public_urls(flags.public_urls.clone())?;
        let each = urls.iter().map(|url| url.as_given());
        Ok(or(each.collect::<Vec<_>>().join(", "), "none, so that it is guessed"))
    }

    fn verify_every_in_words(&self, flags: &ServeFlags) -> Result<String> {
        let every = self.verify_every(flags.verify_every.clone())?;
        Ok(every.map_or("off".to_owned(), |every| format!("{} s", every.as_secs())))
    }
}

fn or(text: String, otherwise: &str) -> String {
    if text.is_empty() { otherwise.to_owned() } else { text }
}

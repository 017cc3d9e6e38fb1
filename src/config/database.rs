//! Where the ledger is.

use anyhow::{Result, bail};

use super::{DATABASE, Settings, WAL_CHECKPOINTS, credential, invalid};
use crate::store::Database;

/// The variable with the password of a PostgreSQL role.
const PASSWORD: &str = "DELIVERY_LEDGER_DATABASE_PASSWORD";

impl Settings {
    /// The flag, variable or file key that names the ledger; `None` if only the default does.
    pub fn database_origin(&self) -> Option<&'static str> {
        self.given_text(&DATABASE).map(|(name, _)| name)
    }

    /// Where the ledger lives.
    pub fn database(&self) -> Result<Database> {
        let database = self.place()?;
        match self.leaves_wal_checkpoints()? {
            true => Ok(database.replicated()),
            false => Ok(database),
        }
    }

    /// Where the ledger lives, regardless of who checkpoints its WAL: enough for reading.
    pub fn place(&self) -> Result<Database> {
        let (name, url) = self.text(&DATABASE);
        self.database_at(name, &url)
    }

    /// The ledger of a URL that a flag or a setting of this name has. A URL without a password gets the
    /// configured one.
    pub fn database_at(&self, name: &str, url: &str) -> Result<Database> {
        let database =
            Database::parse(url).map_err(|reason| invalid(name, format!("{name}: {reason}")))?;
        match database {
            Database::Postgres(url) => {
                let password = self.database_password_if_set()?;
                Ok(Database::Postgres(Box::new(url.with_password(password.as_ref()))))
            }
            database => Ok(database),
        }
    }

    /// True if a password for the database is set in the environment.
    pub(super) fn has_database_password(&self) -> Result<bool> {
        Ok(self.database_password_if_set()?.is_some())
    }

    fn database_password_if_set(&self) -> Result<Option<secrecy::SecretString>> {
        self.secret(PASSWORD)?.map(|secret| credential::secret(PASSWORD, secret)).transpose()
    }

    /// Whether another program, such as Litestream, checkpoints the log's WAL.
    pub(super) fn leaves_wal_checkpoints(&self) -> Result<bool> {
        let (name, value) = self.text(&WAL_CHECKPOINTS);
        match value.as_str() {
            "own" => Ok(false),
            "external" => Ok(true),
            other => {
                bail!(
                    "{name}: `{other}` is neither own nor external, which leaves them to Litestream"
                )
            }
        }
    }
}

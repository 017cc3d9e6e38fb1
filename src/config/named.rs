//! Where the ledger is named, for the command that has one of its own.

use super::Settings;

/// What names the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NamedDatabase {
    /// The flag of this call.
    Flag,
    /// A variable of the environment or a key of the configuration file, by its name.
    Setting(&'static str),
}

impl Settings {
    /// What names the ledger; `None` if only the default does.
    pub fn named_database(&self) -> Option<NamedDatabase> {
        const VARIABLE: &str = "DELIVERY_LEDGER_DATABASE";
        if self.flags.database.is_some() {
            return Some(NamedDatabase::Flag);
        }
        let in_environment = self.environment.contains_key(VARIABLE).then_some(VARIABLE);
        let named = in_environment.or_else(|| self.file.database.as_ref().map(|_| "database"));
        named.map(NamedDatabase::Setting)
    }
}

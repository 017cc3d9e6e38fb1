//! The result of an engine's own check of the log or the views.

/// The result of an engine's own check.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Checked {
    /// The damage that was found.
    pub damages: Vec<Damage>,
    /// Whether it reached its end.
    pub finished: bool,
}

/// Damage that an engine found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Damage {
    /// A table or a trigger that refuses changes is missing, or differs from the one that was created.
    GuardMissing {
        /// Its kind and name.
        name: String,
    },
    /// An object that this program did not create.
    Foreign {
        /// Its kind and name.
        name: String,
    },
    /// Rows of the views that belong to no message.
    Stray {
        /// The table that has them.
        table: &'static str,
        /// The number of rows.
        rows: u64,
    },
    /// The engine's own integrity check.
    Engine {
        /// What it reports.
        detail: String,
    },
}

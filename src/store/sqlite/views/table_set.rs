//! What a set of the views' tables is for, and what follows from it.

/// Behind the names of a shadow's tables.
pub const SHADOW: &str = "_new";

/// What a set of tables is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TableSet {
    /// Everybody reads them.
    InUse,
    /// Made beside those in use, to stand in their place.
    Rebuild,
    /// In a file of their own, thrown away with the process.
    Scratch,
}

impl TableSet {
    /// Behind the tables' names.
    pub fn suffix(self) -> &'static str {
        match self {
            TableSet::InUse | TableSet::Scratch => "",
            TableSet::Rebuild => SHADOW,
        }
    }

    /// Whether anybody will ask for lists.
    pub fn is_listed(self) -> bool {
        self != TableSet::Scratch
    }

    /// Whether SIDs and addresses are gathered before they are written. Only where a kill in between
    /// does no harm: a shadow is dropped at the next start.
    pub fn gathers(self) -> bool {
        self != TableSet::InUse
    }
}

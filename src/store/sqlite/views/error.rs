//! Errors of the views: their own damage, or trouble of the engine.

use rusqlite::ErrorCode;

use crate::store::StoreError;
use crate::store::sqlite::engine;

/// Why a write failed.
pub enum Failure {
    Sqlite(rusqlite::Error),
    Store(StoreError),
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Failure::Sqlite(error)
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Failure::Store(error)
    }
}

impl Failure {
    /// The error that callers get.
    pub fn during(self, act: &str) -> StoreError {
        match self {
            Failure::Sqlite(error) => failed(act)(error),
            Failure::Store(error) => error,
        }
    }
}

/// Adds the failed action to SQLite's error. An impossible value is damage of the views; everything else is an
/// error of the engine.
pub fn failed(act: &str) -> impl FnOnce(rusqlite::Error) -> StoreError + use<> {
    let act = act.to_owned();
    move |error| match error {
        rusqlite::Error::FromSqlConversionFailure(..)
        | rusqlite::Error::InvalidColumnType(..)
        | rusqlite::Error::IntegralValueOutOfRange(..)
        | rusqlite::Error::QueryReturnedNoRows => {
            StoreError::DamagedViews { detail: format!("{act}: {error}") }
        }
        error if error.sqlite_error_code() == Some(ErrorCode::DatabaseCorrupt) => {
            StoreError::DamagedViews { detail: format!("{act}: {error}") }
        }
        error => engine(&act)(error),
    }
}

/// True if an error means that the file itself is damaged: an impossible page, a file that is no longer a
/// database, or one that ends too early.
pub fn is_sqlite_damage(error: &StoreError) -> bool {
    let StoreError::Engine { cause, .. } = error else { return false };
    let Some(error) = cause.downcast_ref::<rusqlite::Error>() else { return false };
    let is_short = error
        .sqlite_error()
        .is_some_and(|error| error.extended_code == rusqlite::ffi::SQLITE_IOERR_SHORT_READ);
    let code = error.sqlite_error_code();
    is_short || matches!(code, Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
}

/// Whether an error of the log is damage, and whether the database may have it too.
pub fn is_damage(error: &StoreError) -> Option<bool> {
    match error {
        StoreError::DamagedLog { in_database, .. } => Some(*in_database),
        error => is_sqlite_damage(error).then_some(true),
    }
}

/// Whether trying again is useless until the files have been changed.
pub fn is_lasting(error: &StoreError) -> bool {
    use StoreError::{DamagedLog, LostEvents, NotALedger};
    matches!(error, LostEvents { .. } | DamagedLog { .. } | NotALedger { .. })
}

/// A copy of a lasting error, to return it again.
pub fn again(error: &StoreError) -> StoreError {
    use StoreError::{DamagedLog, LostEvents, NotALedger};
    match error {
        LostEvents { place, detail } => LostEvents { place: place.clone(), detail: detail.clone() },
        NotALedger { place, detail } => NotALedger { place: place.clone(), detail: detail.clone() },
        DamagedLog { path, detail, in_database } => {
            DamagedLog { path: path.clone(), detail: detail.clone(), in_database: *in_database }
        }
        _ => StoreError::NeedsReopen,
    }
}

//! What can go wrong with the views, told apart: their damage, and the engine's trouble.

use rusqlite::ErrorCode;

use super::engine;
use crate::store::StoreError;

/// Why a write came to nothing.
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
    /// As callers are told.
    pub fn told(self, act: &str) -> StoreError {
        match self {
            Failure::Sqlite(error) => failed(act)(error),
            Failure::Store(error) => error,
        }
    }
}

/// A value that cannot be is the views' damage, everything else the engine's trouble.
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

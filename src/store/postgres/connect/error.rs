//! Errors of PostgreSQL, and what callers of the store can do about them.

use tokio_postgres::error::SqlState;

use crate::store::StoreError;
use crate::store::codec::NotA;

/// Why a statement failed.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The server, or the connection to it.
    #[error("{}", text(.0))]
    Postgres(#[from] tokio_postgres::Error),
    /// The server did not answer in time, for instance because its standby is gone. What was sent may still
    /// be done.
    #[error("PostgreSQL did not answer within {0} seconds; is its standby running?")]
    Deadline(u64),
    /// A column has an impossible value.
    #[error("this is not {0}")]
    NotA(&'static str),
    /// An error that is one of the store already.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<NotA> for Failure {
    fn from(NotA(what): NotA) -> Self {
        Failure::NotA(what)
    }
}

impl Failure {
    /// The code of the server's error, if it is one.
    pub fn code(&self) -> Option<&SqlState> {
        match self {
            Failure::Postgres(error) => error.code(),
            _ => None,
        }
    }

    /// True if a relation or a schema is not there, as when views were just replaced.
    pub fn is_missing(&self) -> bool {
        self.code().is_some_and(|code| {
            [SqlState::UNDEFINED_TABLE, SqlState::INVALID_SCHEMA_NAME].contains(code)
        })
    }

    /// The error that callers of the log get.
    pub fn during(self, act: &str) -> StoreError {
        match self {
            Failure::Store(error) => error,
            failure => match failure.code() {
                Some(code) if *code == SqlState::LOCK_NOT_AVAILABLE => StoreError::Busy,
                Some(code)
                    if [SqlState::READ_ONLY_SQL_TRANSACTION, SqlState::INSUFFICIENT_PRIVILEGE]
                        .contains(code) =>
                {
                    StoreError::NotWritable { detail: failure.to_string() }
                }
                _ => StoreError::Engine { act: act.to_owned(), cause: Box::new(failure) },
            },
        }
    }

    /// The error that callers of the views get: an impossible value is damage of the views.
    pub fn during_views(self, act: &str) -> StoreError {
        match self {
            Failure::NotA(_) => StoreError::DamagedViews { detail: format!("{act}: {self}") },
            failure if failure.is_missing() => {
                StoreError::DamagedViews { detail: format!("{act}: {failure}") }
            }
            failure => failure.during(act),
        }
    }
}

/// Adds the failed action to an error of the log.
pub fn engine(act: &str) -> impl FnOnce(Failure) -> StoreError + use<'_> {
    move |failure| failure.during(act)
}

/// Adds the failed action to an error of the views.
pub fn failed(act: &str) -> impl FnOnce(Failure) -> StoreError + use<'_> {
    move |failure| failure.during_views(act)
}

/// What the server says, with its detail, or why the connection failed.
fn text(error: &tokio_postgres::Error) -> String {
    if let Some(error) = error.as_db_error() {
        let detail = error.detail().map_or(String::new(), |detail| format!(" ({detail})"));
        return format!("{}{detail}", error.message());
    }
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

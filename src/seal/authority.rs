//! A timestamp authority (RFC 3161), which is asked to attest when a seal existed.

use std::io::Read;

use reqwest::blocking::Client;
use reqwest::header::CONTENT_TYPE;
use time::OffsetDateTime;

use super::client::with_causes;
use super::stored::StoredSeal;
use super::timestamp::{
    AuthorityCertificates, TimestampError, TimestampRequest, read_response, verify,
};
use crate::domain::Timestamp;
use crate::store::seals::{NewSealRecord, SealRecordKind};
use crate::store::{Store, StoreError};

/// Maximum bytes of an answer: a token with a chain of certificates has some 10 KB.
const ANSWER_BYTES_MAX: u64 = 1 << 20;

/// An authority that is asked.
#[derive(Debug, Clone)]
pub struct TimestampAuthority {
    /// Where it answers.
    pub url: String,
    /// Its certificates, by which its answers are verified.
    pub certificates: AuthorityCertificates,
}

/// Why there is no timestamp.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    /// There was no answer.
    #[error("no answer: {0}")]
    NoAnswer(String),
    /// It answered with another status.
    #[error("it answered {0}")]
    Refused(u16),
    /// What it answered is no timestamp of this seal by these certificates.
    #[error(transparent)]
    Invalid(#[from] TimestampError),
    /// It could not be recorded.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl AuthorityError {
    /// The same as a word.
    pub fn outcome(&self) -> &'static str {
        match self {
            Self::NoAnswer(_) => "no_answer",
            Self::Refused(_) => "refused",
            Self::Invalid(_) => "invalid",
            Self::Store(_) => "failed",
        }
    }
}

impl TimestampAuthority {
    /// Asks for a timestamp of a seal, verifies it, and records it.
    pub fn attest(
        &self,
        http: &Client,
        store: &dyn Store,
        seal: &StoredSeal,
    ) -> Result<(), AuthorityError> {
        let message = seal.note.text.as_bytes();
        let mut nonce = [0; 8];
        getrandom::fill(&mut nonce)
            .map_err(|error| AuthorityError::NoAnswer(format!("no random bytes: {error}")))?;
        let request = TimestampRequest::new(message, nonce);
        let sent = http
            .post(&self.url)
            .header(CONTENT_TYPE, TimestampRequest::MEDIA_TYPE)
            .body(request.der().to_vec())
            .send();
        let answer = sent.map_err(|error| AuthorityError::NoAnswer(with_causes(&error)))?;
        match answer.status().as_u16() {
            200 => {}
            status => return Err(AuthorityError::Refused(status)),
        }
        let mut response = Vec::new();
        answer
            .take(ANSWER_BYTES_MAX)
            .read_to_end(&mut response)
            .map_err(|error| AuthorityError::NoAnswer(error.to_string()))?;
        let token = read_response(&response)?;
        verify(&token, message, Some(nonce), &self.certificates)?;
        store.add_seal_records(&[NewSealRecord {
            kind: SealRecordKind::Timestamp,
            size: seal.statement.size,
            recorded_at: Timestamp::from(OffsetDateTime::now_utc()),
            content: token,
        }])?;
        Ok(())
    }
}

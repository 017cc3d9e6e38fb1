//! Witnesses (C2SP tlog-witness 1.0): others who sign a seal after checking that the log has only grown. They see
//! sizes and roots, and nothing of the events.

use std::io::Read;

use base64::Engine;
use reqwest::blocking::{Client, Response};
use time::OffsetDateTime;

use super::client::with_causes;
use super::note::cosignature::cosigned_by;
use super::note::key::{PublicKey, STRICT_BASE64};
use super::note::{Note, SignatureLine};
use super::stored::{StoredError, StoredSeal, last_cosigned};
use crate::domain::hash::Hash;
use crate::domain::{Position, Timestamp};
use crate::projection::ProjectionError;
use crate::projection::proofs::consistency_proof;
use crate::store::seals::{NewSealRecord, SealRecordKind};
use crate::store::{Store, StoreError};

/// Maximum bytes of an answer: a witness may sign with several keys, in some hundred bytes each.
const ANSWER_BYTES_MAX: u64 = 64 << 10;

/// A witness that is asked.
#[derive(Debug, Clone)]
pub struct Witness {
    /// Its key, by which its signatures are known.
    pub key: PublicKey,
    /// What `/add-checkpoint` is appended to.
    pub url: String,
}

/// What came of asking a witness.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It has signed.
    Cosigned,
    /// It has seen a seal that this one does not follow.
    Conflict,
    /// It does not know the origin, or accepts no seal of it.
    Refused,
    /// What it answered is no signature of this seal by its key.
    Invalid,
    /// There was no answer.
    NoAnswer,
    /// The ledger could not make the proof or record the signature.
    Failed,
}

impl Outcome {
    /// Its name in metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cosigned => "cosigned",
            Self::Conflict => "conflict",
            Self::Refused => "refused",
            Self::Invalid => "invalid",
            Self::NoAnswer => "no_answer",
            Self::Failed => "failed",
        }
    }
}

/// Why a witness has not signed.
#[derive(Debug, thiserror::Error)]
pub enum WitnessError {
    /// There was no answer.
    #[error("no answer: {0}")]
    NoAnswer(String),
    /// It has seen a seal of another size, even after the proof began there.
    #[error("it has seen a seal of {0} events, which this one does not follow")]
    Conflict(String),
    /// It answered with another status.
    #[error("it answered {status}: {text}")]
    Refused {
        /// The status code.
        status: u16,
        /// The beginning of what it said.
        text: String,
    },
    /// What it answered is no signature of this seal by its key.
    #[error("it answered with nothing that its key has signed: {0}")]
    Invalid(String),
    /// The store failed.
    #[error(transparent)]
    Stored(#[from] StoredError),
    /// A hash of the tree could not be computed.
    #[error(transparent)]
    Projection(#[from] ProjectionError),
}

impl WitnessError {
    /// The same as a word.
    pub fn outcome(&self) -> Outcome {
        match self {
            Self::NoAnswer(_) => Outcome::NoAnswer,
            Self::Conflict(_) => Outcome::Conflict,
            Self::Refused { .. } => Outcome::Refused,
            Self::Invalid(_) => Outcome::Invalid,
            Self::Stored(_) | Self::Projection(_) => Outcome::Failed,
        }
    }
}

impl From<StoreError> for WitnessError {
    fn from(error: StoreError) -> Self {
        Self::Stored(error.into())
    }
}

impl Witness {
    /// Asks for a signature of a seal, and records it.
    pub fn cosign(
        &self,
        http: &Client,
        store: &dyn Store,
        seal: &StoredSeal,
    ) -> Result<(), WitnessError> {
        let size = seal.statement.size;
        let from = last_cosigned(store, &self.key)?.min(size);
        let mut answer = self.post(http, store, seal, from)?;
        if answer.0 == 409 {
            // It knows better what it has signed than our records, as after a restore.
            let known: Option<Position> = answer.1.trim_end().parse().ok();
            let known = known.filter(|known| *known <= size && *known != from);
            let conflict = || WitnessError::Conflict(beginning(&answer.1));
            answer = self.post(http, store, seal, known.ok_or_else(conflict)?)?;
        }
        match answer {
            (200, lines) => record(store, seal, self, &lines),
            (409, text) => Err(WitnessError::Conflict(beginning(&text))),
            (status, text) => Err(WitnessError::Refused { status, text: beginning(&text) }),
        }
    }

    fn post(
        &self,
        http: &Client,
        store: &dyn Store,
        seal: &StoredSeal,
        from: Position,
    ) -> Result<(u16, String), WitnessError> {
        let proof = consistency_proof(store, from, seal.statement.size)?;
        let url = format!("{}/add-checkpoint", self.url);
        let sent = http.post(url).body(request_body(from, &proof, &seal.note)).send();
        let answer = sent.map_err(|error| WitnessError::NoAnswer(with_causes(&error)))?;
        let status = answer.status().as_u16();
        Ok((status, text_of(answer)?))
    }
}

/// The body of a request: the size that the witness is thought to know, the proof from there, and the seal.
fn request_body(from: Position, proof: &[Hash], seal: &Note) -> String {
    let hashes: String =
        proof.iter().map(|hash| format!("{}\n", STRICT_BASE64.encode(hash))).collect();
    format!("old {from}\n{hashes}\n{seal}")
}

fn text_of(answer: Response) -> Result<String, WitnessError> {
    let mut bytes = Vec::new();
    answer
        .take(ANSWER_BYTES_MAX)
        .read_to_end(&mut bytes)
        .map_err(|error| WitnessError::NoAnswer(error.to_string()))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Records the lines that the witness' key has signed.
fn record(
    store: &dyn Store,
    seal: &StoredSeal,
    witness: &Witness,
    lines: &str,
) -> Result<(), WitnessError> {
    let signed = lines.lines().filter_map(|line| SignatureLine::parse(line).ok()).find(|line| {
        let note = Note { text: seal.note.text.clone(), signatures: vec![line.clone()] };
        matches!(cosigned_by(&note, &witness.key), Ok(Some(_)))
    });
    let Some(line) = signed else { return Err(WitnessError::Invalid(beginning(lines))) };
    store.add_seal_records(&[NewSealRecord {
        kind: SealRecordKind::Cosignature,
        size: seal.statement.size,
        recorded_at: Timestamp::from(OffsetDateTime::now_utc()),
        content: format!("{line}\n").into_bytes(),
    }])?;
    Ok(())
}

fn beginning(text: &str) -> String {
    text.trim().escape_debug().take(120).collect()
}

#[cfg(test)]
mod tests {
    use super::request_body;
    use crate::seal::note::Note;

    #[test]
    fn a_request_is_the_old_size_the_proof_an_empty_line_and_the_seal() {
        let seal = Note::parse("o\n3\nAA==\n\n— w AAAAAAA=\n").unwrap();
        assert_eq!(
            request_body(2, &[[0; 32]], &seal),
            "old 2\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n\no\n3\nAA==\n\n— w AAAAAAA=\n"
        );
    }
}

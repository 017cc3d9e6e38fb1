//! The signatures of witnesses (C2SP tlog-cosignature 1.0): over a time and the text of a seal.

use super::key::{KeyType, PublicKey};
use super::{InvalidSignature, Note, SignatureLine};
use crate::domain::Timestamp;

/// A witness and the time at which it cosigned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cosignature {
    /// The name of the witness' key.
    pub name: String,
    /// When the witness says that it signed; whole seconds.
    pub at: Timestamp,
}

impl Cosignature {
    /// What a line says, without checking its signature; `None` if it has not the length of a cosignature.
    pub fn unchecked(line: &SignatureLine) -> Option<Self> {
        let (at, _) = time(&line.signature)?;
        Some(Self { name: line.name.clone(), at })
    }
}

/// The last cosignature of a seal by this witness; `None` if it has none.
///
/// # Errors
///
/// If a line that names the witness' key does not sign the seal.
pub fn cosigned_by(
    seal: &Note,
    witness: &PublicKey,
) -> Result<Option<Cosignature>, InvalidSignature> {
    let mut last = None;
    for line in seal.lines_by(witness) {
        let seconds = verified_time(&seal.text, witness, &line.signature);
        let at = seconds.ok_or_else(|| line.invalid())?;
        last = last.max(Some(at));
    }
    Ok(last.map(|at| Cosignature { name: witness.name().to_owned(), at }))
}

/// The time of a valid cosignature.
fn verified_time(text: &str, witness: &PublicKey, signature: &[u8]) -> Option<Timestamp> {
    let (at, signature) = time(signature)?;
    let message = format!("cosignature/v1\ntime {}\n{text}", at.micros() / 1_000_000);
    let valid =
        witness.kind() == KeyType::Cosignature && witness.verifies(message.as_bytes(), signature);
    valid.then_some(at)
}

/// The time of a cosignature, which is 8 bytes of seconds, and the 64 bytes behind it.
fn time(signature: &[u8]) -> Option<(Timestamp, &[u8])> {
    let (seconds, signature) = signature.split_first_chunk::<8>()?;
    let micros = i64::try_from(u64::from_be_bytes(*seconds)).ok()?.checked_mul(1_000_000)?;
    (signature.len() == 64).then_some((Timestamp::from_micros(micros), signature))
}

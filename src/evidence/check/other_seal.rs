//! Compares the seal of a bundle with one that was kept elsewhere.

use super::OtherSeal;
use super::findings::{FindingKind, Findings};
use crate::domain::statement::Statement;
use crate::domain::tree::proof::proves_consistency;
use crate::seal::note::trusted::TrustedKeys;

/// Of the same size, they must have the same root; otherwise a proof must lead from one to the other.
pub fn check_other_seal(
    statement: &Statement,
    keys: &TrustedKeys,
    other: Option<&OtherSeal>,
    findings: &mut Findings,
) {
    let Some(OtherSeal { note, statement: kept, proof }) = other else { return };
    if kept.origin != statement.origin {
        let detail = format!("the other seal is of {}, another origin", kept.origin);
        return findings.add(FindingKind::OtherSeal, detail);
    }
    match keys.signers(note, kept) {
        Err(error) => {
            return findings.add(FindingKind::BadSignature, format!("the other seal: {error}"));
        }
        Ok(signers) if signers.is_empty() => {
            return findings
                .add(FindingKind::OtherSeal, "no trusted key has signed the other seal");
        }
        Ok(_) => {}
    }
    if kept.size == statement.size {
        if kept.root != statement.root {
            let detail = "the other seal is of as many events, and has another root: one of the two was forged \
                          by the holder of the key";
            findings.add(FindingKind::OtherSeal, detail);
        }
        return;
    }
    let (first, second) =
        if kept.size < statement.size { (kept, statement) } else { (statement, kept) };
    let Some(proof) = proof else {
        let detail = format!(
            "the other seal is of {} events, and this one of {}: a consistency proof is needed",
            kept.size, statement.size
        );
        return findings.add(FindingKind::OtherSeal, detail);
    };
    if !proves_consistency((first.size, &first.root), (second.size, &second.root), proof) {
        let detail = format!(
            "the proof does not lead from the root of {} events to that of {}",
            first.size, second.size
        );
        findings.add(FindingKind::OtherSeal, detail);
    }
}

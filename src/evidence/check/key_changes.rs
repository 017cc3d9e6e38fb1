//! Follows the changes of the key that signs seals: who trusts the old one can trust the new one.

use super::findings::{FindingKind, Findings};
use crate::evidence::bundle::Bundle;
use crate::seal::note::Note;
use crate::seal::note::key::PublicKey;
use crate::seal::note::trusted::{NotFollowed, TrustedKeys, old_keys};

/// Trusts the new keys of changes that a trusted key has signed.
///
/// A reader who trusts only a later key cannot check who signed the changes before it. Such a change has to lead to
/// a trusted key, and to be signed by two keys, of which the bundle names the old one; nothing is trusted for it.
pub fn follow_changes(
    bundle: &Bundle,
    origin: &str,
    hints: &[PublicKey],
    keys: &mut TrustedKeys,
    findings: &mut Findings,
) {
    let mut untrusted = Vec::new();
    for text in &bundle.key_changes {
        let note = match Note::parse(text) {
            Ok(note) => note,
            Err(error) => {
                findings.add(FindingKind::BadKeyChange, format!("it is no signed note: {error}"));
                continue;
            }
        };
        match keys.follow(&note, origin) {
            Ok(()) => {}
            Err(NotFollowed::NotByTrusted) => untrusted.push(note),
            Err(error) => findings.add(FindingKind::BadKeyChange, error),
        }
    }
    let mut leads_to_trusted = keys.clone();
    for note in untrusted.iter().rev() {
        match old_keys(note, hints, &leads_to_trusted) {
            Some(old) => leads_to_trusted = leads_to_trusted.and(old),
            None => findings.add(FindingKind::BadKeyChange, NotFollowed::NotByTrusted),
        }
    }
}

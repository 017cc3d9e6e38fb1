//! The steps of a check, in the order in which a reader would take them.

use base64::Engine;

use super::entries;
use super::erasures::check_erasures;
use super::findings::{FindingKind, Findings};
use super::key_changes::follow_changes;
use super::lifecycle::check_lifecycle;
use super::other_seal::check_other_seal;
use super::{Checked, Trust};
use crate::domain::hash::Hash;
use crate::domain::statement::Statement;
use crate::domain::tree::proof::proves_inclusion;
use crate::evidence::bundle::{self, BadEvent, Bundle, BundleError, BundleEvent, Timestamp};
use crate::seal::json::{TimestampJson, WitnessJson};
use crate::seal::note::Note;
use crate::seal::note::cosignature::cosigned_by;
use crate::seal::note::key::{PublicKey, STRICT_BASE64};
use crate::seal::note::trusted::TrustedKeys;
use crate::seal::timestamp::verify;

/// Checks the text of a bundle.
pub fn check(text: &[u8], trust: &Trust) -> Checked {
    let mut findings = Findings::default();
    match bundle::parse(text) {
        Ok(bundle) => check_bundle(&bundle, trust, findings),
        Err(BundleError::Events { bundle, bad }) => {
            for BadEvent { position, detail } in bad {
                match position {
                    Some(position) => findings.at(FindingKind::BadEvent, position, detail),
                    None => findings.add(FindingKind::BadEvent, detail),
                }
            }
            check_bundle(&bundle, trust, findings)
        }
        Err(BundleError::Format(detail)) => {
            findings.add(FindingKind::BadFormat, detail);
            Checked {
                statement: None,
                message_sid: None,
                account_sid: None,
                events: 0,
                erased: 0,
                sealed_by: Vec::new(),
                witnesses: Vec::new(),
                timestamps: Vec::new(),
                timestamps_given: 0,
                complete: None,
                folded: None,
                findings: findings.0,
            }
        }
    }
}

fn check_bundle(bundle: &Bundle, trust: &Trust, mut findings: Findings) -> Checked {
    let hints = check_hints(bundle, &mut findings);
    let seal = read_seal(bundle, &mut findings);
    let (mut sealed_by, mut witnesses, mut timestamps) = (Vec::new(), Vec::new(), Vec::new());
    let mut complete = None;
    if let Some((note, statement)) = &seal {
        let mut keys = TrustedKeys::new(trust.keys.clone());
        follow_changes(bundle, &statement.origin, &hints, &mut keys, &mut findings);
        sealed_by = check_signatures(note, statement, &keys, &mut findings);
        witnesses = check_witnesses(note, trust, &mut findings);
        timestamps = check_timestamps(bundle, note, trust, &mut findings);
        check_other_seal(statement, &keys, trust.other_seal.as_ref(), &mut findings);
        check_proofs(bundle, statement, &mut findings);
    }
    check_events(bundle, &mut findings);
    check_erasures(bundle, &mut findings);
    let statement = seal.map(|(_, statement)| statement);
    let folded = check_lifecycle(bundle, statement.as_ref(), &mut findings);
    if let (Some(path), Some(statement)) = (&trust.entries, &statement) {
        complete = entries::check_complete(path, statement, bundle, &mut findings);
    }
    Checked {
        statement,
        message_sid: Some(bundle.message_sid.clone()),
        account_sid: bundle.account_sid.clone(),
        events: bundle.events.len(),
        erased: bundle.events.iter().filter(|event| event.event.erased.is_some()).count(),
        sealed_by,
        witnesses,
        timestamps,
        timestamps_given: bundle.timestamps.len(),
        complete,
        folded,
        findings: findings.0,
    }
}

/// The public keys that the bundle names. They are no reason to trust one, but have to be keys.
fn check_hints(bundle: &Bundle, findings: &mut Findings) -> Vec<PublicKey> {
    let mut keys = Vec::new();
    for text in &bundle.keys {
        match PublicKey::parse(text) {
            Ok(key) => keys.push(key),
            Err(error) => {
                let shown: String = text.escape_debug().take(80).collect();
                findings.add(FindingKind::BadKey, format!("the key `{shown}`: {error}"));
            }
        }
    }
    keys
}

fn read_seal(bundle: &Bundle, findings: &mut Findings) -> Option<(Note, Statement)> {
    let note = match Note::parse(&bundle.seal) {
        Ok(note) => note,
        Err(error) => {
            findings.add(FindingKind::BadSeal, format!("the seal is no signed note: {error}"));
            return None;
        }
    };
    match Statement::parse(&note.text) {
        Ok(statement) => Some((note, statement)),
        Err(error) => {
            findings.add(FindingKind::BadSeal, format!("the note is no seal: {error}"));
            None
        }
    }
}

fn check_signatures(
    note: &Note,
    statement: &Statement,
    keys: &TrustedKeys,
    findings: &mut Findings,
) -> Vec<PublicKey> {
    match keys.signers(note, statement) {
        Err(error) => {
            findings.add(FindingKind::BadSignature, error);
            Vec::new()
        }
        Ok(signers) => {
            if signers.is_empty() {
                let detail = format!(
                    "no trusted key of {} has signed the seal; the keys in the bundle are no reason to trust one",
                    statement.origin
                );
                findings.add(FindingKind::UnknownKey, detail);
            }
            signers
        }
    }
}

fn check_witnesses(note: &Note, trust: &Trust, findings: &mut Findings) -> Vec<WitnessJson> {
    let (mut found, mut missing) = (Vec::new(), Vec::new());
    for witness in &trust.witnesses {
        match cosigned_by(note, witness) {
            Ok(Some(cosigned)) => {
                found.push(WitnessJson { name: cosigned.name, at: cosigned.at.to_string() });
            }
            Ok(None) => missing.push(witness.name().to_owned()),
            Err(error) => findings.add(FindingKind::BadSignature, error),
        }
    }
    let enough = trust.quorum.unwrap_or(trust.witnesses.len());
    if found.len() < enough {
        let detail = format!(
            "{} of {enough} witnesses have cosigned; these have not: {}",
            found.len(),
            missing.join(", ")
        );
        findings.add(FindingKind::WitnessMissing, detail);
    }
    found
}

/// With certificates of an authority, a timestamp by it has to be there. Those of others cannot be checked.
fn check_timestamps(
    bundle: &Bundle,
    note: &Note,
    trust: &Trust,
    findings: &mut Findings,
) -> Vec<TimestampJson> {
    let tokens = bundle.timestamps.iter().filter_map(|timestamp| match timestamp {
        Timestamp::Rfc3161(token) => Some(token),
        Timestamp::OpenTimestamps(_) => None,
    });
    let mut attested = Vec::new();
    for authority in &trust.authorities {
        let verified =
            tokens.clone().map(|token| verify(token, note.text.as_bytes(), None, authority));
        let (valid, invalid): (Vec<_>, Vec<_>) = verified.partition(Result::is_ok);
        if valid.is_empty() {
            let reason = invalid.into_iter().find_map(Result::err);
            let detail = match reason {
                Some(reason) => format!("no timestamp by the given authority is valid: {reason}"),
                None => "the bundle has no timestamp of RFC 3161".to_owned(),
            };
            findings.add(FindingKind::BadTimestamp, detail);
        }
        attested.extend(valid.into_iter().flatten().map(TimestampJson::from));
    }
    attested
}

/// Every event has to be in the tree that was sealed.
fn check_proofs(bundle: &Bundle, statement: &Statement, findings: &mut Findings) {
    for event in bundle.events.iter().chain(&bundle.erasures) {
        let position = event.event.position;
        let Some(proof) = hashes(&event.proof) else {
            let detail = "a hash of the proof is not 32 bytes in base64, padded and canonical";
            findings.at(FindingKind::BadProof, position, detail);
            continue;
        };
        let Statement { size, root, .. } = statement;
        if !proves_inclusion(event.digest(), position - 1, *size, &proof, root) {
            let detail = "event, position and proof do not lead to the root of the seal";
            findings.at(FindingKind::BadProof, position, detail);
        }
    }
}

fn hashes(proof: &[String]) -> Option<Vec<Hash>> {
    let hash = |text: &String| STRICT_BASE64.decode(text).ok()?.try_into().ok();
    proof.iter().map(hash).collect()
}

/// The events have to be of this message, each once, by position.
fn check_events(bundle: &Bundle, findings: &mut Findings) {
    let message = bundle.message_hash();
    for event in &bundle.events {
        let position = event.event.position;
        if event.message_hash() != message {
            findings.at(FindingKind::ForeignEvent, position, "it is an event of another message");
        }
    }
    for event in bundle.events.iter().chain(&bundle.erasures) {
        if !event.names_what_it_says() {
            let detail = "its body names another account or message than it says";
            findings.at(FindingKind::BadEvent, event.event.position, detail);
        }
    }
    if bundle.events.is_empty() {
        findings.add(FindingKind::BadOrder, "it has no events");
    }
    for list in [&bundle.events, &bundle.erasures] {
        let positions = |pair: &[BundleEvent]| (pair[0].event.position, pair[1].event.position);
        for (first, second) in list.windows(2).map(positions) {
            if first >= second {
                let detail = format!("it comes after position {first}");
                findings.at(FindingKind::BadOrder, second, detail);
            }
        }
    }
}

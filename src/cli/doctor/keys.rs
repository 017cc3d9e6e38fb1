//! The keys that Twilio and the ledger have to agree on.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::check::Finding;
use super::patient::Patient;
use crate::domain::{AccountSid, Source};
use crate::twilio::accounts::Keys;
use crate::twilio::callback::Reading;

/// Each account's keys: where they come from, never what they are.
pub fn each(patient: &Patient) -> Vec<Finding> {
    let accounts = match patient.settings.each_account() {
        Err(_) if patient.unreadable.is_some() => return Vec::new(),
        Err(error) => {
            let advice = "serve does not start without an account and its token";
            return vec![Finding::fail(format!("{error:#}"), advice)];
        }
        Ok(accounts) => accounts,
    };
    let finding = accounts.into_iter().map(|(sid, keys)| match keys {
        Ok(keys) => of_account(patient, &sid, &keys).of(sid.as_str()),
        Err(error) => Finding::fail(
            format!("{error:#}"),
            "serve does not start without them; one that runs keeps those it has",
        )
        .of(sid.as_str()),
    });
    finding.collect()
}

fn of_account(patient: &Patient, sid: &AccountSid, keys: &Keys) -> Finding {
    let sources = patient.settings.key_sources();
    let own = sources.iter().filter(|source| source.account_sid == sid.as_str());
    let detail = own.map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let tokens = [Some(&keys.primary), keys.secondary.as_ref()];
    if tokens.into_iter().flatten().any(|token| !token.is_usual()) {
        return Finding::warn(
            format!("{detail}; a token has not the form of Twilio's, 32 hex digits"),
            "look for quotes, blanks or another line in it; Twilio's Console has the token",
        );
    }
    match &keys.secondary {
        Some(secondary) if secondary.is_same_as(&keys.primary) => Finding::warn(
            format!("{detail}; both tokens are the same"),
            "after a rotation remove the secondary one",
        ),
        _ => Finding::ok(detail),
    }
}

/// Who else can read the files of keys.
pub fn files(patient: &Patient) -> Vec<Finding> {
    let open: Vec<_> =
        patient.settings.secret_files().into_iter().filter(|file| others_read(file)).collect();
    vec![match &open[..] {
        [] => Finding::ok("nobody else can read them"),
        open => {
            let names: Vec<_> = open.iter().map(|file| file.display().to_string()).collect();
            Finding::warn(
                format!("other users can read {}", names.join(", ")),
                "chmod 600, or where a group has to read them, know that it can sign callbacks",
            )
        }
    }]
}

fn others_read(file: &Path) -> bool {
    file.metadata().is_ok_and(|metadata| metadata.permissions().mode() & 0o004 != 0)
}

/// Which key Twilio signs with, by the last events.
pub fn signing(patient: &Patient) -> Vec<Finding> {
    let callbacks =
        patient.last_events().iter().rev().filter(|event| event.source == Source::Callback);
    let mut last = std::collections::BTreeMap::new();
    for event in callbacks {
        let (Some(key), Some(sid)) = (&event.verified_by, Reading::of(event).account_sid) else {
            continue;
        };
        last.entry(sid.into_owned()).or_insert_with(|| (key.clone(), event.received_at));
    }
    let finding = last.into_iter().map(|(sid, (key, at))| match key.as_str() {
        "secondary" => Finding::warn(
            format!("the secondary token, with the callback of {at}"),
            "it has been promoted at Twilio: make it the primary one here, and remove the secondary",
        )
        .of(sid),
        key => Finding::ok(format!("{key}, with the callback of {at}")).of(sid),
    });
    finding.collect()
}

//! Checks on seals: that there is a key, that seals are made, and that the log still has what was sealed.

use crate::checks::context::CheckContext;
use crate::checks::finding::Finding;
use crate::domain::Position;
use crate::seal::sealer::{SealError, Sealer, find_difference};
use crate::seal::stored::{StoredSeal, last_seal, origin};
use crate::seal::worker::Sealing;
use crate::store::Store;
use crate::text::number;

/// How many intervals a seal may be late before that is a problem.
const INTERVALS_MAX: u32 = 3;

/// The last seal, and what is wrong with it or with sealing.
pub fn seals(context: &CheckContext) -> Vec<Finding> {
    let (Some(store), Some(head)) = (context.store(), context.head()) else { return Vec::new() };
    let sealing = match context.key_settings().sealing() {
        Ok(sealing) => sealing,
        Err(error) => {
            let advice = "correct the setting; nothing is sealed until then";
            return vec![Finding::fail(format!("{error:#}"), advice)];
        }
    };
    let last = match last_seal(store) {
        Ok(last) => last,
        Err(error) => return vec![Finding::fail(error.to_string(), "run verify")],
    };
    if let Some(difference) = difference(store, &sealing) {
        return vec![difference];
    }
    vec![match (&sealing.sealer, last) {
        (None, _) => Finding::ok(
            "no key is configured, so nothing is sealed and nobody outside can check the log; `seal key new` makes one",
        ),
        (Some(sealer), last) => {
            wrong_key(store, sealer).unwrap_or_else(|| age(context, head, last))
        }
    }]
}

fn difference(store: &dyn Store, sealing: &Sealing) -> Option<Finding> {
    let origin = sealing.sealer.as_ref().map(|sealer| origin(store, &sealer.prefix));
    let origin = origin.and_then(Result::ok).unwrap_or_default();
    let file = sealing.sealer.as_ref().and_then(|sealer| sealer.file.as_deref());
    match find_difference(store, &origin, file) {
        Ok(None) => None,
        Ok(Some(differs)) => Some(Finding::fail(
            differs.to_string(),
            "compare with backups and with the seals that others have; docs/operations/seals.md says how",
        )),
        // Views that have not read so far are reported elsewhere.
        Err(SealError::NotRead { .. }) => None,
        Err(error) => {
            Some(Finding::warn(error.to_string(), "nothing is sealed until it can be read"))
        }
    }
}

fn wrong_key(store: &dyn Store, sealer: &Sealer) -> Option<Finding> {
    let (of_ledger, of_key) = (origin(store, &sealer.prefix).ok()?, sealer.key.public());
    (of_key.name() != of_ledger).then(|| {
        Finding::fail(
            format!(
                "the key is for seals of {}, and this ledger's are of {of_ledger}",
                of_key.name()
            ),
            "make one with `seal key new`, and give its public key to auditors",
        )
    })
}

fn age(context: &CheckContext, head: Position, last: Option<StoredSeal>) -> Finding {
    let every = context.settings.seal_every().ok().flatten();
    let Some(last) = last else {
        return match head {
            0 => Finding::ok("nothing was sealed yet, and there are no events"),
            _ => {
                Finding::ok("nothing was sealed yet; serve seals at intervals, and `seal` at once")
            }
        };
    };
    let detail = format!(
        "{} of {} events, at {}",
        number(last.statement.size),
        number(head),
        last.sealed_at
    );
    let age = context.now.micros().abs_diff(last.sealed_at.micros());
    let is_late =
        every.is_some_and(|every| u128::from(age) > every.as_micros() * u128::from(INTERVALS_MAX));
    match is_late && last.statement.size < head {
        true => Finding::warn(
            detail,
            "events have come since, and no seal; if a server runs, its log says why",
        ),
        false => Finding::ok(detail),
    }
}

//! Makes a bundle about one message from a ledger.

use std::collections::BTreeSet;

use serde_json::Value;
use time::OffsetDateTime;

use super::bundle::{Bundle, BundleEvent, RULE_VERSION, Timestamp};
use super::check::lifecycle_json;
use crate::domain::tree::proof::proves_inclusion;
use crate::domain::{
    AccountSid, MessageKey, MessageSid, Position, RecordedEvent, Rule, Timestamp as Moment,
};
use crate::projection::ProjectionError;
use crate::projection::events_of_message::{EventsOfMessage, MessageEvents, events_of_message};
use crate::projection::fold::fold;
use crate::projection::proofs::inclusion_proof;
use crate::projection::verify::tree::root_at;
use crate::seal::stored::{
    AttestedSeal, StoredError, StoredSeal, key_changes, known_keys, last_seal_up_to, origin_id,
};
use crate::seal::worker::NotSealed;
use crate::store::{Store, StoreError};

/// What a bundle is wanted of.
#[derive(Debug, Clone)]
pub struct Request {
    /// The message.
    pub message_sid: MessageSid,
    /// Its account; `Some(None)` is the message without one, and `None` that of the only account with this SID.
    pub account_sid: Option<Option<AccountSid>>,
    /// Only events up to this position count.
    pub as_of: Option<Position>,
    /// The rule by which the status is decided.
    pub rule: Rule,
}

/// Why there is no bundle.
#[derive(Debug, thiserror::Error)]
pub enum MakeError {
    /// The log has no event of such a message.
    #[error("the log has no such message")]
    NotFound,
    /// Several accounts have a message with this SID.
    #[error("several accounts have a message with this SID")]
    Ambiguous(Vec<AccountSid>),
    /// The log has fewer events.
    #[error("the log ends at position {head}, before position {asked_for}")]
    BeyondHead {
        /// The position in the request.
        asked_for: Position,
        /// The last position of the log.
        head: Position,
    },
    /// No seal covers the events, and none can be made of so few events any more.
    #[error(
        "no seal up to position {as_of} covers the event at position {event}, and seals are never made of fewer \
         events than the last one; `seal list` shows the seals"
    )]
    NotCovered {
        /// The position in the request.
        as_of: Position,
        /// An event of the message that no seal covers.
        event: Position,
    },
    /// The log has another root than was sealed.
    #[error("the log has something else at position {0} than was sealed; run `verify`")]
    Differs(Position),
    /// No seal could be made.
    #[error("no seal covers the message: {0}")]
    NotSealed(NotSealed),
    /// A seal could not be read.
    #[error(transparent)]
    Stored(#[from] StoredError),
    /// The tree could not be read.
    #[error(transparent)]
    Projection(#[from] ProjectionError),
}

impl From<NotSealed> for MakeError {
    fn from(error: NotSealed) -> Self {
        Self::NotSealed(error)
    }
}

impl From<StoreError> for MakeError {
    fn from(error: StoreError) -> Self {
        Self::Stored(error.into())
    }
}

/// Seals what the views have read, or the first events, up to a number.
pub type Seal<'a> = &'a mut dyn FnMut(Option<Position>) -> Result<StoredSeal, NotSealed>;

/// Makes a bundle. The views have to be at the head; a seal is made if none covers the message.
pub fn make(store: &dyn Store, request: &Request, seal: Seal<'_>) -> Result<Bundle, MakeError> {
    let head = store.head()?;
    if let Some(asked_for) = request.as_of.filter(|asked_for| *asked_for > head) {
        return Err(MakeError::BeyondHead { asked_for, head });
    }
    let found = events_of_message(
        store,
        &request.message_sid,
        request.account_sid.as_ref(),
        request.as_of.unwrap_or(head),
    )?;
    let MessageEvents { key, positions } = match found {
        EventsOfMessage::NotFound => return Err(MakeError::NotFound),
        EventsOfMessage::Ambiguous(accounts) => return Err(MakeError::Ambiguous(accounts)),
        EventsOfMessage::Found(found) => found,
    };
    let last = last_to_cover(store, &positions, request.as_of.unwrap_or(head))?;
    let seal = covering(store, request.as_of, last, seal)?;
    let size = seal.statement.size;
    if root_at(store, size)? != seal.statement.root {
        return Err(MakeError::Differs(size));
    }
    let positions: Vec<_> = match size > request.as_of.unwrap_or(head) {
        // Events may have come between the query and the seal, and a bundle has all up to its seal.
        true => all_up_to(store, &key, size)?,
        false => positions.into_iter().filter(|position| *position <= size).collect(),
    };
    bundle(store, request.rule, &key, &positions, seal.attested(store)?)
}

/// The last of these events, and of the erasures of those that are erased: all of them are in the bundle.
fn last_to_cover(
    store: &dyn Store,
    positions: &[Position],
    as_of: Position,
) -> Result<Position, MakeError> {
    let events = store.read_at(positions)?;
    let erasures = events.iter().filter_map(|event| event.erased).map(|erased| erased.erased_by);
    let last = positions.iter().copied().chain(erasures).max().ok_or(MakeError::NotFound)?;
    match last > as_of {
        true => Err(MakeError::NotCovered { as_of, event: last }),
        false => Ok(last),
    }
}

/// A seal that covers an event; the last one that does, or a new one.
fn covering(
    store: &dyn Store,
    as_of: Option<Position>,
    last: Position,
    seal: Seal<'_>,
) -> Result<StoredSeal, MakeError> {
    let id = origin_id(store)?.to_string();
    let is_current = |seal: &StoredSeal| seal.statement.origin.ends_with(&id);
    let newest = last_seal_up_to(store, as_of.unwrap_or(Position::MAX))?.filter(is_current);
    if let Some(newest) = newest.filter(|newest| newest.statement.size >= last) {
        return Ok(newest);
    }
    let sealed = last_seal_up_to(store, Position::MAX)?.map_or(0, |seal| seal.statement.size);
    match as_of {
        Some(as_of) if as_of < sealed => Err(MakeError::NotCovered { as_of, event: last }),
        as_of => Ok(seal(as_of)?),
    }
}

fn all_up_to(
    store: &dyn Store,
    key: &MessageKey,
    size: Position,
) -> Result<Vec<Position>, MakeError> {
    let account = Some(&key.account_sid);
    match events_of_message(store, &key.message_sid, account, size)? {
        EventsOfMessage::Found(found) => Ok(found.positions),
        EventsOfMessage::NotFound | EventsOfMessage::Ambiguous(_) => Err(MakeError::NotFound),
    }
}

fn bundle(
    store: &dyn Store,
    rule: Rule,
    key: &MessageKey,
    positions: &[Position],
    seal: AttestedSeal,
) -> Result<Bundle, MakeError> {
    let (size, root) = (seal.statement.size, seal.statement.root);
    let prove = |event: RecordedEvent| -> Result<BundleEvent, MakeError> {
        let position = event.position;
        let proof = inclusion_proof(store, position, size)?;
        let event = BundleEvent::new(event, &proof);
        // The event itself may have been changed, and not the tree.
        match proves_inclusion(event.digest(), position - 1, size, &proof, &root) {
            true => Ok(event),
            false => Err(MakeError::Differs(position)),
        }
    };
    let events = store.read_at(positions)?;
    let erasures: BTreeSet<_> =
        events.iter().filter_map(|event| event.erased).map(|erased| erased.erased_by).collect();
    // An event that was erased after the seal has its erasure beyond it.
    if let Some(beyond) = erasures.iter().find(|erasure| **erasure > size) {
        return Err(MakeError::NotCovered { as_of: size, event: *beyond });
    }
    let erasures = store.read_at(&erasures.into_iter().collect::<Vec<_>>())?;
    let whole = events.iter().filter(|event| event.erased.is_none()).cloned().collect();
    let folded = fold(rule, key, whole);
    Ok(Bundle {
        made_at: Moment::from(OffsetDateTime::now_utc()).to_string(),
        made_by: concat!("delivery-ledger ", env!("CARGO_PKG_VERSION")).to_owned(),
        account_sid: key.account_sid.as_ref().map(ToString::to_string),
        message_sid: key.message_sid.to_string(),
        keys: known_keys(store, &seal.statement.origin)?.iter().map(ToString::to_string).collect(),
        key_changes: key_changes(store, &seal.statement.origin)?
            .iter()
            .map(ToString::to_string)
            .collect(),
        seal: seal.note.to_string(),
        timestamps: seal.timestamps.into_iter().map(Timestamp::Rfc3161).collect(),
        events: events.into_iter().map(prove).collect::<Result<_, _>>()?,
        erasures: erasures.into_iter().map(prove).collect::<Result<_, _>>()?,
        rule_version: RULE_VERSION,
        lifecycle: folded.map_or(Value::Null, |folded| lifecycle_json(&folded, size)),
    })
}

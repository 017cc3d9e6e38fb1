//! The events of a request with a valid signature: one for most, and one for each CloudEvent of a batch.
//!
//! A CloudEvent may be of another account than the one that signed the request: a subaccount's, whose events
//! its parent receives. It counts only if the signing account may vouch for it; otherwise the holder of any
//! token could change the messages of every account.

use uuid::Uuid;

use super::accounts::Accounts;
use super::event_sids::EventSids;
use super::json::batch::{self, NotSplit};
use super::signature::{Signed, Verdict, verify_with};
use crate::domain::event::{Salt, note};
use crate::domain::{AccountSid, BodyKind, NewEvent};

/// The events of a request.
#[derive(Debug)]
pub struct RequestEvents {
    /// At least one.
    pub events: Vec<NewEvent>,
    /// Why a body that begins like an array is one event.
    pub not_split: Option<NotSplit>,
}

/// The events of a request, which is given as the event of its whole body, after its signature was verified.
/// `fresh` makes ids and salts of further events; the first keeps those of the request.
pub fn events_of_request(
    request: NewEvent,
    signed: &Signed<'_>,
    accounts: &Accounts,
    fresh: &mut dyn FnMut() -> (Uuid, Salt),
) -> RequestEvents {
    if request.body_kind() != Some(BodyKind::Json) {
        return RequestEvents { events: vec![request], not_split: None };
    }
    let is_array = batch::is_array(&request.body);
    let (mut events, not_split) = match is_array {
        false => (vec![request], None),
        true => match of_batch(&request, fresh) {
            Ok(events) => (events, None),
            Err(reason) => (vec![request], Some(reason)),
        },
    };
    if not_split.is_none() {
        let mut signers = None;
        // Whatever stands in an array: a click does not have the form of a CloudEvent, and is evidence too.
        let needs_signer = |event: &&mut NewEvent| is_array || batch::is_cloud_event(&event.body);
        for event in events.iter_mut().filter(needs_signer) {
            let signers: &mut Vec<_> =
                signers.get_or_insert_with(|| find_signers(signed, accounts));
            if let Some(signer) = stranger(event, signers, accounts) {
                event.notes.insert(note::SIGNED_BY.to_owned(), signer.to_string());
            }
        }
    }
    RequestEvents { events, not_split }
}

fn of_batch(
    request: &NewEvent,
    fresh: &mut dyn FnMut() -> (Uuid, Salt),
) -> Result<Vec<NewEvent>, NotSplit> {
    let elements = batch::split(&request.body)?;
    let batch = request.event_id.to_string();
    let event = |(index, element): (usize, &batch::Element<'_>)| {
        let (event_id, salt) = if index == 0 { (request.event_id, request.salt) } else { fresh() };
        NewEvent {
            event_id,
            salt,
            body: element.body.to_vec(),
            notes: batch::notes(element, &batch, index, elements.len()),
            // Field by field, because the body of the request would be copied for each.
            received_at: request.received_at,
            source: request.source,
            method: request.method.clone(),
            url: request.url.clone(),
            headers: request.headers.clone(),
            verified_by: request.verified_by.clone(),
        }
    };
    Ok(elements.iter().enumerate().map(event).collect())
}

/// The accounts whose keys verify the request: several, if they have equal keys.
fn find_signers(signed: &Signed<'_>, accounts: &Accounts) -> Vec<AccountSid> {
    let named = batch::accounts(signed.body.bytes);
    let named = named.iter().filter_map(|sid| accounts.subaccount(sid));
    let verifies = |keys| matches!(verify_with(signed, &[keys]), Verdict::Valid { .. });
    let all = accounts.iter().chain(named);
    all.filter(|(_, keys)| verifies(*keys)).map(|(sid, _)| sid.clone()).collect()
}

/// The account that signed a CloudEvent, if it may not vouch for the account that the event is of.
fn stranger<'s>(
    event: &NewEvent,
    signers: &'s [AccountSid],
    accounts: &Accounts,
) -> Option<&'s AccountSid> {
    let account_sid = EventSids::parse(event).account_sid;
    let account_sid = AccountSid::parse(&account_sid?)?;
    let is_vouched_for = signers.iter().any(|signer| accounts.vouches_for(signer, &account_sid));
    signers.first().filter(|_| !is_vouched_for)
}

//! Checks the signature of a request that is in the log: of one event, or of the batch that it is a part of.

use std::collections::BTreeMap;
use std::io::Write;

use anyhow::Result;
use sha2::{Digest, Sha256};

use crate::cli::Outcome;
use crate::cli::common::terminal;
use crate::cli::common::text::number;
use crate::config::Settings;
use crate::domain::hash::hex;
use crate::domain::{BodyKind, Position, RecordedEvent};
use crate::store::{self, Access, Store};
use crate::telemetry::eprint_line;
use crate::twilio::callback::ParsedBody;
use crate::twilio::json::batch::{Place, join};
use crate::twilio::signature::{SETTINGS_HEADER, SIGNATURE_HEADER, Signed, Verdict, verify};

/// A request put together again from its events.
struct Request {
    /// The first of its events.
    first: RecordedEvent,
    positions: Vec<Position>,
    body: Vec<u8>,
}

/// Prints `valid` or `invalid`, the positions of the request's events, and the hash of its body.
pub fn run(position: Position, settings: &Settings) -> Result<Outcome> {
    let accounts = settings.accounts()?;
    let store = store::open(&settings.database()?, Access::Read)?;
    let head = store.head()?;
    if position == 0 || position > head {
        let head = number(head);
        eprint_line(format_args!("there is no event {position}: the log ends at position {head}"));
        return Ok(Outcome::NotFound);
    }
    let event = store.read_at(&[position])?.remove(0);
    let request = match put_together(&*store, event, head)? {
        Ok(request) => request,
        Err(reason) => {
            terminal::stdout().say(&format!("invalid: {reason}\n"))?;
            return Ok(Outcome::CheckFoundSomething);
        }
    };
    let event = &request.first;
    let signed = Signed {
        urls: std::slice::from_ref(&event.url),
        body: &ParsedBody::parse(event.body_kind().unwrap_or(BodyKind::Form), &request.body),
        signature: event.headers.get(SIGNATURE_HEADER).unwrap_or_default(),
        settings: event.headers.get(SETTINGS_HEADER),
    };
    let verdict = verify(&signed, &accounts);
    let mut out = terminal::stdout();
    match &verdict {
        Verdict::Valid { verified_by, .. } => {
            out.say(&format!("valid: signed with the {verified_by} token over {}\n", event.url))?;
        }
        Verdict::Invalid(reason) => out.say(&format!("invalid: {reason}\n"))?,
    }
    let (positions, bytes) = (&request.positions, number(request.body.len() as u64));
    writeln!(out, "events: {}", in_words(positions))?;
    writeln!(out, "body: {bytes} bytes, SHA-256 {}", hex(&Sha256::digest(&request.body)))?;
    Ok(match verdict {
        Verdict::Valid { .. } => Outcome::Done,
        Verdict::Invalid(_) => Outcome::CheckFoundSomething,
    })
}

/// The request that an event is of; the inner error says why it cannot be put together.
fn put_together(
    store: &dyn Store,
    event: RecordedEvent,
    head: Position,
) -> Result<Result<Request, String>> {
    if event.erased.is_some() {
        return Ok(Err(format!("the content of event {} was erased", event.position)));
    }
    let Some(place) = Place::from_notes(&event.notes) else {
        let (positions, body) = (vec![event.position], event.body.clone());
        return Ok(Ok(Request { first: event, positions, body }));
    };
    // They were appended in one transaction, and an import keeps their order.
    let first = event.position.saturating_sub(place.index as u64).max(1);
    let last = head.min(first + place.of as u64 - 1);
    let mut members = BTreeMap::new();
    for event in store.read_at(&(first..=last).collect::<Vec<_>>())? {
        let of_event = Place::from_notes(&event.notes).filter(|at| at.batch == place.batch);
        if let Some(at) = of_event.filter(|_| event.erased.is_none()) {
            members.insert(at.index, event);
        }
    }
    let missing = (0..place.of).filter(|index| !members.contains_key(index));
    let missing: Vec<_> = missing.map(|index| index.to_string()).collect();
    if !missing.is_empty() {
        return Ok(Err(format!(
            "the request had {} events, of which these are missing between positions {first} and \
             {last}, or erased, by their index from 0: {}",
            place.of,
            missing.join(", ")
        )));
    }
    let mut body = Vec::new();
    for (index, event) in &members {
        let place = Place { index: *index, ..place.clone() };
        join(&mut body, &place, &event.body, &event.notes);
    }
    let positions = members.values().map(|event| event.position).collect();
    Ok(Ok(Request { first: members.remove(&0).unwrap_or(event), positions, body }))
}

fn in_words(positions: &[Position]) -> String {
    match positions {
        [first, .., last] => format!("{} at positions {first} to {last}", positions.len()),
        _ => format!("1 at position {}", positions.first().copied().unwrap_or_default()),
    }
}

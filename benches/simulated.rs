//! Simulated callbacks shared by the benchmarks, as requests and as events.
#![allow(dead_code, reason = "each benchmark takes from here what it needs")]

use delivery_ledger::domain::event::Headers;
use delivery_ledger::domain::{NewEvent, Source, Timestamp};
use delivery_ledger::simulate::{Callback, FIXED_RECEIPT, SimulationPlan};

/// The account of all simulated callbacks.
pub const ACCOUNT: &str = "AC0123456789abcdef0123456789abcdef";

/// The mix of callbacks that all benchmarks use.
pub fn plan(account_sid: &str, messages: u64, seed: u64) -> SimulationPlan {
    SimulationPlan {
        account_sid: account_sid.to_owned(),
        messages,
        seed,
        shuffle: true,
        duplicates: 0.02,
        lose: 0.01,
        conflicts: 0.005,
        queued: 0.0,
        forged: 0.0,
        receipt: FIXED_RECEIPT.to_owned(),
    }
}

/// Converts a callback to an event with the headers that Twilio sends.
pub fn event(callback: &Callback) -> NewEvent {
    let headers = [
        ("content-type", "application/x-www-form-urlencoded"),
        ("i-twilio-idempotency-token", &callback.idempotency_token),
        ("user-agent", "TwilioProxy/1.1"),
        ("x-home-region", "us1"),
        ("x-twilio-signature", "i2EwT64gSyGomCgP/vRctmHxMHc="),
    ];
    let headers = headers.map(|(name, value)| (name.to_owned(), value.as_bytes().to_vec()));
    NewEvent {
        event_id: uuid::Uuid::now_v7(),
        received_at: Timestamp::from(time::OffsetDateTime::now_utc()),
        source: Source::Callback,
        method: "POST".to_owned(),
        url: "https://hooks.example.com/message-status".to_owned(),
        headers: Headers::new(headers),
        body: callback.body.clone().into_bytes(),
        verified_by: Some("primary".to_owned()),
        notes: Default::default(),
        salt: delivery_ledger::store::new_salt(),
    }
}

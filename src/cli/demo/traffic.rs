//! The demo's traffic: two days of a shop's messages up to now, one message in a chosen wrong order and one that
//! contradicts itself, and whatever follows.

use std::net::SocketAddr;

use anyhow::{Result, anyhow};
use fastrand::Rng;

use crate::domain::Timestamp;
use crate::simulate::days::{PERIOD_SECONDS, receipt};
use crate::simulate::message::{CONTRADICTING, Channel, QUEUED, SimulatedMessage, Step, hex};
use crate::simulate::{
    Arrival, Arrivals, Callback, DaysPlan, Load, LoadSummary, Signer, Target, run,
};
use crate::twilio::accounts::Token;

/// The path that the demo's callbacks are sent to.
pub const CALLBACK_PATH: &str = "/message-status";

/// The public URL, which callbacks are signed with, as with a proxy in front. No such host exists (RFC 2606).
pub const PUBLIC_URL: &str = "https://hooks.northwind.example";

/// The number of messages whose callbacks are sent at the start: those of the last minutes. More would be seen
/// as a gap before the start, and as a rush at it.
const MESSAGES_SENT: f64 = 20.0;

/// The number of callbacks in flight at once.
const CONNECTIONS: usize = 8;

const SECOND_MICROS: f64 = 1e6;
const DAY_SECONDS: f64 = 86_400.0;

/// The featured message is delivered first, then sent, then delivered once more, then queued.
const WRONG_ORDER: [Step; 4] = [("delivered", None), ("sent", None), ("delivered", None), QUEUED];

/// The tags of both messages.
const FEATURED_QUERY: &str = "?campaign=shipping&order=17";
const CONFLICTING_QUERY: &str = "?campaign=shipping&order=18";

/// The callbacks, and the account that they belong to.
pub struct Traffic {
    pub account_sid: String,
    pub auth_token: String,
    pub featured_sid: String,
    pub conflicting_sid: String,
    /// Callbacks that arrived before the demo was started, in order.
    pub past: Vec<Arrival>,
    /// Callbacks of the last minutes, sent concurrently, so that those of a message may arrive in another order.
    crowd: Vec<Callback>,
    /// Callbacks sent one after another.
    featured: Vec<Callback>,
    /// Callbacks that arrive while the demo runs.
    following: Arrivals,
}

impl Traffic {
    /// Generates the traffic of a seed up to now.
    pub fn new(seed: u64, messages: u64, now: Timestamp) -> Self {
        let mut rng = Rng::with_seed(seed);
        let account_sid = format!("AC{}", hex(&mut rng));
        let auth_token = hex(&mut rng);
        let featured = SimulatedMessage::new(Channel::Sms, &mut rng).by_a_service();
        let conflicting = SimulatedMessage::new(Channel::Sms, &mut rng);
        let callbacks = |message: &SimulatedMessage, query: &str, steps: &[Step]| -> Vec<_> {
            steps.iter().map(|step| callback(message, query, &account_sid, *step, now)).collect()
        };
        let plan = DaysPlan { account_sid: account_sid.clone(), seed, messages, until: now };
        let mut following = plan.arrivals();
        let sent_since = sent_since(&following, now);
        let mut past = Vec::new();
        let mut crowd = callbacks(&conflicting, CONFLICTING_QUERY, CONTRADICTING);
        while let Some(arrival) = following.next_until(now) {
            match arrival.at < sent_since {
                true => past.push(arrival),
                false => crowd.push(arrival.callback),
            }
        }
        Self {
            featured: callbacks(&featured, FEATURED_QUERY, &WRONG_ORDER),
            auth_token,
            featured_sid: featured.sid,
            conflicting_sid: conflicting.sid,
            past,
            crowd,
            following,
            account_sid,
        }
    }

    /// Signs the callbacks.
    pub fn signer(&self) -> Signer {
        Signer::new(&format!("{PUBLIC_URL}{CALLBACK_PATH}"), Token::new(&self.auth_token))
    }

    /// The number of messages a minute at a moment.
    pub fn messages_a_minute(&self, at: Timestamp) -> f64 {
        60.0 * self.following.messages_a_second(at)
    }

    /// Sends the callbacks of the last minutes, and returns how many were sent and acknowledged.
    pub async fn send(&self, to: SocketAddr) -> Result<LoadSummary> {
        let (load, signer) = (load(to)?, self.signer());
        let crowd = self.crowd.clone().into_iter();
        let mut summary = run(load.clone(), signer.clone(), crowd, None, || ()).await?;
        let one_by_one = Load { connections: 1, ..load };
        let featured = self.featured.clone().into_iter();
        let featured = run(one_by_one, signer, featured, None, || ()).await?;
        summary.sent += featured.sent;
        summary.acknowledged += featured.acknowledged;
        Ok(summary)
    }

    /// Sends callbacks as they would arrive from now on, and does not end.
    pub async fn send_following(self, to: SocketAddr, now: Timestamp) -> Result<LoadSummary> {
        let signer = self.signer();
        let load = Load { day_seconds: Some(DAY_SECONDS), ..load(to)? };
        let callbacks = self.following.map(move |Arrival { at, callback }| {
            let after = (at.micros() - now.micros()) / 1000;
            Callback { at_ms: u64::try_from(after).unwrap_or(0), ..callback }
        });
        run(load, signer, callbacks, None, || ()).await
    }
}

/// Sends as fast as the server responds.
fn load(to: SocketAddr) -> Result<Load> {
    let target = Target::parse(&format!("http://{to}{CALLBACK_PATH}"));
    let target = target.map_err(|wrong| anyhow!(wrong))?;
    Ok(Load { target, connections: CONNECTIONS, rate: None, seconds: None, day_seconds: None })
}

/// Since when callbacks are sent instead of imported.
fn sent_since(arrivals: &Arrivals, now: Timestamp) -> Timestamp {
    let seconds = MESSAGES_SENT / arrivals.messages_a_second(now);
    let seconds = seconds.min(PERIOD_SECONDS as f64);
    Timestamp::from_micros(now.micros() - (seconds * SECOND_MICROS) as i64)
}

/// The callback that reports a step. A repeated status has the same idempotency token, so that it is a
/// duplicate.
fn callback(
    message: &SimulatedMessage,
    query: &str,
    account_sid: &str,
    step: Step,
    now: Timestamp,
) -> Callback {
    Callback {
        at_ms: 0,
        query: query.to_owned(),
        body: message.body(account_sid, step, &receipt(now)),
        idempotency_token: format!("{}-{}", message.sid, step.0),
        forged: false,
    }
}

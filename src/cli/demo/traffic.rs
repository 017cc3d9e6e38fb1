//! The demo's traffic: some hundred simulated messages, one of them in a chosen wrong order
//! and one that contradicts itself.

use std::net::SocketAddr;

use anyhow::{Result, anyhow};
use fastrand::Rng;

use crate::simulate::message::{CONTRADICTING, Channel, QUEUED, SimulatedMessage, Step, hex};
use crate::simulate::{Callback, Load, LoadSummary, Signer, SimulationPlan, Target, run};
use crate::twilio::accounts::Token;

/// The path that the demo's callbacks are sent to.
pub const CALLBACK_PATH: &str = "/message-status";

/// The number of messages.
pub const MESSAGES: u64 = 300;

/// The number of callbacks in flight at once.
const CONNECTIONS: usize = 8;

/// The share of messages that a messaging service sends, so that their callbacks start with `queued`.
const QUEUED_SHARE: f64 = 0.4;

/// The featured message is delivered first, then sent, then delivered once more, then queued.
const WRONG_ORDER: [Step; 4] = [("delivered", None), ("sent", None), ("delivered", None), QUEUED];

/// The callbacks to send, and the account that they belong to.
pub struct Traffic {
    pub account_sid: String,
    pub auth_token: String,
    pub featured_sid: String,
    pub conflicting_sid: String,
    /// Callbacks sent concurrently, so that those of a message may arrive in another order.
    crowd: Vec<Callback>,
    /// Callbacks sent one after another.
    featured: Vec<Callback>,
}

impl Traffic {
    /// Generates the traffic of a seed. `receipt` is the time in the carriers' receipts, as
    /// `YYMMDDhhmm`.
    pub fn new(seed: u64, receipt: &str) -> Self {
        let mut rng = Rng::with_seed(seed);
        let account_sid = format!("AC{}", hex(&mut rng));
        let plan = SimulationPlan {
            account_sid: account_sid.clone(),
            messages: MESSAGES - 2,
            seed,
            shuffle: true,
            duplicates: 0.06,
            lose: 0.025,
            conflicts: 0.03,
            queued: QUEUED_SHARE,
            forged: 0.0,
            receipt: receipt.to_owned(),
        };
        let callbacks = |message: &SimulatedMessage, steps: &[Step]| {
            steps.iter().map(|step| callback(message, &account_sid, *step, receipt)).collect()
        };
        let featured = SimulatedMessage::new(Channel::Sms, &mut rng).by_a_service();
        let conflicting = SimulatedMessage::new(Channel::Sms, &mut rng);
        let mut crowd: Vec<_> = plan.callbacks().collect();
        let middle = crowd.len() / 2;
        let conflict: Vec<_> = callbacks(&conflicting, CONTRADICTING);
        crowd.splice(middle..middle, conflict);
        Self {
            auth_token: hex(&mut rng),
            featured: callbacks(&featured, &WRONG_ORDER),
            featured_sid: featured.sid,
            conflicting_sid: conflicting.sid,
            crowd,
            account_sid,
        }
    }

    /// Sends all callbacks and returns how many were sent and acknowledged.
    pub async fn send(&self, to: SocketAddr) -> Result<LoadSummary> {
        let target = Target::parse(&format!("http://{to}{CALLBACK_PATH}"));
        let target = target.map_err(|wrong| anyhow!(wrong))?;
        let signer = Signer::new(target.as_str(), Token::new(&self.auth_token));
        let load =
            Load { target, connections: CONNECTIONS, rate: None, seconds: None, day_seconds: None };
        let crowd = self.crowd.clone().into_iter();
        let mut summary = run(load.clone(), signer.clone(), crowd, None, || ()).await?;
        let one_by_one = Load { connections: 1, ..load };
        let featured = self.featured.clone().into_iter();
        let featured = run(one_by_one, signer, featured, None, || ()).await?;
        summary.sent += featured.sent;
        summary.acknowledged += featured.acknowledged;
        Ok(summary)
    }
}

/// The callback that reports a step. A repeated status has the same idempotency token, so that it is a
/// duplicate.
fn callback(message: &SimulatedMessage, account_sid: &str, step: Step, receipt: &str) -> Callback {
    Callback {
        at_ms: 0,
        body: message.body(account_sid, step, receipt),
        idempotency_token: format!("{}-{}", message.sid, step.0),
        forged: false,
    }
}

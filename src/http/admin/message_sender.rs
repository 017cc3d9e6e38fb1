//! Sending a message for whoever asks over HTTP: its intent and its answer in the log, and its key.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use actix_web::web::Data;
use time::OffsetDateTime;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use super::send_message::NewMessage;
use crate::domain::{AccountSid, NewEvent, Timestamp};
use crate::http::error::{Problem, Reason, SendProblem};
use crate::http::state::Admin;
use crate::send::keys::{Claim, Keys, request_hash};
use crate::send::{Attempt, Draft, Outcome, note};
use crate::twilio_api::{Answer, Client, Credentials, Failure, Limits};

/// How many messages are sent at once: each takes a thread, which mostly waits. Twilio takes some
/// hundred requests at once from one account, and says 429 beyond.
const SENDS_MAX: usize = 64;

/// How long an intent may take to be on disk before nothing is sent at all.
const DURABLE_TIMEOUT: Duration = Duration::from_secs(10);

/// How long Twilio's 429 is answered by trying again; whoever asked us waits meanwhile.
const RETRY_FOR: Duration = Duration::from_secs(20);

/// The longest of these waits.
const RETRY_WAIT_MAX: Duration = Duration::from_secs(10);

/// Who sends, and as whom Twilio is asked, as it is configured at this moment; of the account that is
/// named, else of the usual one.
pub type Senders = dyn Fn(Option<&str>) -> Result<Sender, String> + Send + Sync;

/// An account and its credentials.
pub enum Sender {
    Known(AccountSid, Credentials),
    /// There is none, for this reason.
    Unknown(String),
}

/// What sending takes.
pub struct Sending {
    client: Client,
    senders: Box<Senders>,
    status_callback: Option<String>,
    keys: Arc<Keys>,
    permits: Arc<Semaphore>,
    ending: Arc<AtomicBool>,
}

/// A message on its way: what it is, for whom, and under which key.
pub struct Order {
    attempt: Attempt,
    who: Credentials,
    key: Option<(String, String)>,
    _permit: OwnedSemaphorePermit,
}

/// What came of it, and whether it was known before.
pub struct Came {
    pub send_id: String,
    pub outcome: Outcome,
    pub replayed: bool,
}

impl Sending {
    /// By this client, as these.
    pub fn new(client: Client, senders: Box<Senders>, status_callback: Option<String>) -> Self {
        let (keys, ending) = Default::default();
        let permits = Arc::new(Semaphore::new(SENDS_MAX));
        Self { client, senders, status_callback, keys, permits, ending }
    }

    /// Set to true, nobody waits any more to try again.
    pub fn ender(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.ending)
    }

    fn client(&self) -> Client {
        let (until, ending) = (Instant::now() + RETRY_FOR, Arc::clone(&self.ending));
        let stop = move || ending.load(Ordering::Relaxed) || Instant::now() > until;
        self.client.within(Limits::new(u64::MAX, stop).waiting_at_most(RETRY_WAIT_MAX))
    }

    /// What is to be sent, checked; its key, where it has one.
    pub fn order(&self, message: NewMessage, key: Option<String>) -> Result<Order, Problem> {
        let sender = (self.senders)(message.account_sid.as_deref());
        let (account_sid, who) =
            match sender.map_err(|reason| not_begun(Reason::NotSent(reason)))? {
                Sender::Known(account_sid, who) => (account_sid, who),
                Sender::Unknown(reason) => return Err(unprocessable(reason)),
            };
        let keep_content = message.keep_content;
        let draft = self.draft(message)?;
        let hash = request_hash(&who, &account_sid, &draft);
        let attempt = Attempt::new(&self.client, &account_sid, draft, keep_content);
        let mut attempt = attempt.map_err(|bad| unprocessable(bad.to_string()))?;
        let key = key.map(|key| (key, hash));
        if let Some((key, hash)) = &key {
            let notes = [(note::IDEMPOTENCY_KEY, key), (note::REQUEST_HASH, hash)];
            attempt =
                attempt.with_notes(notes.map(|(name, value)| (name.to_owned(), value.to_owned())));
        }
        let permit = Arc::clone(&self.permits).try_acquire_owned();
        Ok(Order { attempt, who, key, _permit: permit.map_err(|_| Problem::TooManySends)? })
    }

    fn draft(&self, message: NewMessage) -> Result<Draft, Problem> {
        let status_callback = match (message.no_status_callback, message.status_callback) {
            (true, Some(_)) => Err("status_callback and no_status_callback exclude each other"),
            (true, None) => Ok(None),
            (false, Some(url)) => Ok(Some(url)),
            (false, None) => self.status_callback.clone().map(Some).ok_or(
                "this server does not know under which URL Twilio reaches it: give \
                 status_callback, or set DELIVERY_LEDGER_PUBLIC_URL",
            ),
        };
        let send_at = message.send_at.map(|text| {
            let unreadable = format!(
                "send_at `{}` is not an RFC 3339 time, such as 2026-01-31T12:00:00Z",
                text.escape_debug()
            );
            Timestamp::parse(&text).ok_or_else(|| unprocessable(unreadable))
        });
        let variables = message.content_variables.map(serde_json::Value::Object);
        Ok(Draft {
            to: message.to,
            from: message.from,
            messaging_service_sid: message.messaging_service_sid,
            body: message.body,
            media_urls: message.media_urls,
            content_sid: message.content_sid,
            content_variables: variables.map(|variables| variables.to_string()),
            send_at: send_at.transpose()?,
            status_callback: status_callback.map_err(unprocessable)?,
        })
    }
}

/// What sending takes, where the server sends at all.
pub fn sending(state: &Admin) -> Result<&Sending, Problem> {
    let none = || Problem::NotFound("this server sends no messages".to_owned());
    state.sending.as_ref().ok_or_else(none)
}

/// Sends it, unless its key says that it was sent.
pub async fn carry_out(state: &Data<Admin>, order: Order) -> Result<Came, Problem> {
    let send_id = order.attempt.send_id.to_string();
    if let Some(came) = claim(state, &order).await? {
        return Ok(came);
    }
    let outcome = begin(state, &order).await;
    if let Some((key, _)) = &order.key {
        let outcome = outcome
            .as_ref()
            .map_or_else(|problem| Outcome::NotSent(problem.to_string()), Outcome::clone);
        sending(state)?.keys.settle(key, outcome);
    }
    Ok(Came { send_id, outcome: outcome?, replayed: false })
}

/// What is known of the request's key; nothing where the message is to be sent.
async fn claim(state: &Data<Admin>, order: &Order) -> Result<Option<Came>, Problem> {
    let Some((key, hash)) = order.key.clone() else { return Ok(None) };
    let (state, send_id) = (state.clone(), order.attempt.send_id.to_string());
    let keys = Arc::clone(&sending(&state)?.keys);
    let now = Timestamp::from(OffsetDateTime::now_utc());
    let claim = on_a_thread(move || keys.claim(&*state.store, &key, (&send_id, &hash), now));
    match claim.await.ok_or(Problem::Internal)?? {
        Claim::New => Ok(None),
        Claim::Done { send_id, outcome } => Ok(Some(Came { send_id, outcome, replayed: true })),
        Claim::InFlight => Err(Problem::Conflict(
            "the message with this Idempotency-Key is on its way; ask again".to_owned(),
        )),
        Claim::Other => Err(unprocessable("this Idempotency-Key was used for another message")),
    }
}

/// The intent, the request, and what came of it. An error means that nothing was sent.
async fn begin(state: &Data<Admin>, order: &Order) -> Result<Outcome, Problem> {
    let intent = state.writer.append(order.attempt.intent());
    match tokio::time::timeout(DURABLE_TIMEOUT, intent).await {
        Ok(Ok(_position)) => {}
        Ok(Err(error)) => return Err(Problem::NotStored(error)),
        Err(_) => {
            // It may be stored yet; that nothing followed is to be stored behind it.
            let stopped = order.attempt.answer(&Err(Failure::Stopped));
            actix_web::rt::spawn(keep(state.clone(), stopped));
            return Err(Problem::NotDurableInTime);
        }
    }
    let answered = ask(sending(state)?.client(), order).await;
    let outcome = Outcome::of(&answered);
    keep(state.clone(), order.attempt.answer(&answered)).await;
    Ok(outcome)
}

/// Twilio's answer, however long it takes.
async fn ask(client: Client, order: &Order) -> Result<Answer, Failure> {
    let (attempt, who) = (order.attempt.clone(), order.who.clone());
    let answered = on_a_thread(move || attempt.send(&client, &who)).await;
    answered.unwrap_or_else(|| {
        let detail = "the thread that asked has ended".to_owned();
        Err(Failure::NoAnswer { url: order.attempt.url().to_owned(), detail })
    })
}

/// A thread of its own, not one of the runtime's: what takes long must not keep the server from
/// ending. Nothing comes of work that could not be begun, or panicked.
async fn on_a_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let (tell, told) = oneshot::channel();
    let thread = std::thread::Builder::new().name("send".to_owned());
    let _detached = thread.spawn(move || tell.send(work()).ok()).ok()?;
    told.await.ok()
}

/// What came of a request is told whether it can be stored or not: the message is made.
async fn keep(state: Data<Admin>, event: NewEvent) {
    if let Err(error) = state.writer.append(event).await {
        tracing::error!(%error, "what came of a message that was sent is not in the log");
    }
}

fn unprocessable(detail: impl Into<String>) -> Problem {
    not_begun(Reason::Unprocessable(detail.into()))
}

fn not_begun(reason: Reason) -> Problem {
    Problem::Send(SendProblem { send_id: None, reason })
}

//! Sends messages for HTTP clients: logs the intent, calls Twilio, and logs the response. A message
//! with an idempotency key is sent once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use time::OffsetDateTime;
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use crate::domain::{AccountSid, NewEvent, Timestamp};
use crate::http::error::Problem;
use crate::http::limits::Limit;
use crate::http::send_problem::{Reason, SendProblem};
use crate::send::idempotency::{IdempotencyKeys, Lookup, request_hash};
use crate::send::{Attempt, Draft, SendOutcome, note};
use crate::store::Store;
use crate::store::writer::Writer;
use crate::twilio_api::{ApiResponse, Client, Credentials, RequestError, RequestLimits};

/// The time in which the intent must become durable; otherwise nothing is sent.
const DURABLE_TIMEOUT: Duration = Duration::from_secs(10);

/// The time for which a request that Twilio rejects with 429 is retried, while the client waits.
const RETRY_FOR: Duration = Duration::from_secs(20);

/// The longest wait between two retries.
const RETRY_WAIT_MAX: Duration = Duration::from_secs(10);

/// Finds the account with this SID, or the default account, as configured at this moment.
pub type FindAccount = dyn Fn(Option<&str>) -> Result<SendingAccount, String> + Send + Sync;

/// An account and its credentials.
pub enum SendingAccount {
    /// An account that messages can be sent with.
    Known(AccountSid, Credentials),
    /// It does not exist, for this reason.
    Unknown(String),
}

/// Sends messages and logs their outcome.
#[derive(Clone)]
pub struct MessageSender {
    client: Client,
    find_account: Arc<FindAccount>,
    status_callback: Option<String>,
    keys: Arc<IdempotencyKeys>,
    limit: Limit,
    stopping: Arc<AtomicBool>,
}

/// A message that is ready to be sent.
pub struct SendRequest {
    attempt: Attempt,
    credentials: Credentials,
    key: Option<IdempotencyKey>,
    _permit: OwnedSemaphorePermit,
}

#[derive(Clone)]
struct IdempotencyKey {
    key: String,
    /// Distinguishes a retry from another message with the same key.
    request_hash: String,
}

/// The result of a request.
pub struct SendResult {
    /// Connects the intent in the log with its outcome.
    pub send_id: String,
    /// What Twilio answered.
    pub outcome: SendOutcome,
    /// True if this is the outcome of an earlier request with the same key.
    pub replayed: bool,
}

impl MessageSender {
    /// A sender for these accounts. `status_callback` is the URL for messages that name none.
    pub fn new(
        client: Client,
        find_account: Box<FindAccount>,
        status_callback: Option<String>,
    ) -> Self {
        Self {
            client,
            find_account: find_account.into(),
            status_callback,
            keys: Arc::default(),
            limit: Limit::sends(),
            stopping: Arc::default(),
        }
    }

    /// A flag that ends all retries once it is true.
    pub fn stop_flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.stopping)
    }

    /// The status callback of messages that name none, if it is known.
    pub fn status_callback(&self) -> Option<String> {
        self.status_callback.clone()
    }

    /// Checks a message and takes a permit to send it.
    pub fn prepare(
        &self,
        (account_sid, credentials): (AccountSid, Credentials),
        draft: Draft,
        keep_content: bool,
        key: Option<String>,
    ) -> Result<SendRequest, Problem> {
        let request_hash = request_hash(&credentials, &account_sid, &draft);
        let attempt = Attempt::new(&self.client, &account_sid, draft, keep_content);
        let mut attempt = attempt.map_err(|bad| unprocessable(bad.to_string()))?;
        let key = key.map(|key| IdempotencyKey { key, request_hash });
        if let Some(IdempotencyKey { key, request_hash }) = &key {
            let notes = [(note::IDEMPOTENCY_KEY, key), (note::REQUEST_HASH, request_hash)];
            attempt =
                attempt.with_notes(notes.map(|(name, value)| (name.to_owned(), value.to_owned())));
        }
        Ok(SendRequest { attempt, credentials, key, _permit: self.limit.acquire()? })
    }

    /// The account with this SID, or the default account.
    pub fn account(&self, account_sid: Option<&str>) -> Result<(AccountSid, Credentials), Problem> {
        match (self.find_account)(account_sid) {
            Ok(SendingAccount::Known(account_sid, credentials)) => Ok((account_sid, credentials)),
            Ok(SendingAccount::Unknown(reason)) => Err(unprocessable(reason)),
            Err(reason) => Err(not_sent(Reason::NotSent(reason))),
        }
    }

    /// Sends the message, unless an earlier request with its key did.
    pub async fn execute(
        self,
        request: SendRequest,
        store: Arc<dyn Store>,
        writer: Writer,
    ) -> Result<SendResult, Problem> {
        let send_id = request.attempt.send_id.to_string();
        if let Some(earlier) = self.claim(&request, store).await? {
            return Ok(earlier);
        }
        let outcome = self.send(&request, &writer).await;
        if let Some(IdempotencyKey { key, .. }) = &request.key {
            let outcome = outcome.as_ref().map_or_else(
                |problem| SendOutcome::NotSent(problem.to_string()),
                SendOutcome::clone,
            );
            self.keys.settle(key, outcome);
        }
        Ok(SendResult { send_id, outcome: outcome?, replayed: false })
    }

    /// The result of an earlier request with the same key; `None` if the message has to be sent.
    async fn claim(
        &self,
        request: &SendRequest,
        store: Arc<dyn Store>,
    ) -> Result<Option<SendResult>, Problem> {
        let Some(IdempotencyKey { key, request_hash }) = request.key.clone() else {
            return Ok(None);
        };
        let (keys, send_id) = (Arc::clone(&self.keys), request.attempt.send_id.to_string());
        let now = Timestamp::from(OffsetDateTime::now_utc());
        let claim = on_a_thread(move || keys.claim(&*store, &key, (&send_id, &request_hash), now));
        match claim.await.ok_or(Problem::Internal)?? {
            Lookup::New => Ok(None),
            Lookup::Done { send_id, outcome } => {
                Ok(Some(SendResult { send_id, outcome, replayed: true }))
            }
            Lookup::InFlight => Err(Problem::Conflict(
                "the message with this Idempotency-Key is being sent; ask again".to_owned(),
            )),
            Lookup::OtherRequest => {
                Err(unprocessable("this Idempotency-Key was used for another message"))
            }
        }
    }

    /// Logs the intent, calls Twilio, and logs the response. An error means that nothing was sent.
    async fn send(&self, request: &SendRequest, writer: &Writer) -> Result<SendOutcome, Problem> {
        let intent = writer.append(request.attempt.intent());
        match tokio::time::timeout(DURABLE_TIMEOUT, intent).await {
            Ok(Ok(_position)) => {}
            Ok(Err(error)) => return Err(Problem::NotStored(error)),
            Err(_) => {
                // The intent may still be stored, so also log that nothing was sent.
                let stopped = request.attempt.answer(&Err(RequestError::Stopped));
                actix_web::rt::spawn(append(writer.clone(), stopped));
                return Err(Problem::NotDurableInTime);
            }
        }
        let answer = self.call_twilio(request).await;
        let outcome = SendOutcome::from_result(&answer);
        append(writer.clone(), request.attempt.answer(&answer)).await;
        Ok(outcome)
    }

    /// Calls Twilio and waits for the response without a timeout.
    async fn call_twilio(&self, request: &SendRequest) -> Result<ApiResponse, RequestError> {
        let (until, stopping) = (Instant::now() + RETRY_FOR, self.stop_flag());
        let stop = move || stopping.load(Ordering::Relaxed) || Instant::now() > until;
        let client =
            self.client.within(RequestLimits::new(u64::MAX, stop).waiting_at_most(RETRY_WAIT_MAX));
        let (attempt, credentials) = (request.attempt.clone(), request.credentials.clone());
        let answer = on_a_thread(move || attempt.send(&client, &credentials)).await;
        answer.unwrap_or_else(|| {
            let detail = "the thread that asked has ended".to_owned();
            Err(RequestError::NoAnswer { url: request.attempt.url().to_owned(), detail })
        })
    }
}

/// Runs work on a new thread, because slow work on a thread of the runtime would delay the shutdown.
/// `None` if the thread could not be started, or panicked.
async fn on_a_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let (sender, result) = oneshot::channel();
    let thread = std::thread::Builder::new().name("send".to_owned());
    let _detached = thread.spawn(move || sender.send(work()).ok()).ok()?;
    result.await.ok()
}

/// Logs the outcome of a message. The client gets its response even if that fails: the message exists.
async fn append(writer: Writer, event: NewEvent) {
    if let Err(error) = writer.append(event).await {
        tracing::error!(%error, "the outcome of a sent message could not be logged");
    }
}

/// The problem for a message that cannot be sent.
pub fn unprocessable(detail: impl Into<String>) -> Problem {
    not_sent(Reason::Unprocessable(detail.into()))
}

fn not_sent(reason: Reason) -> Problem {
    Problem::Send(SendProblem { send_id: None, reason })
}

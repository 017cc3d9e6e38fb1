//! Makes requests to Twilio for HTTP clients: logs the intent, calls Twilio, and logs the response. A
//! request with an idempotency key is made once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use time::OffsetDateTime;
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use crate::domain::{AccountSid, NewEvent, Position, Timestamp};
use crate::http::error::Problem;
use crate::http::limits::Limit;
use crate::http::send_problem::{Reason, SendProblem};
use crate::send::idempotency::{IdempotencyKeys, Lookup, request_hash};
use crate::send::{Attempt, Done, LoggedOutcome, Request, SendKind, SendOutcome, note};
use crate::store::Store;
use crate::store::claims::Claim;
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

/// Makes requests and logs their outcome.
#[derive(Clone)]
pub struct Sender {
    client: Client,
    find_account: Arc<FindAccount>,
    status_callback: Option<String>,
    keys: Arc<IdempotencyKeys>,
    limit: Limit,
    stopping: Arc<AtomicBool>,
}

/// A request that is ready to be made.
pub struct PreparedRequest {
    attempt: Attempt,
    credentials: Credentials,
    key: Option<IdempotencyKey>,
    _permit: OwnedSemaphorePermit,
}

#[derive(Clone)]
struct IdempotencyKey {
    key: String,
    /// Distinguishes a retry from another request with the same key.
    request_hash: String,
}

/// The result of a request.
pub struct SendResult {
    kind: SendKind,
    /// What came of it, and where it is in the log.
    pub logged: LoggedOutcome,
    /// True if this is the outcome of an earlier request with the same key.
    pub replayed: bool,
}

impl SendResult {
    /// What Twilio has done, or the problem that it has not.
    pub fn done(&self) -> Result<&Done, Problem> {
        let kind = self.kind;
        let reason = match &self.logged.outcome {
            SendOutcome::Done(done) => return Ok(done),
            SendOutcome::Refused { status_code, code, message } => {
                let (status_code, code, message) = (*status_code, *code, message.clone());
                Reason::Refused { kind, status_code, code, message }
            }
            SendOutcome::NotSent(reason) => Reason::NotSent(reason.clone()),
            SendOutcome::Unknown(reason) => Reason::Unknown { kind, reason: reason.clone() },
        };
        Err(Problem::Send(SendProblem { send_id: Some(self.logged.send_id.clone()), reason }))
    }
}

impl Sender {
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

    /// Takes a permit to make a request, and notes its key.
    pub fn prepare(
        &self,
        request: Request,
        credentials: Credentials,
        key: Option<String>,
    ) -> Result<PreparedRequest, Problem> {
        let request_hash = request_hash(&credentials, &request);
        let mut attempt = Attempt::new(&self.client, request);
        let key = key.map(|key| IdempotencyKey { key, request_hash });
        if let Some(IdempotencyKey { key, request_hash }) = &key {
            let notes = [(note::IDEMPOTENCY_KEY, key), (note::REQUEST_HASH, request_hash)];
            attempt =
                attempt.with_notes(notes.map(|(name, value)| (name.to_owned(), value.to_owned())));
        }
        Ok(PreparedRequest { attempt, credentials, key, _permit: self.limit.acquire()? })
    }

    /// The account with this SID, or the default account.
    pub fn account(&self, account_sid: Option<&str>) -> Result<(AccountSid, Credentials), Problem> {
        match (self.find_account)(account_sid) {
            Ok(SendingAccount::Known(account_sid, credentials)) => Ok((account_sid, credentials)),
            Ok(SendingAccount::Unknown(reason)) => Err(unprocessable(reason)),
            Err(reason) => Err(not_sent(Reason::NotSent(reason))),
        }
    }

    /// Makes the request, unless an earlier one with its key was the same.
    pub async fn execute(
        self,
        request: PreparedRequest,
        store: Arc<dyn Store>,
        writer: Writer,
    ) -> Result<SendResult, Problem> {
        let kind = request.attempt.kind();
        let claim = match self.claim(&request, Arc::clone(&store)).await? {
            None => None,
            Some(Lookup::New(claim)) => Some(claim),
            Some(Lookup::Done(earlier)) => {
                return Ok(SendResult { kind, logged: earlier, replayed: true });
            }
            Some(Lookup::InFlight) => return Err(in_flight()),
            Some(Lookup::OtherRequest) => {
                return Err(unprocessable("this Idempotency-Key was used for another request"));
            }
        };
        let logged = self.send(&request, claim.as_ref(), &store, &writer).await;
        if let Some(claim) = claim {
            self.settle(claim, store, logged.as_ref().ok().cloned()).await;
        }
        Ok(SendResult { kind, logged: logged?, replayed: false })
    }

    /// The state of the request's key, which is claimed if it is new; `None` if the request has none.
    async fn claim(
        &self,
        request: &PreparedRequest,
        store: Arc<dyn Store>,
    ) -> Result<Option<Lookup>, Problem> {
        let Some(IdempotencyKey { key, request_hash }) = request.key.clone() else {
            return Ok(None);
        };
        let keys = Arc::clone(&self.keys);
        let now = Timestamp::from(OffsetDateTime::now_utc());
        let claim = on_a_thread(move || keys.claim(&*store, &key, &request_hash, now));
        Ok(Some(claim.await.ok_or(Problem::Internal)??))
    }

    /// Makes sure that the key is still this request's, now that the intent is in the log.
    async fn check_held(&self, claim: &Claim, store: &Arc<dyn Store>) -> Result<(), Problem> {
        let (keys, claim, store) = (Arc::clone(&self.keys), claim.clone(), Arc::clone(store));
        match on_a_thread(move || keys.is_held(&*store, &claim))
            .await
            .ok_or(Problem::Internal)??
        {
            true => Ok(()),
            false => Err(in_flight()),
        }
    }

    /// Records the outcome for later requests with the same key. If that fails, the log has it.
    async fn settle(&self, claim: Claim, store: Arc<dyn Store>, logged: Option<LoggedOutcome>) {
        let keys = Arc::clone(&self.keys);
        let settled = on_a_thread(move || keys.settle(&*store, &claim, logged.as_ref())).await;
        if let Some(Err(error)) = settled {
            tracing::error!(%error, "the outcome of an idempotency key could not be recorded");
        }
    }

    /// Logs the intent, calls Twilio, and logs the response. An error means that nothing was sent.
    async fn send(
        &self,
        request: &PreparedRequest,
        claim: Option<&Claim>,
        store: &Arc<dyn Store>,
        writer: &Writer,
    ) -> Result<LoggedOutcome, Problem> {
        let attempt = &request.attempt;
        let intent = tokio::time::timeout(DURABLE_TIMEOUT, writer.append(attempt.intent()));
        let intent_position = match intent.await {
            Ok(position) => position.map_err(Problem::NotStored)?,
            Err(_) => {
                // The intent may still be stored, so also log that nothing was sent.
                actix_web::rt::spawn(append(writer.clone(), stopped(attempt)));
                return Err(Problem::NotDurableInTime);
            }
        };
        if let Some(claim) = claim
            && let Err(problem) = self.check_held(claim, store).await
        {
            append(writer.clone(), stopped(attempt)).await;
            return Err(problem);
        }
        let answer = self.call_twilio(request).await;
        Ok(LoggedOutcome {
            send_id: attempt.send_id.to_string(),
            outcome: SendOutcome::from_result(attempt.kind(), &answer),
            intent_position,
            answer_position: append(writer.clone(), attempt.answer(&answer)).await,
        })
    }

    /// Calls Twilio and waits for the response without a timeout.
    async fn call_twilio(&self, request: &PreparedRequest) -> Result<ApiResponse, RequestError> {
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

/// Logs the outcome of a request and returns its position. The client gets its response even if that fails:
/// Twilio has done what it has done.
async fn append(writer: Writer, event: NewEvent) -> Option<Position> {
    let appended = writer.append(event).await;
    appended
        .inspect_err(|error| {
            tracing::error!(%error, "the outcome of a request to Twilio could not be logged");
        })
        .ok()
}

/// The event that says that nothing was sent after the intent.
fn stopped(attempt: &Attempt) -> NewEvent {
    attempt.answer(&Err(RequestError::Stopped))
}

/// The problem for a request with the key of one that may still be made.
fn in_flight() -> Problem {
    let detail = "the request with this Idempotency-Key is still being made; ask again";
    Problem::Conflict(detail.to_owned())
}

/// The problem for a request that cannot be made.
pub fn unprocessable(detail: impl Into<String>) -> Problem {
    not_sent(Reason::Unprocessable(detail.into()))
}

fn not_sent(reason: Reason) -> Problem {
    Problem::Send(SendProblem { send_id: None, reason })
}

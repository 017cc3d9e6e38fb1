//! `POST /v1/messages`: a message is sent, its intent and its answer in the log.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use actix_web::http::header::{CONTENT_TYPE, HOST, LOCATION, ORIGIN};
use actix_web::web::{self, Data, Payload};
use actix_web::{HttpMessage, HttpRequest, HttpResponse};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use utoipa::ToSchema;

use super::access::Scope;
use super::error::{Problem, Reason, SendProblem};
use super::openapi::{Failures, SendFailures};
use super::query::Query;
use super::signed::whole_body;
use super::state::Admin;
use crate::domain::{AccountSid, NewEvent, Timestamp};
use crate::send::keys::{Claim, KEY_CHARACTERS_MAX, Keys, request_hash};
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

/// What sending takes.
pub struct Sending {
    client: Client,
    accounts: BTreeMap<AccountSid, Credentials>,
    /// Who sends where the request names nobody; the reason where nobody does.
    account_sid: Result<AccountSid, String>,
    status_callback: Option<String>,
    keys: Arc<Keys>,
    permits: Arc<Semaphore>,
    ending: Arc<AtomicBool>,
}

/// A message to be sent.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewMessage {
    /// Whom to send it to, such as +15558675310 or whatsapp:+15558675310
    to: String,
    /// Whom it comes from
    from: Option<String>,
    /// The messaging service that sends it
    messaging_service_sid: Option<String>,
    /// The text
    body: Option<String>,
    /// Pictures and other files
    #[serde(default)]
    media_urls: Vec<String>,
    /// A content template
    content_sid: Option<String>,
    /// The template's variables
    #[schema(value_type = Option<Object>)]
    content_variables: Option<serde_json::Map<String, serde_json::Value>>,
    /// When to send it; takes a messaging service
    #[schema(format = "date-time")]
    send_at: Option<String>,
    /// The account that sends it
    account_sid: Option<String>,
    /// Where Twilio tells what becomes of it; without one, the server's own URL for callbacks
    status_callback: Option<String>,
    /// Rely on the messaging service's own status callback
    #[serde(default)]
    no_status_callback: bool,
    /// Keep the text of the message in the log
    #[serde(default)]
    keep_content: bool,
}

/// A message that Twilio has made.
#[derive(Debug, Serialize, ToSchema)]
pub struct MadeMessage {
    pub message_sid: String,
    /// Twilio's first word on it
    pub status: String,
    /// Ties intent and answer in the log
    pub send_id: String,
}

/// A message on its way: what it is, for whom, and under which key.
struct Order {
    attempt: Attempt,
    who: Credentials,
    key: Option<(String, String)>,
    _permit: OwnedSemaphorePermit,
}

/// What came of it, and whether it was known before.
struct Came {
    send_id: String,
    outcome: Outcome,
    replayed: bool,
}

impl Sending {
    /// By this client, as these accounts.
    pub fn new(
        client: Client,
        accounts: BTreeMap<AccountSid, Credentials>,
        account_sid: Result<AccountSid, String>,
        status_callback: Option<String>,
    ) -> Self {
        let (keys, ending) = Default::default();
        let permits = Arc::new(Semaphore::new(SENDS_MAX));
        Self { client, accounts, account_sid, status_callback, keys, permits, ending }
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

    fn order(&self, message: NewMessage, key: Option<String>) -> Result<Order, Problem> {
        let account_sid = match &message.account_sid {
            None => self.account_sid.clone().map_err(unprocessable)?,
            Some(sid) => {
                AccountSid::parse(sid).ok_or_else(|| unprocessable("account_sid is empty"))?
            }
        };
        let who = self.accounts.get(&account_sid).cloned().ok_or_else(|| {
            unprocessable(format!("no token is configured for account {}", account_sid.as_str()))
        })?;
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

/// Sends a message through Twilio. Asked again under the same `Idempotency-Key` within 24 hours, it
/// sends nothing and answers the same.
#[utoipa::path(post, path = "/v1/messages", operation_id = "send", tag = "messages",
    params(("Idempotency-Key" = Option<String>, Header, description = "Names this message: it is sent once, however often it is asked for", pattern = "^[!-~]{1,255}$")),
    request_body = NewMessage,
    responses((status = 201, body = MadeMessage,
        headers(("Location" = String), ("Idempotency-Replayed" = String))), SendFailures, Failures))]
pub async fn send(
    request: HttpRequest,
    payload: Payload,
    state: Data<Admin>,
) -> Result<HttpResponse, Problem> {
    Query::read(request.query_string(), &[])?;
    check_asker(&request)?;
    let key = idempotency_key(&request)?;
    let body = whole_body(request.headers(), payload.into_inner()).await?;
    let message: NewMessage = serde_json::from_slice(&body)
        .map_err(|error| Problem::BadRequest(format!("the body is no such message: {error}")))?;
    let order = sending(&state)?.order(message, key)?;
    // Whoever asked may hang up; what was begun is brought to its end all the same.
    let (tell, told) = oneshot::channel();
    actix_web::rt::spawn(async move { tell.send(carry_out(&state, order).await).ok() });
    answer(told.await.map_err(|_| Problem::Internal)??)
}

fn sending(state: &Admin) -> Result<&Sending, Problem> {
    let none = || Problem::NotFound("this server sends no messages".to_owned());
    state.sending.as_ref().ok_or_else(none)
}

/// Sending takes a token for it. Where none is configured, a page in somebody's browser could ask in
/// their name: it cannot send JSON without being asked where it comes from, nor hide that.
fn check_asker(request: &HttpRequest) -> Result<(), Problem> {
    let scope = request.extensions().get::<Scope>().copied().ok_or(Problem::Internal)?;
    if !scope.sends {
        return Err(Problem::MayNotSend);
    }
    if !is_json(request) {
        return Err(Problem::NotJson);
    }
    let header = |name| request.headers().get(name).map(|value| value.as_bytes());
    let own = |origin: &[u8]| {
        let host = header(HOST).unwrap_or_default();
        [&b"http://"[..], b"https://"].iter().any(|scheme| origin == [scheme, host].concat())
    };
    match header(ORIGIN) {
        Some(origin) if !own(origin) => Err(Problem::ForeignOrigin),
        _ => Ok(()),
    }
}

fn is_json(request: &HttpRequest) -> bool {
    let value = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let media_type = value.and_then(|value| value.split(';').next()).unwrap_or_default();
    media_type.trim().eq_ignore_ascii_case("application/json")
}

fn idempotency_key(request: &HttpRequest) -> Result<Option<String>, Problem> {
    let mut keys = request.headers().get_all("idempotency-key");
    let Some(key) = keys.next() else { return Ok(None) };
    let key = key.to_str().ok().map(str::trim).filter(|key| {
        (1..=KEY_CHARACTERS_MAX).contains(&key.len())
            && key.bytes().all(|byte| byte.is_ascii_graphic())
    });
    match (key, keys.next()) {
        (Some(key), None) => Ok(Some(key.to_owned())),
        _ => Err(Problem::BadRequest(format!(
            "Idempotency-Key is not one text of 1 to {KEY_CHARACTERS_MAX} visible ASCII characters"
        ))),
    }
}

async fn carry_out(state: &Data<Admin>, order: Order) -> Result<Came, Problem> {
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
    let claim = web::block(move || keys.claim(&*state.store, &key, (&send_id, &hash), now));
    match claim.await?? {
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
    let answered = on_a_thread(sending(state)?.client(), order).await;
    let outcome = Outcome::of(&answered);
    keep(state.clone(), order.attempt.answer(&answered)).await;
    Ok(outcome)
}

/// A thread of its own: one that waits for Twilio must not keep the server from ending.
async fn on_a_thread(client: Client, order: &Order) -> Result<Answer, Failure> {
    let (tell, told) = oneshot::channel();
    let (attempt, who) = (order.attempt.clone(), order.who.clone());
    let thread = std::thread::Builder::new().name("send".to_owned());
    let started = thread.spawn(move || tell.send(attempt.send(&client, &who)).ok());
    match started {
        Err(_) => Err(Failure::Stopped),
        Ok(_detached) => told.await.unwrap_or_else(|_| {
            let detail = "the thread that asked has ended".to_owned();
            Err(Failure::NoAnswer { url: order.attempt.url().to_owned(), detail })
        }),
    }
}

/// What came of a request is told whether it can be stored or not: the message is made.
async fn keep(state: Data<Admin>, event: NewEvent) {
    if let Err(error) = state.writer.append(event).await {
        tracing::error!(%error, "what came of a message that was sent is not in the log");
    }
}

fn answer(Came { send_id, outcome, replayed }: Came) -> Result<HttpResponse, Problem> {
    let problem =
        |reason| Err(Problem::Send(SendProblem { send_id: Some(send_id.clone()), reason }));
    match outcome {
        Outcome::Made { message_sid, status } => {
            let mut response = HttpResponse::Created();
            response.insert_header((LOCATION, format!("/v1/messages/{message_sid}")));
            if replayed {
                response.insert_header(("Idempotency-Replayed", "true"));
            }
            Ok(response.json(MadeMessage { message_sid, status, send_id }))
        }
        Outcome::Refused { status_code, code, message } => {
            problem(Reason::Refused { status_code, code, message })
        }
        Outcome::NotSent(reason) => problem(Reason::NotSent(reason)),
        Outcome::Unknown(reason) => problem(Reason::Unknown(reason)),
    }
}

fn unprocessable(detail: impl Into<String>) -> Problem {
    Problem::Send(SendProblem { send_id: None, reason: Reason::Unprocessable(detail.into()) })
}

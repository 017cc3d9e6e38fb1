//! The load generator: sends signed callbacks over several connections, at a given rate or as fast as the
//! server responds.

use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use super::USER_AGENT;
use super::load::{Load, Target};
use super::pace::Pacer;
use super::stream::Callback;
use super::summary::{LoadCounts, LoadSummary};
use crate::twilio::accounts::Token;
use crate::twilio::form::{Form, MEDIA_TYPE};

/// The timeout for a response, which is the same as Twilio's.
const ANSWER_PATIENCE: Duration = Duration::from_secs(15);

/// The delay before a failed connection is opened again.
const RECONNECT_WAIT: Duration = Duration::from_millis(100);

/// Signs callbacks; forged ones with a random token.
#[derive(Debug, Clone)]
pub struct Signer {
    url: String,
    token: Token,
    forger: Token,
}

/// The output for the acknowledgement of each callback, in order of arrival.
pub type AckedLog = Option<Box<dyn Write + Send>>;

struct Shared {
    pacer: Pacer<Result<Signed>>,
    acked: Mutex<AckedLog>,
    authority: String,
}

/// A signed callback, ready to be sent.
struct Signed {
    callback: Callback,
    request: Request<Full<Bytes>>,
}

impl Signer {
    /// A signer for this URL with this token.
    pub fn new(url: &str, token: Token) -> Self {
        Self { url: url.to_owned(), token, forger: Token::new("not the token") }
    }

    /// X-Twilio-Signature of a callback.
    pub fn signature(&self, callback: &Callback) -> String {
        let token = if callback.forged { &self.forger } else { &self.token };
        let parameters = Form::parse(callback.body.as_bytes()).signed_text();
        let (url, query) = (self.url.as_bytes(), callback.query.as_bytes());
        STANDARD.encode(token.sign(&[url, query, &parameters]))
    }

    /// The URL that a callback is signed with.
    pub fn url(&self, callback: &Callback) -> String {
        format!("{}{}", self.url, callback.query)
    }

    /// The headers of a callback that a ledger stores.
    pub fn headers(&self, callback: &Callback) -> [(&'static str, String); 5] {
        [
            ("Content-Type", MEDIA_TYPE.to_owned()),
            ("User-Agent", USER_AGENT.to_owned()),
            ("X-Twilio-Signature", self.signature(callback)),
            ("I-Twilio-Idempotency-Token", callback.idempotency_token.clone()),
            ("X-Home-Region", "us1".to_owned()),
        ]
    }
}

impl Signed {
    fn new(callback: Callback, signer: &Signer, target: &Target) -> Result<Self> {
        let mut request = Request::post(format!("{}{}", target.path(), callback.query))
            .header("Host", target.authority());
        for (name, value) in signer.headers(&callback) {
            request = request.header(name, value);
        }
        let request = request.body(Full::new(Bytes::from(callback.body.clone())))?;
        Ok(Self { callback, request })
    }
}

/// Sends all callbacks and returns counts and latencies. `progress` is called after each response.
pub async fn run<I>(
    load: Load,
    signer: Signer,
    callbacks: I,
    acked: AckedLog,
    progress: impl Fn() + Clone + Send + 'static,
) -> Result<LoadSummary>
where
    I: Iterator<Item = Callback> + Send + 'static,
{
    // Fails immediately if no server listens there.
    connect(load.target.authority()).await?;
    let target = load.target.clone();
    let sign = move |callback| Signed::new(callback, &signer, &target);
    let began = Instant::now();
    let shared = Arc::new(Shared {
        pacer: Pacer::begin(&load, callbacks, sign),
        acked: Mutex::new(acked),
        authority: load.target.authority().to_owned(),
    });
    let Load { target, connections, rate, .. } = load;
    let tasks =
        (0..connections).map(|_| tokio::spawn(connection(Arc::clone(&shared), progress.clone())));
    let mut tally = LoadCounts::default();
    for task in tasks.collect::<Vec<_>>() {
        tally.add(task.await.context("a connection's task")??);
    }
    let took = began.elapsed();
    if let Some(log) = shared.acked.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
        log.flush().context("--acked-log")?;
    }
    Ok(tally.summary(target.as_str().to_owned(), connections, rate, took))
}

/// One connection: sends the next callback and counts the response, until none is left.
async fn connection(shared: Arc<Shared>, progress: impl Fn()) -> Result<LoadCounts> {
    let mut tally = LoadCounts::default();
    let mut sender = None;
    while let Some((due, signed)) = shared.pacer.next().await {
        let Signed { callback, request } = signed?;
        match shared.send(&mut sender, request).await {
            Ok(code) => {
                if tally.answered(code, callback.forged, due.elapsed()) {
                    shared.acknowledged(&callback)?;
                }
            }
            Err(_) => {
                tally.unanswered();
                sender = None;
                sleep(RECONNECT_WAIT).await;
            }
        }
        progress();
    }
    Ok(tally)
}

async fn connect(authority: &str) -> Result<SendRequest<Full<Bytes>>> {
    let address =
        if authority.contains(':') { authority.to_owned() } else { format!("{authority}:80") };
    let stream = TcpStream::connect(&address).await;
    let stream = stream.with_context(|| format!("connect to {address}"))?;
    stream.set_nodelay(true)?;
    let (sender, connection) = handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    Ok(sender)
}

impl Shared {
    async fn send(
        &self,
        sender: &mut Option<SendRequest<Full<Bytes>>>,
        request: Request<Full<Bytes>>,
    ) -> Result<u16> {
        if sender.as_ref().is_none_or(SendRequest::is_closed) {
            *sender = Some(connect(&self.authority).await?);
        }
        let sender = sender.as_mut().context("a connection was just made")?;
        let exchange = async {
            sender.ready().await?;
            let answer = sender.send_request(request).await?;
            let code = answer.status().as_u16();
            answer.into_body().collect().await?;
            anyhow::Ok(code)
        };
        timeout(ANSWER_PATIENCE, exchange).await.context("no answer in time")?
    }

    fn acknowledged(&self, callback: &Callback) -> Result<()> {
        let mut acked = self.acked.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(log) = acked.as_mut() {
            let Callback { idempotency_token, body, .. } = callback;
            let line = serde_json::json!({ "idempotency_token": idempotency_token, "body": body });
            writeln!(log, "{line}").context("--acked-log")?;
        }
        Ok(())
    }
}

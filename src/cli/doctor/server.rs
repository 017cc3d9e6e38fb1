//! A server that may run on this ledger: what it says of itself where it answers.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1::handshake;
use hyper_util::rt::TokioIo;
use secrecy::ExposeSecret;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::check::Finding;
use super::patient::Patient;
use crate::config::Settings;
use crate::store::inspect;

/// How long an answer may take. It is on this machine, and a health check does not wait.
const PATIENCE: Duration = Duration::from_millis(500);

/// The metrics have some 20 KiB.
const ANSWER_BYTES_MAX: usize = 1 << 20;

/// `serve` takes so many connections for callbacks, and each is an open file.
const OPEN_FILES_FEW: u64 = 8192 + 256;

/// What answered, where something did.
pub struct Server {
    /// Where questions are answered; nothing where the setting cannot be read.
    address: Option<SocketAddr>,
    /// The status code of `/readyz`, and what it said.
    ready: Option<(u16, Value)>,
    /// Nothing where they could not be had.
    pub metrics: Option<Metrics>,
    is_held: bool,
}

/// The text of `/metrics`.
pub struct Metrics(String);

impl Server {
    /// Asks where the settings say that a server answers.
    pub fn ask(patient: &Patient) -> Self {
        let is_held =
            patient.database.as_ref().is_some_and(|at| inspect::is_held(at).unwrap_or(false));
        let address = patient.settings.admin_listen(patient.flags.admin_listen.clone());
        let address = address.ok().map(from_here);
        let get = |path: &str| get(address?, path, token(&patient.settings));
        let ready = get("/readyz").and_then(|(code, body)| {
            let json = serde_json::from_str::<Value>(&body).ok()?;
            // Something else may answer there.
            json.get("ready").is_some().then_some((code, json))
        });
        let metrics = ready.as_ref().and_then(|_| get("/metrics"));
        let metrics = metrics.filter(|(code, _)| *code == 200).map(|(_, text)| Metrics(text));
        Self { address, ready, metrics, is_held }
    }
}

/// Whether a server runs and does its work.
pub fn ready(patient: &Patient) -> Vec<Finding> {
    let server = patient.server();
    let Some(address) = server.address else { return Vec::new() };
    let missing: fn(String, &'static str) -> Finding = match patient.server_is_due {
        true => Finding::fail,
        false => Finding::warn,
    };
    vec![match (&server.ready, server.is_held) {
        (Some((200, _)), _) => Finding::ok(format!("answers on {address}")),
        (Some((_, json)), _) => Finding::fail(
            format!("on {address}: {}", json["reason"].as_str().unwrap_or("it does not say why")),
            "docs/OPERATIONS.md, \"What 503 means\"; while views are rebuilt, wait",
        ),
        (None, true) => missing(
            format!("a process holds the ledger, and no server answers on {address}"),
            "a command is at work, or serve was started with other addresses: give doctor its flags",
        ),
        (None, false) => missing(
            format!("no server answers on {address}"),
            "start serve: callbacks that nobody takes are lost",
        ),
    }]
}

/// Whether callbacks can arrive.
pub fn callbacks(patient: &Patient) -> Vec<Finding> {
    let Ok(listen) = patient.settings.listen(patient.flags.listen.clone()) else {
        return Vec::new();
    };
    if patient.server().ready.is_none() || listen.port() == 0 {
        return Vec::new();
    }
    let listen = from_here(listen);
    vec![match get(listen, "/healthz", None) {
        Some((200, _)) => Finding::ok(format!("{listen} answers")),
        Some((code, _)) => Finding::warn(
            format!("{listen} answers {code}"),
            "another program listens there, or serve was started with another --listen",
        ),
        None => Finding::warn(
            format!("{listen} does not answer"),
            "give doctor the --listen of serve; where it is this, serve is overrun: look at its CPU",
        ),
    }]
}

/// Whether the server is of this version.
pub fn version(patient: &Patient) -> Vec<Finding> {
    let Some(metrics) = &patient.server().metrics else { return Vec::new() };
    let versions = metrics.labelled("delivery_ledger_build_info", "version");
    let Some((theirs, _)) = versions.into_iter().next() else { return Vec::new() };
    let ours = env!("CARGO_PKG_VERSION");
    vec![match theirs == ours {
        true => Finding::ok(theirs),
        false => Finding::warn(
            format!("the server is {theirs}, this program {ours}"),
            "use the same; after an update restart serve",
        ),
    }]
}

/// What the last verification in the background came to.
pub fn verification(patient: &Patient) -> Vec<Finding> {
    let Some((_, json)) = &patient.server().ready else { return Vec::new() };
    let verified = &json["verified"];
    let at = verified["at"].as_str().unwrap_or_default();
    vec![match (verified["findings"].as_u64(), verified["error"].as_str()) {
        (None, _) => Finding::ok("none yet; the first begins a minute after the start"),
        (Some(_), Some(error)) => {
            Finding::fail(format!("{at}: it did not come to its end: {error}"), "run verify")
        }
        (Some(0), None) => {
            Finding::ok(format!("{at}: nothing is wrong up to position {}", verified["position"]))
        }
        (Some(count), None) => Finding::fail(
            format!("{at}: {count} findings"),
            "run verify, and keep the files as they are",
        ),
    }]
}

/// How many files a process may have open; `serve` raises its own limit as far as it may.
pub fn open_files(_: &Patient) -> Vec<Finding> {
    let Ok((_, hard)) = rlimit::Resource::NOFILE.get() else { return Vec::new() };
    let detail = match hard {
        rlimit::INFINITY => "no limit".to_owned(),
        hard => format!("up to {hard} for a process of this user"),
    };
    vec![match hard < OPEN_FILES_FEW {
        false => Finding::ok(detail),
        true => Finding::warn(
            detail,
            "8,192 connections take as many: raise it (LimitNOFILE in systemd, ulimits in containers)",
        ),
    }]
}

impl Metrics {
    /// The sum of a series' values over all lines that have this label.
    pub fn sum(&self, series: &str, label: &str) -> u64 {
        self.lines(series)
            .filter(|(labels, _)| labels.contains(label))
            .map(|(_, count)| count)
            .sum()
    }

    /// Each value of a label with its count.
    pub fn labelled(&self, series: &str, label: &str) -> Vec<(String, u64)> {
        let value = |labels: &str| {
            let (_, rest) = labels.split_once(&format!("{label}=\""))?;
            rest.split_once('"').map(|(value, _)| value.to_owned())
        };
        self.lines(series).filter_map(|(labels, count)| Some((value(labels)?, count))).collect()
    }

    /// `series{labels} count`; our labels have no braces in them.
    fn lines(&self, series: &str) -> impl Iterator<Item = (&str, u64)> {
        self.0.lines().filter_map(move |line| {
            let (labels, count) =
                line.strip_prefix(series)?.strip_prefix('{')?.rsplit_once("} ")?;
            Some((labels, count.trim().parse::<f64>().ok()? as u64))
        })
    }
}

/// The address by which this machine reaches what listens on all of them.
fn from_here(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(v4) if v4.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(v6) if v6.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}

/// Any of the configured ones: the metrics have no addresses in them.
fn token(settings: &Settings) -> Option<String> {
    let tokens = settings.api_tokens().ok()?;
    tokens.first().map(|token| token.secret.expose_secret().to_owned())
}

/// The status code and the body; nothing where there is no answer in time.
fn get(address: SocketAddr, path: &str, token: Option<String>) -> Option<(u16, String)> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
    runtime.block_on(async { timeout(PATIENCE, ask(address, path, token)).await.ok()? })
}

async fn ask(address: SocketAddr, path: &str, token: Option<String>) -> Option<(u16, String)> {
    let stream = TcpStream::connect(address).await.ok()?;
    let (mut send, connection) = handshake(TokioIo::new(stream)).await.ok()?;
    let _ends_with_the_runtime = tokio::spawn(connection);
    // Only loopback names are let in without being configured.
    let mut request = hyper::Request::get(path).header("Host", "localhost");
    if let Some(token) = token {
        request = request.header("Authorization", format!("Bearer {token}"));
    }
    let answer = send.send_request(request.body(Empty::<Bytes>::new()).ok()?).await.ok()?;
    let code = answer.status().as_u16();
    let body = Limited::new(answer.into_body(), ANSWER_BYTES_MAX).collect().await.ok()?;
    Some((code, String::from_utf8(body.to_bytes().to_vec()).ok()?))
}

//! A small HTTP client for a server on this machine, and a reader of its metrics.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1::handshake;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long an answer may take: the server is on this machine.
const PATIENCE: Duration = Duration::from_millis(500);

/// The metrics have some 20 KiB.
const ANSWER_BYTES_MAX: usize = 1 << 20;

/// Returns the status code and the body; `None` if there is no response in time.
pub fn get(address: SocketAddr, path: &str, token: Option<String>) -> Option<(u16, String)> {
    // The server accepts loopback host names without configuration.
    get_within(PATIENCE, &address.to_string(), "localhost", path, token).ok()
}

/// Requests a path over HTTP without TLS and returns the status code and the body. `address` is host
/// and port, `host` the value of the Host header.
pub fn get_within(
    patience: Duration,
    address: &str,
    host: &str,
    path: &str,
    token: Option<String>,
) -> Result<(u16, String)> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let answer = timeout(patience, ask(address, host, path, token)).await;
        answer.with_context(|| format!("no answer within {} ms", patience.as_millis()))?
    })
}

async fn ask(
    address: &str,
    host: &str,
    path: &str,
    token: Option<String>,
) -> Result<(u16, String)> {
    let stream = TcpStream::connect(address).await?;
    let (mut send, connection) = handshake(TokioIo::new(stream)).await?;
    let _ends_with_the_runtime = tokio::spawn(connection);
    let mut request = hyper::Request::get(path).header("Host", host);
    if let Some(token) = token {
        request = request.header("Authorization", format!("Bearer {token}"));
    }
    let answer = send.send_request(request.body(Empty::<Bytes>::new())?).await?;
    let code = answer.status().as_u16();
    let body = Limited::new(answer.into_body(), ANSWER_BYTES_MAX).collect().await;
    // The error type does not implement `std::error::Error`.
    let body = body.map_err(|error| anyhow::anyhow!("{error}"))?;
    Ok((code, String::from_utf8(body.to_bytes().to_vec())?))
}

/// The text of `/metrics`.
pub struct Metrics(String);

impl Metrics {
    /// Metrics in the text format.
    pub fn new(text: String) -> Self {
        Self(text)
    }

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

    /// Each pair of values of two labels with its count.
    pub fn pairs(&self, series: &str, (one, other): (&str, &str)) -> Vec<(String, String, u64)> {
        let value = |labels: &str, label: &str| {
            let (_, rest) = labels.split_once(&format!("{label}=\""))?;
            rest.split_once('"').map(|(value, _)| value.to_owned())
        };
        self.lines(series)
            .filter_map(|(labels, count)| Some((value(labels, one)?, value(labels, other)?, count)))
            .collect()
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

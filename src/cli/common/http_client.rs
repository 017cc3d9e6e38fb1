//! A small HTTP client for a server on this machine.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1::handshake;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// The timeout of a request: the server is on this machine.
const TIMEOUT: Duration = Duration::from_millis(500);

/// The maximum size of a response; the metrics are some 20 KiB.
const RESPONSE_BYTES_MAX: usize = 1 << 20;

/// Returns the status code and the body; `None` if there is no response in time.
pub fn get(address: SocketAddr, path: &str, token: Option<String>) -> Option<(u16, String)> {
    // The server accepts loopback host names without configuration.
    get_within(TIMEOUT, &address.to_string(), "localhost", path, token).ok()
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
        answer.with_context(|| format!("no response within {} ms", patience.as_millis()))?
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
    let body = Limited::new(answer.into_body(), RESPONSE_BYTES_MAX).collect().await;
    // The error type does not implement `std::error::Error`.
    let body = body.map_err(|error| anyhow::anyhow!("{error}"))?;
    Ok((code, String::from_utf8(body.to_bytes().to_vec())?))
}

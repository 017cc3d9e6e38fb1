//! Sends the demo's callbacks as Twilio does: form bodies, signed, over HTTP.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context, Result};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures_util::{StreamExt, TryStreamExt, stream};

use super::traffic::{CALLBACK_PATH, Callback, Traffic};
use crate::twilio::accounts::Token;
use crate::twilio::form::{Form, MEDIA_TYPE};

/// How many callbacks are on their way at once.
const CONNECTIONS: usize = 8;

struct Sender {
    client: reqwest::Client,
    url: String,
    token: Token,
}

/// Sends everything and returns how many callbacks were answered 200.
/// The featured message's callbacks keep their order, the others overtake each other.
pub async fn all(traffic: &Traffic, to: SocketAddr) -> Result<u64> {
    let sender = Arc::new(Sender {
        client: reqwest::Client::builder().no_proxy().build().context("make an HTTP client")?,
        url: format!("http://{to}{CALLBACK_PATH}"),
        token: Token::new(&traffic.auth_token),
    });
    let others = stream::iter(traffic.others()).map(|callback| sender.send(callback));
    let answers: Vec<bool> = others.buffer_unordered(CONNECTIONS).try_collect().await?;
    let mut acknowledged = answers.into_iter().filter(|acknowledged| *acknowledged).count() as u64;
    for callback in &traffic.featured {
        acknowledged += u64::from(sender.send(callback).await?);
    }
    Ok(acknowledged)
}

impl Sender {
    async fn send(&self, callback: &Callback) -> Result<bool> {
        let parameters = Form::parse(callback.body.as_bytes()).signed_text();
        let signature = STANDARD.encode(self.token.sign(&[self.url.as_bytes(), &parameters]));
        let request = self
            .client
            .post(&self.url)
            .header("Content-Type", MEDIA_TYPE)
            .header("User-Agent", "TwilioProxy/1.1")
            .header("X-Twilio-Signature", signature)
            .header("I-Twilio-Idempotency-Token", &callback.idempotency_token)
            .header("X-Home-Region", "us1")
            .body(callback.body.clone());
        let answer = request.send().await.context("send a callback to ourselves")?;
        Ok(answer.status().is_success())
    }
}

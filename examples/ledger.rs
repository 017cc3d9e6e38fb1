//! Lists failed messages, checks that the log is unchanged, and follows it.
//!
//! ```sh
//! LEDGER_TOKEN=… cargo run --example ledger [POSITION:HASH]
//! ```

use std::io::{BufRead, BufReader};
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Result, bail};
use reqwest::blocking::{Client, Response};
use serde_json::{Value, json};

/// The admin listener of a ledger.
struct Ledger {
    url: String,
    token: String,
    client: Client,
}

impl Ledger {
    fn ask(&self, path: &str, body: Option<&Value>) -> Result<Response> {
        let url = format!("{}{path}", self.url);
        let request = match body {
            None => self.client.get(url),
            Some(body) => self.client.post(url).body(body.to_string()),
        };
        let request = request.bearer_auth(&self.token).header("Content-Type", "application/json");
        Ok(request.send()?.error_for_status()?)
    }

    fn read(&self, path: &str, body: Option<&Value>) -> Result<Value> {
        Ok(serde_json::from_reader(self.ask(path, body)?)?)
    }

    fn list_failed(&self) -> Result<()> {
        let list = self.read("/v1/messages?status=undelivered&limit=5", None)?;
        for message in list["data"].as_array().into_iter().flatten() {
            println!(
                "{} {} {}",
                text(&message["message_sid"]),
                text(&message["to"]),
                message["error_code"]
            );
        }
        Ok(())
    }

    /// Has the server read the whole log; `line` was kept from an earlier verification.
    fn verify(&self, line: Option<String>) -> Result<u64> {
        let mut job = self.read("/v1/jobs", Some(&json!({"kind": "verify", "expect": line})))?;
        while matches!(text(&job["state"]), "waiting" | "running") {
            sleep(Duration::from_millis(200));
            job = self.read(&format!("/v1/jobs/{}", text(&job["id"])), None)?;
        }
        let result = &job["result"];
        if job["state"] == "failed" || result["findings"] != json!([]) {
            bail!("the log is not as expected: {} {}", job["error"], result["findings"]);
        }
        println!("unchanged: {}:{}", result["head"], text(&result["hash"]));
        Ok(result["head"].as_u64().unwrap_or_default())
    }

    /// Continues after the last position if the connection ends, so that no event is missed.
    fn follow(&self, mut position: u64) -> ! {
        loop {
            if let Err(error) = self.follow_once(&mut position) {
                eprintln!("{error}");
            }
            sleep(Duration::from_secs(1));
        }
    }

    fn follow_once(&self, position: &mut u64) -> Result<()> {
        let stream = self.ask(&format!("/v1/events/stream?after={position}"), None)?;
        for line in BufReader::new(stream).lines() {
            if let Some(data) = line?.strip_prefix("data:") {
                let event: Value = serde_json::from_str(data)?;
                *position = event["position"].as_u64().unwrap_or(*position);
                println!("{position} {} {}", text(&event["message_sid"]), text(&event["status"]));
            }
        }
        Ok(())
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or("-")
}

fn main() -> Result<()> {
    // Which implementation of TLS to use, if the ledger is behind a proxy with https.
    let _already_chosen = rustls::crypto::ring::default_provider().install_default();
    let ledger = Ledger {
        url: std::env::var("LEDGER").unwrap_or_else(|_| "http://127.0.0.1:8081".to_owned()),
        token: std::env::var("LEDGER_TOKEN").unwrap_or_default(),
        // A stream has no end, so there is no time limit for a whole response.
        client: Client::builder().timeout(None).build()?,
    };
    ledger.list_failed()?;
    let head = ledger.verify(std::env::args().nth(1))?;
    ledger.follow(head)
}

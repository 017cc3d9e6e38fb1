//! `erase`: what it selects, what is left in the files, and what others see of it.

mod files;
mod interrupted;
mod on_postgres;
mod reading;
mod running;
mod selection;

use std::path::Path;
use std::process::Output;

use delivery_ledger::domain::NewEvent;
use serde_json::Value;

use crate::support::ACCOUNT;
use crate::support::events::{event, one_a_second, with_query};
use crate::support::ledger::Ledger;
use crate::support::{MessageBody, delivered, sent, sid};

/// The address that the tests erase.
const ADDRESS: &str = "+15558675399";

/// Its digits, as a file could contain them.
const DIGITS: &str = "15558675399";

/// A callback about a message to the address.
fn to_address(body: MessageBody) -> MessageBody {
    body.with("To", ADDRESS)
}

/// Messages to others, with one to the address after every tenth of them; the numbers of those are multiples of
/// ten.
fn story(messages: u32) -> Vec<NewEvent> {
    let events = (0..messages).flat_map(|number| {
        let of = |body: MessageBody| match number % 10 {
            0 => with_query(event(to_address(body)), &format!("to=%2B{DIGITS}")),
            _ => event(body),
        };
        // Some bodies are longer than a page of the file.
        let long = "x".repeat(if number % 20 == 0 { 9_000 } else { 40 });
        let sid = sid(number);
        [of(sent(&sid)), of(delivered(&sid).with("Long", &long))]
    });
    one_a_second(events)
}

/// The files below a folder that contain the digits: as they are, backwards, or in UTF-16.
fn files_with(folder: &Path, digits: &str) -> Vec<String> {
    let backwards: String = digits.chars().rev().collect();
    let utf16 = |to_bytes: fn(u16) -> [u8; 2]| digits.encode_utf16().flat_map(to_bytes).collect();
    let escaped: String = digits.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let needles: [Vec<u8>; 5] = [
        digits.into(),
        backwards.into(),
        escaped.into(),
        utf16(u16::to_le_bytes),
        utf16(u16::to_be_bytes),
    ];
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files_with(&path, digits));
        } else if let Ok(bytes) = std::fs::read(&path)
            && needles.iter().any(|needle| memchr::memmem::find(&bytes, needle).is_some())
        {
            found.push(path.file_name().unwrap().to_str().unwrap().to_owned());
        }
    }
    found.sort();
    found
}

/// Runs `erase` for a request.
fn erase(ledger: &Ledger, arguments: &[&str]) -> Output {
    ledger.run(&[&["erase", "--request", "DSR-1", "--yes"], arguments].concat())
}

/// Runs `erase`, which has to succeed, and returns its JSON.
fn erased(ledger: &Ledger, arguments: &[&str]) -> Value {
    let output = erase(ledger, &[&["--format", "json"], arguments].concat());
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The exit code of `audit`.
fn audit(ledger: &Ledger, sid: &str) -> Option<i32> {
    ledger.run(&["audit", sid, "--account-sid", ACCOUNT]).status.code()
}

//! `verify`: is the log what was received, are the views what it says?

use std::io::Write;

use anyhow::Result;
use serde_json::json;

use super::text::{number, progress_bar, shown};
use super::{Format, Outcome, Usage};
use crate::config::Settings;
use crate::domain::digest::{Hash, hex};
use crate::projection::verify::{Expected, Finding, Verified, verify};
use crate::store::{self, Access};

/// The arguments of `verify`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A position and its hash, kept elsewhere, that the log must still have
    #[arg(long, value_name = "POSITION:HASH")]
    expect: Option<String>,

    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

/// Verifies and prints what was found. Nothing is repaired.
pub fn run(args: Args, settings: &Settings) -> Result<Outcome> {
    let expected = args.expect.as_deref().map(parse_expected).transpose()?;
    let store = store::open(&settings.database()?, Access::Read)?;
    // A log so damaged that its head cannot be read is a finding, not the bar's concern.
    let bar = progress_bar(store.head().unwrap_or(0), "verify");
    let verified = verify(&*store, expected, &mut |position| bar.set_position(position));
    bar.finish_and_clear();
    let verified = verified?;
    let mut out = std::io::stdout().lock();
    match args.format {
        Format::Table => out.write_all(for_people(&verified).as_bytes())?,
        Format::Json => writeln!(out, "{:#}", as_json(&verified))?,
    }
    match verified.findings.is_empty() {
        true => Ok(Outcome::Done),
        false => Ok(Outcome::CheckFoundSomething),
    }
}

fn parse_expected(text: &str) -> Result<Expected, Usage> {
    let parsed = text.split_once(':').and_then(|(position, hash)| {
        let position = position.parse().ok().filter(|position| *position > 0)?;
        Some(Expected { position, hash: parse_hash(hash)? })
    });
    parsed.ok_or_else(|| {
        Usage(format!(
            "--expect: `{text}` is not POSITION:HASH, a position from 1 on and 64 hex digits, as in \
             the head and hash of an earlier verify"
        ))
    })
}

fn parse_hash(text: &str) -> Option<Hash> {
    let digits = text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let mut hash = Hash::default();
    for (byte, at) in hash.iter_mut().zip((0..).step_by(2)).filter(|_| digits) {
        *byte = u8::from_str_radix(&text[at..at + 2], 16).ok()?;
    }
    digits.then_some(hash)
}

fn for_people(verified: &Verified) -> String {
    let or_none = |hash: &Option<Hash>| hash.as_ref().map_or("none".to_owned(), |hash| hex(hash));
    let behind = match verified.head.saturating_sub(verified.checkpoint) {
        0 => String::new(),
        events => format!(" (the views are {} events behind)", number(events)),
    };
    let mut text = format!(
        "events     {}, head {}\nhash       {}\ncheckpoint {}{behind}\nrule       {}\ndigest     {}\n\n",
        number(verified.events),
        number(verified.head),
        or_none(&verified.hash),
        number(verified.checkpoint),
        verified.rule.name(),
        or_none(&verified.digest),
    );
    for Finding { kind, detail, .. } in &verified.findings {
        text += &format!("{}: {}\n", kind.name(), shown(detail));
    }
    match (verified.findings.len(), verified.hash) {
        (0, Some(hash)) if verified.head > 0 => {
            let copy = format!("{}:{}", verified.head, hex(&hash));
            text + &format!(
                "Nothing is wrong. Keep this elsewhere to prove it later:\n  verify --expect {copy}\n"
            )
        }
        (0, _) => text + "Nothing is wrong.\n",
        (1, _) => text + "\n1 finding.\n",
        (count, _) => text + &format!("\n{count} findings.\n"),
    }
}

fn as_json(verified: &Verified) -> serde_json::Value {
    let finding = |finding: &Finding| {
        json!({
            "finding": finding.kind.name(),
            "position": finding.position,
            "detail": finding.detail,
        })
    };
    json!({
        "head": verified.head,
        "hash": verified.hash.map(|hash| hex(&hash)),
        "checkpoint": verified.checkpoint,
        "events": verified.events,
        "rule": verified.rule.name(),
        "digest": verified.digest.map(|digest| hex(&digest)),
        "findings": verified.findings.iter().map(finding).collect::<Vec<_>>(),
    })
}

//! `evidence check`: checks a bundle, without a ledger.

use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::{Value, json};
use time::OffsetDateTime;

use super::super::{Format, Outcome, UsageError};
use crate::atomic_file::{AtomicFile, OnExisting};
use crate::cli::common::terminal::styled::Styled;
use crate::cli::common::terminal::{self, palette};
use crate::cli::common::text::number;
use crate::cli::seal::{parse_key, read_proof, read_seal};
use crate::domain::Timestamp;
use crate::evidence::bundle::BUNDLE_BYTES_MAX;
use crate::evidence::check::{Checked, Finding, OtherSeal, Trust, check};
use crate::evidence::page::page;
use crate::seal::note::key::{KeyType, PublicKey};
use crate::seal::timestamp::AuthorityCertificates;
use crate::text::printable;
use crate::wire::explanation;
use crate::wire::status_name::status_name;

/// The arguments of `evidence check`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The file with the bundle
    file: PathBuf,

    /// A public key of the ledger that you trust; may be given several times
    #[arg(long, value_name = "KEY", required = true)]
    key: Vec<String>,

    /// A witness that has to have cosigned the seal; may be given several times
    #[arg(long, value_name = "KEY")]
    witness: Vec<String>,

    /// How many of the witnesses have to have cosigned [default: all]
    #[arg(long, value_name = "N", requires = "witness")]
    quorum: Option<usize>,

    /// The certificates of a timestamp authority as PEM, its own first and the root last; may be given several times
    #[arg(long, value_name = "FILE")]
    tsa: Vec<PathBuf>,

    /// A seal that was kept elsewhere, which this one has to fit to
    #[arg(long, value_name = "FILE")]
    seal: Option<PathBuf>,

    /// The proof from one of the two seals to the other, as `seal consistency` prints it
    #[arg(long, value_name = "FILE", requires = "seal")]
    consistency: Option<PathBuf>,

    /// The entries of the whole log, to see whether the bundle is complete: a file of them, or the folder that
    /// `export tree` has written
    #[arg(long, value_name = "PATH")]
    entries: Option<PathBuf>,

    /// Write the result to this file as a page for people
    #[arg(long, value_name = "FILE")]
    page: Option<PathBuf>,

    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

/// Checks the bundle and prints what was found.
pub fn run(args: Args) -> Result<Outcome> {
    let trust = trust(&args)?;
    let mut text = Vec::new();
    // One byte more than is allowed shows that there is more.
    File::open(&args.file)
        .and_then(|file| file.take(BUNDLE_BYTES_MAX + 1).read_to_end(&mut text))
        .with_context(|| format!("cannot read {}", args.file.display()))?;
    let checked = check(&text, &trust);
    if let Some(path) = &args.page {
        let now = Timestamp::from(OffsetDateTime::now_utc());
        let write = || {
            let mut file = AtomicFile::create(path, OnExisting::Replace)?;
            file.write_all(page(&checked, now).as_bytes())?;
            file.finish()
        };
        write().with_context(|| format!("cannot write {}", path.display()))?;
    }
    let mut out = terminal::stdout();
    match args.format {
        Format::Table => out.show(&for_people(&checked))?,
        Format::Json => writeln!(out, "{:#}", as_json(&checked))?,
    }
    match checked.is_proven() {
        true => Ok(Outcome::Done),
        false => Ok(Outcome::CheckFoundSomething),
    }
}

fn trust(args: &Args) -> Result<Trust> {
    let keys = args.key.iter().map(|key| parse_key("--key", key));
    let keys = distinct(keys.collect::<Result<_, _>>()?);
    if let Some(key) = keys.iter().find(|key| key.kind() != KeyType::Ed25519) {
        let text = format!("--key: {key} is the key of a witness; give it with --witness");
        return Err(UsageError(text).into());
    }
    let witness = |text: &String| -> Result<PublicKey, UsageError> {
        let key = parse_key("--witness", text)?;
        match key.kind() {
            KeyType::Cosignature => Ok(key),
            KeyType::Ed25519 => Err(UsageError(format!(
                "--witness: {key} is not the key of a witness, which has the type 4"
            ))),
        }
    };
    let witnesses = distinct(args.witness.iter().map(witness).collect::<Result<_, _>>()?);
    match args.quorum {
        Some(0) => return Err(UsageError("--quorum: 0 asks for no witness".to_owned()).into()),
        Some(quorum) if quorum > witnesses.len() => {
            let count = witnesses.len();
            let text = format!("--quorum: {quorum} is more than the number of witnesses, {count}");
            return Err(UsageError(text).into());
        }
        _ => {}
    }
    let other_seal = match &args.seal {
        None => None,
        Some(path) => {
            let (note, statement) = read_seal(path)?;
            let proof = args.consistency.as_deref().map(read_proof).transpose()?;
            Some(OtherSeal { note, statement, proof })
        }
    };
    let authorities = args.tsa.iter().map(|path| authority(path)).collect::<Result<_>>()?;
    let (quorum, entries) = (args.quorum, args.entries.clone());
    Ok(Trust { keys, witnesses, quorum, authorities, other_seal, entries })
}

/// The keys without repetitions: nobody counts twice.
fn distinct(keys: Vec<PublicKey>) -> Vec<PublicKey> {
    let mut distinct = Vec::with_capacity(keys.len());
    for key in keys {
        if !distinct.contains(&key) {
            distinct.push(key);
        }
    }
    distinct
}

fn authority(path: &Path) -> Result<AuthorityCertificates> {
    let of_file = || format!("--tsa: {}", path.display());
    let pem = std::fs::read(path).with_context(of_file)?;
    AuthorityCertificates::from_pem(&pem).with_context(of_file)
}

fn for_people(checked: &Checked) -> Styled {
    let mut text = Styled::default();
    for Finding { kind, position, detail } in &checked.findings {
        text.push_in(palette::BAD, kind.name());
        let position =
            position.map_or_else(String::new, |at| format!(" at position {}", number(at)));
        text.push(&format!("{position}: {}\n", printable(detail)));
    }
    if !checked.is_proven() {
        let count = checked.findings.len();
        let findings =
            if count == 1 { "1 finding".to_owned() } else { format!("{count} findings") };
        text.push(&format!("\nNot proven: {findings}.\n"));
        return text;
    }
    let sid = checked.message_sid.as_deref().unwrap_or_default();
    text.push_in(palette::GOOD, "Proven.");
    let (events, erased) = (number(checked.events as u64), checked.erased);
    text.push(&format!(" Message {} has {events} events in this log", printable(sid)));
    text.push(&match erased {
        0 => ".\n".to_owned(),
        erased => format!(", of which {} are erased.\n", number(erased as u64)),
    });
    if let Some(folded) = &checked.folded {
        let evidence = &folded.lifecycle.evidence;
        let (status, rule) = (status_name(evidence.status()), evidence.rule.name());
        let why = explanation::why(evidence).join(" ");
        text.push(&format!(
            "status     {status}, by the rule {rule}\n           {}\n",
            printable(&why)
        ));
    }
    if let Some(statement) = &checked.statement {
        let (size, root) = (number(statement.size), statement.root_in_hex());
        text.push(&format!(
            "log        {}\nsealed     {size} events, root {root}\n",
            statement.origin
        ));
    }
    for key in &checked.sealed_by {
        text.push(&format!("signed by  {key}\n"));
    }
    for witness in &checked.witnesses {
        text.push(&format!("witness    {} at {}\n", printable(&witness.name), witness.at));
    }
    for timestamp in &checked.timestamps {
        text.push(&format!("timestamp  {} at {}\n", printable(&timestamp.authority), timestamp.at));
    }
    if checked.timestamps.is_empty() && checked.timestamps_given > 0 {
        let given = checked.timestamps_given;
        text.push(&format!("timestamps {given} in the bundle, not checked\n"));
    }
    text.push(match checked.complete {
        Some(_) => "complete   yes: the log has no other event of this message\n",
        None => "complete   not checked; --entries does\n",
    });
    text.push(
        "\nWhat this does not prove is in docs/EVIDENCE.md and on the page that --page writes.\n",
    );
    text
}

fn as_json(checked: &Checked) -> Value {
    let finding = |finding: &Finding| {
        json!({
            "finding": finding.kind.name(),
            "position": finding.position,
            "detail": finding.detail,
        })
    };
    let statement = checked.statement.as_ref();
    json!({
        "proven": checked.is_proven(),
        "origin": statement.map(|statement| statement.origin.clone()),
        "size": statement.map(|statement| statement.size),
        "events": checked.events,
        "erased": checked.erased,
        "sealed_by": checked.sealed_by.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "witnesses": checked.witnesses,
        "timestamps": checked.timestamps,
        "complete": checked.complete,
        "findings": checked.findings.iter().map(finding).collect::<Vec<_>>(),
    })
}

//! `seal check`: checks two seals and the proof between them, without a ledger.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Result;
use serde_json::json;

use super::super::{Format, Outcome};
use super::{parse_key, read_proof, read_seal};
use crate::cli::common::terminal;
use crate::cli::common::text::number;
use crate::domain::statement::Statement;
use crate::domain::tree::proof::proves_consistency;
use crate::seal::note::Note;
use crate::seal::note::trusted::TrustedKeys;

/// The arguments of `seal check`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The file with the earlier seal
    from: PathBuf,

    /// The file with the later one
    to: PathBuf,

    /// The file with the proof, as `seal consistency` prints it
    #[arg(long, value_name = "FILE")]
    consistency: PathBuf,

    /// A public key of the ledger that you trust; may be given several times
    #[arg(long, value_name = "KEY", required = true)]
    key: Vec<String>,

    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

/// Checks the signatures, and that the later log begins with the earlier one.
pub fn run(args: &Args) -> Result<Outcome> {
    let keys = args.key.iter().map(|key| parse_key("--key", key)).collect::<Result<Vec<_>, _>>()?;
    let trusted = TrustedKeys::new(keys);
    let (from, to) = (read_seal(&args.from)?, read_seal(&args.to)?);
    let proof = read_proof(&args.consistency)?;
    let mut findings = Vec::new();
    for (path, (note, statement)) in [(&args.from, &from), (&args.to, &to)] {
        findings.extend(unsigned(&trusted, path, note, statement));
    }
    let ((_, from), (_, to)) = (&from, &to);
    if from.origin != to.origin {
        let detail = format!("they are of {} and of {}", from.origin, to.origin);
        findings.push(("other-origin", detail));
    }
    if !proves_consistency((from.size, &from.root), (to.size, &to.root), &proof) {
        let detail = format!(
            "the proof does not lead from the root of {} events to that of {}",
            number(from.size),
            number(to.size)
        );
        findings.push(("bad-proof", detail));
    }
    let mut out = terminal::stdout();
    match args.format {
        Format::Table if findings.is_empty() => writeln!(
            out,
            "The {} events of the first seal are the beginning of the {} of the second.",
            number(from.size),
            number(to.size)
        )?,
        Format::Table => {
            findings.iter().try_for_each(|(finding, text)| writeln!(out, "{finding}: {text}"))?;
        }
        Format::Json => {
            let list = findings.iter().map(|(name, text)| json!({"finding": name, "detail": text}));
            let list: Vec<_> = list.collect();
            let consistent = findings.is_empty();
            let json = json!({
                "consistent": consistent, "origin": to.origin, "from": from.size, "to": to.size, "findings": list,
            });
            writeln!(out, "{json:#}")?;
        }
    }
    match findings.is_empty() {
        true => Ok(Outcome::Done),
        false => Ok(Outcome::CheckFoundSomething),
    }
}

fn unsigned(
    trusted: &TrustedKeys,
    path: &Path,
    note: &Note,
    statement: &Statement,
) -> Option<(&'static str, String)> {
    let path = path.display();
    match trusted.signers(note, statement) {
        Err(error) => Some(("bad-signature", format!("{path}: {error}"))),
        Ok(signers) if signers.is_empty() => {
            Some(("unknown-key", format!("{path}: none of the given keys has signed it")))
        }
        Ok(_) => None,
    }
}

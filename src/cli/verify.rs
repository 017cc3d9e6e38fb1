//! `verify`: checks that the log is intact and that the views agree with it.

use std::io::Write;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::json;

use super::{Format, Outcome, UsageError};
use crate::cli::common::terminal::styled::Styled;
use crate::cli::common::terminal::{self, palette};
use crate::cli::common::text::number;
use crate::cli::common::{ledger, progress};
use crate::cli::seal::read_seal;
use crate::config::Settings;
use crate::domain::hash::{Hash, hex};
use crate::domain::statement::Statement;
use crate::projection::proofs::consistency_proof;
use crate::projection::verify::{
    COMPARISON, EXPECTED, Expected, Finding, Pass, Verified, verify_with_seals,
};
use crate::seal::json::ConsistencyJson;
use crate::seal::note::trusted::TrustedKeys;
use crate::seal::notes_file;
use crate::seal::stored::{key_changes, known_keys, origin};
use crate::seal::worker::NotSealed;
use crate::store::{self, Access, Store};
use crate::telemetry::eprint_line;
use crate::text::printable;

/// The arguments of `verify`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A position and its hash, noted earlier, that the log must still contain
    #[arg(long, value_name = "POSITION:HASH")]
    expect: Option<String>,

    /// A file with an earlier seal: check its signature, that the log still begins with what was sealed, and print
    /// the proof
    #[arg(long, value_name = "FILE", conflicts_with = "expect")]
    since: Option<PathBuf>,

    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

/// Verifies the ledger and prints the findings. Nothing is repaired.
pub fn run(args: Args, settings: &Settings) -> Result<Outcome> {
    let expected = args.expect.as_deref().map(parse_expected).transpose()?;
    let store = match args.since {
        // The proof needs the tree up to the head.
        Some(_) => ledger::up_to_date_by_views_rule(settings)?,
        None => store::open(&settings.database()?, Access::Read)?,
    };
    let since =
        match args.since.as_deref().map(|path| since(path, &*store, settings)).transpose()? {
            Some(Err(problem)) => {
                eprint_line(format_args!("error: --since: {problem}"));
                return Ok(Outcome::CheckFoundSomething);
            }
            since => since.and_then(Result::ok),
        };
    let expected = since.as_ref().map(Since::expected).or(expected);
    // An unreadable head is reported as a finding below.
    let bar = progress::over_events(store.head().unwrap_or(0), "verify");
    let in_file = sealed_in_file(&*store, settings)?;
    let verified = verify_with_seals(&*store, expected, in_file, &mut |step| {
        if step.pass == Pass::Log {
            bar.set_position(step.position);
        }
        ControlFlow::Continue(())
    });
    bar.finish_and_clear();
    let verified = verified?;
    verified.unfinished.iter().for_each(|what| warn_unfinished(what));
    let proof = since.map(|since| since.proof(&*store, &verified)).transpose()?.flatten();
    let mut out = terminal::stdout();
    match args.format {
        Format::Table => {
            out.show(&for_people(&verified))?;
            if let Some(proof) = proof {
                let since = number(proof["from"].as_u64().unwrap_or_default());
                writeln!(
                    out,
                    "\nThe log begins with the {since} events that were sealed:\n{proof:#}"
                )?;
            }
        }
        Format::Json => {
            let mut json = as_json(&verified);
            if let Some(proof) = proof {
                json["consistency"] = proof;
            }
            writeln!(out, "{json:#}")?;
        }
    }
    match verified.findings.is_empty() {
        true => Ok(Outcome::Done),
        false => Ok(Outcome::CheckFoundSomething),
    }
}

/// What the file of seals says of this ledger, if one is configured.
fn sealed_in_file(store: &dyn Store, settings: &Settings) -> Result<Vec<Expected>> {
    let Some(path) = settings.seal_file() else { return Ok(Vec::new()) };
    let statements = notes_file::statements(&path, &origin(store, &settings.seal_prefix()?)?)
        .with_context(|| format!("the file of seals, {}", path.display()))?;
    let expected =
        |Statement { size, root, .. }: Statement| Expected { position: size, hash: root };
    Ok(statements.into_iter().map(expected).collect())
}

/// An earlier seal of this ledger.
struct Since(Statement);

/// Reads a seal, which the configured key has to have signed, or one before it; what is wrong with it if they have not.
fn since(path: &Path, store: &dyn Store, settings: &Settings) -> Result<Result<Since, String>> {
    let Some(sealer) = settings.sealing()?.sealer else { return Err(NotSealed::NoKey.into()) };
    let (note, statement) = read_seal(path)?;
    let (changes, known) =
        (key_changes(store, &statement.origin)?, known_keys(store, &statement.origin)?);
    let trusted = TrustedKeys::new(vec![sealer.key.public()]).and_those_before(&changes, &known);
    Ok(match trusted.signers(&note, &statement) {
        Ok(signers) if signers.is_empty() => {
            Err(format!("{}: the configured key has not signed it", path.display()))
        }
        Ok(_) => Ok(Since(statement)),
        Err(error) => Err(format!("{}: {error}", path.display())),
    })
}

impl Since {
    fn expected(&self) -> Expected {
        Expected { position: self.0.size, hash: self.0.root }
    }

    /// The proof that the log begins with what was sealed; `None` if it does not.
    fn proof(&self, store: &dyn Store, verified: &Verified) -> Result<Option<serde_json::Value>> {
        let Some(root) = verified.hash.filter(|_| verified.findings.is_empty()) else {
            return Ok(None);
        };
        let head = Statement { origin: self.0.origin.clone(), size: verified.head, root };
        let proof = consistency_proof(store, self.0.size, head.size)?;
        Ok(Some(serde_json::to_value(ConsistencyJson::new(&self.0, &head, &proof))?))
    }
}

/// Logs that a check was given up because a server writes faster than its file can be checked.
fn warn_unfinished(what: &str) {
    if what == COMPARISON {
        tracing::warn!(
            "the views were not compared with the log, because messages are being erased; verify again afterwards, or \
             finish an interrupted erasure by running `erase` again"
        );
        return;
    }
    let still_checked = match what {
        "log" => "every event was still read, and its digest and the tree were checked",
        _ => "every message was still compared with a fresh fold",
    };
    tracing::warn!(
        "SQLite's own check of the {what}'s pages was given up, because the server writes so much that the \
         write-ahead log would grow without limit; {still_checked}; verify a copy, or at a quieter time"
    );
}

fn parse_expected(text: &str) -> Result<Expected, UsageError> {
    let unreadable =
        || UsageError(format!("--expect: `{}` is not {EXPECTED}", text.escape_debug()));
    Expected::parse(text).ok_or_else(unreadable)
}

fn for_people(verified: &Verified) -> Styled {
    let or_none = |hash: &Option<Hash>| hash.as_ref().map_or("none".to_owned(), |hash| hex(hash));
    let behind = match verified.head.saturating_sub(verified.checkpoint) {
        0 => String::new(),
        events => format!(" (the views are {} events behind)", number(events)),
    };
    let imported = match verified.imported {
        0 => String::new(),
        imported => format!(", {} of them imported", number(imported)),
    };
    let mut text = Styled::default();
    text.push(&format!(
        "events     {}{imported}, head {}\nhash       {}\ncheckpoint {}{behind}\nrule       {}\ndigest     {}\n\n",
        number(verified.events),
        number(verified.head),
        or_none(&verified.hash),
        number(verified.checkpoint),
        verified.rule.name(),
        or_none(&verified.digest),
    ));
    for Finding { kind, detail, .. } in &verified.findings {
        text.push_in(palette::BAD, kind.name());
        text.push(&format!(": {}\n", printable(detail)));
    }
    let nothing = match verified.unfinished.is_empty() {
        true => "Nothing is wrong.",
        false => "Nothing is wrong in what was checked.",
    };
    match (verified.findings.len(), verified.hash) {
        (0, Some(hash)) if verified.head > 0 => {
            let copy = format!("{}:{}", verified.head, hex(&hash));
            text.push_in(palette::GOOD, nothing);
            text.push(&format!(
                " Keep this elsewhere to prove it later:\n  verify --expect {copy}\n"
            ));
        }
        (0, _) => text.push(&format!("{nothing}\n")),
        (1, _) => text.push("\n1 finding.\n"),
        (count, _) => text.push(&format!("\n{count} findings.\n")),
    }
    text
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
        "imported": verified.imported,
        "rule": verified.rule.name(),
        "digest": verified.digest.map(|digest| hex(&digest)),
        "findings": verified.findings.iter().map(finding).collect::<Vec<_>>(),
        "unfinished": verified.unfinished,
    })
}

#[cfg(test)]
mod tests {
    use super::{Verified, as_json, for_people};
    use crate::domain::Rule;

    #[test]
    fn a_check_that_was_given_up_is_said_and_is_no_finding() {
        let verified = Verified {
            head: 2,
            hash: Some([7; 32]),
            checkpoint: 2,
            events: 2,
            imported: 1,
            rule: Rule::default(),
            digest: Some([8; 32]),
            findings: Vec::new(),
            unfinished: vec!["log"],
        };

        let text = for_people(&verified).plain();
        assert!(text.contains("Nothing is wrong in what was checked. Keep this"), "{text}");
        assert!(text.starts_with("events     2, 1 of them imported, head 2\n"), "{text}");
        let json = as_json(&verified);
        assert_eq!(json["unfinished"], serde_json::json!(["log"]));
        assert_eq!(json["findings"], serde_json::json!([]));
    }
}

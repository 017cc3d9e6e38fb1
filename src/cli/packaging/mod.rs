//! `completions`, `man` and `openapi`: generate what a package installs next to the program.

pub mod man;
pub mod openapi;

use std::io::Write;

use anyhow::Result;
use clap_complete::Shell;

use super::{Outcome, help};

/// The arguments of `completions`.
#[derive(Debug, clap::Args)]
pub struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

/// Prints the script.
pub fn completions(args: &CompletionsArgs) -> Result<Outcome> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut help::command(), "delivery-ledger", &mut script);
    std::io::stdout().lock().write_all(&script)?;
    Ok(Outcome::Done)
}

//! `completions` and `man`: generate the shell completions and manual pages that a package installs.

use std::io::Write;

use anyhow::Result;
use clap::CommandFactory;
use clap_complete::Shell;
use clap_mangen::Man;

use super::{Cli, Outcome, UsageError};

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
    clap_complete::generate(args.shell, &mut Cli::command(), "delivery-ledger", &mut script);
    std::io::stdout().lock().write_all(&script)?;
    Ok(Outcome::Done)
}

/// The arguments of `man`.
#[derive(Debug, clap::Args)]
pub struct ManArgs {
    /// The command [default: the program itself]
    command: Option<String>,
}

/// Prints one page in roff format.
pub fn man(args: &ManArgs) -> Result<Outcome> {
    let mut program = Cli::command();
    // Copies the global flags into each command.
    program.build();
    let page = match &args.command {
        None => Man::new(program),
        Some(name) => {
            let command = program.find_subcommand(name).cloned();
            let unknown = || UsageError(format!("there is no command `{}`", name.escape_debug()));
            let title = format!("delivery-ledger-{name}");
            Man::new(command.ok_or_else(unknown)?).title(title)
        }
    };
    let mut text = Vec::new();
    page.render(&mut text)?;
    std::io::stdout().lock().write_all(&text)?;
    Ok(Outcome::Done)
}

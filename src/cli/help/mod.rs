//! The help of every command beyond what its arguments say: examples, environment variables and exit
//! codes; and what arguments of one kind have in common. Help pages, manual pages and completions use it.

mod conventions;
mod environment;
mod examples;
mod exit_codes;

use std::fmt::Write;

use anstyle::{Effects, Style};
use clap::CommandFactory;

pub use self::environment::environment;
pub use self::examples::{Example, examples};
pub use self::exit_codes::exit_codes;
use super::Cli;

/// How clap shows the headings of help pages.
const HEADING: Style = Style::new().effects(Effects::BOLD.insert(Effects::UNDERLINE));

/// The program's command line, with the help of every command.
pub fn command() -> clap::Command {
    decorated(conventions::apply(Cli::command()), "")
}

/// Adds examples and environment to a command, which has this path, and to its subcommands.
fn decorated(mut command: clap::Command, path: &str) -> clap::Command {
    for name in command.get_subcommands().map(|of| of.get_name().to_owned()).collect::<Vec<_>>() {
        let path = format!("{path} {name}").trim().to_owned();
        command = command.mut_subcommand(name, |subcommand| decorated(subcommand, &path));
    }
    command.after_help(after_help(path))
}

fn after_help(path: &str) -> String {
    let mut text = format!("{HEADING}Examples:{HEADING:#}\n");
    for Example { about, line } in examples(path) {
        write!(text, "  # {about}\n  {line}\n").expect("a String takes every text");
    }
    let variables = environment(path);
    if !variables.is_empty() {
        let width = variables.iter().map(|variable| variable.name.chars().count()).max();
        write!(text, "\n{HEADING}Environment:{HEADING:#}\n").expect("a String takes every text");
        for variable in variables {
            let (name, about, width) = (variable.name, variable.about, width.unwrap_or(0));
            writeln!(text, "  {name:<width$}  {about}").expect("a String takes every text");
        }
    }
    text
}

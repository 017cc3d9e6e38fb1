//! `man`: manual pages of the program and of each command.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::Command;
use clap::builder::PossibleValue;
use clap_mangen::Man;
use roff::{Roff, bold, roman};

use crate::cli::{Outcome, UsageError, help};
use crate::domain::similar::suggestion;

const PROGRAM: &str = "delivery-ledger";

/// What the pages belong to, as their header and footer say.
const MANUAL: &str = "delivery-ledger manual";

/// The date of the pages: that of the last change of what they describe.
const DATE: &str = "2026-11-26";

/// The arguments of `man`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The command, such as audit or quarantine list [default: the program itself]
    command: Vec<String>,

    /// Write every page into this folder, such as ~/.local/share/man/man1
    #[arg(long, value_name = "DIR", conflicts_with = "command")]
    all: Option<PathBuf>,
}

/// Prints one page in roff format, or writes all of them.
pub fn run(args: &Args) -> Result<Outcome> {
    // Without the pages of `help`, which repeat the others.
    let mut program = with_words_in_line(help::command().disable_help_subcommand(true));
    // Copies the global flags into each command.
    program.build();
    match &args.all {
        Some(folder) => {
            std::fs::create_dir_all(folder)
                .with_context(|| format!("--all: cannot create {}", folder.display()))?;
            let count = write_all(&program, "", folder)?;
            writeln!(io::stdout().lock(), "{count} pages were written to {}", folder.display())?;
        }
        None => {
            let command = find(&program, &args.command)?;
            let mut page = Vec::new();
            write_page(command, &args.command.join(" "), &mut page)?;
            io::stdout().lock().write_all(&page)?;
        }
    }
    Ok(Outcome::Done)
}

/// Lists the possible values in the text of an option, as its help does. The library's list has an
/// item for each, separated by lines that manual page checkers complain about.
fn with_words_in_line(command: Command) -> Command {
    let names: Vec<_> = command.get_subcommands().map(|of| of.get_name().to_owned()).collect();
    let command = command.mut_args(|arg| {
        let words = arg.get_possible_values();
        let words: Vec<_> = words.iter().map(PossibleValue::get_name).collect();
        let takes_words = arg.get_action().takes_values() && !words.is_empty();
        if !takes_words || arg.is_hide_possible_values_set() {
            return arg;
        }
        let words = format!("[possible values: {}]", words.join(", "));
        let text = match arg.get_long_help().or_else(|| arg.get_help()) {
            Some(text) => format!("{text} {words}"),
            None => words,
        };
        arg.help(text.clone()).long_help(text).hide_possible_values(true)
    });
    names
        .into_iter()
        .fold(command, |command, name| command.mut_subcommand(name, with_words_in_line))
}

fn find<'c>(program: &'c Command, words: &[String]) -> Result<&'c Command, UsageError> {
    words.iter().try_fold(program, |command, word| {
        command.find_subcommand(word).ok_or_else(|| {
            let similar = suggestion(word, command.get_subcommands().map(Command::get_name));
            UsageError(format!("there is no command `{}`{similar}", word.escape_debug()))
        })
    })
}

/// Writes the page of a command, and those of its subcommands; returns their number.
fn write_all(command: &Command, path: &str, folder: &Path) -> Result<usize> {
    let file = folder.join(format!("{}.1", title(path)));
    let mut page = Vec::new();
    write_page(command, path, &mut page)?;
    std::fs::write(&file, page).with_context(|| format!("cannot write {}", file.display()))?;
    command.get_subcommands().try_fold(1, |count, subcommand| {
        let path = format!("{path} {}", subcommand.get_name());
        Ok(count + write_all(subcommand, path.trim(), folder)?)
    })
}

/// The page's name: `delivery-ledger-quarantine-list`.
fn title(path: &str) -> String {
    format!("{PROGRAM} {path}").trim_end().replace(' ', "-")
}

fn write_page(command: &Command, path: &str, out: &mut Vec<u8>) -> io::Result<()> {
    let source = format!("{PROGRAM} {}", env!("CARGO_PKG_VERSION"));
    let page = Man::new(command.clone()).title(title(path)).date(DATE).source(source);
    let page = page.manual(MANUAL);
    page.render_title(out)?;
    page.render_name_section(out)?;
    page.render_synopsis_section(out)?;
    page.render_description_section(out)?;
    page.render_options_section(out)?;
    if command.has_subcommands() {
        page.render_subcommands_section(out)?;
    }
    further_sections(path).to_writer(out)?;
    see_also(command, path).to_writer(out)
}

/// What clap does not know: exit codes, environment, examples.
fn further_sections(path: &str) -> Roff {
    let mut roff = Roff::new();
    roff.control("SH", ["EXIT STATUS"]);
    for (code, meaning) in help::exit_codes(path) {
        roff.control("TP", []);
        roff.text([bold(code.to_string())]);
        roff.text([roman(meaning)]);
    }
    roff.control("SH", ["ENVIRONMENT"]);
    let variables = help::environment(path);
    if variables.is_empty() {
        roff.text([roman("No variable matters to this command.")]);
    }
    for variable in variables {
        roff.control("TP", []);
        roff.text([bold(variable.name)]);
        roff.text([roman(variable.about)]);
    }
    roff.control("SH", ["EXAMPLES"]);
    for example in help::examples(path) {
        roff.control("TP", []);
        roff.text([roman(example.about)]);
        roff.text([bold(example.line)]);
    }
    roff
}

/// The pages above and below this one.
fn see_also(command: &Command, path: &str) -> Roff {
    let above = match path.rsplit_once(' ') {
        _ if path.is_empty() => None,
        Some((above, _)) => Some(title(above)),
        None => Some(title("")),
    };
    let below = command.get_subcommands().map(|of| format!("{path} {}", of.get_name()));
    let below = below.map(|path| title(path.trim()));
    let pages: Vec<_> = above.into_iter().chain(below).collect();
    let last = pages.len().saturating_sub(1);
    let mut roff = Roff::new();
    roff.control("SH", ["SEE ALSO"]);
    for (index, page) in pages.iter().enumerate() {
        let comma = if index < last { "," } else { "" };
        roff.control("BR", [page.as_str(), &format!("(1){comma}")]);
    }
    roff
}

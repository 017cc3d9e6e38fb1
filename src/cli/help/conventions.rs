//! What arguments of one kind have in common: short flags, what a shell completes them with, and the
//! words that a value is usually one of. They follow from names, so that a new command has them too.

use std::any::TypeId;
use std::ffi::OsStr;

use clap::builder::{PossibleValue, StringValueParser, TypedValueParser, ValueParser};
use clap::{Arg, Command, Error, ValueHint};

use crate::domain::channel::CHANNELS;
use crate::domain::{Rule, Status};
use crate::report::{Dimension, SortBy};

/// The short flags that other programs have for the same things.
const SHORT_FLAGS: [(&str, char); 2] = [("output", 'o'), ("limit", 'n')];

/// Applies the conventions to a command and its subcommands.
pub fn apply(command: Command) -> Command {
    let names: Vec<_> = command.get_subcommands().map(|of| of.get_name().to_owned()).collect();
    let command = command.mut_args(conventional);
    names.into_iter().fold(command, |command, name| command.mut_subcommand(name, apply))
}

fn conventional(arg: Arg) -> Arg {
    let id = arg.get_id().as_str().to_owned();
    let value = arg.get_value_names().and_then(|names| names.first()).map(ToString::to_string);
    let hint = match value.as_deref() {
        Some("FILE") => Some(ValueHint::FilePath),
        Some("DIR") => Some(ValueHint::DirPath),
        Some("URL") if id != "database" => Some(ValueHint::Url),
        _ => None,
    };
    let arg = match hint {
        Some(hint) => arg.value_hint(hint),
        None => arg,
    };
    let short = SHORT_FLAGS.iter().find(|(long, _)| arg.get_long() == Some(*long));
    let arg = match short {
        Some((_, short)) => arg.short(*short),
        None => arg,
    };
    let arg = match id.as_str() {
        "format" if arg.get_help().is_none() => arg.help("The format of the output"),
        _ => arg,
    };
    match words(&id, value.as_deref()) {
        // Other types than text have words of their own.
        Some(words) if arg.get_value_parser().type_id() == TypeId::of::<String>() => {
            // Twice the same two words for each yes or no would drown the rest.
            let is_bool = value.as_deref() == Some("BOOL");
            arg.value_parser(ValueParser::new(words)).hide_possible_values(is_bool)
        }
        _ => arg,
    }
}

/// The words that an argument's value is usually one of.
fn words(id: &str, value: Option<&str>) -> Option<Words> {
    let words: Vec<&'static str> = match (id, value) {
        ("status", _) => Status::ALL.map(Status::name).into_iter().chain(["unknown"]).collect(),
        ("channel", _) => CHANNELS.to_vec(),
        ("rule", _) => Rule::ALL.map(Rule::name).to_vec(),
        ("by", _) => Dimension::ALL.iter().map(Dimension::kind).collect(),
        ("sort", _) => SortBy::ALL.map(SortBy::name).to_vec(),
        ("content_type", _) => vec!["application/x-www-form-urlencoded", "application/json"],
        (_, Some("BOOL")) => vec!["true", "false"],
        _ => return None,
    };
    Some(Words(words))
}

/// Words for help and completion. Other values are accepted too: the command itself says what is wrong
/// with them, and some take more than one spelling.
#[derive(Clone)]
struct Words(Vec<&'static str>);

impl TypedValueParser for Words {
    type Value = String;

    fn parse_ref(
        &self,
        command: &Command,
        arg: Option<&Arg>,
        value: &OsStr,
    ) -> Result<String, Error> {
        StringValueParser::new().parse_ref(command, arg, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(self.0.iter().copied().map(PossibleValue::new)))
    }
}

//! Flags of several commands, most of which have the name of a parameter of the API, and errors about
//! their values.

pub mod events;
pub mod filters;
pub mod global_options;
pub mod time_zone;

use crate::cli::UsageError;
use crate::wire::parameters::BadValue;

/// The error for the value of a flag.
pub fn bad_flag(BadValue { name, value, expected }: BadValue) -> UsageError {
    UsageError(format!("{}: `{}` is not {expected}", flag(&name), value.escape_debug()))
}

/// The flag with the name of a parameter.
pub fn flag(name: &str) -> String {
    format!("--{}", name.replace('_', "-"))
}

//! The names of statuses in JSON and on the terminal, with one for a status that is not known.

use crate::domain::Status;

/// The name of a status; `unknown` if there is none.
pub fn status_name(status: Option<Status>) -> &'static str {
    status.map_or("unknown", Status::name)
}

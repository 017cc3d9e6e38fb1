//! Opens the files of a log for the first time.

use std::path::Path;
use std::sync::Arc;

use rusqlite::Connection;
use uuid::Uuid;

use crate::store::StoreError;
use crate::store::sqlite::files::descriptor::Descriptor;
use crate::store::sqlite::files::paths;
use crate::store::sqlite::{migrate, place};

/// The descriptor of a log's file.
pub fn descriptor_of(path: &Path) -> Result<Arc<Descriptor>, StoreError> {
    Descriptor::open(path).map_err(|cause| StoreError::File {
        act: "open",
        path: path.to_owned(),
        cause,
    })
}

/// A connection to an existing log of this version, and the ledger's id.
pub fn open_as_it_is(
    path: &Path,
    open: impl FnOnce(&Path) -> Result<Connection, StoreError>,
) -> Result<(Connection, Uuid), StoreError> {
    if paths::is_half_made(path) {
        return Err(migrate::empty(path));
    }
    let connection = open(path)?;
    migrate::refuse_newer(&connection, path)?;
    migrate::refuse_empty(&connection, path)?;
    let ledger_id = migrate::ledger_id(&connection, path)?;
    Ok((connection, ledger_id))
}

/// Fails if the file is of another ledger than this one.
pub fn refuse_other(
    connection: &Connection,
    path: &Path,
    ledger_id: Uuid,
) -> Result<(), StoreError> {
    let found = migrate::ledger_id(connection, path)?;
    match found == ledger_id {
        true => Ok(()),
        false => Err(StoreError::NotALedger {
            place: place(path),
            detail: format!("it was ledger {ledger_id}, and now is {found}"),
        }),
    }
}

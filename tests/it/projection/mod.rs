//! The projection: any steps and interruptions give the same views.

mod restart;
mod stalled;
mod steps;

use std::ops::ControlFlow;

use delivery_ledger::store;
use delivery_ledger::store::{Access, Database, Store};

use crate::support::App;

fn go_on(_: u64) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

/// Opens the ledger of a server that does not run.
fn open(app: &App) -> Box<dyn Store> {
    store::open(&Database::Sqlite(app.log_file()), Access::Write).unwrap()
}

fn set_rule(app: &App, rule: &str) {
    let path = app.folder().join("delivery-ledger.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(path, format!("rule = \"{rule}\"\n{text}")).unwrap();
}

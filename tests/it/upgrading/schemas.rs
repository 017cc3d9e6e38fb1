//! The schema of an upgraded ledger is that of a new one: a migration and a creation cannot diverge.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use rusqlite::Connection;

use super::release::Release;
use crate::support::{App, Request, delivered, sid};

/// A row of SQLite's list of tables, indexes and triggers, or of their columns.
type Row = Vec<String>;

#[test]
fn the_schema_of_an_upgraded_ledger_is_that_of_a_new_one() {
    let new = schemas(App::not_started(&[]));
    for release in Release::all() {
        let upgraded = schemas(release.ledger());
        for (file, new) in &new {
            assert_eq!(&upgraded[file], new, "the {file} of {}", release.version);
        }
    }
}

/// The schemas of log, views and quarantine, once a server has opened them and has used them.
fn schemas(mut app: App) -> BTreeMap<&'static str, Vec<Row>> {
    app.restart();
    assert_eq!(app.receive(delivered(&sid(0xffe))).code, 200);
    let unsigned: Request = app.form("/message-status").body(delivered(&sid(0xffd)));
    assert_eq!(unsigned.send(app.callbacks()).code, 403);
    app.caught_up();
    app.stop();
    let quarantine: PathBuf = app.folder().join("ledger.quarantine.db");
    let files = [("log", app.log_file()), ("views", app.views_file()), ("quarantine", quarantine)];
    files.map(|(name, file)| (name, schema(&file))).into()
}

fn schema(file: &Path) -> Vec<Row> {
    let database = Connection::open(file).unwrap();
    let mut schema =
        rows(&database, "SELECT type, name, tbl_name, coalesce(sql, '') FROM sqlite_master");
    let columns =
        "SELECT 'column', m.name, c.cid, c.name, c.type, c.\"notnull\", c.dflt_value, c.pk
                   FROM sqlite_master m JOIN pragma_table_xinfo(m.name) c WHERE m.type = 'table'";
    let indexes = "SELECT 'index column', i.name, c.seqno, c.cid, coalesce(c.name, '')
                   FROM sqlite_master i JOIN pragma_index_xinfo(i.name) c WHERE i.type = 'index'";
    let versions = "SELECT 'version', version, name, checksum FROM refinery_schema_history";
    schema.extend([columns, indexes, versions].iter().flat_map(|sql| rows(&database, sql)));
    assert!(schema.len() > 10, "{schema:?}");
    schema.sort();
    schema
}

fn rows(database: &Connection, sql: &str) -> Vec<Row> {
    let mut statement = database.prepare(sql).unwrap();
    let columns = statement.column_count();
    let text = |value: rusqlite::types::Value| format!("{value:?}");
    let rows = statement
        .query_map([], |row| (0..columns).map(|column| row.get(column).map(text)).collect());
    rows.unwrap().collect::<rusqlite::Result<_>>().unwrap()
}

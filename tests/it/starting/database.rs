//! Starting `serve` with invalid database URLs or paths, or with files that are not a ledger.

use super::Serve;
use crate::support::{App, delivered, sid};

// The ledger.

#[test]
fn an_invalid_database_url_is_refused() {
    assert_eq!(
        Serve::configured().arguments(&["--database", "ledger.db"]).refused_as_usage(),
        "error: --database: database `ledger.db` is neither sqlite:PATH nor postgres://…"
    );
    assert_eq!(
        Serve::configured().env("DELIVERY_LEDGER_DATABASE", "sqlite:").refused(),
        "error: DELIVERY_LEDGER_DATABASE: database `sqlite:` is neither sqlite:PATH nor postgres://…"
    );
}

#[test]
fn a_password_in_a_database_url_is_not_shown() {
    for url in ["mysql://user:hunter2@db/ledger", "postgres://user:hunter2@db"] {
        let refused = Serve::configured().env("DELIVERY_LEDGER_DATABASE", url).refused();
        assert!(refused.starts_with("error: DELIVERY_LEDGER_DATABASE: "), "{refused}");
        assert!(!refused.contains("hunter2"), "{refused}");
    }
}

#[test]
fn an_impossible_ledger_path_is_refused_with_its_setting() {
    let serve = |path: &str| {
        let url = format!("sqlite:{path}");
        Serve::configured().arguments(&["--database", &url])
    };
    let names_the_setting = "(--database or DELIVERY_LEDGER_DATABASE)";

    let folder = serve(".").refused();
    assert!(folder.contains(". is a folder; name a file in it, such as ./ledger.db"), "{folder}");
    assert!(folder.contains(names_the_setting), "{folder}");

    let below_a_file = serve("notes/ledger.db").file("notes", "x").refused();
    assert!(below_a_file.contains("notes"), "{below_a_file}");
    assert!(below_a_file.contains(names_the_setting), "{below_a_file}");

    // Nobody, not even root, can make a file there.
    let read_only = serve("/proc/ledger.db").refused();
    assert!(read_only.contains("/proc/ledger.db"), "{read_only}");
    assert!(read_only.contains(names_the_setting), "{read_only}");
}

#[test]
fn a_file_that_is_not_a_ledger_is_refused_and_left_unchanged() {
    let text = "Dear diary, this is longer than the header of a database. ".repeat(20);
    let serve = Serve::configured().file("ledger.db", &text);
    let refused = serve.refused();
    assert_eq!(
        refused,
        "error: the ledger sqlite:ledger.db (--database or DELIVERY_LEDGER_DATABASE): \
         ledger.db is not a delivery-ledger database: SQLite does not know its format"
    );
    assert_eq!(std::fs::read_to_string(serve.folder.path().join("ledger.db")).unwrap(), text);

    let serve = Serve::configured();
    let other = rusqlite::Connection::open(serve.folder.path().join("ledger.db")).unwrap();
    other.execute_batch("CREATE TABLE recipes(name); INSERT INTO recipes VALUES ('pie')").unwrap();
    let refused = serve.refused();
    assert!(refused.contains("it has tables of something else"), "{refused}");
    let recipes: i64 =
        other.query_row("SELECT count(*) FROM recipes", [], |row| row.get(0)).unwrap();
    let tables: i64 =
        other.query_row("SELECT count(*) FROM sqlite_master", [], |row| row.get(0)).unwrap();
    assert_eq!((recipes, tables), (1, 1));
}

#[test]
fn a_ledger_of_a_newer_version_is_refused_by_every_command() {
    let mut app = App::start();
    assert_eq!(app.receive(delivered(&sid(1))).code, 200);
    app.stop();
    let log = rusqlite::Connection::open(app.log_file()).unwrap();
    log.execute_batch("UPDATE refinery_schema_history SET version = 99 WHERE version = 3").unwrap();
    drop(log);

    let listeners = ["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"];
    let serve = [&["serve"][..], &listeners].concat();
    for command in
        [&serve[..], &["export", "events"], &["audit", &sid(1)], &["replay"], &["verify"]]
    {
        let output = app.run(command);
        assert_eq!(output.status.code(), Some(1), "{command:?}");
        let stderr = String::from_utf8(output.stderr).unwrap();
        let expected = "ledger.db was written by a newer version (schema 99, this version knows 3); \
                        use that version\n";
        assert!(stderr.starts_with("error: ") && stderr.ends_with(expected), "{stderr}");
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
    }
}

#[test]
fn a_second_server_on_one_ledger_is_refused_and_the_first_keeps_running() {
    let app = App::start();

    let second = app.run(&["serve", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]);

    assert_eq!(second.status.code(), Some(1));
    assert_eq!(
        String::from_utf8_lossy(&second.stderr),
        "error: the ledger sqlite:ledger.db (--database or DELIVERY_LEDGER_DATABASE): ledger.db is \
         held by another process, such as a running server; stop that process or choose another \
         ledger\n"
    );
    assert_eq!(app.receive(delivered(&sid(1))).code, 200);
}

#[test]
fn ledger_files_are_private_to_their_owner() {
    use std::os::unix::fs::PermissionsExt;
    let app = App::start_with(&["--database", "sqlite:made/for/us/ledger.db"]);
    assert_eq!(app.receive(delivered(&sid(1))).code, 200);
    let mode = |path: &str| {
        let path = app.folder().join("made/for/us").join(path);
        std::fs::metadata(path).unwrap().permissions().mode() & 0o777
    };

    assert_eq!(mode(""), 0o700);
    for file in ["ledger.db", "ledger.db-wal", "ledger.views.db", "ledger.db.lock"] {
        assert_eq!(mode(file), 0o600, "{file}");
    }
}

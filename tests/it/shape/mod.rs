//! The structure of the code: allowed imports between modules, and where libraries, SQL and settings may be used.
//! It is read from the sources, so that a rule that is broken names the file that breaks it.

mod cycles;
mod sizes;
mod source;

use std::collections::BTreeSet;

use source::{Source, sources};

/// Which of our modules each of them may use.
const MAY_USE: [(&str, &[&str]); 32] = [
    ("atomic_file", &[]),
    ("background", &[]),
    ("rate_limit", &[]),
    ("domain", &[]),
    ("twilio", &["domain"]),
    ("store", &["atomic_file", "background", "domain"]),
    ("projection", &["background", "domain", "twilio", "store"]),
    ("wire", &["domain"]),
    ("report", &["domain", "store", "projection", "wire", "text"]),
    ("export", &["domain", "store", "projection", "wire"]),
    ("backup", &["atomic_file", "domain", "store", "projection"]),
    ("twilio_api", &["domain", "twilio"]),
    ("send", &["domain", "twilio", "store", "twilio_api"]),
    ("reconcile", &["background", "domain", "twilio", "store", "projection", "twilio_api", "send"]),
    ("subaccounts", &["atomic_file", "background", "domain", "twilio_api"]),
    ("import", &["domain", "twilio", "store", "projection"]),
    ("quarantine", &["background", "rate_limit", "domain", "twilio", "store"]),
    ("access_log", &["background"]),
    ("forward", &["background", "domain", "twilio", "store", "projection", "wire"]),
    ("seal", &["background", "domain", "twilio", "store", "projection"]),
    ("evidence", &["domain", "twilio", "store", "projection", "wire", "seal"]),
    ("jobs", &["atomic_file", "background", "domain", "store", "projection", "wire", "export"]),
    ("erase", &["domain", "twilio", "store", "projection", "wire", "send", "reconcile", "jobs"]),
    (
        "checks",
        &[
            "domain",
            "forward",
            "twilio",
            "store",
            "projection",
            "wire",
            "report",
            "backup",
            "reconcile",
            "subaccounts",
            "quarantine",
            "seal",
            "config",
            "text",
        ],
    ),
    (
        "http",
        &[
            "rate_limit",
            "domain",
            "forward",
            "twilio",
            "store",
            "projection",
            "wire",
            "report",
            "export",
            "twilio_api",
            "send",
            "reconcile",
            "subaccounts",
            "quarantine",
            "access_log",
            "jobs",
            "seal",
            "evidence",
            "checks",
            "text",
            "version",
        ],
    ),
    ("simulate", &["domain", "twilio", "wire"]),
    (
        "config",
        &[
            "domain",
            "forward",
            "twilio",
            "store",
            "seal",
            "twilio_api",
            "subaccounts",
            "access_log",
        ],
    ),
    ("telemetry", &[]),
    ("text", &[]),
    ("version", &["store"]),
    (
        "server",
        &[
            "background",
            "domain",
            "forward",
            "twilio",
            "store",
            "projection",
            "twilio_api",
            "reconcile",
            "subaccounts",
            "quarantine",
            "access_log",
            "jobs",
            "seal",
            "erase",
            "checks",
            "http",
            "config",
            "telemetry",
            "text",
        ],
    ),
    (
        "cli",
        &[
            "atomic_file",
            "background",
            "rate_limit",
            "domain",
            "twilio",
            "store",
            "projection",
            "wire",
            "report",
            "export",
            "backup",
            "twilio_api",
            "send",
            "reconcile",
            "subaccounts",
            "import",
            "quarantine",
            "access_log",
            "forward",
            "jobs",
            "seal",
            "evidence",
            "erase",
            "checks",
            "http",
            "simulate",
            "config",
            "telemetry",
            "text",
            "version",
            "server",
        ],
    ),
];

/// What `http` may use of `projection`: its state, the fold of one message, and the effects of events.
const HTTP_MAY_USE_OF_PROJECTION: [&str; 8] =
    ["worker", "verify", "message_query", "fold", "effects", "proofs", "erased", "ProjectionError"];

/// Words of a library, and the only places where they may stand.
const KEPT_TO: [(&[&str], &[&str]); 8] = [
    (&["rusqlite"], &["src/store/sqlite/"]),
    (&["tokio_postgres", "tokio_postgres_rustls", "pollster"], &["src/store/postgres/"]),
    (&["refinery_core", "r2d2"], &["src/store/sqlite/", "src/store/postgres/"]),
    (&["actix_web", "actix_http"], &["src/http/", "src/server/", "src/cli/"]),
    (&["StatusCode"], &["src/http/"]),
    (&["reqwest"], &["src/twilio_api/", "src/forward/", "src/seal/"]),
    (&["var", "var_os", "vars", "vars_os"], &["src/config/"]), // of std::env; see `reads_environment`
    (&["clap"], &["src/cli/", "src/main.rs"]),
];

/// What pure code does not know: serialisation, async, clocks, files, networks, telemetry.
const IMPURE: [&str; 14] = [
    "tokio",
    "async",
    "await",
    "actix_web",
    "reqwest",
    "rusqlite",
    "tracing",
    "Instant",
    "SystemTime",
    "now_utc",
    "now_v7",
    "fs",
    "net",
    "env",
];

/// Every path that leads to one of our top-level modules: its first two names.
fn module_uses(source: &Source) -> BTreeSet<(String, String)> {
    let mut uses = BTreeSet::new();
    for path in source::paths(&source.tokens) {
        let names = &path.segments;
        let supers = names.iter().take_while(|name| *name == "super").count();
        let depth = source.module().len() + path.inside.len();
        let names = match names.first().map(String::as_str) {
            Some("crate" | "delivery_ledger") => &names[1..],
            // As many as there are modules lead out to the root of the crate.
            Some("super") if supers >= depth => &names[supers..],
            _ => continue,
        };
        let name = |at: usize| names.get(at).cloned().unwrap_or_default();
        uses.insert((name(0), name(1)));
    }
    uses.retain(|(name, _)| MAY_USE.iter().any(|(module, _)| module == name));
    uses
}

/// Whether it reads the environment: `env::var` and its kin.
fn reads_environment(source: &Source) -> bool {
    let reads =
        |three: &[String]| three[0] == "env" && three[1] == "::" && three[2].starts_with("var");
    source.tokens.windows(3).any(reads)
}

fn has_sql(source: &Source) -> bool {
    let verbs = ["SELECT ", "INSERT ", "UPDATE ", "DELETE FROM ", "CREATE ", "DROP ", "PRAGMA "];
    let is_sql = |literal: &String| {
        let text = literal.trim_start_matches(['b', 'r', '#', '"']).trim_start_matches('\n');
        verbs.iter().any(|verb| text.trim_start().starts_with(verb))
    };
    source.literals.iter().any(is_sql)
}

/// Each use of a module that the table does not allow.
fn forbidden_uses(source: &Source) -> Vec<String> {
    let module = source.top_module();
    let allowed =
        MAY_USE.iter().find(|(name, _)| *name == module).map_or(&[][..], |(_, uses)| uses);
    let forbidden = |(name, part): &(String, String)| {
        let of_projection = module == "http"
            && name == "projection"
            && !HTTP_MAY_USE_OF_PROJECTION.contains(&part.as_str());
        of_projection || (name != module && !allowed.contains(&name.as_str()))
    };
    let uses = module_uses(source);
    let uses = uses.iter().filter(|used| forbidden(used));
    uses.map(|(name, part)| format!("{} uses {name}::{part}", source.path)).collect()
}

/// Each word that stands where it must not.
fn misplaced(source: &Source) -> Vec<String> {
    let mut found = Vec::new();
    for (words, places) in KEPT_TO {
        let at_home = places.iter().any(|place| source.path.starts_with(place));
        for word in words.iter().filter(|_| !at_home) {
            let says =
                if word.starts_with("var") { reads_environment(source) } else { source.says(word) };
            if says {
                found.push(format!("{} says {word}", source.path));
            }
        }
    }
    if has_sql(source) && source.top_module() != "store" {
        found.push(format!("{} has SQL", source.path));
    }
    if source.top_module() == "domain"
        && source.tokens.iter().any(|token| token.starts_with("serde"))
    {
        found.push(format!("{} serialises", source.path));
    }
    if ["domain", "twilio"].contains(&source.top_module()) {
        let impure = IMPURE.iter().filter(|word| source.says(word));
        found.extend(impure.map(|word| format!("{} is not pure: {word}", source.path)));
    }
    if ["http", "projection"].contains(&source.top_module()) {
        let engine = |token: &&String| {
            let token = token.to_lowercase();
            token.contains("sqlite") || token.contains("postgres")
        };
        let engines = source.tokens.iter().filter(engine);
        found.extend(engines.map(|token| format!("{} names an engine: {token}", source.path)));
    }
    found
}

#[test]
fn modules_use_only_what_the_table_allows() {
    let found: Vec<_> = sources()
        .iter()
        .filter(|source| !["lib", "main"].contains(&source.top_module()))
        .flat_map(forbidden_uses)
        .collect();
    assert_eq!(found, [""; 0]);
}

#[test]
fn the_import_table_lists_exactly_the_modules() {
    let sources = sources();
    let lib = sources.iter().find(|source| source.path == "src/lib.rs").unwrap();
    let declared = lib.tokens.windows(2).filter(|two| two[0] == "mod").map(|two| two[1].as_str());
    let declared: BTreeSet<_> = declared.collect();
    assert_eq!(declared, MAY_USE.iter().map(|(name, _)| *name).collect());
    let modules: BTreeSet<_> = sources.iter().map(Source::top_module).collect();
    assert_eq!(&modules - &declared, ["lib", "main"].into(), "no file outside a module");
}

#[test]
fn libraries_are_used_only_in_their_folders() {
    let found: Vec<_> = sources().iter().flat_map(misplaced).collect();
    assert_eq!(found, [""; 0]);
}

#[test]
fn every_file_begins_with_a_header() {
    for source in sources() {
        assert!(source.text.starts_with("//! "), "{}", source.path);
    }
}

#[test]
fn the_import_check_finds_forbidden_imports() {
    let caught = |path: &str, text: &str| forbidden_uses(&Source::new(path, text));
    let one = |path: &str, text: &str| match &caught(path, text)[..] {
        [found] => found.clone(),
        other => panic!("{path}: {text}: {other:?}"),
    };
    let domain = "src/domain/sid.rs";
    assert_eq!(one(domain, "use crate::http::state;"), "src/domain/sid.rs uses http::state");
    assert_eq!(
        one(domain, "fn f() { crate::store::open() }"),
        "src/domain/sid.rs uses store::open"
    );
    assert_eq!(
        one(domain, "use crate::{domain::Sid, wire::Event};"),
        "src/domain/sid.rs uses wire::Event"
    );
    assert_eq!(
        one(domain, "use crate::{\n  domain::{A, B::C},\n  twilio,\n};"),
        "src/domain/sid.rs uses twilio::"
    );
    assert_eq!(
        one(domain, "use super::super::store::Store;"),
        "src/domain/sid.rs uses store::Store"
    );
    assert_eq!(
        one("src/domain/mod.rs", "use super::store::Store;"),
        "src/domain/mod.rs uses store::Store"
    );
    assert_eq!(
        one(domain, "/* a */ let q = \"\\\"\"; use crate::cli::Cli;"),
        "src/domain/sid.rs uses cli::Cli"
    );
    assert_eq!(
        one("src/store/mod.rs", "pub use delivery_ledger::twilio::form;"),
        "src/store/mod.rs uses twilio::form"
    );
    assert_eq!(
        one("src/http/messages.rs", "use crate::projection::{self, worker};"),
        "src/http/messages.rs uses projection::"
    );
    assert_eq!(one("src/telemetry.rs", "crate::config::X"), "src/telemetry.rs uses config::X");

    for allowed in [
        "use crate::domain::Sid;",
        "use super::store;",
        "// use crate::http::state;",
        "/// See [`crate::http`].",
        "let text = \"crate::http::state\";",
        "let text = r#\"\" crate::http::state\"#;",
        "use other::crate_::http;",
    ] {
        assert_eq!(caught(domain, allowed), [""; 0], "{allowed}");
    }
    assert_eq!(caught("src/store/sqlite/lock.rs", "use super::super::StoreError;"), [""; 0]);
    assert_eq!(
        caught("src/http/messages.rs", "use crate::projection::message_query::ask;"),
        [""; 0]
    );
}

#[test]
fn the_word_check_finds_misplaced_words() {
    for (path, text) in [
        ("src/projection/mod.rs", "use rusqlite::Connection;"),
        ("src/store/open.rs", "use rusqlite::Connection;"),
        ("src/store/sqlite/mod.rs", "use tokio_postgres::Client;"),
        ("src/export/mod.rs", "run(\"SELECT 1 FROM events\")"),
        ("src/cli/audit.rs", "run(\n\"\n  UPDATE events SET x = 1\")"),
        ("src/store/mod.rs", "use actix_web::web;"),
        ("src/cli/audit.rs", "let code = StatusCode::OK;"),
        ("src/domain/sid.rs", "#[derive(serde::Serialize)]"),
        ("src/domain/sid.rs", "use serde_json::Value;"),
        ("src/twilio/form.rs", "let now = Instant::now();"),
        ("src/twilio/form.rs", "pub async fn f() {}"),
        ("src/cli/audit.rs", "std::env::var(\"HOME\")"),
        ("src/http/state.rs", "env::vars_os()"),
        ("src/http/state.rs", "store: SqliteStore"),
        ("src/projection/replay.rs", "store::sqlite::open()"),
    ] {
        assert!(!misplaced(&Source::new(path, text)).is_empty(), "{path}: {text}");
    }
    for (path, text) in [
        ("src/store/sqlite/read.rs", "use rusqlite::Connection; run(\"SELECT 1\")"),
        ("src/http/error.rs", "StatusCode::OK"),
        ("src/twilio/callback.rs", "use serde_json::Value;"),
        ("src/config/mod.rs", "std::env::vars_os()"),
        ("src/cli/demo/mod.rs", "std::env::current_dir()"),
        (
            "src/domain/sid.rs",
            "// rusqlite, StatusCode, serde and std::env::var are not known here",
        ),
    ] {
        assert_eq!(misplaced(&Source::new(path, text)), [""; 0], "{path}: {text}");
    }
}

//! The shape of the code: which module may use which, and what is kept where.
//! It is read from the sources, so that a rule that is broken names the file that breaks it.

use std::collections::BTreeSet;
use std::path::Path;

/// Which of our modules each of them may use.
const MAY_USE: [(&str, &[&str]); 18] = [
    ("domain", &[]),
    ("twilio", &["domain"]),
    ("store", &["domain"]),
    ("projection", &["domain", "twilio", "store"]),
    ("wire", &["domain"]),
    ("report", &["domain", "store", "projection", "wire"]),
    ("export", &["domain", "store", "projection", "wire"]),
    ("backup", &["domain", "store", "projection"]),
    ("twilio_api", &["domain", "twilio"]),
    ("send", &["domain", "twilio", "store", "twilio_api"]),
    ("reconcile", &["domain", "twilio", "store", "twilio_api", "send"]),
    ("import", &["domain", "twilio", "store", "projection"]),
    ("quarantine", &["domain", "twilio", "store"]),
    (
        "http",
        &[
            "domain",
            "twilio",
            "store",
            "projection",
            "wire",
            "report",
            "export",
            "twilio_api",
            "send",
            "reconcile",
            "quarantine",
        ],
    ),
    ("simulate", &["domain", "twilio", "wire"]),
    ("config", &["domain", "twilio", "store", "twilio_api"]),
    ("telemetry", &[]),
    (
        "cli",
        &[
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
            "import",
            "quarantine",
            "http",
            "simulate",
            "config",
            "telemetry",
        ],
    ),
];

/// What `http` may use of `projection`: its state, and the fold of one message.
const HTTP_MAY_USE_OF_PROJECTION: [&str; 4] =
    ["worker", "background_verification", "message_query", "fold"];

/// Words of a library, and the only places where they may stand.
const KEPT_TO: [(&[&str], &[&str]); 6] = [
    (&["rusqlite", "refinery", "r2d2"], &["src/store/sqlite/"]),
    (&["actix_web", "actix_http"], &["src/http/", "src/cli/"]),
    (&["StatusCode"], &["src/http/"]),
    (&["reqwest"], &["src/twilio_api/"]),
    (&["var", "var_os", "vars", "vars_os"], &["src/config/"]), // of std::env; see `env_reads`
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

const LINES_MAX: usize = 400;

/// A source file: its text, and its words and punctuation without comments and literals.
struct Source {
    path: String,
    text: String,
    tokens: Vec<String>,
    literals: Vec<String>,
}

impl Source {
    fn new(path: &str, text: &str) -> Self {
        let (tokens, literals) = tokens(text);
        Self { path: path.to_owned(), text: text.to_owned(), tokens, literals }
    }

    /// Its place among the modules: `src/store/sqlite/mod.rs` is `store`, `sqlite`.
    fn module(&self) -> Vec<&str> {
        let path = self.path.trim_start_matches("src/").trim_end_matches(".rs");
        path.trim_end_matches("/mod").split('/').collect()
    }

    fn room(&self) -> &str {
        self.module()[0]
    }

    fn says(&self, word: &str) -> bool {
        self.tokens.iter().any(|token| token == word)
    }

    /// Every path that leads to one of our top-level modules: its first two names.
    fn uses(&self) -> BTreeSet<(String, String)> {
        let mut uses = BTreeSet::new();
        for (at, token) in self.tokens.iter().enumerate() {
            let starts = at == 0 || self.tokens[at - 1] != "::";
            match token.as_str() {
                "crate" | "delivery_ledger" if starts => {
                    names_after(&self.tokens[at + 1..], &mut uses)
                }
                "super" if starts => {
                    let path = self.tokens[at..].chunks(2);
                    let supers = path.take_while(|two| two[0] == "super").count();
                    // As many as there are modules lead out to the root of the crate.
                    if supers >= self.module().len() {
                        names_after(&self.tokens[at + 2 * supers - 1..], &mut uses);
                    }
                }
                _ => {}
            }
        }
        uses.retain(|(name, _)| MAY_USE.iter().any(|(room, _)| room == name));
        uses
    }

    /// Reads of the environment: `env::var` and its kin.
    fn env_reads(&self) -> bool {
        let reads =
            |three: &[String]| three[0] == "env" && three[1] == "::" && three[2].starts_with("var");
        self.tokens.windows(3).any(reads)
    }

    fn has_sql(&self) -> bool {
        let verbs =
            ["SELECT ", "INSERT ", "UPDATE ", "DELETE FROM ", "CREATE ", "DROP ", "PRAGMA "];
        let is_sql = |literal: &String| {
            let literal = literal.trim_start();
            verbs.iter().any(|verb| literal.starts_with(verb))
        };
        self.literals.iter().any(is_sql)
    }
}

/// The first two names behind `::`, of each branch where there are braces.
fn names_after(tokens: &[String], uses: &mut BTreeSet<(String, String)>) {
    let name = |at: usize| tokens.get(at).cloned().unwrap_or_default();
    let second = |at: usize| if name(at) == "::" { name(at + 1) } else { String::new() };
    if name(0) != "::" {
        return;
    }
    if name(1) != "{" {
        uses.insert((name(1), second(2)));
        return;
    }
    let mut depth = 0;
    for (at, token) in tokens.iter().enumerate().skip(1) {
        match token.as_str() {
            "{" => depth += 1,
            "}" => depth -= 1,
            _ if depth == 1 && ["{", ","].contains(&&*name(at - 1)) => {
                uses.insert((token.clone(), second(at + 1)));
            }
            _ => {}
        }
        if depth == 0 {
            return;
        }
    }
}

/// Words and punctuation (`::` is one), and the texts of string literals; comments are left out.
fn tokens(text: &str) -> (Vec<String>, Vec<String>) {
    let (mut tokens, mut literals) = (Vec::new(), Vec::new());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let word = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        if rest.starts_with("//") {
            rest = rest.split_once('\n').map_or("", |(_, rest)| rest);
        } else if rest.starts_with("/*") {
            rest = rest.split_once("*/").map_or("", |(_, rest)| rest);
        } else if let Some((end, literal)) = string_literal(rest) {
            literals.push(literal);
            rest = &rest[end..];
        } else if rest.starts_with("'\"'") || rest.starts_with("'\\'") {
            rest = &rest[3..];
        } else if word > 0 {
            tokens.push(rest[..word].to_owned());
            rest = &rest[word..];
        } else {
            let length = if rest.starts_with("::") { 2 } else { first.len_utf8() };
            if !first.is_whitespace() {
                tokens.push(rest[..length].to_owned());
            }
            rest = &rest[length..];
        }
    }
    (tokens, literals)
}

/// Where a literal at the beginning ends, and what it says: `"…"`, `b"…"`, `r"…"`, `r#"…"#`.
fn string_literal(text: &str) -> Option<(usize, String)> {
    let unprefixed = text.strip_prefix('b').unwrap_or(text);
    if let Some(raw) = unprefixed.strip_prefix('r') {
        let hashes = raw.len() - raw.trim_start_matches('#').len();
        let inside = raw[hashes..].strip_prefix('"')?;
        let length = inside.find(&format!("\"{}", "#".repeat(hashes)))?;
        let end = text.len() - inside.len() + length + 1 + hashes;
        return Some((end, inside[..length].to_owned()));
    }
    let inside = unprefixed.strip_prefix('"')?;
    let mut escaped = false;
    let length = inside.find(|c| {
        let ends = c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
        ends
    })?;
    Some((text.len() - inside.len() + length + 1, inside[..length].to_owned()))
}

fn sources() -> Vec<Source> {
    fn gather(folder: &Path, root: &Path, sources: &mut Vec<Source>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                gather(&path, root, sources);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(root).unwrap().to_str().unwrap();
                sources.push(Source::new(name, &std::fs::read_to_string(&path).unwrap()));
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut sources = Vec::new();
    gather(&root.join("src"), root, &mut sources);
    assert!(sources.len() > 50, "where are the sources?");
    sources
}

/// Each use of a module that the table does not allow.
fn forbidden_uses(source: &Source) -> Vec<String> {
    let room = source.room();
    let allowed = MAY_USE.iter().find(|(name, _)| *name == room).map_or(&[][..], |(_, uses)| uses);
    let forbidden = |(name, part): &(String, String)| {
        let of_projection = room == "http"
            && name == "projection"
            && !HTTP_MAY_USE_OF_PROJECTION.contains(&part.as_str());
        of_projection || (name != room && !allowed.contains(&name.as_str()))
    };
    let uses = source.uses();
    let uses = uses.iter().filter(|used| forbidden(used));
    uses.map(|(name, part)| format!("{} uses {name}::{part}", source.path)).collect()
}

/// Each word that stands where it must not.
fn misplaced(source: &Source) -> Vec<String> {
    let mut found = Vec::new();
    for (words, places) in KEPT_TO {
        let at_home = places.iter().any(|place| source.path.starts_with(place));
        for word in words.iter().filter(|_| !at_home) {
            let says = if word.starts_with("var") { source.env_reads() } else { source.says(word) };
            if says {
                found.push(format!("{} says {word}", source.path));
            }
        }
    }
    if source.has_sql() && source.room() != "store" {
        found.push(format!("{} has SQL", source.path));
    }
    if source.room() == "domain" && source.tokens.iter().any(|token| token.starts_with("serde")) {
        found.push(format!("{} serialises", source.path));
    }
    if ["domain", "twilio"].contains(&source.room()) {
        let impure = IMPURE.iter().filter(|word| source.says(word));
        found.extend(impure.map(|word| format!("{} is not pure: {word}", source.path)));
    }
    if ["http", "projection"].contains(&source.room()) {
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
        .filter(|source| !["lib", "main"].contains(&source.room()))
        .flat_map(forbidden_uses)
        .collect();
    assert_eq!(found, [""; 0]);
}

#[test]
fn the_table_has_every_module_and_no_other() {
    let sources = sources();
    let lib = sources.iter().find(|source| source.path == "src/lib.rs").unwrap();
    let declared = lib.tokens.windows(2).filter(|two| two[0] == "mod").map(|two| two[1].as_str());
    let declared: BTreeSet<_> = declared.collect();
    assert_eq!(declared, MAY_USE.iter().map(|(name, _)| *name).collect());
    let rooms: BTreeSet<_> = sources.iter().map(Source::room).collect();
    assert_eq!(&rooms - &declared, ["lib", "main"].into(), "no file outside a room");
}

#[test]
fn what_belongs_to_one_room_stays_in_it() {
    let found: Vec<_> = sources().iter().flat_map(misplaced).collect();
    assert_eq!(found, [""; 0]);
}

#[test]
fn every_file_begins_with_what_lives_in_it() {
    for source in sources() {
        assert!(source.text.starts_with("//! "), "{}", source.path);
    }
}

#[test]
fn no_file_outgrows_its_idea() {
    for source in sources() {
        let lines = source.text.lines().count();
        assert!(lines <= LINES_MAX, "{} has {lines} lines", source.path);
    }
}

#[test]
fn the_reader_catches_what_is_forbidden() {
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
        one("src/http/messages.rs", "use crate::projection::{self, catch_up};"),
        "src/http/messages.rs uses projection::{"
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
fn the_reader_catches_what_stands_where_it_must_not() {
    for (path, text) in [
        ("src/projection/mod.rs", "use rusqlite::Connection;"),
        ("src/store/open.rs", "use rusqlite::Connection;"),
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

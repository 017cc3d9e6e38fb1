//! The OpenAPI document: a snapshot, served as it is printed, and a page that asks nobody else.

use serde_json::Value;

use crate::support::App;

const SNAPSHOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/openapi.json");

fn printed(app: &App) -> String {
    String::from_utf8(app.run(&["openapi"]).stdout).unwrap()
}

/// A change of the interface is a change of this file: `delivery-ledger openapi > tests/data/openapi.json`.
#[test]
fn the_document_equals_the_reviewed_snapshot() {
    let printed = printed(&App::start());
    let snapshot = std::fs::read_to_string(SNAPSHOT).unwrap();
    assert!(printed == snapshot, "the document is not tests/data/openapi.json any more");
    let document: Value = serde_json::from_str(&printed).unwrap();
    assert_eq!(document["openapi"], "3.1.0");
}

#[test]
fn the_served_document_equals_the_printed_one() {
    let app = App::start();
    let served = app.get("/openapi.json");
    assert_eq!(served.header("content-type"), Some("application/json"));
    assert_eq!(String::from_utf8(served.body).unwrap(), printed(&app));
}

#[test]
fn every_documented_path_exists_and_rejects_other_methods() {
    let app = App::start();
    let document: Value = serde_json::from_str(&printed(&app)).unwrap();
    let paths = document["paths"].as_object().unwrap();
    assert!(paths.len() > 8, "{paths:?}");
    for path in paths.keys() {
        let target = path.replace("{sid}", "SM1").replace("{position}", "1").replace("{job}", "1");
        let refused = crate::support::Request::new("PUT", &target).send(app.admin());
        let has = |method| paths[path].get(method).is_some();
        let allowed = match (has("get"), has("post"), has("delete")) {
            (true, true, _) => "GET, HEAD, POST",
            (true, _, true) => "GET, HEAD, DELETE",
            (false, true, _) => "POST",
            _ => "GET, HEAD",
        };
        assert_eq!((refused.code, refused.header("allow")), (405, Some(allowed)), "{path}");
    }
}

#[test]
fn the_page_loads_nothing_from_other_hosts() {
    let app = App::start();
    let leads = app.get("/docs");
    assert_eq!((leads.code, leads.header("location")), (308, Some("/docs/")));
    let page = app.get("/docs/");
    assert_eq!(page.code, 200);
    assert!(page.header("content-security-policy").unwrap().starts_with("default-src 'self'"));
    let html = String::from_utf8(page.body).unwrap();
    for attribute in ["src=\"http", "href=\"http", "src=\"//", "href=\"//"] {
        assert!(!html.contains(attribute), "{html}");
    }
    let script = String::from_utf8(app.get("/docs/swagger-initializer.js").body).unwrap();
    assert!(script.contains("/openapi.json"), "{script}");
    assert_eq!(app.get("/docs/swagger-ui-bundle.js").code, 200);
    assert_eq!(app.get("/docs/none.js").code, 404);
}

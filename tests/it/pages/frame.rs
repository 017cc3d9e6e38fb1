//! What all pages share: security headers, assets, the theme, the footer, and who is signed in.

use super::{html, visit};
use crate::support::{App, Request, delivered, sid};

fn with_one_message() -> App {
    let app = App::start();
    assert_eq!(app.receive(delivered(&sid(1))).code, 200);
    app.caught_up();
    app
}

#[test]
fn a_page_loads_nothing_from_elsewhere_and_is_not_cached() {
    let app = with_one_message();
    let page = visit(&app, "/messages");
    assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
    assert_eq!(
        page.header("content-security-policy"),
        Some(
            "default-src 'none'; style-src 'self'; img-src 'self'; script-src 'self'; \
             connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
        )
    );
    assert_eq!(page.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(page.header("referrer-policy"), Some("same-origin"));
    assert_eq!(page.header("cache-control"), Some("no-store"));
    let html = String::from_utf8(page.body).unwrap();
    for inline in ["<style", " style=", " onclick=", "<script>", "http://", "https://"] {
        assert!(!html.contains(inline), "{inline}: {html}");
    }
}

#[test]
fn nothing_in_any_response_is_executed() {
    let mut app = App::not_started(&[]);
    app.use_token_with_scope("read");
    app.restart();
    assert_eq!(app.receive(delivered(&sid(1))).code, 200);
    app.caught_up();
    let page =
        |method: &str, target: &str| Request::new(method, target).header("Accept", "text/html");
    for (request, code) in [
        (app.with_token(page("GET", "/v1/messages")), 200),
        (app.with_token(page("GET", "/v1/nosuch")), 404),
        (app.with_token(page("GET", "/nosuch")), 404),
        (app.with_token(page("PUT", "/messages")), 405),
        (app.with_token(Request::new("PUT", "/messages")), 405),
        (app.with_token(page("GET", "/messages?x=%3Cscript%3E")), 400),
        (page("GET", "/v1/messages"), 401),
        (page("GET", "/messages"), 303),
        (page("GET", "/messages").header("HX-Request", "true"), 401),
        (page("GET", "/healthz").header("Host", "ledger.example"), 200),
        (page("GET", "/messages").header("Host", "ledger.example"), 403),
        (page("POST", "/theme").header("Origin", "https://evil.example"), 403),
        (page("GET", "/openapi.json"), 200),
        (page("GET", "/docs"), 308),
        (page("GET", "/docs/"), 200),
    ] {
        let what = format!("{request:?}");
        let response = request.send(app.admin());
        assert_eq!(response.code, code, "{what}");
        let policy = response.header("content-security-policy").unwrap_or_default();
        assert!(policy.starts_with("default-src '"), "{what}: {policy}");
        assert_eq!(response.header("x-content-type-options"), Some("nosniff"), "{what}");
    }
}

#[test]
fn no_page_ignores_a_parameter() {
    let app = with_one_message();
    let message = format!("/messages/{}", sid(1));
    for page in [
        "/",
        "/messages",
        &message,
        "/errors",
        "/reports",
        "/live",
        "/ledger",
        "/exports",
        "/health",
    ] {
        for query in
            ["nosuch=1", "since=24h&since=7d", "limit=1&limit=2", "q=1&q=2&order=x", "%ff=1"]
        {
            let refused = visit(&app, &format!("{page}?{query}"));
            assert!(matches!(refused.code, 400 | 409), "{page}?{query}: {}", refused.code);
            assert_eq!(refused.header("content-type"), Some("text/html; charset=utf-8"), "{page}");
        }
    }
    assert_eq!(visit(&app, "/messages?q=1&q=2").code, 400);
}

#[test]
fn assets_are_kept_for_ever_because_their_names_change_with_their_content() {
    let app = App::start();
    let html = html(&app, "/");
    for (prefix, media_type) in [
        ("/assets/style.", "text/css"),
        ("/assets/icon.", "image/svg+xml"),
        ("/assets/htmx.", "text/javascript"),
        ("/assets/pages.", "text/javascript"),
    ] {
        let begin = html.find(prefix).unwrap_or_else(|| panic!("{prefix} in {html}"));
        let url = html[begin..].split('"').next().unwrap();
        let asset = app.get(url);
        assert_eq!((asset.code, asset.header("content-type")), (200, Some(media_type)), "{url}");
        let kept = Some("public, max-age=31536000, immutable");
        assert_eq!(asset.header("cache-control"), kept, "{url}");
    }
    assert_eq!(app.get("/assets/style.0000000000000000.css").code, 404);
}

#[test]
fn assets_need_no_token_and_pages_do() {
    let mut app = App::not_started(&[]);
    app.use_token_with_scope("read");
    app.restart();
    let html = html(&app, "/");
    let style = html[html.find("/assets/style.").unwrap()..].split('"').next().unwrap().to_owned();
    assert_eq!(Request::new("GET", &style).send(app.admin()).code, 200);
    assert_ne!(Request::new("GET", "/messages").send(app.admin()).code, 200);
}

#[test]
fn the_footer_says_what_the_page_is_as_of() {
    let app = with_one_message();
    let html = html(&app, "/messages");
    for said in ["As of position 1<", "Rule failure-terminal<", "All times UTC<"] {
        assert!(html.contains(said), "{said}: {html}");
    }
    let json = html.split("This page as JSON: <a href=\"").nth(1).unwrap();
    let json = json.split('"').next().unwrap().replace("&#38;", "&");
    assert_eq!(app.get(&json).json()["data"][0]["message_sid"], sid(1));
}

#[test]
fn the_menu_names_the_token_and_its_scope() {
    let mut app = App::not_started(&[]);
    app.use_token_with_scope("read:masked");
    app.restart();
    let html = html(&app, "/");
    assert!(html.contains("token <b>asking</b>, scope <code>read:masked</code>"), "{html}");
    let open = App::start();
    assert!(super::html(&open, "/").contains("No API token is configured"));
}

#[test]
fn the_theme_is_kept_in_a_cookie_and_returns_to_the_page() {
    let app = with_one_message();
    let html_before = html(&app, "/messages");
    let csrf = html_before.split("name=\"csrf_token\" value=\"").nth(1).unwrap();
    let csrf = csrf.split('"').next().unwrap();
    let set = |form: &str| app.ask(app.form("/theme").body(format!("{form}&csrf_token={csrf}")));
    let answer = set("theme=dark&return=%2Fmessages%3Fstatus%3Dsent");
    assert_eq!((answer.code, answer.header("location")), (303, Some("/messages?status=sent")));
    let cookie = answer.header("set-cookie").unwrap();
    assert!(cookie.starts_with("theme=dark; "), "{cookie}");
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"), "{cookie}");

    let with_cookie = Request::new("GET", "/messages").header("Cookie", "theme=dark");
    let page = String::from_utf8(app.ask(with_cookie).body).unwrap();
    assert!(page.contains("<html lang=\"en\" data-theme=\"dark\">"), "{page}");
    assert!(page.contains("<option selected>dark</option>"), "{page}");
    assert!(html(&app, "/messages").contains("<html lang=\"en\">"));

    assert_eq!(set("theme=pink&return=%2F").code, 400);
    assert_eq!(set("theme=dark&return=%2F%2Fevil.example").header("location"), Some("/"));
}

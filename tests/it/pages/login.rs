//! Sessions: login by API token, forms with a CSRF token, logout, and what a session may do.

use serde_json::Value;

use super::text;
use crate::support::{App, Request, Response, delivered, sid};

const READ: &str = "0123456789abcdef-read";
const MASKED: &str = "0123456789abcdef-masked";
const SEND: &str = "0123456789abcdef-send";

fn with_tokens() -> App {
    let mut app = App::not_started(&[]);
    for (name, token, scope) in
        [("read", READ, "read"), ("support", MASKED, "read:masked"), ("mailer", SEND, "send")]
    {
        app.configure(&format!(
            "[api_tokens.{name}]\ntoken_file = \"{name}\"\nscope = \"{scope}\"\n"
        ));
        std::fs::write(app.folder().join(name), token).unwrap();
    }
    app.restart();
    app
}

fn get(app: &App, target: &str, cookie: Option<&str>) -> Response {
    with_cookie(Request::new("GET", target).header("Accept", "text/html"), cookie).send(app.admin())
}

fn post(app: &App, target: &str, cookie: Option<&str>, form: &str) -> Response {
    with_cookie(app.form(target).header("Accept", "text/html"), cookie).body(form).send(app.admin())
}

fn with_cookie(request: Request, cookie: Option<&str>) -> Request {
    match cookie {
        Some(cookie) => request.header("Cookie", cookie),
        None => request,
    }
}

/// The CSRF token in the forms of a page.
#[track_caller]
fn csrf_token(page: &Response) -> String {
    let html = String::from_utf8_lossy(&page.body);
    let (_, rest) = html.split_once("name=\"csrf_token\" value=\"").expect("a form with a token");
    rest.split('"').next().unwrap().to_owned()
}

/// The cookie that a response sets, without its attributes.
#[track_caller]
fn cookie(response: &Response) -> String {
    let cookie = response.header("set-cookie").expect("a cookie");
    cookie.split(';').next().unwrap().to_owned()
}

fn try_login(app: &App, token: &str, next: &str) -> Response {
    let csrf = csrf_token(&get(app, "/login", None));
    post(app, "/login", None, &format!("token={token}&next={next}&csrf_token={csrf}"))
}

/// The cookie of a new session.
#[track_caller]
fn log_in(app: &App, token: &str) -> String {
    let response = try_login(app, token, "/");
    assert_eq!(response.code, 303, "{}", String::from_utf8_lossy(&response.body));
    cookie(&response)
}

fn main_text(response: &Response) -> String {
    text(&String::from_utf8_lossy(&response.body))
}

#[test]
fn a_page_without_a_session_leads_to_the_login_and_from_there_to_the_page() {
    let app = with_tokens();
    assert_eq!(app.receive(delivered(&sid(1))).code, 200);
    app.caught_up();
    let page = get(&app, "/messages?to=%2B15558675310", None);
    let login = "/login?next=%2Fmessages%3Fto%3D%252B15558675310";
    assert_eq!((page.code, page.header("location")), (303, Some(login)));

    let form = get(&app, login, None);
    assert_eq!(form.code, 200);
    assert!(main_text(&form).starts_with("Log in API token The one from"), "{}", main_text(&form));
    let html = String::from_utf8(form.body.clone()).unwrap();
    assert!(html.contains("name=\"next\" value=\"/messages?to=%2B15558675310\""), "{html}");
    assert!(!html.contains("<nav class=\"nav\""), "no navigation before the login");

    let fields = format!(
        "token={READ}&next=%2Fmessages%3Fto%3D%252B15558675310&csrf_token={}",
        csrf_token(&form)
    );
    let begun = post(&app, "/login", None, &fields);
    assert_eq!(begun.code, 303);
    assert_eq!(begun.header("location"), Some("/messages?to=%2B15558675310"));
    assert_eq!(begun.header("cache-control"), Some("no-store"));
    let page = get(&app, "/messages?to=%2B15558675310", Some(&cookie(&begun)));
    assert_eq!(page.code, 200);
    assert!(String::from_utf8_lossy(&page.body).contains("+15558675310"));
}

#[test]
fn the_cookie_is_for_this_site_and_not_for_scripts() {
    let app = with_tokens();
    let csrf = csrf_token(&get(&app, "/login", None));
    let form = format!("token={READ}&csrf_token={csrf}");
    let set = |origin: &str, host: &str| {
        let request = app.form("/login").header("Origin", origin).header("Host", host);
        let response = request.body(form.clone()).send(app.admin());
        response.header("set-cookie").unwrap().to_owned()
    };
    let plain = set("http://localhost:8081", "localhost:8081");
    let (value, attributes) = plain.split_once("; ").unwrap();
    let id = value.strip_prefix("delivery_ledger_session=").unwrap();
    assert_eq!(id.len(), 43, "256 random bits: {id}");
    assert_eq!(attributes, "HttpOnly; SameSite=Strict; Path=/; Max-Age=86400");
    let behind_tls = set("https://localhost:8081", "localhost:8081");
    assert!(behind_tls.contains("; Secure"), "{behind_tls}");
}

#[test]
fn every_login_gets_another_session_and_ends_the_earlier_one() {
    let app = with_tokens();
    let earlier = log_in(&app, READ);
    let csrf = csrf_token(&get(&app, "/login", None));
    let form = format!("token={READ}&csrf_token={csrf}");
    let later = cookie(&post(&app, "/login", Some(&earlier), &form));
    assert_ne!(later, earlier);
    assert_eq!(get(&app, "/messages", Some(&earlier)).code, 303);
    assert_eq!(get(&app, "/messages", Some(&later)).code, 200);
    // An id that a client has made up does not become a session's.
    let made_up = "delivery_ledger_session=made-up";
    let given = cookie(&post(&app, "/login", Some(made_up), &form));
    assert_ne!(given, made_up);
    assert_eq!(get(&app, "/messages", Some(made_up)).code, 303);
}

#[test]
fn a_failed_login_says_why() {
    let app = with_tokens();
    for (token, code, reason) in [
        ("0123456789abcdef-other", 403, "This token is not valid. It may be mistyped,"),
        ("", 403, "This token is not valid."),
        (SEND, 403, "This token may not read: its scope has neither read nor read:masked."),
    ] {
        let failed = try_login(&app, token, "/messages");
        assert_eq!((failed.code, failed.header("set-cookie")), (code, None), "{token}");
        let html = String::from_utf8(failed.body).unwrap();
        assert!(text(&html).contains(reason), "{html}");
        assert!(html.contains("name=\"next\" value=\"/messages\""), "{html}");
        assert!(!html.contains("0123456789abcdef"), "{html}");
    }
    let padded = try_login(&app, &format!("+{READ}%0D%0A"), "/");
    assert_eq!(padded.code, 303, "white space from a copied line");
}

#[test]
fn failed_logins_are_limited_as_requests_with_wrong_tokens_are() {
    let app = with_tokens();
    let csrf = csrf_token(&get(&app, "/login", None));
    let form = format!("token=0123456789abcdef-other&csrf_token={csrf}");
    let limited = (0..60).map(|_| post(&app, "/login", None, &form)).find(|r| r.code == 429);
    let limited = limited.expect("too many attempts");
    assert!(limited.header("retry-after").unwrap().parse::<u64>().unwrap() >= 1);
    assert!(main_text(&limited).contains("Too many attempts. Wait"), "{}", main_text(&limited));
    let form = format!("token={READ}&csrf_token={csrf}");
    assert_eq!(post(&app, "/login", None, &form).code, 303, "a valid token is always accepted");
}

#[test]
fn the_login_leads_only_to_pages_of_this_server() {
    let app = with_tokens();
    for next in ["https%3A%2F%2Fevil.example", "%2F%2Fevil.example", "%2F%5Cevil.example", ""] {
        let begun = try_login(&app, READ, next);
        assert_eq!((begun.code, begun.header("location")), (303, Some("/")), "{next}");
    }
}

#[test]
fn a_form_without_the_csrf_token_of_its_session_is_rejected() {
    let app = with_tokens();
    let public = csrf_token(&get(&app, "/login", None));
    let session = log_in(&app, READ);
    let others = csrf_token(&get(&app, "/messages", Some(&log_in(&app, READ))));
    let own = csrf_token(&get(&app, "/messages", Some(&session)));
    for wrong in ["", "csrf_token=", "csrf_token=x"] {
        let form = format!("token={READ}&{wrong}");
        let login = post(&app, "/login", None, &form);
        assert_eq!((login.code, login.header("set-cookie")), (403, None), "{wrong}");
        assert!(main_text(&login).contains("This form was out of date."), "{}", main_text(&login));
    }
    for wrong in ["", &*public, &*others] {
        let form = format!("theme=dark&return=%2F&csrf_token={wrong}");
        for (target, form) in [("/theme", &*form), ("/logout", &*format!("csrf_token={wrong}"))] {
            let rejected = post(&app, target, Some(&session), form);
            assert_eq!(rejected.code, 403, "{target} {wrong}");
            let said =
                "This form is not from a page of this session; reload the page and submit it";
            assert!(main_text(&rejected).contains(said), "{}", main_text(&rejected));
        }
    }
    let form = format!("theme=dark&return=%2F&csrf_token={own}");
    assert_eq!(post(&app, "/theme", Some(&session), &form).code, 303);
    assert_eq!(get(&app, "/messages", Some(&session)).code, 200, "still logged in");
}

#[test]
fn without_a_configured_token_forms_need_their_csrf_token_too() {
    let app = App::start();
    assert_eq!(post(&app, "/theme", None, "theme=dark&return=%2F").code, 403);
    let csrf = csrf_token(&get(&app, "/messages", None));
    let form = format!("theme=dark&return=%2F&csrf_token={csrf}");
    assert_eq!(post(&app, "/theme", None, &form).code, 303);
    let login = get(&app, "/login?next=%2Fmessages", None);
    assert_eq!((login.code, login.header("location")), (303, Some("/messages")));
}

#[test]
fn a_page_of_another_origin_can_change_nothing() {
    let app = with_tokens();
    let session = log_in(&app, READ);
    let own = csrf_token(&get(&app, "/messages", Some(&session)));
    for (name, value) in [
        ("Origin", "https://evil.example"),
        ("Origin", "null"),
        ("Sec-Fetch-Site", "cross-site"),
        ("Sec-Fetch-Site", "same-site"),
    ] {
        let request = app.form("/logout").header("Cookie", &session).header(name, value);
        let rejected = request.body(format!("csrf_token={own}")).send(app.admin());
        assert_eq!(rejected.code, 403, "{name}: {value}");
    }
    assert_eq!(get(&app, "/messages", Some(&session)).code, 200);
}

#[test]
fn logging_out_ends_the_session_and_deletes_the_cookie() {
    let app = with_tokens();
    let session = log_in(&app, READ);
    let page = get(&app, "/messages", Some(&session));
    let out = post(&app, "/logout", Some(&session), &format!("csrf_token={}", csrf_token(&page)));
    assert_eq!((out.code, out.header("location")), (303, Some("/login")));
    assert!(out.header("set-cookie").unwrap().contains("Max-Age=0"), "{}", out.head);
    assert_eq!(get(&app, "/messages", Some(&session)).code, 303);
    let login = get(&app, "/login", Some(&session));
    assert!(main_text(&login).contains("Your session has ended."), "{}", main_text(&login));
}

#[test]
fn a_session_ends_with_its_token_and_has_its_scope() {
    let mut app = with_tokens();
    assert_eq!(app.receive(delivered(&sid(1))).code, 200);
    app.caught_up();
    let session = log_in(&app, READ);
    let support = log_in(&app, MASKED);
    let shown = |cookie: &str| {
        let page = get(&app, "/messages", Some(cookie));
        assert_eq!(page.code, 200);
        String::from_utf8(page.body).unwrap()
    };
    assert!(shown(&session).contains("+15558675310"));
    assert!(!shown(&support).contains("8675310") && shown(&support).contains("5310"));

    std::fs::write(app.folder().join("read"), "0123456789abcdef-replaced").unwrap();
    app.signal(rustix::process::Signal::HUP);
    app.eventually("the session has ended", || get(&app, "/messages", Some(&session)).code == 303);
    assert_eq!(get(&app, "/messages", Some(&support)).code, 200);

    app.stop();
    app.restart();
    assert_eq!(get(&app, "/messages", Some(&support)).code, 303, "sessions are kept in memory");
}

#[test]
fn below_v1_a_session_reads_and_does_not_change_anything() {
    let app = with_tokens();
    let session = log_in(&app, READ);
    assert_eq!(get(&app, "/v1/events", Some(&session)).code, 200);
    let send = Request::new("POST", "/v1/messages").header("Content-Type", "application/json");
    let answer = with_cookie(send, Some(&session)).body("{}").send(app.admin());
    assert_eq!(answer.code, 401);
    assert_eq!(get(&app, "/v1/events", None).code, 401, "for programs it stays an error");
    assert_eq!(get(&app, "/v1/events", Some("delivery_ledger_session=x")).code, 401);
}

#[test]
fn a_link_on_another_site_leads_to_the_page_although_the_browser_leaves_out_the_cookie() {
    let app = with_tokens();
    let target = format!("/messages/{}", sid(1));
    let followed = Request::new("GET", &target).header("Sec-Fetch-Site", "cross-site");
    let detour = followed.send(app.admin());
    let login = format!("/login?next=%2Fmessages%2F{}", sid(1));
    assert_eq!((detour.code, detour.header("refresh")), (200, Some(&*format!("0; url={login}"))));
    let session = log_in(&app, READ);
    let on = get(&app, &login, Some(&session));
    assert_eq!((on.code, on.header("location")), (303, Some(&*target)));
}

#[test]
fn a_part_of_a_page_without_a_session_reloads_the_page() {
    let app = with_tokens();
    let part = Request::new("GET", "/messages").header("HX-Request", "true").send(app.admin());
    assert_eq!((part.code, part.header("hx-refresh")), (401, Some("true")));
}

#[test]
fn logins_leave_access_records_and_never_the_token() {
    let app = with_tokens();
    log_in(&app, READ);
    try_login(&app, "0123456789abcdef-other", "/");
    let file = app.folder().join("ledger.access.jsonl");
    let read = || std::fs::read_to_string(&file).unwrap_or_default();
    app.eventually("both are recorded", || read().lines().count() >= 2);
    let records: Vec<Value> =
        read().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let said = |record: &Value| {
        let member = |name: &str| record[name].clone();
        (member("token"), member("method"), member("route"), member("status_code"))
    };
    assert_eq!(said(&records[0]), ("read".into(), "POST".into(), "/login".into(), 303.into()));
    assert_eq!(said(&records[1]), (Value::Null, "POST".into(), "/login".into(), 403.into()));
    assert!(!read().contains("0123456789abcdef"), "{}", read());
}

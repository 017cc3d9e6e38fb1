//! API tokens: access, masking, and what caches may store.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;

use serde_json::json;

use crate::support::{ACCOUNT, App, Request, Response, delivered, sent, sid};

const SINGLE: &str = "0123456789abcdef-single";
const SUPPORT: &str = "0123456789abcdef-support";
const AUDIT: &str = "0123456789abcdef-audit";

// Tokens.

#[test]
fn any_configured_token_grants_access() {
    let app = with_tokens();
    for token in [SINGLE, SUPPORT, AUDIT] {
        assert_eq!(get(&app, token, "/v1/events").code, 200, "{token}");
    }
    assert_eq!(get(&app, "0123456789abcdef-other", "/v1/events").code, 401);
    assert_eq!(app.get("/v1/events").code, 401);

    let stderr = app.stderr();
    assert!(stderr.contains("API token support: read:masked"), "{stderr}");
    assert!(stderr.contains("API token audit: read"), "{stderr}");
    assert!(stderr.contains("API token DELIVERY_LEDGER_API_TOKEN: read"), "{stderr}");
    assert!(!stderr.contains("0123456789abcdef-"), "{stderr}");
}

#[test]
fn a_single_named_token_makes_the_api_require_a_token() {
    let mut app = App::not_started(&[]);
    app.configure("[api_tokens.support]\ntoken_file = \"support\"\nscope = \"read\"\n");
    std::fs::write(app.folder().join("support"), SUPPORT).unwrap();
    app.restart();
    assert_eq!(app.get("/v1/events").code, 401);
    assert_eq!(get(&app, SUPPORT, "/v1/events").code, 200);
}

#[test]
fn invalid_token_settings_stop_the_server_at_startup() {
    let section = "[api_tokens.support]\ntoken_file = \"support\"\nscope = \"read\"\n";
    for (environment, section, file, expected) in [
        (
            "",
            section,
            "0123456789abcde",
            "api_tokens.support.token_file: the API token has 15 characters",
        ),
        ("", section, "", "api_tokens.support.token_file"),
        (
            SINGLE,
            section,
            SINGLE,
            "the API tokens DELIVERY_LEDGER_API_TOKEN and support are the same",
        ),
        (
            "",
            &section.replace("read\"", "write\""),
            SUPPORT,
            "api_tokens.support.scope: `write` is none of read, read:masked, find, send, operate",
        ),
        ("", &format!("{section}tokn = 1\n"), SUPPORT, "unknown field `tokn`"),
        ("", &section.replace("scope = \"read\"\n", ""), SUPPORT, "missing field `scope`"),
        ("", &format!("{section}token = \"x\"\n"), SUPPORT, "unknown field `token`"),
    ] {
        let app = App::not_started(&[("DELIVERY_LEDGER_API_TOKEN", environment)]);
        app.configure(section);
        std::fs::write(app.folder().join("support"), file).unwrap();
        let output =
            app.run(&["serve", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{stderr}");
        assert!(stderr.contains(expected), "{expected}: {stderr}");
        assert!(!stderr.contains("0123456789abc"), "{stderr}");
    }
}

#[test]
fn attempts_with_a_wrong_token_are_rate_limited_and_valid_tokens_are_not() {
    let app = with_tokens();
    let codes: Vec<u16> = (0..60).map(|_| get(&app, "not the token", "/v1/events").code).collect();
    assert!(codes[..30].iter().all(|code| *code == 401), "{codes:?}");
    let refused = codes.iter().filter(|code| **code == 429).count();
    assert!(refused > 20, "{codes:?}");

    let answer = loop {
        let answer = app.get("/v1/events"); // a request without a token counts as a failed attempt
        if answer.code == 429 {
            break answer;
        }
    };
    assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    assert_eq!(answer.json()["title"], "Too Many Requests");
    assert!(answer.header("retry-after").unwrap().parse::<u64>().unwrap() >= 1);
    // Otherwise one failing client would lock out every client behind the same proxy.
    assert_eq!(get(&app, AUDIT, "/v1/events").code, 200);
    assert_eq!(app.get("/readyz").code, 200);
}

// Caching.

#[test]
fn responses_with_personal_data_are_not_cacheable() {
    let app = App::start();
    assert_eq!(app.receive(delivered(&sid(1))).code, 200);
    let message = format!("/v1/messages/{}", sid(1));
    for path in [&*message, "/v1/events", "/v1/events/1", "/v1/events/1/body", "/v1/messages/SM9"] {
        assert_eq!(app.get(path).header("cache-control"), Some("no-store"), "{path}");
    }
}

#[test]
fn a_matching_if_none_match_gets_304() {
    let app = App::start();
    assert_eq!(app.receive(sent(&sid(1))).code, 200);
    let path = format!("/v1/messages/{}", sid(1));
    let ask =
        |tags: &str| Request::new("GET", &path).header("If-None-Match", tags).send(app.admin());
    let first = app.get(&path);
    let tag = first.header("etag").unwrap().to_owned();
    assert!(tag.starts_with('"') && tag.ends_with('"'), "a strong tag: {tag}");

    for tags in [&*tag, &format!("W/{tag}"), &format!("\"x\", {tag}"), "*"] {
        let known = ask(tags);
        assert_eq!((known.code, known.body.len()), (304, 0), "{tags}");
        assert_eq!(known.header("etag"), Some(&*tag));
        assert_eq!(known.header("cache-control"), Some("no-store"));
    }
    assert_eq!(ask("\"x\"").code, 200);
    assert_eq!(ask("nonsense").code, 200);
    // The same bytes have the same tag.
    assert_eq!(app.get(&path).header("etag"), Some(&*tag));

    assert_eq!(app.receive(delivered(&sid(1))).code, 200);
    let changed = ask(&tag);
    assert_eq!(changed.code, 200);
    assert_ne!(changed.header("etag"), Some(&*tag));
    let pinned = format!("{path}?as_of_position=1");
    assert_eq!(app.get(&pinned).header("etag"), Some(&*tag), "as it was then");
}

// Masking.

#[test]
fn a_masked_token_never_sees_an_address() {
    let app = with_tokens();
    let body = delivered(&sid(1))
        .with("WaId", "15558675310")
        .with("ProfileName", "Jane Doe")
        .with("Note", "call (555) 867-5310 or +1 501 725 0604")
        .with("Other", "whatsapp:+4915112345678");
    let target = "/message-status?to=%2B15558675310&order=17";
    assert_eq!(app.receive_at(target, body).code, 200);
    let message_path = format!("/v1/messages/{}", sid(1));
    let text = |answer: Response| String::from_utf8(answer.body).unwrap();

    for path in [&*message_path, "/v1/events", "/v1/events/1"] {
        let masked = text(get(&app, SUPPORT, path));
        for hidden in
            ["555867", "8675310", "867-5310", "501725", "725 0604", "1511234", "Jane", "Doe"]
        {
            assert!(!masked.contains(hidden), "{path} shows {hidden}: {masked}");
        }
        assert!(masked.contains("*5310") && masked.contains("*0604"), "{masked}");
        // Everything else is unchanged.
        for shown in [&*sid(1), ACCOUNT, "RawDlrDoneDate=2511160837", "ApiVersion=2010-04-01"] {
            assert!(masked.contains(shown), "{path} hides {shown}: {masked}");
        }
        let open = text(get(&app, AUDIT, path));
        assert!(open.contains("%2B15558675310") && open.contains("Jane"), "{open}");
        assert_eq!(open.len(), text(get(&app, SINGLE, path)).len());
    }

    let message = get(&app, SUPPORT, &message_path).json();
    assert_eq!(
        (&message["to"], &message["from"]),
        (&json!("+*******5310"), &json!("+*******0604"))
    );
    assert_eq!(message["raw_dlr_done_date"], "2511160837");
    app.caught_up();
    let listed = get(&app, SUPPORT, "/v1/messages").json();
    assert_eq!(listed["data"][0]["to"], "+*******5310");
    let event = get(&app, SUPPORT, "/v1/events/1").json();
    assert_eq!(event["url"], app.url("/message-status?to=%2B*******5310&order=17"));
    assert_eq!(event["message_sid"], sid(1));
}

#[test]
fn a_masked_token_cannot_read_raw_bodies() {
    let app = with_tokens();
    assert_eq!(app.receive(delivered(&sid(1))).code, 200);
    let refused = get(&app, SUPPORT, "/v1/events/1/body");
    assert_eq!(refused.code, 403);
    assert_eq!(
        refused.json()["detail"],
        "this token shows addresses masked (read:masked), and this answer would tell them"
    );
    assert_eq!(get(&app, AUDIT, "/v1/events/1/body").code, 200);
}

#[test]
fn a_masked_token_may_filter_only_by_the_last_four_digits() {
    let app = with_tokens();
    for path in ["/v1/messages?to=%2B15558675310", "/v1/exports/messages?from=*75310"] {
        let refused = get(&app, SUPPORT, path);
        assert_eq!(refused.code, 403, "{path}");
        assert_eq!(
            refused.json()["detail"],
            "this token shows addresses masked (read:masked), and this answer would tell one; \
             ask by `*` and the last four digits, such as `*5310`"
        );
    }
    assert_eq!(get(&app, SUPPORT, "/v1/messages?to=*5310").code, 200);
}

#[test]
fn the_links_of_a_masked_message_lead_only_to_what_its_token_may_see() {
    let app = with_tokens();
    assert_eq!(app.receive(delivered(&sid(1))).code, 200);
    let message = get(&app, SUPPORT, &format!("/v1/messages/{}", sid(1))).json();
    for link in [&message["links"]["self"], &message["links"]["events"]] {
        assert_eq!(get(&app, SUPPORT, link.as_str().unwrap()).code, 200, "{link}");
    }
    assert_eq!(message["timeline"][0]["links"], json!({ "event": "/v1/events/1" }));
}

#[test]
fn masked_responses_have_their_own_etag() {
    let app = with_tokens();
    assert_eq!(app.receive(delivered(&sid(1))).code, 200);
    let path = format!("/v1/messages/{}", sid(1));
    let (masked, open) = (get(&app, SUPPORT, &path), get(&app, AUDIT, &path));
    assert_ne!(masked.header("etag"), open.header("etag"));
}

#[test]
fn the_event_stream_is_masked() {
    let app = with_tokens();
    assert_eq!(app.receive(delivered(&sid(1))).code, 200);
    let request = Request::new("GET", "/v1/events/stream?after=0");
    let request = request.header("Authorization", &format!("Bearer {SUPPORT}"));
    let mut stream = TcpStream::connect(app.admin()).unwrap();
    stream.write_all(&request.bytes(app.admin())).unwrap();

    let lines = BufReader::new(stream).lines().map(Result::unwrap);
    let event = lines.into_iter().find(|line| line.starts_with("data: ")).unwrap();

    assert!(event.contains("To=%2B*******5310") && !event.contains("8675310"), "{event}");
}

/// A server with the token of the environment variable and two named tokens.
fn with_tokens() -> App {
    let mut app = App::not_started(&[("DELIVERY_LEDGER_API_TOKEN", SINGLE)]);
    app.configure(
        "[api_tokens.support]\ntoken_file = \"support\"\nscope = \"read:masked\"\n\
         [api_tokens.audit]\ntoken_file = \"audit\"\nscope = \"read\"\n",
    );
    std::fs::write(app.folder().join("support"), format!("{SUPPORT}\n")).unwrap();
    std::fs::write(app.folder().join("audit"), AUDIT).unwrap();
    app.restart();
    app
}

fn get(app: &App, token: &str, path: &str) -> Response {
    let request = Request::new("GET", path).header("Authorization", &format!("Bearer {token}"));
    request.send(app.admin())
}

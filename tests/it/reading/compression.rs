//! Compression on the admin listener: the same content for everybody, and nothing delayed by it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use delivery_ledger::store::{self, Access, Database};
use flate2::read::GzDecoder;

use crate::support::events::event;
use crate::support::{App, Request, Response, delivered, sent, sid};

/// A server with enough events that everything but single ones is worth compressing.
fn app() -> App {
    let app = App::start();
    for number in 1..=20 {
        assert_eq!(app.receive(sent(&sid(number))).code, 200);
        assert_eq!(app.receive(delivered(&sid(number))).code, 200);
    }
    app.caught_up();
    app
}

fn accepting(app: &App, encodings: &str, target: &str) -> Response {
    Request::new("GET", target).header("Accept-Encoding", encodings).send(app.admin())
}

fn unpacked(answer: &Response) -> Vec<u8> {
    let mut plain = Vec::new();
    match answer.header("content-encoding") {
        Some("gzip") => GzDecoder::new(&*answer.body).read_to_end(&mut plain).unwrap(),
        Some("zstd") => {
            zstd::stream::Decoder::new(&*answer.body).unwrap().read_to_end(&mut plain).unwrap()
        }
        other => panic!("Content-Encoding {other:?}"),
    };
    plain
}

#[test]
fn a_compressed_response_has_the_same_content_in_fewer_bytes() {
    let app = app();
    let message = format!("/v1/messages/{}", sid(1));
    for target in [
        &*message,
        "/v1/messages",
        "/v1/events",
        "/v1/exports/events",
        "/v1/exports/events?format=csv",
        "/v1/exports/messages",
        "/v1/reports/delivery?by=day",
        "/openapi.json",
        "/docs/swagger-ui.css",
    ] {
        let plain = app.get(target);
        assert_eq!(plain.header("content-encoding"), None, "{target}");
        assert_eq!(plain.header("vary"), Some("accept-encoding"), "{target}");
        for encoding in ["gzip", "zstd"] {
            let packed = accepting(&app, encoding, target);
            assert_eq!(packed.code, 200, "{target}");
            assert_eq!(packed.header("content-encoding"), Some(encoding), "{target}");
            assert_eq!(packed.header("vary"), Some("accept-encoding"), "{target}");
            assert_eq!(packed.header("content-length"), None, "{target}");
            for same in ["content-type", "content-disposition", "cache-control"] {
                assert_eq!(packed.header(same), plain.header(same), "{target}");
            }
            assert!(packed.body.len() < plain.body.len() / 2, "{target}");
            assert!(unpacked(&packed) == plain.body, "{target}");
        }
    }
}

#[test]
fn the_client_chooses_the_encoding() {
    let app = app();
    for (accepted, expected) in [
        ("gzip, deflate, br, zstd", Some("zstd")),
        ("gzip;q=1.0, zstd;q=0.5", Some("gzip")),
        ("br", None),
        ("deflate", None),
        ("identity", None),
        ("gzip;q=0", None),
        ("", None),
        ("*", None),
        // Nothing that is accepted can be made, so the header counts as missing (RFC 9110, 12.4.1).
        ("br, identity;q=0", None),
        ("nonsense;;q=x", None),
    ] {
        let answer = accepting(&app, accepted, "/v1/events");
        assert_eq!((answer.code, answer.header("content-encoding")), (200, expected), "{accepted}");
    }
}

#[test]
fn what_is_packed_already_or_small_is_sent_as_it_is() {
    let app = app();
    for target in
        ["/v1/exports/messages?format=parquet", "/v1/events/1/body", "/v1/events/99", "/readyz"]
    {
        let answer = accepting(&app, "gzip, zstd", target);
        assert_eq!(answer.header("content-encoding"), None, "{target}");
        let plain = app.get(target);
        assert_eq!(answer.header("content-length"), plain.header("content-length"), "{target}");
    }
    let request = Request::new("GET", "/healthz").header("Accept-Encoding", "gzip");
    assert_eq!(request.send(app.callbacks()).header("vary"), None, "not for Twilio");
}

#[test]
fn the_tag_of_a_compressed_message_is_a_weak_one() {
    let app = app();
    let target = format!("/v1/messages/{}", sid(1));
    let strong = app.get(&target).header("etag").unwrap().to_owned();
    let packed = accepting(&app, "gzip", &target);
    let weak = packed.header("etag").unwrap();
    assert_eq!(weak, format!("W/{strong}"));

    for tag in [weak, &*strong] {
        let request = Request::new("GET", &target).header("Accept-Encoding", "gzip");
        let known = request.header("If-None-Match", tag).send(app.admin());
        assert_eq!((known.code, known.body.len()), (304, 0), "{tag}");
        assert_eq!((known.header("etag"), known.header("content-encoding")), (Some(weak), None));
        assert_eq!(known.header("vary"), Some("accept-encoding"));
    }
}

/// Waits until the server has used no processor time in ten successive looks: all that it could compress
/// and send before the client reads, it has.
fn wait_until_idle(app: &App) {
    let (mut before, mut unchanged) = (app.processor_ticks(), 0);
    app.eventually("the server is idle", || {
        let now = app.processor_ticks();
        unchanged = if now == before { unchanged + 1 } else { 0 };
        before = now;
        unchanged == 10
    });
}

#[test]
fn a_compressed_export_takes_little_memory_however_slow_its_reader_is() {
    const EVENTS: u32 = 500;
    const LONG: usize = 48_000;
    let mut app = App::not_started(&[]);
    let log = store::open(&Database::Sqlite(app.log_file()), Access::Create).unwrap();
    // Digits at random, of which gzip leaves almost a half.
    let digits = || (0..LONG).map(|_| fastrand::digit(10)).collect::<String>();
    let events = (0..EVENTS).map(|number| event(sent(&sid(number)).with("Body", &digits())));
    log.append(&events.collect::<Vec<_>>()).unwrap();
    drop(log);
    app.restart();
    app.caught_up();
    let before = app.peak_memory_kib();
    let request = Request::new("GET", "/v1/exports/events").header("Accept-Encoding", "gzip");
    let mut stream = TcpStream::connect(app.admin()).unwrap();
    stream.write_all(&request.bytes(app.admin())).unwrap();

    assert_eq!(stream.peek(&mut [0]).unwrap(), 1, "the response has begun");
    wait_until_idle(&app);
    let grown = app.peak_memory_kib() - before;
    let exported = unpacked(&Response::read(&mut stream));

    assert!(exported.len() > EVENTS as usize * LONG);
    assert!(exported == app.get("/v1/exports/events").body);
    assert!(grown < 12 << 10, "{grown} KiB");
}

#[test]
fn an_event_of_the_stream_leaves_at_once() {
    let app = App::start();
    let request = Request::new("GET", "/v1/events/stream").header("Accept-Encoding", "gzip, zstd");
    let mut stream = TcpStream::connect(app.admin()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    stream.write_all(&request.bytes(app.admin())).unwrap();
    let mut lines = BufReader::new(stream).lines().map(Result::unwrap);
    let head: Vec<_> = lines.by_ref().take_while(|line| !line.is_empty()).collect();
    assert!(head[0].contains("200"), "{head:?}");
    assert!(!head.concat().contains("gzip") && !head.concat().contains("zstd"), "{head:?}");

    assert_eq!(app.receive(sent(&sid(1))).code, 200);

    assert!(lines.any(|line| line.starts_with("data: ") && line.contains(&sid(1))));
}

//! Hostile bytes: no panic, no unbounded growth, no acceptance without a valid signature, and whatever is
//! accepted is exported unchanged.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use delivery_ledger::domain::BodyKind;
use delivery_ledger::domain::event::Headers;
use delivery_ledger::domain::event::filter::EventFilter;
use delivery_ledger::domain::{AccountSid, NewEvent, Source};
use delivery_ledger::export::{ExportRequest, ExportView, FileFormat, Selection};
use delivery_ledger::twilio::accounts::{AccountKeys, Accounts, SharedKey, Token};
use delivery_ledger::twilio::callback::{ParsedBody, ParsedCallback};
use delivery_ledger::twilio::form::Form;
use delivery_ledger::twilio::signature::{Signed, Verdict, verify};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use rustix::time::{ClockId, clock_gettime};
use serde_json::Value;

use crate::support::events::event;
use crate::support::ledger::Ledger;
use crate::support::{ACCOUNT, App, SHARED_KEY, TOKEN, delivered, sid, signature};

/// Random combinations of the pieces that bodies consist of.
pub fn hostile_bytes() -> impl Strategy<Value = Vec<u8>> {
    let words: Vec<&[u8]> = vec![
        b"MessageSid",
        b"SmsSid",
        b"MessageStatus",
        b"SmsStatus",
        b"AccountSid",
        b"ErrorCode",
        b"To",
        b"From",
        b"EventType",
        b"RawDlrDoneDate",
        b"ChannelPrefix",
        b"SM0123456789abcdef0123456789abcdef",
        ACCOUNT.as_bytes(),
        b"delivered",
        b"failed",
        b"READ",
        b"whatsapp:+1",
        b"999999999999999999999",
        b"=",
        b"&",
        b"%",
        b"+",
        b"%4",
        b"%00",
        b"%ff%fe",
        b"%C3%28",
        b"%zz",
        b"&&",
        b"==",
        b"\r\n",
        b"\0",
        b"{",
        b"}",
        b"[",
        b"]",
        b"\"",
        b":",
        b",",
        b"\\u0000",
        b"\\ud800",
        b"null",
        b"1e999",
        b"-0",
        b"{\"message_sid\":\"",
        b"{\"AccountSid\":",
        b"\xef\xbb\xbf",
        b"\xff",
        b"\xc3\x28",
        "\u{202e}".as_bytes(),
    ];
    let piece = prop_oneof![
        6 => select(words).prop_map(<[u8]>::to_vec),
        1 => vec(any::<u8>(), 0..12),
        1 => (select(&b"&=%+a[{\" "[..]), 1..400_usize).prop_map(|(byte, times)| vec![byte; times]),
    ];
    vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

/// An event with hostile bytes in all of its parts.
pub fn hostile_event() -> impl Strategy<Value = NewEvent> {
    let media_type = select(vec![
        "",
        "application/x-www-form-urlencoded",
        "application/json",
        "APPLICATION/JSON ; x",
        "a/b+json",
        "text/plain",
        ";",
        "\u{fffd}",
    ]);
    let name = select(vec![
        "x-twilio-signature",
        "i-twilio-idempotency-token",
        "content-type",
        "x-twilio-\u{fc}",
        "",
    ]);
    let headers = vec((name, vec(any::<u8>(), 0..60)), 0..6);
    let parts =
        (hostile_bytes(), media_type, headers, select(&Source::ALL[..]), "[^?]{0,40}", ".{0,40}");
    parts.prop_map(|(body, media_type, headers, source, url, query)| {
        let headers = headers.into_iter().map(|(name, value)| (name.to_owned(), value));
        let stated =
            (!media_type.is_empty()).then(|| ("content-type".to_owned(), media_type.into()));
        let headers = Headers::new(stated.into_iter().chain(headers));
        NewEvent { headers, source, url: format!("{url}?{query}"), ..event(body) }
    })
}

fn accounts() -> Accounts {
    let shared = [("webhooks_sharedkey_01".to_owned(), SharedKey::new(SHARED_KEY))].into();
    let keys = AccountKeys {
        primary: Token::new(TOKEN),
        secondary: None,
        further: Default::default(),
        shared,
    };
    Accounts::new([(AccountSid::parse(ACCOUNT).unwrap(), keys)])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 800, failure_persistence: None, ..Default::default() })]

    #[test]
    fn values_are_decoded_as_in_the_url_standard(value in "[%+aA4F0 é]{0,12}") {
        let body = format!("Body={value}");
        let theirs = form_urlencoded::parse(body.as_bytes()).next().unwrap().1.into_owned();
        let form = Form::parse(body.as_bytes());
        let ours = String::from_utf8_lossy(form.values("Body").next().unwrap()).into_owned();
        prop_assert_eq!(ours, theirs);
    }

    #[test]
    fn any_bytes_parse_as_a_form_of_at_most_their_size(body in hostile_bytes()) {
        let form = Form::parse(&body);
        prop_assert!(form.signed_text().len() <= body.len());
        for name in ["MessageSid", "", "%"] {
            prop_assert!(form.values(name).map(<[u8]>::len).sum::<usize>() <= body.len());
        }
    }

    #[test]
    fn parsing_any_event_yields_only_parts_of_its_body(event in hostile_event()) {
        let reading = ParsedCallback::parse(&event);
        // Invalid UTF-8 is shown as a replacement character of three bytes.
        let longest = 3 * event.body.len() + 3;
        let account_sid = reading.account_sid.as_ref().map(ToString::to_string);
        let message_sid = reading.message_sid.as_ref().map(ToString::to_string);
        for sid in [account_sid, message_sid].into_iter().flatten() {
            prop_assert!(!sid.is_empty() && sid.len() <= longest, "{sid}");
        }
        let Some(reported) = reading.reported else { return Ok(()) };
        let addressed = reported.addressed;
        let texts = [addressed.from, addressed.to, addressed.messaging_service_sid, reported.unrecognised];
        for text in texts.into_iter().flatten().chain([addressed.channel]) {
            prop_assert!(text.len() <= longest.max("messenger".len()), "{text}");
        }
        prop_assert!(reported.error_code.is_none_or(|code| (0..=999_999_999).contains(&code.number())));
    }

    #[test]
    fn only_the_correct_signature_is_accepted(
        body in hostile_bytes(),
        url in "https://[a-z]{1,8}/[ -~]{0,40}",
        bytes in prop_oneof![vec(any::<u8>(), 0..64), "[A-Za-z0-9+/]{27}=".prop_map(String::into_bytes)],
        settings in prop_oneof![
            Just(None),
            vec(any::<u8>(), 0..40).prop_map(Some),
            "(key|algorithm|=|,|HMAC_SHA256|webhooks_sharedkey_01| ){0,9}".prop_map(|text| Some(text.into_bytes())),
        ],
        kind in select(vec![BodyKind::Form, BodyKind::Json]),
    ) {
        let (urls, accounts) = ([url.clone()], accounts());
        let parsed = ParsedBody::parse(kind, &body);
        let signed = Signed { urls: &urls, body: &parsed, signature: &bytes, settings: settings.as_deref() };
        let verdict = verify(&signed, &accounts);
        prop_assert!(matches!(verdict, Verdict::Invalid(_)), "{verdict:?}");

        // The correct signature is accepted for any body, unless the body names other accounts.
        let right = signature(TOKEN, &url, &body);
        let parsed = ParsedBody::parse(BodyKind::Form, &body);
        let signed = Signed { body: &parsed, signature: right.as_bytes(), settings: None, ..signed };
        let others = Form::parse(&body).values("AccountSid").any(|value| value != ACCOUNT.as_bytes());
        let verdict = verify(&signed, &accounts);
        prop_assert!(others || matches!(verdict, Verdict::Valid { .. }), "{verdict:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..Default::default() })]

    #[test]
    fn any_event_is_exported_as_one_json_line_with_every_byte(
        events in vec(hostile_event(), 1..20),
    ) {
        let ledger = Ledger::new();
        ledger.append(&events);
        let mut exported = Vec::new();
        let request = ExportRequest {
            selection: Selection::Events(EventFilter::default()),
            format: FileFormat::Ndjson,
            view: ExportView { pin: events.len() as u64, masked: false },
            tag_columns: Vec::new(),
        };
        request.write(&*ledger.open(), &Default::default(), &mut exported, &mut ()).unwrap();
        let lines: Vec<_> = exported.split_inclusive(|byte| *byte == b'\n').collect();
        prop_assert_eq!(lines.len(), events.len());
        for (line, event) in lines.into_iter().zip(&events) {
            let line: Value = serde_json::from_slice(line).unwrap();
            prop_assert_eq!(bytes(&line["body"], &line["body_base64"]), event.body.clone());
            prop_assert_eq!(line["url"].as_str(), Some(&*event.url));
            let headers = line["headers"].as_array().unwrap().iter();
            let headers = headers.map(|header| (text(&header[0]), bytes(&header[1], &header[1]["base64"])));
            let kept = event.headers.iter().map(|(name, value)| (name.to_owned(), value.to_vec()));
            prop_assert_eq!(headers.collect::<Vec<_>>(), kept.collect::<Vec<_>>());
        }
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

fn bytes(text: &Value, base64: &Value) -> Vec<u8> {
    match text.as_str() {
        Some(text) => text.as_bytes().to_vec(),
        None => STANDARD.decode(base64.as_str().unwrap()).unwrap(),
    }
}

/// The CPU time of this thread, in seconds.
fn cpu_seconds() -> f64 {
    let cpu_seconds = clock_gettime(ClockId::ThreadCPUTime);
    cpu_seconds.tv_sec as f64 + cpu_seconds.tv_nsec as f64 / 1e9
}

#[test]
fn parsing_time_does_not_grow_quadratically() {
    // Far larger than a body may be, so that quadratic growth would show.
    type Shape = fn(usize) -> Vec<u8>;
    let shapes: [(&str, Shape); 6] = [
        ("ampersands", |size| vec![b'&'; size]),
        ("one name again and again", |size| b"MessageSid=1&".repeat(size / 13)),
        ("names in falling order", |size| {
            (0..size / 8).rev().flat_map(|number| format!("{number:06}=&").into_bytes()).collect()
        }),
        ("percent signs", |size| vec![b'%'; size]),
        ("AccountSids", |size| format!("AccountSid={ACCOUNT}&").repeat(size / 46).into_bytes()),
        ("opening brackets", |size| vec![b'['; size]),
    ];
    let accounts = accounts();
    let urls = ["https://hooks.example.com/".to_owned()];
    let work = |body: &[u8]| {
        let began = cpu_seconds();
        for kind in [BodyKind::Form, BodyKind::Json] {
            let signature = b"0000000000000000000000000000".as_slice();
            let body = &ParsedBody::parse(kind, body);
            verify(&Signed { urls: &urls, body, signature, settings: None }, &accounts);
        }
        let event = event(body);
        assert!(
            ParsedCallback::parse(&event).account_sid.is_none_or(|sid| !sid.to_string().is_empty())
        );
        cpu_seconds() - began
    };
    let quickest = |body: &[u8]| (0..7).map(|_| work(body)).fold(f64::INFINITY, f64::min);
    for (name, shape) in shapes {
        let (small, large) = (quickest(&shape(64 << 10)), quickest(&shape(1 << 20)));
        // Linear or n log n code takes 16 to 20 times as long, or more if other processes use the caches.
        let times = large / small;
        assert!(times < 80.0, "{name}: {small} s for 64 KiB, {large} s for 1 MiB");
    }
}

// Over a connection.

/// Sends bytes and reads until the server closes the connection.
fn throw(bytes: &[u8], to: SocketAddr) -> Vec<u8> {
    let Ok(mut stream) = TcpStream::connect(to) else { return Vec::new() };
    stream.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
    let _refused_early = stream.write_all(bytes);
    let _nothing_more = stream.shutdown(std::net::Shutdown::Write);
    let mut answer = Vec::new();
    let _ended_somehow = stream.take(1 << 20).read_to_end(&mut answer);
    answer
}

/// Randomly corrupts a signed request.
fn corrupted(request: &[u8], random: &mut fastrand::Rng) -> Vec<u8> {
    let mut bytes = request.to_vec();
    for _ in 0..random.usize(1..6) {
        let at = random.usize(0..bytes.len().max(1)).min(bytes.len());
        let to = (at + random.usize(0..40)).min(bytes.len());
        match random.u8(0..6) {
            0 if at < bytes.len() => bytes[at] ^= 1 << random.u8(0..8),
            1 => bytes.truncate(at),
            2 => drop(bytes.drain(at..to)),
            3 => {
                let again = bytes[at..to].to_vec();
                bytes.splice(at..at, again);
            }
            4 => {
                let noise: Vec<u8> = (0..random.usize(1..300)).map(|_| random.u8(..)).collect();
                bytes.splice(at..at, noise);
            }
            _ => {
                let heads: [&[u8]; 6] = [
                    b"Transfer-Encoding: chunked\r\n",
                    b"Content-Length: 18446744073709551615\r\n",
                    b"Content-Length: -1\r\n",
                    b"Expect: 100-continue\r\n",
                    b"Upgrade: h2c\r\n",
                    b"\r\n\r\n",
                ];
                bytes.splice(at..at, heads[random.usize(0..heads.len())].to_vec());
            }
        }
    }
    bytes
}

#[test]
fn a_server_survives_arbitrary_bytes_on_its_connections() {
    let app = App::start();
    assert_eq!(app.receive(delivered(&sid(1))).code, 200);
    let body = delivered(&sid(2)).bytes();
    let signed = signature(TOKEN, &app.url("/message-status"), &body);
    let request = app.form("/message-status").header("X-Twilio-Signature", &signed).body(body);
    let question = crate::support::Request::new("GET", &format!("/v1/messages/{}", sid(1)));
    let mut random = fastrand::Rng::with_seed(8);
    let mut acknowledged = 0;
    for round in 0..600 {
        let noise: Vec<u8> = (0..random.usize(0..4000)).map(|_| random.u8(..)).collect();
        let endless = [b"GET /".to_vec(), vec![b'a'; 300_000]].concat();
        let header = [b"GET / HTTP/1.1\r\nX: ".to_vec(), vec![b'b'; 300_000]].concat();
        let many = [b"GET / HTTP/1.1\r\n".to_vec(), b"A: b\r\n".repeat(20_000)].concat();
        for to in [app.callbacks(), app.admin()] {
            let whole = if to == app.admin() { question.bytes(to) } else { request.bytes(to) };
            let bytes = match round % 20 {
                0 => &noise,
                1 => &endless,
                2 => &header,
                3 => &many,
                _ => &corrupted(&whole, &mut random),
            };
            let answer = String::from_utf8_lossy(&throw(bytes, to)).into_owned();
            if to == app.callbacks() {
                acknowledged += answer.matches("HTTP/1.1 200 OK").count();
            }
            assert!(!answer.starts_with("HTTP/1.1 500"), "{answer}");
        }
    }

    assert_eq!(app.receive(delivered(&sid(3))).code, 200);
    app.caught_up();
    assert!(!app.stderr().contains("panicked"), "{}", app.stderr());
    // Some were corrupted only in unsigned parts, so they are rightly accepted.
    let kept = app.events().len();
    assert!(kept <= 2 + acknowledged, "{kept} events, {acknowledged} acknowledged");
    assert_eq!(app.json(&["verify", "--format", "json"])["findings"], serde_json::json!([]));
    let peak_mib = app.peak_memory_kib() / 1024;
    assert!(peak_mib < 200, "{peak_mib} MiB at the peak");
}

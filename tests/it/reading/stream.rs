//! The event stream: no event is missed or repeated, and no reader delays another.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use serde_json::Value;
use socket2::SockRef;

use crate::support::{App, Request, delivered, sent, sid};

/// More than a thousand events with long bodies fill every buffer on the way.
const LONG: usize = 48_000;

#[test]
fn a_stream_delivers_events_after_its_start() {
    let app = App::start();
    assert_eq!(app.receive(sent(&sid(1))).code, 200);
    let mut reader = Reader::open(&app, "", None);
    assert_eq!(reader.header("content-type"), Some("text/event-stream"));
    assert_eq!(reader.header("cache-control"), Some("no-store"));

    assert_eq!(app.receive(delivered(&sid(1))).code, 200);

    let (id, event) = reader.next().unwrap();
    assert_eq!(id, 2);
    assert_eq!(event, app.events()[1], "the same as `export events` gives, in one line");
}

#[test]
fn a_stream_starts_at_its_parameter_and_last_event_id_overrides_it() {
    let app = App::start();
    for number in 1..=5 {
        assert_eq!(app.receive(sent(&sid(number))).code, 200);
    }

    assert_eq!(Reader::open(&app, "?after=0", None).ids(5), [1, 2, 3, 4, 5]);
    assert_eq!(Reader::open(&app, "?after=3", None).ids(2), [4, 5]);
    // A reconnecting browser repeats its original URL.
    assert_eq!(Reader::open(&app, "?after=0", Some("4")).ids(1), [5]);
    assert_eq!(Reader::open(&app, "?after=3", Some("")).ids(2), [4, 5]);
    for (id, code, detail) in [
        ("x", 400, "Last-Event-ID `x` is not a position, such as 42"),
        ("6", 409, "Last-Event-ID `6` is beyond the head, 5; is it of another ledger?"),
    ] {
        let request = Request::new("GET", "/v1/events/stream").header("Last-Event-ID", id);
        let answer = request.send(app.admin());
        assert_eq!((answer.code, answer.json()["detail"].as_str()), (code, Some(detail)));
    }
}

#[test]
fn a_reconnecting_reader_gets_every_event_once() {
    const EVENTS: u32 = 400;
    let app = App::start();
    let seen = std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            (1..=EVENTS).for_each(|number| assert_eq!(app.receive(sent(&sid(number))).code, 200));
        });
        let (mut seen, mut last) = (Vec::new(), "0".to_owned());
        let mut take = 1;
        while seen.len() < EVENTS as usize {
            let mut reader = Reader::open(&app, "", Some(&last));
            // The reader disconnects after some events, perhaps in the middle of one.
            let ids = reader.ids(take.min(EVENTS as usize - seen.len()));
            last = ids.last().unwrap().to_string();
            seen.extend(ids);
            take = take % 37 + 5;
        }
        writer.join().unwrap();
        seen
    });
    assert_eq!(seen, (1..=u64::from(EVENTS)).collect::<Vec<_>>());
}

#[test]
fn a_stream_continues_after_a_restart_of_the_server() {
    let mut app = App::start();
    (1..=20).for_each(|number| assert_eq!(app.receive(sent(&sid(number))).code, 200));
    let mut reader = Reader::open(&app, "?after=0", None);
    let before = reader.ids(20);

    app.kill();
    assert_eq!(reader.next(), None, "the stream ends with the server");
    app.restart();
    (21..=30).for_each(|number| assert_eq!(app.receive(sent(&sid(number))).code, 200));

    let after = Reader::open(&app, "", Some(&before[19].to_string())).ids(10);
    assert_eq!([before, after].concat(), (1..=30).collect::<Vec<u64>>());
}

#[test]
fn a_stalled_reader_is_disconnected_and_delays_no_callback() {
    let app = App::start();
    let mut slow = Reader::open_with_small_buffer(&app);
    let mut quick = Reader::open(&app, "?after=0", None);
    let long = "x".repeat(LONG);

    let begun = Instant::now();
    let mut number = 0;
    while !app.stderr().contains("too slow and is disconnected") {
        assert!(begun.elapsed() < Duration::from_secs(40), "it is never dropped");
        number += 1;
        let sent_at = Instant::now();
        assert_eq!(app.receive(sent(&sid(number)).with("Body", &long)).code, 200);
        assert!(sent_at.elapsed() < Duration::from_secs(2), "a reader held a callback up");
        assert_eq!(quick.next().unwrap().0, u64::from(number), "a reader held another up");
        std::thread::sleep(Duration::from_millis(5));
    }

    // The rest of its buffer may end in the middle of an event.
    let read = slow.rest();
    assert!(read < number as usize * LONG, "all of it was kept for the slow reader");
    assert!(app.peak_memory_kib() < 300 << 10, "{} KiB", app.peak_memory_kib());
}

#[test]
fn readers_beyond_the_limit_get_503() {
    let app = App::start();
    let mut readers: Vec<_> = (0..64).map(|_| Reader::open(&app, "", None)).collect();

    let one_more = || Request::new("GET", "/v1/events/stream?after=9").send(app.admin());
    let refused = Request::new("GET", "/v1/events/stream").send(app.admin());
    assert_eq!(refused.code, 503);
    assert!(refused.header("retry-after").is_some());
    assert_eq!(
        refused.json()["detail"],
        "64 readers follow the log already, and there are no more"
    );
    assert_eq!(one_more().code, 409, "the problem is still reported");
    // Other requests still work.
    assert_eq!(app.get("/v1/events").code, 200);

    drop(readers.pop());
    app.eventually("a place is free", || Reader::try_open(app.admin(), "", None).is_ok());
}

#[test]
fn open_streams_do_not_delay_stopping() {
    let mut app = App::start();
    let mut reader = Reader::open(&app, "", None);
    let _never_reads = Reader::open_with_small_buffer(&app);
    for number in 1..=100 {
        assert_eq!(app.receive(sent(&sid(number)).with("Body", &"x".repeat(LONG))).code, 200);
    }
    assert_eq!(reader.ids(100).len(), 100);

    let begun = Instant::now();
    app.stop();

    // Requests in flight are given six seconds.
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    assert_eq!(reader.next(), None);
}

/// A reader of the stream.
struct Reader {
    head: String,
    stream: BufReader<TcpStream>,
}

impl Reader {
    fn open(app: &App, query: &str, last_event_id: Option<&str>) -> Self {
        Self::try_open(app.admin(), query, last_event_id).unwrap()
    }

    fn try_open(to: SocketAddr, query: &str, last_event_id: Option<&str>) -> Result<Self, String> {
        Self::begin(TcpStream::connect(to).unwrap(), to, query, last_event_id)
    }

    /// Opens a stream with a small receive buffer.
    fn open_with_small_buffer(app: &App) -> Self {
        let stream = TcpStream::connect(app.admin()).unwrap();
        SockRef::from(&stream).set_recv_buffer_size(4096).unwrap();
        Self::begin(stream, app.admin(), "?after=0", None).unwrap()
    }

    fn begin(
        mut stream: TcpStream,
        to: SocketAddr,
        query: &str,
        last_event_id: Option<&str>,
    ) -> Result<Self, String> {
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let mut request = Request::new("GET", &format!("/v1/events/stream{query}"));
        if let Some(id) = last_event_id {
            request = request.header("Last-Event-ID", id);
        }
        stream.write_all(&request.bytes(to)).unwrap();
        let mut reader = Self { head: String::new(), stream: BufReader::new(stream) };
        while !reader.head.ends_with("\r\n\r\n") {
            assert_ne!(reader.stream.read_line(&mut reader.head).unwrap(), 0);
        }
        match reader.head.starts_with("HTTP/1.1 200 ") {
            true => Ok(reader),
            false => Err(reader.head),
        }
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }

    /// Reads the next event's ID and JSON; returns `None` at the end of the stream. Skips chunk lengths.
    fn next(&mut self) -> Option<(u64, Value)> {
        let (mut id, mut data) = (None, None);
        loop {
            let mut line = String::new();
            match self.stream.read_line(&mut line) {
                Ok(count) if count > 0 => {}
                _ => return None,
            }
            let line = line.trim_end();
            if let Some(value) = line.strip_prefix("id: ") {
                id = Some(value.parse().unwrap());
            } else if let Some(value) = line.strip_prefix("data: ") {
                assert!(data.is_none(), "an event in one line");
                data = Some(serde_json::from_str(value).unwrap());
            }
            if let (Some(id), Some(data)) = (id, &data) {
                return Some((id, Value::clone(data)));
            }
        }
    }

    fn ids(&mut self, count: usize) -> Vec<u64> {
        (0..count).map(|_| self.next().expect("one more event").0).collect()
    }

    /// Counts the bytes until the connection ends.
    fn rest(&mut self) -> usize {
        let mut bytes = Vec::new();
        let _cut = self.stream.read_to_end(&mut bytes);
        bytes.len()
    }
}

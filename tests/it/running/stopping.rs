//! Stopping a server: requests in flight are completed, and idle connections do not delay it.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::support::{App, Request, Response, TOKEN, delivered, sid, signature};

#[test]
fn idle_and_half_open_connections_do_not_delay_stopping() {
    let mut app = App::start();
    let idle: Vec<TcpStream> = [app.callbacks(), app.admin()]
        .into_iter()
        .map(|listener| {
            let mut stream = TcpStream::connect(listener).unwrap();
            let request = Request::new("GET", "/healthz").header("Connection", "keep-alive");
            stream.write_all(&request.bytes(listener)).unwrap();
            assert_eq!(Response::read(&mut stream).code, 200);
            stream
        })
        .collect();
    let silent = TcpStream::connect(app.callbacks()).unwrap();
    let mut half_a_head = TcpStream::connect(app.callbacks()).unwrap();
    half_a_head.write_all(b"POST /message-status HTT").unwrap();

    let begun = Instant::now();
    app.stop();
    assert!(begun.elapsed() < Duration::from_secs(6), "{:?}", begun.elapsed());

    drop((idle, silent, half_a_head));
}

#[test]
fn a_request_in_flight_at_sigterm_is_completed_and_stored() {
    let mut app = App::start();
    let mut in_flight = InFlight::begin(&app, 1);

    app.signal(Signal::TERM);
    app.eventually("the server is ending", || app.stderr().contains("answering what is in flight"));
    // Slower than idle connections are given.
    in_flight.go_on_slowly(Duration::from_millis(2500));
    assert_eq!(in_flight.complete().code, 200);
    assert_eq!(app.ended().code(), Some(0));

    app.restart();
    assert_eq!(app.message(&sid(1))["status"], "delivered");
}

#[test]
fn a_stopping_server_asks_clients_to_close_their_connections() {
    let mut app = App::start();
    // The server keeps running while this request is in flight.
    let mut in_flight = InFlight::begin(&app, 1);
    let mut kept = TcpStream::connect(app.admin()).unwrap();
    let request = Request::new("GET", "/healthz").header("Connection", "keep-alive");
    let mut ask = || {
        kept.write_all(&request.bytes(app.admin())).unwrap();
        Response::read(&mut kept)
    };
    assert_eq!(ask().header("connection"), None);

    app.signal(Signal::TERM);

    app.eventually("an answer asks to close", || ask().header("connection") == Some("close"));
    let answer = in_flight.complete();
    assert_eq!((answer.code, answer.header("connection")), (200, Some("close")));
    assert_eq!(app.ended().code(), Some(0));
}

#[test]
fn an_incomplete_body_delays_stopping_by_at_most_10_s() {
    let mut app = App::start();
    let in_flight = InFlight::begin(&app, 1);

    app.stop();

    drop(in_flight);
}

#[test]
fn ctrl_c_stops_like_sigterm() {
    let mut app = App::start();
    assert_eq!(app.receive(delivered(&sid(1))).code, 200);

    app.signal(Signal::INT);

    assert_eq!(app.ended().code(), Some(0));
}

#[test]
fn a_second_ctrl_c_stops_at_once() {
    let mut app = App::start();
    let in_flight = InFlight::begin(&app, 1);

    app.signal(Signal::INT);
    app.eventually("the server is ending", || app.stderr().contains("answering what is in flight"));
    app.signal(Signal::INT);

    // If it had waited for the request in flight, it would have exited with 0.
    assert_eq!(app.ended().code(), Some(130));
    drop(in_flight);
}

/// A callback of which only the head and half the body were sent.
struct InFlight {
    stream: TcpStream,
    rest: Vec<u8>,
}

impl InFlight {
    fn begin(app: &App, number: u32) -> Self {
        let body = delivered(&sid(number)).bytes();
        let signature = signature(TOKEN, &app.url("/message-status"), &body);
        let request = app
            .form("/message-status")
            .header("X-Twilio-Signature", &signature)
            .header("Connection", "keep-alive")
            .header("Expect", "100-continue")
            .header("Content-Length", &body.len().to_string());
        let mut stream = TcpStream::connect(app.callbacks()).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream.write_all(&request.bytes(app.callbacks())).unwrap();
        let mut go_on = [0; 25];
        stream.read_exact(&mut go_on).unwrap();
        assert_eq!(&go_on, b"HTTP/1.1 100 Continue\r\n\r\n");
        let (half, rest) = body.split_at(body.len() / 2);
        stream.write_all(half).unwrap();
        Self { stream, rest: rest.to_vec() }
    }

    /// Sends a byte now and then, all but the last, over this time.
    fn go_on_slowly(&mut self, duration: Duration) {
        let last = self.rest.split_off(self.rest.len() - 1);
        for byte in &self.rest {
            std::thread::sleep(duration / self.rest.len() as u32);
            self.stream.write_all(&[*byte]).unwrap();
        }
        self.rest = last;
    }

    fn complete(&mut self) -> Response {
        self.stream.write_all(&self.rest).unwrap();
        Response::read(&mut self.stream)
    }
}

#[test]
fn a_server_keeps_running_if_stderr_is_closed() {
    let app = App::not_started(&[]);
    let free = || TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (callbacks, admin) = (free(), free());
    let [listen, admin_listen] = [callbacks, admin].map(|address| address.to_string());
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let arguments = ["serve", "--listen", &listen, "--admin-listen", &admin_listen];
    let mut server = app.command(&arguments).stderr(full).spawn();
    app.eventually("it listens", || TcpStream::connect(callbacks).is_ok());

    // Each causes a log line.
    assert_eq!(app.form("/message-status").body("MessageSid=SM1").send(callbacks).code, 403);
    std::fs::rename(app.log_file(), app.folder().join("moved")).unwrap();
    let ready = || Request::new("GET", "/readyz").send(admin).code;
    app.eventually("it notices", || ready() == 503);
    std::fs::rename(app.folder().join("moved"), app.log_file()).unwrap();

    app.eventually("it goes on", || ready() == 200);
    server.kill().unwrap();
    server.wait().unwrap();
}

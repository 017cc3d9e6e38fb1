//! An application that receives forwarded events: it checks each signature as Twilio's SDKs do, remembers
//! what it received, and answers as a test tells it to.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::sign::{TOKEN, signature};

/// An answer to a request.
#[derive(Debug, Clone)]
pub enum Reply {
    /// This status code and no body.
    Code(u16),
    /// This status code, and a header.
    With(u16, &'static str, String),
    /// This status code and body.
    Body(u16, Vec<u8>),
    /// 200 after this time.
    After(Duration),
    /// Nothing: the connection stays open.
    Silence,
    /// The connection is closed without an answer.
    Close,
    /// 200, and a body that ends before its Content-Length.
    Half,
    /// 200, and a body of which nothing comes.
    Endless,
}

/// A request as it was received.
#[derive(Debug, Clone)]
pub struct Received {
    pub method: String,
    /// Path and query.
    pub target: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// True if X-Twilio-Signature is right for the URL and the form.
    pub is_signed: bool,
}

impl Received {
    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        let named = self.headers.iter().find(|(other, _)| other.eq_ignore_ascii_case(name));
        named.map(|(_, value)| value.as_str())
    }

    /// The position of the event.
    pub fn position(&self) -> u64 {
        self.header("Delivery-Ledger-Position").unwrap().parse().unwrap()
    }

    /// The number of the attempt.
    pub fn attempt(&self) -> u32 {
        self.header("Delivery-Ledger-Attempt").unwrap().parse().unwrap()
    }

    /// The first value of a parameter of the form.
    pub fn parameter(&self, name: &str) -> Option<String> {
        let mut pairs = form_urlencoded::parse(&self.body);
        pairs.find(|(other, _)| other == name).map(|(_, value)| value.into_owned())
    }
}

type Answering = Box<dyn FnMut(&Received) -> Reply + Send>;

/// A running application.
pub struct Application {
    address: SocketAddr,
    received: Arc<Mutex<Vec<Received>>>,
    answering: Arc<Mutex<Answering>>,
    at_once: Arc<AtMost>,
}

/// How many requests there are at a time.
#[derive(Default)]
struct AtMost {
    now: AtomicUsize,
    most: AtomicUsize,
}

impl Application {
    /// Starts one that accepts everything.
    pub fn start() -> Self {
        Self::at(SocketAddr::from(([127, 0, 0, 1], 0)))
    }

    /// The same at an address where none is running any more.
    pub fn at(address: SocketAddr) -> Self {
        let listener = TcpListener::bind(address).unwrap();
        let address = listener.local_addr().unwrap();
        let received = Arc::new(Mutex::new(Vec::new()));
        let answering: Arc<Mutex<Answering>> =
            Arc::new(Mutex::new(Box::new(|_: &Received| Reply::Code(204))));
        let at_once = Arc::new(AtMost::default());
        let application = Self { address, received, answering, at_once };
        let (received, answering, at_once) = (
            Arc::clone(&application.received),
            Arc::clone(&application.answering),
            Arc::clone(&application.at_once),
        );
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (received, answering, at_once) =
                    (Arc::clone(&received), Arc::clone(&answering), Arc::clone(&at_once));
                std::thread::spawn(move || serve(stream, address, &received, &answering, &at_once));
            }
        });
        application
    }

    /// The URL of a path and query.
    pub fn url(&self, target: &str) -> String {
        format!("http://{}{target}", self.address)
    }

    /// Answers every later request like this.
    pub fn answers(&self, answering: impl FnMut(&Received) -> Reply + Send + 'static) {
        *self.answering.lock().unwrap() = Box::new(answering);
    }

    /// Everything that it received, in order of arrival.
    pub fn received(&self) -> Vec<Received> {
        self.received.lock().unwrap().clone()
    }

    /// The positions of what it received, in order of arrival.
    pub fn positions(&self) -> Vec<u64> {
        self.received().iter().map(Received::position).collect()
    }

    /// The largest number of requests that waited for an answer at the same time.
    pub fn most_at_once(&self) -> usize {
        self.at_once.most.load(Ordering::SeqCst)
    }
}

fn serve(
    stream: TcpStream,
    address: SocketAddr,
    received: &Mutex<Vec<Received>>,
    answering: &Mutex<Answering>,
    at_once: &AtMost,
) {
    let mut writer = stream.try_clone().unwrap();
    let mut reader = BufReader::new(stream);
    while let Some(request) = read(&mut reader, address) {
        let now = at_once.now.fetch_add(1, Ordering::SeqCst) + 1;
        at_once.most.fetch_max(now, Ordering::SeqCst);
        let reply = {
            let mut answering = answering.lock().unwrap();
            let reply = answering(&request);
            received.lock().unwrap().push(request);
            reply
        };
        let head = |code: u16, more: &str| format!("HTTP/1.1 {code} Whatever\r\n{more}\r\n");
        let answer = match reply {
            Reply::Code(code) => head(code, "Content-Length: 0\r\n"),
            Reply::With(code, name, value) => {
                head(code, &format!("Content-Length: 0\r\n{name}: {value}\r\n"))
            }
            Reply::Body(code, body) => {
                let head = head(code, &format!("Content-Length: {}\r\n", body.len()));
                let sent = writer.write_all(&[head.as_bytes(), &body].concat());
                at_once.now.fetch_sub(1, Ordering::SeqCst);
                match sent {
                    Ok(()) => continue,
                    Err(_) => return,
                }
            }
            Reply::After(time) => {
                std::thread::sleep(time);
                head(200, "Content-Length: 0\r\n")
            }
            Reply::Half => head(200, "Content-Length: 100\r\n") + "half",
            Reply::Endless => {
                let head = head(200, "Content-Length: 100\r\n");
                let _sent = writer.write_all(head.as_bytes());
                let _closed = reader.read(&mut [0]);
                String::new()
            }
            Reply::Silence => {
                // Until the other side gives up.
                let _closed = reader.read(&mut [0]);
                String::new()
            }
            Reply::Close => String::new(),
        };
        at_once.now.fetch_sub(1, Ordering::SeqCst);
        let whole = !answer.is_empty() && !answer.ends_with("half");
        if writer.write_all(answer.as_bytes()).is_err() || !whole {
            return;
        }
    }
}

fn read(reader: &mut BufReader<TcpStream>, address: SocketAddr) -> Option<Received> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|bytes| *bytes > 0)?;
    let mut words = line.split_whitespace();
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        headers.push((name.to_owned(), value.to_owned()));
    }
    let mut request = Received { method, target, headers, body: Vec::new(), is_signed: false };
    let length = request.header("content-length").map_or(0, |length| length.parse().unwrap());
    request.body = vec![0; length];
    reader.read_exact(&mut request.body).ok()?;
    let url = format!("http://{address}{}", request.target);
    let is_json = request.header("content-type").is_some_and(|it| it.contains("json"));
    let signed: &[u8] = if is_json { b"" } else { &request.body };
    let expected = signature(TOKEN, &url, signed);
    request.is_signed = request.header("x-twilio-signature") == Some(&expected);
    Some(request)
}

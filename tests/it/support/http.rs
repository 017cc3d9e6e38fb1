//! A minimal HTTP/1.1 client that sends the request line, headers and body exactly as a test wrote them.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(60);

/// A builder for a request.
#[derive(Debug, Clone)]
pub struct Request {
    method: String,
    target: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

/// A response.
#[derive(Debug, Clone)]
pub struct Response {
    pub code: u16,
    pub head: String,
    pub body: Vec<u8>,
}

impl Request {
    /// A request for this path and query, which are sent unchanged.
    pub fn new(method: &str, target: &str) -> Self {
        let (method, target) = (method.to_owned(), target.to_owned());
        Self { method, target, headers: Vec::new(), body: Vec::new() }
    }

    /// Adds a header.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Sets the body.
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// The bytes to send; Host, Content-Length and Connection are added if the test set none.
    pub fn bytes(&self, to: SocketAddr) -> Vec<u8> {
        let has = |name: &str| self.headers.iter().any(|(have, _)| have.eq_ignore_ascii_case(name));
        let mut head = format!("{} {} HTTP/1.1\r\n", self.method, self.target);
        if !has("host") {
            head += &format!("Host: {to}\r\n");
        }
        if !has("content-length") && !has("transfer-encoding") {
            head += &format!("Content-Length: {}\r\n", self.body.len());
        }
        if !has("connection") {
            head += "Connection: close\r\n";
        }
        for (name, value) in &self.headers {
            head += &format!("{name}: {value}\r\n");
        }
        [head.as_bytes(), b"\r\n", &self.body].concat()
    }

    /// Sends the request and reads the response.
    pub fn send(&self, to: SocketAddr) -> Response {
        let mut stream = TcpStream::connect(to).expect("the server listens");
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        // A server may respond and close the connection before it has read a body that it rejects.
        let _refused_early = stream.write_all(&self.bytes(to));
        Response::read(&mut stream)
    }
}

impl Response {
    /// Reads a response until the body is complete or the server closes the connection.
    pub fn read(stream: &mut TcpStream) -> Self {
        let mut bytes = Vec::new();
        let mut chunk = [0; 4096];
        loop {
            match stream.read(&mut chunk) {
                Ok(0) | Err(_) => break,
                Ok(count) => bytes.extend_from_slice(&chunk[..count]),
            }
            if is_complete(&bytes) {
                break;
            }
        }
        let head_end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
        let head_end = head_end
            .unwrap_or_else(|| panic!("no response: {:?}", String::from_utf8_lossy(&bytes)));
        let head = String::from_utf8_lossy(&bytes[..head_end]).into_owned();
        let code = head.split(' ').nth(1).and_then(|code| code.parse().ok());
        let code = code.unwrap_or_else(|| panic!("no status code: {head}"));
        let body = &bytes[head_end + 4..];
        let chunked = head.to_ascii_lowercase().contains("transfer-encoding: chunked");
        Self { code, head, body: if chunked { decode_chunked(body) } else { body.to_vec() } }
    }

    /// A header's value, by its lower-case name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (have, value) = line.split_once(':')?;
            have.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    /// The body as JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|_| panic!("not JSON: {}", String::from_utf8_lossy(&self.body)))
    }
}

/// Decodes a chunked body (RFC 9112, 7.1).
fn decode_chunked(mut bytes: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    if bytes.is_empty() {
        // A response to HEAD has no body.
        return body;
    }
    while let Some(line_end) = bytes.windows(2).position(|two| two == b"\r\n") {
        let length = std::str::from_utf8(&bytes[..line_end]).unwrap();
        let length = usize::from_str_radix(length, 16).unwrap();
        let rest = &bytes[line_end + 2..];
        if length == 0 {
            return body;
        }
        body.extend_from_slice(&rest[..length.min(rest.len())]);
        bytes = rest.get(length + 2..).unwrap_or_default();
    }
    panic!("the last chunk is missing after {} bytes", body.len())
}

fn is_complete(bytes: &[u8]) -> bool {
    let Some(head_end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
        return false;
    };
    let head = String::from_utf8_lossy(&bytes[..head_end]).to_ascii_lowercase();
    if head.contains("transfer-encoding: chunked") {
        return bytes.ends_with(b"\r\n0\r\n\r\n");
    }
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
    let length = length.and_then(|length| length.trim().parse::<usize>().ok());
    length.is_some_and(|length| bytes.len() >= head_end + 4 + length)
}

/// Asserts that a response is a problem (RFC 9457) with this code and detail.
#[track_caller]
pub fn assert_problem(answer: &Response, code: u16, detail: &str) {
    assert_eq!(answer.code, code, "{}", String::from_utf8_lossy(&answer.body));
    assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    let problem = answer.json();
    let fields: Vec<_> = problem.as_object().unwrap().keys().collect();
    assert_eq!(fields, ["type", "title", "status", "detail", "request_id"]);
    assert_eq!((&problem["status"], &problem["detail"]), (&code.into(), &detail.into()));
}

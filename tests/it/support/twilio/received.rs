//! A request that the fake receives.

use std::io::Read;
use std::net::TcpStream;
use std::time::Duration;

/// A request as the fake has read it.
pub struct ReceivedRequest {
    pub method: String,
    pub path: String,
    pub query: Vec<(String, String)>,
    pub form: Vec<(String, String)>,
    pub authorization: String,
    pub content_type: String,
}

/// Reads a request; `None` if it does not arrive whole.
pub fn read(stream: &mut TcpStream) -> Option<ReceivedRequest> {
    stream.set_read_timeout(Some(Duration::from_secs(60))).ok()?;
    let mut bytes = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        let head_end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
        if let Some(head_end) = head_end {
            let head = String::from_utf8_lossy(&bytes[..head_end]).into_owned();
            let header = |name: &str| {
                head.lines().skip(1).find_map(|line| {
                    let (have, value) = line.split_once(':')?;
                    have.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
                })
            };
            let length =
                header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
            let body = &bytes[head_end + 4..];
            if body.len() >= length {
                let mut line = head.lines().next()?.split(' ');
                let (method, target) = (line.next()?.to_owned(), line.next()?);
                // A request to a proxy has an absolute URL.
                let target = target.strip_prefix("http://twilio.invalid").unwrap_or(target);
                let (path, query) = target.split_once('?').unwrap_or((target, ""));
                let pairs = |text: &[u8]| {
                    form_urlencoded::parse(text).into_owned().collect::<Vec<(String, String)>>()
                };
                return Some(ReceivedRequest {
                    method,
                    path: path.to_owned(),
                    query: pairs(query.as_bytes()),
                    form: pairs(body),
                    authorization: header("authorization").unwrap_or_default(),
                    content_type: header("content-type").unwrap_or_default(),
                });
            }
        }
        match stream.read(&mut chunk) {
            Ok(0) | Err(_) => return None,
            Ok(count) => bytes.extend_from_slice(&chunk[..count]),
        }
    }
}

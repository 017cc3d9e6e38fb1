//! A fake of Twilio's Messages, Accounts and Event Streams APIs on 127.0.0.1. It checks every request against
//! the published interface, fails as a test tells it to, and panics when dropped if a request was not valid.

mod event_streams;
mod messages;
mod received;

use std::collections::{BTreeMap, VecDeque};
use std::io::Write;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use self::event_streams::EventStreams;
pub use self::messages::resource;
use self::messages::{create, feedback, list};
use self::received::{ReceivedRequest, read};
use super::bodies::ACCOUNT;
use super::sign::TOKEN;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

/// An API key and its secret, which the fake also accepts.
pub const API_KEY: (&str, &str) = ("SK00000000000000000000000000000001", "a secret of that key");

/// The text of every message.
pub const TEXT: &str = "the secret text";

/// A way in which a request fails.
#[derive(Debug, Clone, Copy)]
pub enum Fault {
    /// The request does not fail; a later one does.
    None,
    /// The request has no effect; the response has this code, and this Retry-After in seconds.
    Response(u16, Option<u32>),
    /// The request has no effect; the response has this HTTP code, and Twilio's error code and message.
    Refuse(u16, u32, &'static str),
    /// The request is executed, but the response has this code.
    DoneBut(u16),
    /// The request is executed, but the response is cut off.
    DoneAndCut,
    /// The request has no effect, and the connection is closed without a response.
    Cut,
    /// The request is executed, and the connection is closed after this long without a response.
    Hang(Duration),
    /// The response is a page that links to itself as the next page.
    SamePageAgain,
}

/// A running fake of Twilio's API.
pub struct Twilio {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    faults: VecDeque<Fault>,
    always: Option<Fault>,
    /// Newest first.
    messages: Vec<Value>,
    requests: Vec<String>,
    made: Vec<Vec<(String, String)>>,
    feedback: Vec<(String, String)>,
    page_size: Option<usize>,
    event_streams: BTreeMap<String, EventStreams>,
    lists_no_parent: bool,
    accounts: Vec<Subaccount>,
    delay: Duration,
    invalid: Vec<String>,
}

/// A subaccount of [`ACCOUNT`].
#[derive(Clone)]
struct Subaccount {
    sid: String,
    name: String,
    status: &'static str,
    token: String,
}

impl Twilio {
    /// Starts a fake without messages.
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let state = Arc::clone(&shared);
                std::thread::spawn(move || serve(stream, &state));
            }
        });
        Self { address, state }
    }

    /// The environment variable that makes the program use this fake.
    pub fn variable(&self) -> (&'static str, String) {
        ("TWILIO_API_BASE_URL", format!("http://{}", self.address))
    }

    /// Makes the next request fail, after those for which a fault is already queued.
    pub fn next(&self, fault: Fault) {
        self.state().faults.push_back(fault);
    }

    /// Makes every later request fail, or none.
    pub fn always(&self, fault: Option<Fault>) {
        self.state().always = fault;
    }

    /// Delays every response.
    pub fn slow(&self, delay: Duration) {
        self.state().delay = delay;
    }

    /// Lists no account any more that is not a subaccount.
    pub fn lists_no_parent(&self) {
        self.state().lists_no_parent = true;
    }

    /// Limits pages to this many messages, whatever page size is requested.
    pub fn page_size(&self, messages: usize) {
        self.state().page_size = Some(messages);
    }

    /// Adds a subaccount, or replaces it.
    pub fn has_subaccount(&self, sid: &str, name: &str, status: &'static str, token: &str) {
        let mut state = self.state();
        state.accounts.retain(|have| have.sid != sid);
        let (sid, name, token) = (sid.to_owned(), name.to_owned(), token.to_owned());
        state.accounts.push(Subaccount { sid, name, status, token });
    }

    /// Adds a message with this status, or replaces it.
    pub fn has(&self, sid: &str, status: &str) {
        self.has_with(sid, status, json!({}));
    }

    /// Adds a message with this status and some members changed, or replaces it.
    pub fn has_with(&self, sid: &str, status: &str, changed: Value) {
        let mut message = resource(sid, status);
        for (name, value) in changed.as_object().unwrap() {
            message[name] = value.clone();
        }
        let mut state = self.state();
        state.messages.retain(|have| have["sid"] != sid);
        state.messages.insert(0, message);
    }

    /// The parameters of every message that was created.
    pub fn made(&self) -> Vec<Vec<(String, String)>> {
        self.state().made.clone()
    }

    /// The message SID and the outcome of all feedback that was recorded.
    pub fn feedback(&self) -> Vec<(String, String)> {
        self.state().feedback.clone()
    }

    /// The SIDs of all messages, newest first.
    pub fn sids(&self) -> Vec<String> {
        let state = self.state();
        state.messages.iter().map(|message| message["sid"].as_str().unwrap().to_owned()).collect()
    }

    /// The method, path and query of every request.
    pub fn requests(&self) -> Vec<String> {
        self.state().requests.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }
}

impl Drop for Twilio {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            assert_eq!(self.state().invalid, [""; 0], "requests that Twilio would reject");
        }
    }
}

fn serve(mut stream: TcpStream, state: &Mutex<State>) {
    let Some(request) = read(&mut stream) else { return };
    let (fault, delay) = {
        let mut state = state.lock().unwrap();
        let query: Vec<_> =
            request.query.iter().map(|(name, value)| format!("{name}={value}")).collect();
        state.requests.push(format!("{} {}?{}", request.method, request.path, query.join("&")));
        (state.faults.pop_front().or(state.always), state.delay)
    };
    std::thread::sleep(delay);
    let answer = |code: u16, retry_after: Option<u32>, body: &str| {
        let retry = retry_after.map_or(String::new(), |wait| format!("Retry-After: {wait}\r\n"));
        format!(
            "HTTP/1.1 {code} Whatever\r\nContent-Type: application/json\r\n{retry}Twilio-Request-Id: RQ1\r\n\
             Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        )
    };
    let error =
        |code: u16| json!({"code": 20000 + u32::from(code), "message": "no", "status": code});
    let text = match fault {
        Some(Fault::Cut) => return,
        Some(Fault::Response(code, wait)) => answer(code, wait, &error(code).to_string()),
        Some(Fault::Refuse(status, code, message)) => {
            let more_info = format!("https://www.twilio.com/docs/errors/{code}");
            let body = json!({
                "code": code, "message": message, "more_info": more_info, "status": status,
            });
            answer(status, None, &body.to_string())
        }
        Some(Fault::DoneBut(code)) => {
            execute(&request, state);
            answer(code, None, "<html>something on the way</html>")
        }
        Some(Fault::DoneAndCut) => {
            let (code, body) = execute(&request, state);
            let whole = answer(code, None, &body.to_string());
            whole[..whole.len() - 20].to_owned()
        }
        Some(Fault::Hang(time)) => {
            execute(&request, state);
            std::thread::sleep(time);
            return;
        }
        Some(Fault::SamePageAgain) => {
            let (code, mut body) = execute(&request, state);
            let query: Vec<_> = request.query.iter().map(|(n, v)| format!("{n}={v}")).collect();
            body["next_page_uri"] = json!(format!("{}?{}", request.path, query.join("&")));
            answer(code, None, &body.to_string())
        }
        Some(Fault::None) | None => {
            let (code, body) = execute(&request, state);
            answer(code, None, &body.to_string())
        }
    };
    let _gone = stream.write_all(text.as_bytes());
}

fn execute(request: &ReceivedRequest, state: &Mutex<State>) -> (u16, Value) {
    let mut state = state.lock().unwrap();
    let is_from = |user: &str, password: &str| {
        let user = STANDARD.encode(format!("{user}:{password}"));
        request.authorization == format!("Basic {user}")
    };
    let by_key = is_from(API_KEY.0, API_KEY.1);
    let subaccount = state.accounts.iter().find(|of| is_from(&of.sid, &of.token));
    let account = match subaccount {
        Some(subaccount) => subaccount.sid.clone(),
        None if by_key || is_from(ACCOUNT, TOKEN) => ACCOUNT.to_owned(),
        None => return (401, json!({"code": 20003, "message": "Authenticate", "status": 401})),
    };
    if request.path == "/2010-04-01/Accounts.json" {
        return match by_key {
            // As a standard key is answered; the program asks with the account's token instead.
            true => (401, json!({"code": 20003, "message": "Authenticate", "status": 401})),
            false => (200, accounts(request, &state)),
        };
    }
    let base = format!("/2010-04-01/Accounts/{account}/Messages");
    let outcome = match (request.method.as_str(), request.path.strip_prefix(&base)) {
        _ if request.path.starts_with("/v1/") => {
            let page_size = state.page_size;
            let streams = state.event_streams.entry(account.clone()).or_default();
            streams.page_size = page_size;
            event_streams::answer(request, &account, streams)
        }
        ("POST", Some(".json")) => create(request, &mut state),
        ("GET", Some(".json")) => list(request, &state),
        ("POST", Some(rest)) if rest.ends_with("/Feedback.json") => {
            let sid = rest.trim_start_matches('/').trim_end_matches("/Feedback.json");
            feedback(request, &account, sid, &mut state)
        }
        ("GET", Some(rest)) if rest.starts_with('/') && rest.ends_with(".json") => {
            let sid = rest.trim_start_matches('/').trim_end_matches(".json");
            match state.messages.iter().find(|message| message["sid"] == sid) {
                Some(message) => Ok((200, message.clone())),
                None => Ok((404, json!({"code": 20404, "message": "not found", "status": 404}))),
            }
        }
        _ => Err("unknown path".to_owned()),
    };
    outcome.unwrap_or_else(|reason| {
        state.invalid.push(format!("{} {}: {reason}", request.method, request.path));
        (400, json!({"code": 20001, "message": reason, "status": 400}))
    })
}

/// A page of the list of accounts, which begins with the parent.
fn accounts(request: &ReceivedRequest, state: &State) -> Value {
    let get = |name: &str| request.query.iter().find(|(have, _)| have == name).map(|(_, v)| v);
    let wanted: usize = get("PageSize").map_or(50, |size| size.parse().unwrap());
    let size = state.page_size.unwrap_or(wanted);
    let page: usize = get("Page").map_or(0, |page| page.parse().unwrap());
    let parent = Subaccount {
        sid: ACCOUNT.to_owned(),
        name: "the parent".to_owned(),
        status: "active",
        token: TOKEN.to_owned(),
    };
    let parent = (!state.lists_no_parent).then_some(&parent);
    let all: Vec<_> = parent.into_iter().chain(&state.accounts).collect();
    let next = ((page + 1) * size < all.len()).then(|| {
        let page = page + 1;
        format!("/2010-04-01/Accounts.json?PageSize={wanted}&Page={page}&PageToken=PAAC{page}")
    });
    let shown = all.into_iter().skip(page * size).take(size).map(|account| {
        let Subaccount { sid, name, status, token } = account;
        json!({
            "sid": sid, "friendly_name": name, "status": status, "auth_token": token, "type": "Full",
            "owner_account_sid": ACCOUNT, "date_created": "Wed, 04 Nov 2026 15:42:32 +0000",
            "date_updated": "Wed, 04 Nov 2026 15:42:32 +0000",
            "uri": format!("/2010-04-01/Accounts/{sid}.json"), "subresource_uris": {},
        })
    });
    json!({
        "accounts": shown.collect::<Vec<_>>(), "page": page, "page_size": wanted,
        "uri": request.path, "next_page_uri": next, "previous_page_uri": null,
    })
}

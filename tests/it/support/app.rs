//! A server process with its ledger in a temporary folder, and commands alongside it.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use delivery_ledger::domain::Timestamp;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;
use time::OffsetDateTime;

use super::bodies::{ACCOUNT, OTHER_ACCOUNT};
use super::http::{Answer, Request};
use super::sign::{SECONDARY_TOKEN, SHARED_KEY, TOKEN, signature};

const PROGRAM: &str = env!("CARGO_BIN_EXE_delivery-ledger");
const PATIENCE: Duration = Duration::from_secs(60);
/// What the server takes for the URL that Twilio calls.
const PUBLIC_URL: &str = "https://hooks.example.com";
/// The second account's token.
pub const OTHER_TOKEN: &str = "00112233445566778899aabbccddeeff";

/// A call of the program, in an environment with nothing but what a test puts there.
pub struct Command(std::process::Command);

impl Command {
    /// In this folder, with these arguments.
    pub fn new(folder: &Path, arguments: &[&str]) -> Self {
        let mut command = std::process::Command::new(PROGRAM);
        command.current_dir(folder).env_clear().args(arguments);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Self(command)
    }

    /// The same with a variable set.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.0.env(name, value);
        self
    }

    /// The same with its input coming from there.
    pub fn stdin(mut self, from: impl Into<Stdio>) -> Self {
        self.0.stdin(from);
        self
    }

    /// The same with its results going there.
    pub fn stdout(mut self, to: impl Into<Stdio>) -> Self {
        self.0.stdout(to);
        self
    }

    /// The same with its stderr going there.
    pub fn stderr(mut self, to: impl Into<Stdio>) -> Self {
        self.0.stderr(to);
        self
    }

    /// Runs it to its end.
    pub fn output(mut self) -> Output {
        self.0.output().expect("the program starts")
    }

    /// Starts it.
    pub fn spawn(mut self) -> Child {
        self.0.spawn().expect("the program starts")
    }
}

/// A running server. When dropped it must end cleanly, unless the test has ended it.
pub struct App {
    folder: TempDir,
    server: Option<Server>,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    /// What it is asked with, where that takes a token.
    token: Option<String>,
}

struct Server {
    child: Child,
    callbacks: SocketAddr,
    admin: SocketAddr,
    stderr: Arc<Mutex<Vec<String>>>,
}

impl App {
    /// Starts a server with a ledger of its own.
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// The same with further arguments of `serve`.
    pub fn start_with(arguments: &[&str]) -> Self {
        Self::start_in(&[], arguments)
    }

    /// The same with further variables in the environment.
    pub fn start_in(environment: &[(&str, &str)], arguments: &[&str]) -> Self {
        let arguments = arguments.iter().map(|argument| argument.to_string()).collect();
        let mut app = Self::not_started(environment);
        app.arguments = arguments;
        app.restart();
        app
    }

    /// The same without a running server.
    pub fn not_started(environment: &[(&str, &str)]) -> Self {
        let folder = TempDir::new().unwrap();
        write_configuration(folder.path());
        let environment =
            environment.iter().map(|(name, value)| (name.to_string(), value.to_string()));
        let environment = environment.collect();
        Self { folder, server: None, arguments: Vec::new(), environment, token: None }
    }

    /// Adds to the configuration file.
    pub fn configure(&self, section: &str) {
        let path = self.folder().join("delivery-ledger.toml");
        let before = std::fs::read_to_string(&path).unwrap();
        std::fs::write(path, before + section).unwrap();
    }

    /// Configures a token of this scope, with which the admin listener is asked from now on.
    pub fn ask_with_a_token(&mut self, scope: &str) {
        const TOKEN: &str = "0123456789abcdef-asking";
        self.configure(&format!(
            "[api_tokens.asking]\ntoken_file = \"asking\"\nscope = \"{scope}\"\n"
        ));
        std::fs::write(self.folder().join("asking"), TOKEN).unwrap();
        self.token = Some(TOKEN.to_owned());
    }

    /// Asks the admin listener, with the token if there is one.
    pub fn ask(&self, request: Request) -> Answer {
        self.with_token(request).send(self.admin())
    }

    /// A request with the token, if there is one.
    pub fn with_token(&self, request: Request) -> Request {
        match &self.token {
            Some(token) => request.header("Authorization", &format!("Bearer {token}")),
            None => request,
        }
    }

    /// Starts the server on the same ledger.
    pub fn restart(&mut self) {
        assert!(self.server.is_none(), "the server still runs");
        let mut arguments = vec!["serve", "--listen", "127.0.0.1:0"];
        for (flag, usual) in [("--admin-listen", "127.0.0.1:0"), ("--public-url", PUBLIC_URL)] {
            if !self.arguments.iter().any(|argument| argument == flag) {
                arguments.extend([flag, usual]);
            }
        }
        arguments.extend(self.arguments.iter().map(String::as_str));
        self.server = Some(Server::start(self.command(&arguments)));
    }

    /// A command on the same ledger, with the same environment.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let command = Command::new(self.folder.path(), arguments)
            .env("TWILIO_ACCOUNT_SID", ACCOUNT)
            .env("TWILIO_AUTH_TOKEN", TOKEN)
            .env("TWILIO_AUTH_TOKEN_SECONDARY", SECONDARY_TOKEN);
        let further = self.environment.iter();
        further.fold(command, |command, (name, value)| command.env(name, value))
    }

    /// Runs a command to its end.
    pub fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output()
    }

    /// Runs a command that must succeed, and reads its JSON.
    pub fn json(&self, arguments: &[&str]) -> Value {
        let output = self.run(arguments);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?} ended with {}: {stderr}", output.status);
        serde_json::from_slice(&output.stdout).expect("JSON on stdout")
    }

    /// Every event of the log, by `export events`.
    pub fn events(&self) -> Vec<Value> {
        self.ndjson(&["export", "events"])
    }

    /// Every message, by `export messages`.
    pub fn messages(&self) -> Vec<Value> {
        self.ndjson(&["export", "messages"])
    }

    fn ndjson(&self, arguments: &[&str]) -> Vec<Value> {
        let output = self.run(arguments);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout).expect("NDJSON is UTF-8");
        text.lines().map(|line| serde_json::from_str(line).expect("a JSON object a line")).collect()
    }

    /// Sends a signed callback to the usual path.
    pub fn receive(&self, body: impl Into<Vec<u8>>) -> Answer {
        self.receive_at("/message-status", body)
    }

    /// Sends a callback signed for this path and query.
    pub fn receive_at(&self, target: &str, body: impl Into<Vec<u8>>) -> Answer {
        let body = body.into();
        let signature = signature(TOKEN, &self.url(target), &body);
        self.form(target).header("X-Twilio-Signature", &signature).body(body).send(self.callbacks())
    }

    /// A form request without a signature.
    pub fn form(&self, target: &str) -> Request {
        Request::new("POST", target).header("Content-Type", "application/x-www-form-urlencoded")
    }

    /// The URL that Twilio signs for this path and query.
    pub fn url(&self, target: &str) -> String {
        format!("{PUBLIC_URL}{target}")
    }

    /// Asks the admin listener.
    pub fn get(&self, target: &str) -> Answer {
        self.ask(Request::new("GET", target))
    }

    /// One message, by the API.
    pub fn message(&self, sid: &str) -> Value {
        let answer = self.get(&format!("/v1/messages/{sid}"));
        assert_eq!(answer.code, 200, "{}", String::from_utf8_lossy(&answer.body));
        answer.json()
    }

    /// Waits until the projection has caught up with all that was acknowledged.
    pub fn caught_up(&self) {
        self.eventually("the projection catches up", || {
            let state = self.get("/readyz").json();
            state["checkpoint"] == state["head"]
        });
    }

    /// The same up to a position that the server may not have heard of yet.
    pub fn caught_up_to(&self, position: u64) {
        self.eventually("the projection gets there", || {
            self.get("/readyz").json()["checkpoint"].as_u64() >= Some(position)
        });
    }

    /// Waits until every event of the log was received more than a second ago.
    pub fn all_are_a_second_old(&self) {
        let events = self.events();
        let newest = events.iter().filter_map(|event| event["received_at"].as_str()).max();
        let newest = Timestamp::parse(newest.expect("an event")).unwrap();
        let second_ago = || Timestamp::from(OffsetDateTime::now_utc() - time::Duration::SECOND);
        self.eventually("all events are a second old", || second_ago() > newest);
    }

    /// Waits for something that must come true.
    pub fn eventually(&self, what: &str, mut holds: impl FnMut() -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !holds() {
            assert!(Instant::now() < deadline, "never: {what}\n{}", self.stderr());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// The callback listener's address.
    pub fn callbacks(&self) -> SocketAddr {
        self.server().callbacks
    }

    /// The admin listener's address.
    pub fn admin(&self) -> SocketAddr {
        self.server().admin
    }

    /// What the server has written to stderr so far.
    pub fn stderr(&self) -> String {
        self.server().stderr.lock().unwrap().join("\n")
    }

    /// The server's process.
    pub fn process(&self) -> Pid {
        Pid::from_child(&self.server().child)
    }

    /// How much memory the server has taken at its peak.
    pub fn peak_memory_kib(&self) -> u64 {
        let path = format!("/proc/{}/status", self.server().child.id());
        let status = std::fs::read_to_string(path).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }

    /// The folder with the ledger.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The log's file.
    pub fn log_file(&self) -> PathBuf {
        self.folder.path().join("ledger.db")
    }

    /// The views' file.
    pub fn views_file(&self) -> PathBuf {
        self.folder.path().join("ledger.views.db")
    }

    /// Ends the server as an operator does, and returns what it wrote to stderr.
    pub fn stop(&mut self) -> String {
        let server = self.server.take().expect("the server runs");
        server.signal(Signal::TERM);
        server.ended_cleanly()
    }

    /// Sends the server a signal.
    pub fn signal(&self, signal: Signal) {
        self.server().signal(signal);
    }

    /// Waits until the server has ended, after a signal.
    pub fn ended(&mut self) -> ExitStatus {
        self.server.take().expect("the server runs").ended().0
    }

    /// Ends the server as a power cut does.
    pub fn kill(&mut self) {
        let mut server = self.server.take().expect("the server runs");
        server.child.kill().unwrap();
        server.child.wait().unwrap();
    }

    fn server(&self) -> &Server {
        self.server.as_ref().expect("the server runs")
    }
}

impl Drop for App {
    fn drop(&mut self) {
        let Some(mut server) = self.server.take() else { return };
        if std::thread::panicking() {
            eprintln!("the server wrote:\n{}", server.stderr.lock().unwrap().join("\n"));
            let _already_gone = server.child.kill();
            let _already_gone = server.child.wait();
        } else {
            server.signal(Signal::TERM);
            server.ended_cleanly();
        }
    }
}

impl Server {
    fn start(command: Command) -> Self {
        let mut child = command.spawn();
        let lines = BufReader::new(child.stderr.take().expect("stderr is piped"));
        let stderr = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&stderr);
        std::thread::spawn(move || {
            lines.lines().map_while(Result::ok).for_each(|line| sink.lock().unwrap().push(line));
        });
        let deadline = Instant::now() + PATIENCE;
        loop {
            let so_far = stderr.lock().unwrap().join("\n");
            let callbacks = address_after(&so_far, "receiving callbacks on http://");
            let admin = address_after(&so_far, "answering questions on http://");
            if let (Some(callbacks), Some(admin)) = (callbacks, admin) {
                return Self { child, callbacks, admin, stderr };
            }
            let ended = child.try_wait().unwrap();
            assert!(ended.is_none(), "the server ended at once: {ended:?}\n{so_far}");
            assert!(Instant::now() < deadline, "the server does not start:\n{so_far}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    fn ended_cleanly(self) -> String {
        let (status, stderr) = self.ended();
        assert!(status.success(), "the server ended with {status}:\n{stderr}");
        stderr
    }

    fn ended(mut self) -> (ExitStatus, String) {
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return (status, self.stderr.lock().unwrap().join("\n"));
            }
            if Instant::now() > deadline {
                self.child.kill().unwrap();
                panic!("the server did not end within 10 s of SIGTERM");
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

fn address_after(text: &str, phrase: &str) -> Option<SocketAddr> {
    let (_, rest) = text.split_once(phrase)?;
    rest.split(['/', '"', '\n']).next()?.trim().parse().ok()
}

fn write_configuration(folder: &Path) {
    let write = |name: &str, text: &str| std::fs::write(folder.join(name), text).unwrap();
    write("other-token", OTHER_TOKEN);
    write("shared-key", SHARED_KEY);
    write(
        "delivery-ledger.toml",
        &format!(
            "[accounts.{OTHER_ACCOUNT}]\n\
             auth_token_file = \"other-token\"\n\
             shared_keys = {{ webhooks_sharedkey_01 = \"shared-key\" }}\n"
        ),
    );
}

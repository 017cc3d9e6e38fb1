//! A server process with its ledger in a temporary folder, and commands run on the same ledger.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use delivery_ledger::domain::Timestamp;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use time::OffsetDateTime;

use super::bodies::{ACCOUNT, MessageBody, OTHER_ACCOUNT};
use super::http::{Request, Response};
use super::sign::{SECONDARY_TOKEN, SHARED_KEY, TOKEN, json_signature, signature};

const PROGRAM: &str = env!("CARGO_BIN_EXE_delivery-ledger");
const PATIENCE: Duration = Duration::from_secs(60);
/// The public URL that the server is configured with.
const PUBLIC_URL: &str = "https://hooks.example.com";
/// The second account's token.
pub const OTHER_TOKEN: &str = "00112233445566778899aabbccddeeff";

/// A command line of the program; the environment contains only what the test sets.
pub struct Command(std::process::Command);

impl Command {
    /// A command with these arguments, run in this folder.
    pub fn new(folder: &Path, arguments: &[&str]) -> Self {
        let mut command = std::process::Command::new(PROGRAM);
        command.current_dir(folder).env_clear().args(arguments);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Self(command)
    }

    /// Sets an environment variable.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.0.env(name, value);
        self
    }

    /// Redirects stdin.
    pub fn stdin(mut self, from: impl Into<Stdio>) -> Self {
        self.0.stdin(from);
        self
    }

    /// Redirects stdout.
    pub fn stdout(mut self, to: impl Into<Stdio>) -> Self {
        self.0.stdout(to);
        self
    }

    /// Redirects stderr.
    pub fn stderr(mut self, to: impl Into<Stdio>) -> Self {
        self.0.stderr(to);
        self
    }

    /// Runs the command and waits for it to exit.
    pub fn output(mut self) -> Output {
        self.0.output().expect("the program starts")
    }

    /// Starts the command without waiting.
    pub fn spawn(mut self) -> Child {
        self.0.spawn().expect("the program starts")
    }
}

/// A running server. Dropping it stops the server and asserts that it exits cleanly.
pub struct App {
    folder: TempDir,
    server: Option<Server>,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    /// The API token sent with requests to the admin listener, if any.
    token: Option<String>,
}

struct Server {
    child: Child,
    callbacks: SocketAddr,
    admin: SocketAddr,
    stderr: Arc<Mutex<Vec<String>>>,
}

impl App {
    /// Starts a server with a new ledger.
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// Starts a server with a new ledger and more arguments of `serve`.
    pub fn start_with(arguments: &[&str]) -> Self {
        Self::start_with_env(&[], arguments)
    }

    /// Starts a server with a new ledger, more environment variables and more arguments.
    pub fn start_with_env(environment: &[(&str, &str)], arguments: &[&str]) -> Self {
        let arguments = arguments.iter().map(|argument| argument.to_string()).collect();
        let mut app = Self::not_started(environment);
        app.arguments = arguments;
        app.restart();
        app
    }

    /// Creates the configuration without starting a server.
    pub fn not_started(environment: &[(&str, &str)]) -> Self {
        let folder = TempDir::new().unwrap();
        write_configuration(folder.path());
        let environment =
            environment.iter().map(|(name, value)| (name.to_string(), value.to_string()));
        let environment = environment.collect();
        Self { folder, server: None, arguments: Vec::new(), environment, token: None }
    }

    /// Appends a section to the configuration file.
    pub fn configure(&self, section: &str) {
        let path = self.folder().join("delivery-ledger.toml");
        let before = std::fs::read_to_string(&path).unwrap();
        std::fs::write(path, before + section).unwrap();
    }

    /// Puts settings at the beginning of the configuration file, before its sections.
    pub fn configure_first(&self, settings: &str) {
        let path = self.folder().join("delivery-ledger.toml");
        let before = std::fs::read_to_string(&path).unwrap();
        std::fs::write(path, settings.to_owned() + &before).unwrap();
    }

    /// Configures an API token with this scope and sends it with every later request.
    pub fn use_token_with_scope(&mut self, scope: &str) {
        const TOKEN: &str = "0123456789abcdef-asking";
        self.configure(&format!(
            "[api_tokens.asking]\ntoken_file = \"asking\"\nscope = \"{scope}\"\n"
        ));
        std::fs::write(self.folder().join("asking"), TOKEN).unwrap();
        self.token = Some(TOKEN.to_owned());
    }

    /// Sends a request to the admin listener, with the configured token if any.
    pub fn ask(&self, request: Request) -> Response {
        self.with_token(request).send(self.admin())
    }

    /// Adds the configured token, if any, to a request.
    pub fn with_token(&self, request: Request) -> Request {
        match &self.token {
            Some(token) => request.header("Authorization", &format!("Bearer {token}")),
            None => request,
        }
    }

    /// Starts the server again on the same ledger.
    pub fn restart(&mut self) {
        assert!(self.server.is_none(), "the server is still running");
        let mut arguments = vec!["serve", "--listen", "127.0.0.1:0"];
        for (flag, usual) in [("--admin-listen", "127.0.0.1:0"), ("--public-url", PUBLIC_URL)] {
            if !self.arguments.iter().any(|argument| argument == flag) {
                arguments.extend([flag, usual]);
            }
        }
        arguments.extend(self.arguments.iter().map(String::as_str));
        self.server = Some(Server::start(self.command(&arguments)));
    }

    /// A command on the same ledger, with the same environment as the server.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let command = Command::new(self.folder.path(), arguments)
            .env("TWILIO_ACCOUNT_SID", ACCOUNT)
            .env("TWILIO_AUTH_TOKEN", TOKEN)
            .env("TWILIO_AUTH_TOKEN_SECONDARY", SECONDARY_TOKEN);
        let further = self.environment.iter();
        further.fold(command, |command, (name, value)| command.env(name, value))
    }

    /// Runs a command and waits for it to exit.
    pub fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output()
    }

    /// Runs a command that must succeed, and parses its JSON.
    pub fn json(&self, arguments: &[&str]) -> Value {
        let output = self.run(arguments);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?} ended with {}: {stderr}", output.status);
        serde_json::from_slice(&output.stdout).expect("JSON on stdout")
    }

    /// Returns every event of the log, from `export events`.
    pub fn events(&self) -> Vec<Value> {
        self.ndjson(&["export", "events"])
    }

    /// Returns every message, from `export messages`.
    pub fn messages(&self) -> Vec<Value> {
        self.ndjson(&["export", "messages"])
    }

    fn ndjson(&self, arguments: &[&str]) -> Vec<Value> {
        let output = self.run(arguments);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout).expect("NDJSON is UTF-8");
        text.lines()
            .map(|line| serde_json::from_str(line).expect("one JSON object per line"))
            .collect()
    }

    /// Sends a signed callback to the default path.
    pub fn receive(&self, body: impl Into<Vec<u8>>) -> Response {
        self.receive_at("/message-status", body)
    }

    /// Sends signed JSON to this path.
    pub fn receive_json(&self, path: &str, body: impl Into<Vec<u8>>) -> Response {
        let body = body.into();
        let hash: String = Sha256::digest(&body).iter().map(|byte| format!("{byte:02x}")).collect();
        let target = format!("{path}?bodySHA256={hash}");
        let signature = json_signature(TOKEN, &self.url(&target));
        let request = Request::new("POST", &target).header("Content-Type", "application/json");
        request.header("X-Twilio-Signature", &signature).body(body).send(self.callbacks())
    }

    /// Sends a signed callback to this path and query.
    pub fn receive_at(&self, target: &str, body: impl Into<Vec<u8>>) -> Response {
        let body = body.into();
        let signature = signature(TOKEN, &self.url(target), &body);
        self.form(target).header("X-Twilio-Signature", &signature).body(body).send(self.callbacks())
    }

    /// Sends a callback of the second configured account, signed with its token.
    pub fn receive_of_other_account(&self, body: MessageBody) -> Response {
        let body = body.with("AccountSid", OTHER_ACCOUNT).bytes();
        let signature = signature(OTHER_TOKEN, &self.url("/message-status"), &body);
        let request = self.form("/message-status").header("X-Twilio-Signature", &signature);
        request.body(body).send(self.callbacks())
    }

    /// A form request that is not signed.
    pub fn form(&self, target: &str) -> Request {
        Request::new("POST", target).header("Content-Type", "application/x-www-form-urlencoded")
    }

    /// The URL that Twilio signs for this path and query.
    pub fn url(&self, target: &str) -> String {
        format!("{PUBLIC_URL}{target}")
    }

    /// Sends a GET request to the admin listener.
    pub fn get(&self, target: &str) -> Response {
        self.ask(Request::new("GET", target))
    }

    /// Returns a message from the API.
    pub fn message(&self, sid: &str) -> Value {
        let answer = self.get(&format!("/v1/messages/{sid}"));
        assert_eq!(answer.code, 200, "{}", String::from_utf8_lossy(&answer.body));
        answer.json()
    }

    /// Waits until the projection has caught up with every acknowledged event.
    pub fn caught_up(&self) {
        self.eventually("the projection catches up", || {
            let state = self.get("/readyz").json();
            state["checkpoint"] == state["head"]
        });
    }

    /// Waits until the projection has reached a position, which another process may have appended.
    pub fn caught_up_to(&self, position: u64) {
        self.eventually("the projection reaches the position", || {
            self.get("/readyz").json()["checkpoint"].as_u64() >= Some(position)
        });
    }

    /// Waits until every event of the log is more than a second old.
    pub fn wait_until_all_events_are_a_second_old(&self) {
        let events = self.events();
        let newest = events.iter().filter_map(|event| event["received_at"].as_str()).max();
        let newest = Timestamp::parse(newest.expect("an event")).unwrap();
        let second_ago = || Timestamp::from(OffsetDateTime::now_utc() - time::Duration::SECOND);
        self.eventually("all events are a second old", || second_ago() > newest);
    }

    /// Polls until a condition holds; panics if it does not within a minute.
    pub fn eventually(&self, what: &str, mut holds: impl FnMut() -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !holds() {
            assert!(Instant::now() < deadline, "timed out waiting until {what}\n{}", self.stderr());
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

    /// Returns what the server has written to stderr so far.
    pub fn stderr(&self) -> String {
        self.server().stderr.lock().unwrap().join("\n")
    }

    /// The server's process ID.
    pub fn process(&self) -> Pid {
        Pid::from_child(&self.server().child)
    }

    /// The server's peak memory, in KiB.
    pub fn peak_memory_kib(&self) -> u64 {
        let path = format!("/proc/{}/status", self.server().child.id());
        let status = std::fs::read_to_string(path).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }

    /// The processor time of the server so far, in ticks of ten milliseconds.
    pub fn processor_ticks(&self) -> u64 {
        let path = format!("/proc/{}/stat", self.server().child.id());
        let stat = std::fs::read_to_string(path).unwrap();
        // The fields after the name of the program, which may contain blanks; see proc_pid_stat(5).
        let (_, fields) = stat.rsplit_once(") ").unwrap();
        let fields: Vec<_> = fields.split(' ').collect();
        fields[11..=12].iter().map(|ticks| ticks.parse::<u64>().unwrap()).sum()
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

    /// Stops the server with SIGTERM, and returns what it wrote to stderr.
    pub fn stop(&mut self) -> String {
        let server = self.server.take().expect("the server is running");
        server.signal(Signal::TERM);
        server.assert_exits_cleanly()
    }

    /// Sends the server a signal.
    pub fn signal(&self, signal: Signal) {
        self.server().signal(signal);
    }

    /// Waits until the server has exited, after a signal.
    pub fn ended(&mut self) -> ExitStatus {
        self.server.take().expect("the server is running").ended().0
    }

    /// Kills the server with SIGKILL.
    pub fn kill(&mut self) {
        let mut server = self.server.take().expect("the server is running");
        server.child.kill().unwrap();
        server.child.wait().unwrap();
    }

    fn server(&self) -> &Server {
        self.server.as_ref().expect("the server is running")
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
            server.assert_exits_cleanly();
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
            assert!(ended.is_none(), "the server exited at once: {ended:?}\n{so_far}");
            assert!(Instant::now() < deadline, "the server did not start in time:\n{so_far}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    fn assert_exits_cleanly(self) -> String {
        let (status, stderr) = self.ended();
        assert!(status.success(), "the server exited with {status}:\n{stderr}");
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
                panic!("the server did not exit within 10 s");
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

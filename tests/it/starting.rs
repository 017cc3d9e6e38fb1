//! Wrong settings stop `serve` at once, with one line that names the setting and what would be right.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::support::{ACCOUNT, App, TOKEN, delivered, sid};

// Accounts and tokens.

#[test]
fn without_an_account_it_says_what_to_set() {
    assert_eq!(
        Serve::bare().refused(),
        "error: no Twilio account is configured: set TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN \
         (or TWILIO_AUTH_TOKEN_FILE), or add [accounts.AC…] with auth_token_file to \
         delivery-ledger.toml"
    );
}

#[test]
fn an_account_needs_its_token_and_a_token_its_account() {
    assert_eq!(
        Serve::bare().env("TWILIO_ACCOUNT_SID", ACCOUNT).refused(),
        format!(
            "error: TWILIO_ACCOUNT_SID is {ACCOUNT}, but its token is missing: set \
             TWILIO_AUTH_TOKEN or TWILIO_AUTH_TOKEN_FILE"
        )
    );
    assert_eq!(
        Serve::bare().env("TWILIO_AUTH_TOKEN", TOKEN).refused(),
        "error: TWILIO_AUTH_TOKEN is set, but not whose it is: set TWILIO_ACCOUNT_SID to the AC… SID"
    );
    // A variable that is set to nothing is not set.
    let blank = Serve::configured().env("TWILIO_AUTH_TOKEN", "").refused();
    assert!(blank.contains("its token is missing"), "{blank}");
    let file = Serve::bare().file("delivery-ledger.toml", "[accounts.AC1]\n").refused();
    assert_eq!(file, "error: accounts.AC1 has no auth_token_file; it names a file with the token");
}

#[test]
fn a_token_file_must_be_readable_and_hold_something() {
    let serve = |file: &str| {
        Serve::bare().env("TWILIO_ACCOUNT_SID", ACCOUNT).env("TWILIO_AUTH_TOKEN_FILE", file)
    };

    assert_eq!(
        serve("nowhere").refused(),
        "error: TWILIO_AUTH_TOKEN_FILE: cannot read the secret in nowhere: \
         No such file or directory (os error 2)"
    );
    let folder = serve(".").refused();
    assert!(folder.starts_with("error: TWILIO_AUTH_TOKEN_FILE: cannot read the secret in ."));
    for empty in ["", "\n", "\r\n"] {
        assert_eq!(
            serve("token").file("token", empty).refused(),
            "error: TWILIO_AUTH_TOKEN_FILE: token is empty; \
             it should hold the secret and nothing else"
        );
    }
    let in_file = "[accounts.AC1]\nauth_token_file = \"nowhere\"\n";
    let refused = Serve::bare().file("delivery-ledger.toml", in_file).refused();
    assert!(refused.starts_with("error: accounts.AC1.auth_token_file: cannot read"), "{refused}");
    let keys = "[accounts.AC1]\nauth_token = \"x\"\nshared_keys = { k = \"nowhere\" }\n";
    let refused = Serve::bare().file("delivery-ledger.toml", keys).refused();
    assert!(refused.starts_with("error: accounts.AC1.shared_keys: cannot read"), "{refused}");
}

#[test]
fn an_empty_secret_in_the_file_is_refused() {
    // Anybody could have signed with an empty token.
    for (file, setting) in [
        ("[accounts.AC1]\nauth_token = \"\"\n", "accounts.AC1.auth_token"),
        (
            "[accounts.AC1]\nauth_token = \"x\"\nauth_token_secondary = \"\"\n",
            "accounts.AC1.auth_token_secondary",
        ),
        ("api_token = \"\"\n[accounts.AC1]\nauth_token = \"x\"\n", "api_token"),
    ] {
        assert_eq!(
            Serve::bare().file("delivery-ledger.toml", file).refused(),
            format!("error: {setting} is empty; it should hold the secret, or be left out")
        );
    }
}

#[test]
fn an_admin_listener_that_others_can_reach_needs_a_token() {
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:8081"] {
        assert_eq!(
            Serve::configured().arguments(&["--admin-listen", address]).refused(),
            format!(
                "error: the admin listener is bound to {address}, which others can reach: set \
                 DELIVERY_LEDGER_API_TOKEN (or …_FILE), or bind it to 127.0.0.1 with --admin-listen"
            )
        );
    }
    let empty_file = Serve::configured()
        .arguments(&["--admin-listen", "0.0.0.0:0"])
        .file("api-token", "\n")
        .env("DELIVERY_LEDGER_API_TOKEN_FILE", "api-token");
    assert!(empty_file.refused().starts_with("error: DELIVERY_LEDGER_API_TOKEN_FILE: api-token"));
}

// Public URLs.

#[test]
fn a_public_url_that_twilio_could_not_have_signed_is_refused() {
    for (url, reason) in [
        (
            "https://my_host.example.com",
            "`https://my_host.example.com` has an underscore in its host name; \
             Twilio refuses such callback URLs",
        ),
        (
            "https://h.example.com/a?b=1",
            "`https://h.example.com/a?b=1` has a query; give scheme, host and path prefix only",
        ),
        (
            "https://h.example.com/#rc=5",
            "`https://h.example.com/#rc=5` has a fragment; \
             Twilio never signs one, so leave it out here",
        ),
        ("ftp://h.example.com", "`ftp://h.example.com` is not of the form https://host/prefix"),
        ("h.example.com", "`h.example.com` is not of the form https://host/prefix"),
        ("https://", "`https://` is not of the form https://host/prefix"),
        ("https:///prefix", "`https:///prefix` is not of the form https://host/prefix"),
        ("https://:8443", "`https://:8443` has no host"),
        (
            "https://h.example.com:x",
            "`https://h.example.com:x` has a port that is not a number from 0 to 65535",
        ),
        (
            "https://h.example.com:65536",
            "`https://h.example.com:65536` has a port that is not a number from 0 to 65535",
        ),
        (
            "https://h.example.com/España",
            "`https://h.example.com/España` has characters that no URL has; percent-encode them",
        ),
    ] {
        assert_eq!(
            Serve::configured().arguments(&["--public-url", url]).refused_as_usage(),
            format!("error: DELIVERY_LEDGER_PUBLIC_URL or --public-url: public URL {reason}")
        );
    }
}

#[test]
fn a_password_in_a_public_url_is_refused_and_not_shown() {
    for url in [
        "https://user:hunter2@h.example.com",
        "https://user:hun@ter2@h.example.com/prefix",
        "https://user:hunter2@h.example.com?a=1",
        "ftp://user:hunter2@h.example.com",
        "user:hunter2@h.example.com",
        "//user:hunter2@h.example.com",
    ] {
        let refused = Serve::configured().env("DELIVERY_LEDGER_PUBLIC_URL", url).refused();
        assert!(refused.contains("DELIVERY_LEDGER_PUBLIC_URL"), "{refused}");
        assert!(refused.contains("@h.example.com"), "{refused}");
        assert!(!refused.contains("hun") && !refused.contains("ter2"), "{refused}");
    }
    let refused = Serve::configured()
        .arguments(&["--public-url", "https://user:hunter2@h.example.com"])
        .refused_as_usage();
    assert_eq!(
        refused,
        "error: DELIVERY_LEDGER_PUBLIC_URL or --public-url: public URL `https://…@h.example.com` \
         has a user name or password; Twilio drops them before it signs, so leave them out"
    );
}

#[test]
fn every_one_of_several_public_urls_is_checked_wherever_it_stands() {
    let both = "https://a.example.com, https://b_b.example.com";
    let refused = Serve::configured().env("DELIVERY_LEDGER_PUBLIC_URL", both).refused();
    assert!(refused.contains("`https://b_b.example.com` has an underscore"), "{refused}");

    let file = "public_url = [\"https://a.example.com\", \"ftp://b.example.com\"]\n";
    let refused = Serve::configured().file("delivery-ledger.toml", file).refused();
    assert!(refused.contains("`ftp://b.example.com` is not of the form"), "{refused}");
}

// Addresses, paths and the rule.

#[test]
fn an_address_that_is_none_is_refused() {
    let listen = Serve::configured().env("DELIVERY_LEDGER_ADMIN_LISTEN", "8081");
    assert_eq!(
        listen.without_listeners().refused(),
        "error: DELIVERY_LEDGER_ADMIN_LISTEN: `8081` is not an address and port, \
         such as 127.0.0.1:8081"
    );
    let listen = Serve::configured().without_listeners().arguments(&["--listen", "localhost:8080"]);
    assert_eq!(
        listen.refused_as_usage(),
        "error: --listen: `localhost:8080` is not an address and port, such as 127.0.0.1:8080"
    );
}

#[test]
fn a_port_that_is_taken_is_refused() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();

    let listen = Serve::configured().without_listeners().arguments(&["--listen", &taken]);
    assert_eq!(
        listen.refused(),
        format!(
            "error: cannot listen on {taken}; choose another with --listen or \
             DELIVERY_LEDGER_LISTEN: Address already in use (os error 98)"
        )
    );
    let listen = Serve::configured().arguments(&["--admin-listen", &taken]);
    assert_eq!(
        listen.refused(),
        format!(
            "error: cannot listen on {taken}; choose another with --admin-listen or \
             DELIVERY_LEDGER_ADMIN_LISTEN: Address already in use (os error 98)"
        )
    );
}

#[test]
fn a_callback_path_that_no_request_could_have_is_refused() {
    for path in ["message-status", "/a?b", "/a#b", "/a b", "/{a}", ""] {
        let refused = Serve::configured().arguments(&["--callback-path", path]).refused_as_usage();
        let expected = format!("error: --callback-path: `{path}` is not a path such as /message");
        assert!(refused.starts_with(&expected), "{refused}");
    }
}

#[test]
fn a_star_in_a_callback_path_stands_only_at_its_end() {
    for path in ["/v1/*/sms", "/v1/sms*", "/*/*"] {
        assert_eq!(
            Serve::configured().env("DELIVERY_LEDGER_CALLBACK_PATH", path).refused(),
            format!(
                "error: DELIVERY_LEDGER_CALLBACK_PATH: `{path}` has a * elsewhere than in a trailing \
                 /*, which stands for every path below; give one path, or end it with /*"
            )
        );
    }
    let file = Serve::configured().file("delivery-ledger.toml", "callback_path = \"/healthz\"\n");
    assert_eq!(
        file.refused(),
        "error: callback_path: `/healthz` is where the server says that it is running; choose \
         another path"
    );
}

#[test]
fn a_rule_that_is_none_is_refused() {
    assert_eq!(
        Serve::configured().env("DELIVERY_LEDGER_RULE", "last-wins").refused(),
        "error: DELIVERY_LEDGER_RULE: `last-wins` is no rule; it is failure-terminal or \
         delivery-wins"
    );
    let file = Serve::configured().file("delivery-ledger.toml", "rule = \"Delivery-Wins\"\n");
    let refused = file.refused();
    assert!(refused.starts_with("error: rule: `Delivery-Wins` is no rule"), "{refused}");
}

#[test]
fn a_time_between_verifications_that_is_none_is_refused() {
    for time in ["24", "0s", "daily", "-1h", "on"] {
        assert_eq!(
            Serve::configured().arguments(&[&format!("--verify-every={time}")]).refused(),
            format!(
                "error: --verify-every: `{time}` is neither off nor a time from 1s on, such as 24h"
            )
        );
    }
    let variable = Serve::configured().env("DELIVERY_LEDGER_VERIFY_EVERY", "x").refused();
    assert!(
        variable.starts_with("error: DELIVERY_LEDGER_VERIFY_EVERY: `x` is neither"),
        "{variable}"
    );
    let file = Serve::configured().file("delivery-ledger.toml", "verify_every = \"x\"\n").refused();
    assert!(file.starts_with("error: verify_every: `x` is neither"), "{file}");
}

#[test]
fn wal_checkpoints_are_ones_own_or_anothers() {
    let refused =
        Serve::configured().env("DELIVERY_LEDGER_WAL_CHECKPOINTS", "litestream").refused();
    assert_eq!(
        refused,
        "error: DELIVERY_LEDGER_WAL_CHECKPOINTS: `litestream` is neither own nor external, which \
         leaves them to Litestream"
    );
    let file =
        Serve::configured().file("delivery-ledger.toml", "wal_checkpoints = \"x\"\n").refused();
    assert!(file.starts_with("error: wal_checkpoints: `x` is neither"), "{file}");
}

// The configuration file.

#[test]
fn an_unknown_key_is_refused_with_its_line() {
    let refused =
        Serve::configured().file("delivery-ledger.toml", "# ours\npublic_ulr = \"x\"\n").refused();
    assert!(
        refused.starts_with("error: delivery-ledger.toml: line 2: unknown field `public_ulr`"),
        "{refused}"
    );
    let account = "[accounts.AC1]\nauth_tokn = \"hunter2\"\n";
    let refused = Serve::configured().file("delivery-ledger.toml", account).refused();
    assert!(
        refused.starts_with("error: delivery-ledger.toml: line 2: unknown field `auth_tokn`"),
        "{refused}"
    );
}

#[test]
fn no_mistake_in_the_configuration_file_shows_a_secret() {
    for account in [
        "auth_tokn = \"5417392860\"",
        "auth_token = 5417392860",
        "auth_token = 54173928.60",
        "auth_token = [\"5417392860\"]",
        "auth_token = \"5417392860",
        "auth_token = 5417392860abcdef",
        "auth_token = abcdef5417392860",
        "auth_token = \"5417392860\"\nauth_token = \"5417392860\"",
        "auth_token = \"5417392860\"\nauth_token_file = \"token\"",
    ] {
        let file = format!("[accounts.AC1]\n{account}\n");
        let refused = Serve::configured().file("delivery-ledger.toml", &file).refused();
        assert!(!refused.contains("54173928"), "{refused}");
        assert!(refused.contains("line") || refused.contains("auth_token"), "{refused}");
    }
}

#[test]
fn a_configuration_file_that_was_named_must_be_there() {
    assert_eq!(
        Serve::configured().arguments(&["--config", "nowhere.toml"]).refused(),
        "error: cannot read the configuration file nowhere.toml: \
         No such file or directory (os error 2)"
    );
}

// The ledger.

#[test]
fn a_database_url_that_is_none_is_refused() {
    assert_eq!(
        Serve::configured().arguments(&["--database", "ledger.db"]).refused_as_usage(),
        "error: --database: database `ledger.db` is not of the form sqlite:PATH"
    );
    assert_eq!(
        Serve::configured().env("DELIVERY_LEDGER_DATABASE", "sqlite:").refused(),
        "error: DELIVERY_LEDGER_DATABASE: database `sqlite:` is not of the form sqlite:PATH"
    );
}

#[test]
fn a_password_in_a_database_url_is_not_shown() {
    for url in ["mysql://user:hunter2@db/ledger", "postgres://user:hunter2@db/ledger"] {
        let refused = Serve::configured().env("DELIVERY_LEDGER_DATABASE", url).refused();
        assert!(refused.starts_with("error: DELIVERY_LEDGER_DATABASE: "), "{refused}");
        assert!(!refused.contains("hunter2"), "{refused}");
    }
}

#[test]
fn a_path_where_no_ledger_can_be_is_refused_and_the_setting_named() {
    let serve = |path: &str| {
        let url = format!("sqlite:{path}");
        Serve::configured().arguments(&["--database", &url])
    };
    let names_the_setting = "(--database or DELIVERY_LEDGER_DATABASE)";

    let folder = serve(".").refused();
    assert!(folder.contains(". is a folder; name a file in it, such as ./ledger.db"), "{folder}");
    assert!(folder.contains(names_the_setting), "{folder}");

    let below_a_file = serve("notes/ledger.db").file("notes", "x").refused();
    assert!(below_a_file.contains("notes"), "{below_a_file}");
    assert!(below_a_file.contains(names_the_setting), "{below_a_file}");

    // Nobody, not even root, can make a file there.
    let read_only = serve("/proc/ledger.db").refused();
    assert!(read_only.contains("/proc/ledger.db"), "{read_only}");
    assert!(read_only.contains(names_the_setting), "{read_only}");
}

#[test]
fn a_file_that_is_no_ledger_is_refused_and_left_as_it_is() {
    let text = "Dear diary, this is longer than the header of a database. ".repeat(20);
    let serve = Serve::configured().file("ledger.db", &text);
    let refused = serve.refused();
    assert_eq!(
        refused,
        "error: the ledger sqlite:ledger.db (--database or DELIVERY_LEDGER_DATABASE): \
         ledger.db is no delivery-ledger database: SQLite does not know its format"
    );
    assert_eq!(std::fs::read_to_string(serve.folder.path().join("ledger.db")).unwrap(), text);

    let serve = Serve::configured();
    let other = rusqlite::Connection::open(serve.folder.path().join("ledger.db")).unwrap();
    other.execute_batch("CREATE TABLE recipes(name); INSERT INTO recipes VALUES ('pie')").unwrap();
    let refused = serve.refused();
    assert!(refused.contains("it has tables of something else"), "{refused}");
    let recipes: i64 =
        other.query_row("SELECT count(*) FROM recipes", [], |row| row.get(0)).unwrap();
    let tables: i64 =
        other.query_row("SELECT count(*) FROM sqlite_master", [], |row| row.get(0)).unwrap();
    assert_eq!((recipes, tables), (1, 1));
}

#[test]
fn a_ledger_of_a_newer_version_is_refused_by_every_command() {
    let mut app = App::start();
    assert_eq!(app.receive(delivered(&sid(1))).code, 200);
    app.stop();
    let log = rusqlite::Connection::open(app.log_file()).unwrap();
    log.execute_batch("UPDATE refinery_schema_history SET version = 99").unwrap();
    drop(log);

    let listeners = ["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"];
    let serve = [&["serve"][..], &listeners].concat();
    for command in
        [&serve[..], &["export", "events"], &["audit", &sid(1)], &["replay"], &["verify"]]
    {
        let output = app.run(command);
        assert_eq!(output.status.code(), Some(1), "{command:?}");
        let stderr = String::from_utf8(output.stderr).unwrap();
        let expected = "ledger.db was written by a newer version (schema 99, this version knows 1); \
                        use that version\n";
        assert!(stderr.starts_with("error: ") && stderr.ends_with(expected), "{stderr}");
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
    }
}

#[test]
fn a_second_server_on_one_ledger_is_refused_and_the_first_goes_on() {
    let app = App::start();

    let second = app.run(&["serve", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]);

    assert_eq!(second.status.code(), Some(1));
    assert_eq!(
        String::from_utf8_lossy(&second.stderr),
        "error: the ledger sqlite:ledger.db (--database or DELIVERY_LEDGER_DATABASE): ledger.db is \
         held by another process (a running serve, or a command at work); stop it, or name another \
         ledger\n"
    );
    assert_eq!(app.receive(delivered(&sid(1))).code, 200);
}

#[test]
fn a_ledger_is_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let app = App::start_with(&["--database", "sqlite:made/for/us/ledger.db"]);
    assert_eq!(app.receive(delivered(&sid(1))).code, 200);
    let mode = |path: &str| {
        let path = app.folder().join("made/for/us").join(path);
        std::fs::metadata(path).unwrap().permissions().mode() & 0o777
    };

    assert_eq!(mode(""), 0o700);
    for file in ["ledger.db", "ledger.db-wal", "ledger.views.db", "ledger.db.lock"] {
        assert_eq!(mode(file), 0o600, "{file}");
    }
}

// What a flag, a variable and the file say at once.

#[test]
fn a_flag_goes_before_the_environment_and_that_before_the_file() {
    let file = "database = \"sqlite:by-file.db\"\nrule = \"nonsense\"\n";
    let variable = "DELIVERY_LEDGER_DATABASE";

    let serve = Serve::configured().file("delivery-ledger.toml", file);
    assert!(serve.refused().starts_with("error: rule: `nonsense`"));
    let serve = serve.env("DELIVERY_LEDGER_RULE", "delivery-wins").env(variable, "by-variable");
    assert!(serve.refused().starts_with("error: DELIVERY_LEDGER_DATABASE: database `by-variable`"));
    let serve = serve.arguments(&["--database", "by-flag"]);
    assert!(serve.refused_as_usage().starts_with("error: --database: database `by-flag`"));
}

// Usage.

#[test]
fn a_call_that_cannot_be_meant_ends_with_2() {
    let folder = TempDir::new().unwrap();
    for arguments in [
        &[][..],
        &["sevre"],
        &["serve", "--no-such-flag"],
        &["serve", "--listen"],
        &["serve", "extra"],
        &["audit"],
        &["export", "nothing"],
        &["export", "events", "--format", "xml"],
        &["verify", "--expect", "nonsense"],
        &["check-signature"],
    ] {
        let output = crate::support::Command::new(folder.path(), arguments).output();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
    }
}

// The words that the tests above speak.

/// A call of `serve` in a folder of its own, which is meant to be refused.
pub struct Serve {
    folder: TempDir,
    environment: Vec<(String, String)>,
    arguments: Vec<String>,
    listeners: bool,
}

impl Serve {
    /// With nothing configured.
    pub fn bare() -> Self {
        let folder = TempDir::new().unwrap();
        Self { folder, environment: Vec::new(), arguments: Vec::new(), listeners: true }
    }

    /// With an account and its token, so that it would start.
    pub fn configured() -> Self {
        Self::bare().env("TWILIO_ACCOUNT_SID", ACCOUNT).env("TWILIO_AUTH_TOKEN", TOKEN)
    }

    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn arguments(mut self, arguments: &[&str]) -> Self {
        self.arguments.extend(arguments.iter().map(|argument| argument.to_string()));
        self
    }

    pub fn file(self, name: &str, text: &str) -> Self {
        std::fs::write(self.folder.path().join(name), text).unwrap();
        self
    }

    /// Without the free ports that it is given elsewhere.
    fn without_listeners(self) -> Self {
        Self { listeners: false, ..self }
    }

    /// Sees it end with 1 and nothing on stdout, and returns the one line on stderr.
    #[track_caller]
    pub fn refused(&self) -> String {
        self.ended_with(1)
    }

    /// The same, of a flag's value that cannot be meant: wrong usage.
    pub fn refused_as_usage(&self) -> String {
        self.ended_with(2)
    }

    fn ended_with(&self, code: i32) -> String {
        let mut command = Command::new(env!("CARGO_BIN_EXE_delivery-ledger"));
        command.current_dir(self.folder.path()).env_clear().arg("serve").args(&self.arguments);
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        for flag in ["--listen", "--admin-listen"] {
            if self.listeners && !self.arguments.iter().any(|argument| argument == flag) {
                command.args([flag, "127.0.0.1:0"]);
            }
        }
        let output = output_of(command, self.folder.path());
        assert_eq!(output.code, Some(code), "{}", output.stderr);
        assert_eq!(output.stdout, "");
        let line = output.stderr.strip_suffix('\n').unwrap_or(&output.stderr);
        assert!(line.starts_with("error: ") && !line.contains('\n'), "{line}");
        line.to_owned()
    }
}

struct Ended {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

/// Runs a command that may by mistake go on for ever.
fn output_of(mut command: Command, folder: &Path) -> Ended {
    let sink = |name: &str| std::fs::File::create(folder.join(name)).unwrap();
    command.stdin(Stdio::null()).stdout(sink("stdout")).stderr(sink("stderr"));
    let mut child: Child = command.spawn().expect("the program starts");
    let deadline = Instant::now() + Duration::from_secs(20);
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if Instant::now() > deadline {
            child.kill().unwrap();
            break child.wait().unwrap();
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    let read = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
    Ended { code: status.code(), stdout: read("stdout"), stderr: read("stderr") }
}

//! pgbouncer in front of the primary, for the tests that need a pooler.

use std::io::Write;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use uuid::Uuid;

use super::{Connection, PostgresDatabase, Servers, with_database};

/// Debian has it outside of the PATH of most users.
const PROGRAM: &str = "/usr/sbin/pgbouncer";
const PATIENCE: Duration = Duration::from_secs(30);

/// For how long a client keeps a connection to the server.
#[derive(Clone, Copy)]
pub enum Pooling {
    Session,
    Transaction,
}

/// A running pooler with a limited number of connections to each database.
pub struct Pooler {
    process: Child,
    url: String,
}

impl Pooler {
    /// Starts one.
    pub fn start(servers: &Servers, pooling: Pooling) -> Self {
        assert!(Path::new(PROGRAM).exists(), "{PROGRAM} is missing: Debian's pgbouncer");
        let begun = Instant::now();
        let mut pooler = Self::start_on(free_port(), servers, pooling);
        while Connection::try_open(&pooler.url).is_err() {
            assert!(begun.elapsed() < PATIENCE, "pgbouncer does not accept connections");
            // Another process may have taken the port.
            if pooler.process.try_wait().unwrap().is_some() {
                pooler = Self::start_on(free_port(), servers, pooling);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        pooler
    }

    /// The URL of a database of the primary through the pooler.
    pub fn url(&self, database: &PostgresDatabase) -> String {
        with_database(&self.url, &database.name)
    }

    fn start_on(port: u16, servers: &Servers, pooling: Pooling) -> Self {
        let primary: tokio_postgres::Config = servers.primary.parse().unwrap();
        let password = String::from_utf8(primary.get_password().unwrap().to_owned()).unwrap();
        let at = primary.get_ports()[0];
        let mode = match pooling {
            Pooling::Session => "session",
            Pooling::Transaction => "transaction",
        };
        let name = servers.folder.join(format!("pgbouncer-{}", Uuid::now_v7().simple()));
        let (settings, users) = (name.with_extension("ini"), name.with_extension("users"));
        write_as_server(servers, &users, &format!("\"postgres\" \"{password}\"\n"));
        let text = format!(
            "[databases]\n* = host=127.0.0.1 port={at}\n\
             [pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n\
             pool_mode = {mode}\ndefault_pool_size = 20\nauth_type = scram-sha-256\nauth_file = {}\n",
            users.display(),
        );
        write_as_server(servers, &settings, &text);
        let mut command = servers.as_server(PROGRAM);
        command.arg("--quiet").arg(&settings).stdout(Stdio::null()).stderr(Stdio::null());
        let process = command.spawn().unwrap();
        let url = servers.primary.replace(&format!(":{at}/"), &format!(":{port}/"));
        Self { process, url }
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        // pgbouncer ends at once at this signal; it may already have ended with the servers.
        let _ = kill_process(Pid::from_child(&self.process), Signal::TERM);
        self.process.wait().unwrap();
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Writes a file that only the user of the servers can read.
fn write_as_server(servers: &Servers, path: &Path, text: &str) {
    let mut command = servers.as_server("sh");
    command.args(["-c", "umask 077; cat > \"$0\""]).arg(path);
    let mut shell = command.stdin(Stdio::piped()).spawn().unwrap();
    shell.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    assert!(shell.wait().unwrap().success(), "{}", path.display());
}

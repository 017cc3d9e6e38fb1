//! A primary and a standby that a test may break, started by `tests/postgres/pair` for it alone.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, test_kill_process};

use super::{Connection, PostgresDatabase, Servers};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/postgres/pair");
const PATIENCE: Duration = Duration::from_secs(30);

/// Two servers and the script that ends them.
pub struct Pair {
    servers: Servers,
    script: Child,
}

impl Pair {
    /// Starts both; that takes two seconds, so most tests use a database on the shared ones instead.
    pub fn of_its_own() -> Self {
        let mut script = Command::new(SCRIPT);
        script.stdin(Stdio::null()).stdout(Stdio::piped());
        let mut script = script.spawn().expect("tests/postgres/pair starts");
        let lines = BufReader::new(script.stdout.take().unwrap()).lines().map_while(Result::ok);
        let variables: Vec<_> = lines.take(3).filter_map(|line| exported(&line)).collect();
        let servers = Servers::named_by(|name| {
            let variable = variables.iter().find(|(other, _)| other == name);
            variable.map(|(_, value)| value.clone())
        });
        let servers = servers.expect("tests/postgres/pair starts servers; why not is on stderr");
        Self { servers, script }
    }

    /// A new database on them.
    pub fn database(&self) -> PostgresDatabase {
        PostgresDatabase::fresh_on(&self.servers)
    }

    /// Stops the standby, so that commits wait. To pause only its receiver would not do: what fits into the
    /// sockets between both would still arrive.
    pub fn stop_standby(&self) {
        self.control("standby", &["--mode=fast", "stop"]);
    }

    /// Starts the stopped standby, which continues where it was.
    pub fn continue_standby(&self) {
        self.start("standby");
    }

    /// Kills the primary's postmaster and all its children at once, as if its machine had failed.
    pub fn kill_primary(&self) {
        let postmaster = self.postmaster("primary");
        // It starts no more children once it is stopped.
        kill_process(postmaster, Signal::STOP).unwrap();
        for process in children(postmaster) {
            // Some may end by themselves first.
            let _ = kill_process(process, Signal::KILL);
        }
        kill_process(postmaster, Signal::KILL).unwrap();
        let begun = Instant::now();
        while test_kill_process(postmaster).is_ok() {
            assert!(begun.elapsed() < PATIENCE, "the primary is still there");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Starts the killed primary, which recovers from its WAL.
    pub fn start_primary(&self) {
        self.start("primary");
    }

    /// Makes the standby a primary, which waits for no standby.
    pub fn promote_standby(&self) {
        self.control("standby", &["promote"]);
    }

    /// The URL of a database with the hosts of both; the one that can be written is used.
    pub fn both_hosts(&self, database: &PostgresDatabase) -> String {
        let hosts =
            |url: &str| url.split('@').nth(1).unwrap().split('/').next().unwrap().to_owned();
        let (primary, standby) = (hosts(database.url()), hosts(&database.standby_url()));
        database.url().replace(&primary, &format!("{primary},{standby}"))
    }

    /// Lets the primary identify itself by a certificate for another host.
    pub fn use_certificate_for_another_host(&self) {
        let primary = Connection::open(&self.servers.primary);
        for (setting, file) in
            [("ssl_cert_file", "wrong-host.crt"), ("ssl_key_file", "wrong-host.key")]
        {
            let file = self.file(file);
            primary.execute(&format!("ALTER SYSTEM SET {setting} = '{}'", file.display())).unwrap();
        }
        self.control("primary", &["reload"]);
    }

    /// A file in the folder of the servers.
    pub fn file(&self, name: &str) -> PathBuf {
        self.servers.folder.join(name)
    }

    fn start(&self, server: &str) {
        let log = format!("--log={}", self.servers.folder.join(format!("{server}.log")).display());
        self.control(server, &[&log, "start"]);
    }

    /// Runs `pg_ctl`, which waits until it is done.
    fn control(&self, server: &str, arguments: &[&str]) {
        let mut command = self.servers.as_server("pg_ctl");
        command.arg("--pgdata").arg(self.data(server)).arg("--wait").args(arguments);
        let output = command.output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "pg_ctl {server} {arguments:?}: {text}{errors}");
    }

    fn data(&self, server: &str) -> PathBuf {
        self.servers.folder.join(server)
    }

    fn postmaster(&self, server: &str) -> Pid {
        let file = std::fs::read_to_string(self.data(server).join("postmaster.pid")).unwrap();
        let pid = file.lines().next().unwrap().parse().unwrap();
        Pid::from_raw(pid).unwrap()
    }
}

impl Servers {
    /// A command that runs as the user of the servers and ends with them.
    pub fn as_server(&self, program: &str) -> Command {
        let mut command = Command::new(self.folder.join("as-server"));
        command.arg(program).current_dir(&self.folder).stdin(Stdio::null());
        command
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        // It has to end both and remove their folder.
        kill_process(Pid::from_child(&self.script), Signal::TERM).unwrap();
        self.script.wait().unwrap();
    }
}

/// The name and the value of a line `export NAME='VALUE'`.
fn exported(line: &str) -> Option<(String, String)> {
    let (name, value) = line.strip_prefix("export ")?.split_once('=')?;
    Some((name.to_owned(), value.trim_matches('\'').to_owned()))
}

/// The processes that this one has started.
fn children(parent: Pid) -> Vec<Pid> {
    let parent = parent.as_raw_pid();
    let tasks = std::fs::read_to_string(format!("/proc/{parent}/task/{parent}/children")).unwrap();
    let pids = tasks.split_whitespace().map(|pid| Pid::from_raw(pid.parse().unwrap()).unwrap());
    pids.collect()
}

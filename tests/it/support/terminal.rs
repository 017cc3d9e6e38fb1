//! A pseudo-terminal of a given size, and what a command shows on it.

use std::fs::File;
use std::io::{Read, Write};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use super::Command;
use super::ledger::Ledger;

/// How long a command may take until it has done what it was told to.
const PATIENCE: Duration = Duration::from_secs(20);

/// A terminal without colours, unless the environment adds them.
pub struct Terminal {
    columns: u16,
    rows: u16,
    is_stderr: bool,
    environment: Vec<(&'static str, String)>,
}

impl Terminal {
    /// A terminal with this many columns, and enough rows for everything.
    pub fn of(columns: u16) -> Self {
        let environment = vec![("TERM", "dumb".to_owned())];
        Self { columns, rows: 1000, is_stderr: false, environment }
    }

    /// A terminal that has colours.
    pub fn coloured(columns: u16) -> Self {
        Self::of(columns).with("TERM", "xterm-256color")
    }

    /// With this many rows.
    pub fn rows(self, rows: u16) -> Self {
        Self { rows, ..self }
    }

    /// Showing what a command writes to stderr.
    pub fn of_stderr(self) -> Self {
        Self { is_stderr: true, ..self }
    }

    /// With this environment variable.
    pub fn with(mut self, name: &'static str, value: &str) -> Self {
        self.environment.push((name, value.to_owned()));
        self
    }

    /// Runs a command on a ledger; returns what it shows, with the line breaks of a file.
    pub fn run(&self, ledger: &Ledger, arguments: &str) -> String {
        self.show(ledger.command(&arguments.split(' ').collect::<Vec<_>>()))
    }

    /// Runs a command that must succeed; returns what it shows.
    pub fn show(&self, command: Command) -> String {
        let (master, slave, command) = self.open(command);
        let command = if self.is_stderr { command.stderr(slave) } else { command.stdout(slave) };
        let mut child = command.spawn();
        let (mut master, mut shown) = (master, Vec::new());
        // Once nobody has the terminal any more, reading fails.
        let _end = master.read_to_end(&mut shown);
        assert!(child.wait().unwrap().success());
        String::from_utf8_lossy(&shown).replace("\r\n", "\n")
    }

    /// Runs a command that reads from the terminal too: once it shows `question`, types the answer, waits
    /// until `is_done`, and ends it with Ctrl-C. Returns what it shows.
    pub fn talk(
        &self,
        command: Command,
        question: &str,
        answer: &str,
        is_done: impl Fn() -> bool,
    ) -> String {
        let (mut master, slave, command) = self.open(command);
        let stdin = slave.try_clone().unwrap();
        let mut child = command.stdin(stdin).stdout(slave).spawn();
        let (mut shown, mut some) = (Vec::new(), [0; 4096]);
        while !String::from_utf8_lossy(&shown).contains(question) {
            let read = master.read(&mut some).unwrap_or(0);
            assert!(read > 0, "{}", String::from_utf8_lossy(&shown));
            shown.extend_from_slice(&some[..read]);
        }
        master.write_all(answer.as_bytes()).unwrap();
        let deadline = Instant::now() + PATIENCE;
        while !is_done() {
            assert!(Instant::now() < deadline, "{}", String::from_utf8_lossy(&shown));
            sleep(Duration::from_millis(20));
        }
        kill_process(Pid::from_child(&child), Signal::INT).unwrap();
        let _end = master.read_to_end(&mut shown);
        assert!(child.wait().unwrap().success());
        String::from_utf8_lossy(&shown).replace("\r\n", "\n")
    }

    /// Runs a command that asks, and must succeed: types each answer once its question is shown. Returns
    /// what it shows, and what the terminal shows of the answers.
    pub fn converse(&self, command: Command, dialogue: &[(&str, &str)]) -> String {
        let (mut master, slave, command) = self.open(command);
        let (stdin, stdout) = (slave.try_clone().unwrap(), slave.try_clone().unwrap());
        let mut child = command.stdin(stdin).stdout(stdout).stderr(slave).spawn();
        let (mut shown, mut some, mut answered) = (Vec::new(), [0; 4096], 0);
        for (question, answer) in dialogue {
            while !String::from_utf8_lossy(&shown[answered..]).contains(question) {
                let read = master.read(&mut some).unwrap_or(0);
                assert!(read > 0, "{}", String::from_utf8_lossy(&shown));
                shown.extend_from_slice(&some[..read]);
            }
            answered = shown.len();
            master.write_all(answer.as_bytes()).unwrap();
        }
        let _end = master.read_to_end(&mut shown);
        assert!(child.wait().unwrap().success(), "{}", String::from_utf8_lossy(&shown));
        String::from_utf8_lossy(&shown).replace("\r\n", "\n")
    }

    /// Both ends of a terminal, and the command with its environment.
    fn open(&self, mut command: Command) -> (File, File, Command) {
        for (name, value) in &self.environment {
            command = command.env(name, value);
        }
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let size = Winsize { ws_row: self.rows, ws_col: self.columns, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&master, size).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap();
        let slave = File::options().read(true).write(true).open(name.to_str().unwrap()).unwrap();
        (File::from(master), slave, command)
    }
}

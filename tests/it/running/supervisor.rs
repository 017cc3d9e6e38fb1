//! What a supervisor like systemd is told: sd_notify(3).

use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use rustix::process::Signal;
use tempfile::TempDir;

use crate::support::App;

/// A socket as systemd has one for each service.
struct Supervisor {
    socket: UnixDatagram,
    folder: TempDir,
}

impl Supervisor {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let socket = UnixDatagram::bind(folder.path().join("notify")).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        Self { socket, folder }
    }

    /// A server that is started with this variable besides the socket's.
    fn starts(&self, variable: (&str, &str)) -> App {
        let path = self.folder.path().join("notify");
        App::start_with_env(&[("NOTIFY_SOCKET", path.to_str().unwrap()), variable], &[])
    }

    fn next(&self) -> String {
        let mut bytes = [0; 4096];
        let length = self.socket.recv(&mut bytes).expect("a message comes");
        String::from_utf8(bytes[..length].to_vec()).unwrap()
    }
}

#[test]
fn a_supervisor_learns_of_readiness_reloads_and_the_end() {
    let supervisor = Supervisor::new();
    let mut app = supervisor.starts(("LANG", "C"));
    assert_eq!(supervisor.next(), "READY=1\n");

    app.signal(Signal::HUP);

    let reloading = supervisor.next();
    let (reloading, at) = reloading.split_once("MONOTONIC_USEC=").expect("systemd needs the time");
    assert_eq!(reloading, "RELOADING=1\n");
    assert!(at.trim().parse::<u64>().unwrap() > 0);
    assert_eq!(supervisor.next(), "READY=1\n");

    app.stop();
    assert_eq!(supervisor.next(), "STOPPING=1\n");
}

#[test]
fn a_watchdog_hears_from_the_server_twice_in_its_time() {
    let supervisor = Supervisor::new();
    let _app = supervisor.starts(("WATCHDOG_USEC", "400000"));
    let mut heard = Vec::new();
    while heard.len() < 5 {
        heard.push(supervisor.next());
    }
    let alive = heard.iter().filter(|message| *message == "WATCHDOG=1\n").count();
    assert_eq!((alive, heard.contains(&"READY=1\n".to_owned())), (4, true), "{heard:?}");
}

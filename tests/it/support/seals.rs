//! Ledgers with a key that signs seals.

use delivery_ledger::seal::note::Note;

use super::{App, sent, sid};

/// A running server on a ledger with a key in `seal-key`.
pub fn app_with_key(environment: &[(&str, &str)]) -> App {
    let mut app = App::not_started(environment);
    app.restart();
    app.stop();
    let key = app.run(&["seal", "key", "new", "seal-key"]);
    assert!(key.status.success(), "{}", String::from_utf8_lossy(&key.stderr));
    app.configure("[seal]\nkey_file = \"seal-key\"\n");
    app.restart();
    app
}

/// The public key of a ledger.
pub fn public_key(app: &App) -> String {
    let shown = app.run(&["seal", "key", "show"]);
    String::from_utf8(shown.stdout).unwrap().trim().to_owned()
}

/// The note that a command prints.
pub fn note(app: &App, arguments: &[&str]) -> Note {
    let output = app.run(arguments);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {stderr}");
    Note::parse(&String::from_utf8(output.stdout).unwrap()).unwrap()
}

/// Receives a callback of each message with these numbers.
pub fn receive(app: &App, from: u32, to: u32) {
    for number in from..to {
        assert_eq!(app.receive(sent(&sid(number))).code, 200);
    }
    app.caught_up();
}

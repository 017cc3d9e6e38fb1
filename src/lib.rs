//! An event-sourced ledger of Twilio's status callbacks.
//!
//! The modules, in the order in which a callback passes through them:
//! `http` reads the request, `twilio` checks who signed it and parses what it says;
//! `domain` has the vocabulary (event, status, lifecycle) and the rules;
//! `store` appends the event to the log and is the only module with SQL;
//! `projection` reads the log and keeps the views up to date.
//!
//! Around them: `wire` gives events and messages their JSON shape, `report` counts messages, `export`
//! streams them out, `forward` sends events to other applications, `backup` copies the log; `quarantine` keeps rejected requests and
//! `access_log` records who read what; `jobs` makes exports that are kept, and verifies, next to a server; `erase` removes the content of messages from all of them;
//! `twilio_api` calls Twilio, `send` sends messages through it and `reconcile` fetches what callbacks did not report;
//! `seal` signs how many events there are and what their root is, and `evidence` makes and checks proofs of one message;
//! `subaccounts` fetches accounts and their tokens; `import` reads other ledgers and Twilio's records; `simulate` is a fake Twilio for trying it all;
//! `version` knows what was built, `config` reads the settings, `checks` examines a ledger and its server, `server` runs the parts of a server, and `cli` has the commands.

pub mod atomic_file;
pub mod background;
pub mod rate_limit;

pub mod domain;
pub mod twilio;

pub mod store;

pub mod projection;

pub mod wire;

pub mod evidence;

pub mod report;

pub mod export;

pub mod backup;

pub mod twilio_api;

pub mod send;

pub mod reconcile;

pub mod subaccounts;

pub mod import;

pub mod quarantine;

pub mod access_log;

pub mod forward;

pub mod seal;

pub mod jobs;

pub mod erase;

pub mod checks;

pub mod http;

pub mod simulate;

pub mod config;
pub mod telemetry;
pub mod text;
pub mod version;

pub mod server;

pub mod cli;

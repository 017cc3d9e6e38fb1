//! Which environment variables each command reads.

use crate::config::{self, SETTINGS, Setting, Variable};

/// The variables of a command, given by its path. A new command reads the ledger and the terminal.
pub fn environment(path: &str) -> Vec<Variable> {
    let ledger = [&config::DATABASE];
    let views = [&config::DATABASE, &config::RULE, &config::ERROR_CODES];
    let messages = [&views[..], &[&config::TIME_ZONE, &config::DEFAULT_COUNTRY][..]].concat();
    let purge = [&config::DATABASE, &config::TIME_ZONE];
    let callbacks = [&config::DATABASE, &config::PUBLIC_URL, &config::CALLBACK_PATH];
    let api = [&config::TWILIO_API_BASE_URL, &config::TWILIO_API_TIMEOUT, &config::TWILIO_API_KEY];
    let seals = [
        &config::SEAL_KEY_FILE,
        &config::SEAL_ORIGIN,
        &config::SEAL_FILE,
        &config::SEAL_TIMESTAMP_URL,
        &config::SEAL_TIMESTAMP_CERTIFICATES,
    ];
    let account = config::ACCOUNT_VARIABLES.map(Variable::from);
    let pager = || {
        let other = config::PAGER_VARIABLES.into_iter().map(Variable::from);
        of(&[&config::PAGER]).into_iter().chain(other)
    };
    let terminal = || config::TERMINAL_VARIABLES.into_iter().map(Variable::from);
    match path {
        "openapi" | "completions" | "man" | "init" => Vec::new(),
        "serve" | "doctor" => {
            let ours = |setting: &&&Setting| setting.key != config::PAGER.key;
            let settings: Vec<_> = SETTINGS.iter().filter(ours).copied().collect();
            let further = config::API_VARIABLES.map(Variable::from);
            account.into_iter().chain(of(&settings)).chain(further).collect()
        }
        "config" | "config show" => environment("serve").into_iter().chain(pager()).collect(),
        "reconcile" => environment("send").into_iter().chain(of(&[&config::TIME_ZONE])).collect(),
        "feedback" => {
            let further = config::API_VARIABLES.map(Variable::from);
            account
                .into_iter()
                .chain(of(&[&config::DATABASE, &config::RULE]))
                .chain(of(&api))
                .chain(further)
                .collect()
        }
        "send" => {
            let further = config::API_VARIABLES.map(Variable::from);
            account.into_iter().chain(of(&callbacks)).chain(of(&api)).chain(further).collect()
        }
        "streams" | "streams setup" | "streams check" => {
            let further = config::API_VARIABLES.map(Variable::from);
            let urls = of(&[&config::PUBLIC_URL, &config::EVENT_STREAMS_PATH]);
            account.into_iter().chain(urls).chain(of(&api)).chain(further).collect()
        }
        "evidence check" | "seal check" => Vec::new(),
        "evidence" => {
            of(&ledger).into_iter().chain(of(&[&config::RULE])).chain(of(&seals)).collect()
        }
        "seal list" => {
            let shown = of(&ledger).into_iter().chain(of(&[&config::TIME_ZONE]));
            shown.chain(pager()).chain(terminal()).collect()
        }
        "seal show" | "seal consistency" => of(&ledger),
        "seal" | "seal new" | "seal key" | "seal key new" | "seal key show" | "seal key change" => {
            of(&ledger).into_iter().chain(of(&seals)).collect()
        }
        "check-signature" | "simulate" => account.into(),
        "quarantine list" => of(&ledger).into_iter().chain(pager()).chain(terminal()).collect(),
        "quarantine show" | "quarantine recheck" => {
            let paths = of(&callbacks).into_iter().chain(of(&[&config::EVENT_STREAMS_PATH]));
            account.into_iter().chain(paths).collect()
        }
        "forward list" | "forward compare" => {
            of(&purge).into_iter().chain(pager()).chain(terminal()).collect()
        }
        "backup" | "restore" | "quarantine" | "forward" | "forward retry" | "forward skip"
        | "forward forget" => of(&ledger),
        "quarantine purge" => of(&purge),
        "erase" => {
            let read = [&purge[..], &[&config::RULE, &config::WAL_CHECKPOINTS]].concat();
            of(&read).into_iter().chain(terminal()).collect()
        }
        "demo" | "import" | "verify" => of(&ledger).into_iter().chain(terminal()).collect(),
        "export" => of(&messages),
        "replay" => of(&views).into_iter().chain(terminal()).collect(),
        "forward test" => {
            let read = [&ledger[..], &[&config::ERROR_CODES]].concat();
            account.into_iter().chain(of(&read)).collect()
        }
        "tail" => {
            let forwarding = account.into_iter().chain(of(&messages));
            forwarding.chain(terminal()).collect()
        }
        _ => of(&messages).into_iter().chain(pager()).chain(terminal()).collect(),
    }
}

fn of(settings: &[&Setting]) -> Vec<Variable> {
    settings.iter().filter_map(|setting| Variable::of(setting)).collect()
}

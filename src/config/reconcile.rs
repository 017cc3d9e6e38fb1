//! When and how Twilio is asked for what its callbacks did not tell.

use std::time::Duration;

use anyhow::{Result, anyhow};

use super::Settings;
use crate::domain::duration;

/// What is configured; the rest is as `reconcile` has it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reconciling {
    /// How often a server does so by itself; nothing where it does not.
    pub every: Option<Duration>,
    pub older_than: Option<Duration>,
    pub give_up_after: Option<Duration>,
    pub requests_max: Option<u64>,
    pub keep_content: bool,
}

impl Settings {
    /// What is configured of it; the flag is `serve`'s.
    pub fn reconciling(&self, every: Option<String>) -> Result<Reconciling> {
        let in_file = &self.file.reconcile;
        let flag = every.map(|value| ("--reconcile-every", value));
        let every = self.or_environment(flag, "DELIVERY_LEDGER_RECONCILE_EVERY");
        let every = every.or_else(|| in_file.every.clone().map(|value| ("reconcile.every", value)));
        let of_file = |name, value: &Option<String>| {
            value.as_deref().map(|value| length(name, value)).transpose()
        };
        Ok(Reconciling {
            every: match every {
                Some((_, off)) if off == "off" => None,
                Some((setting, value)) => Some(length(setting, &value)?),
                None => None,
            },
            older_than: of_file("reconcile.older_than", &in_file.older_than)?,
            give_up_after: of_file("reconcile.give_up_after", &in_file.give_up_after)?,
            requests_max: in_file.max_requests,
            keep_content: in_file.keep_content.unwrap_or(false),
        })
    }
}

fn length(setting: &str, value: &str) -> Result<Duration> {
    duration::parse(value)
        .ok_or_else(|| anyhow!("{setting}: `{value}` is not a time from 1s on, such as 6h"))
}

//! Settings of reconciliation.

use std::time::Duration;

use anyhow::{Result, anyhow};

use super::setting::Setting;
use super::{
    RECONCILE_EVERY, RECONCILE_GIVE_UP_AFTER, RECONCILE_KEEP_CONTENT, RECONCILE_MAX_REQUESTS,
    RECONCILE_OLDER_THAN, Settings,
};
use crate::domain::duration;

/// The configured settings of reconciliation. The defaults of the others are those of the command.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reconciling {
    /// How often a server reconciles on its own; `None` if it does not.
    pub every: Option<Duration>,
    pub older_than: Option<Duration>,
    pub give_up_after: Option<Duration>,
    pub requests_max: Option<u64>,
    pub keep_content: bool,
}

impl Settings {
    /// The configured settings of reconciliation.
    pub fn reconciling(&self) -> Result<Reconciling> {
        let (_, every) = self.text(&RECONCILE_EVERY);
        // The file checks that these are a number and a boolean.
        let number = self.given_text(&RECONCILE_MAX_REQUESTS);
        let keep_content = self.given_text(&RECONCILE_KEEP_CONTENT);
        Ok(Reconciling {
            every: if every == "off" { None } else { self.length(&RECONCILE_EVERY)? },
            older_than: self.length(&RECONCILE_OLDER_THAN)?,
            give_up_after: self.length(&RECONCILE_GIVE_UP_AFTER)?,
            requests_max: number.and_then(|(_, number)| number.parse().ok()),
            keep_content: keep_content.is_some_and(|(_, value)| value == "true"),
        })
    }

    fn length(&self, setting: &Setting) -> Result<Option<Duration>> {
        let Some((name, value)) = self.given_text(setting) else { return Ok(None) };
        let length = duration::parse(&value).ok();
        let text = || anyhow!("{name}: `{value}` is not a time from 1s on, such as 6h");
        length.map(Some).ok_or_else(text)
    }
}

//! Settings of reconciliation.

use std::time::Duration;

use anyhow::{Result, anyhow};

use super::setting::Setting;
use super::{
    RECONCILE_EVERY, RECONCILE_GIVE_UP_AFTER, RECONCILE_KEEP_CONTENT, RECONCILE_MAX_REQUESTS,
    RECONCILE_OLDER_THAN, RECONCILE_PRICES, Settings,
};
use crate::domain::time::duration;

/// The configured settings of reconciliation. The defaults of the others are those of the command.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reconciling {
    /// How often a server reconciles on its own; `None` if it does not.
    pub every: Option<Duration>,
    /// Messages are fetched that have been open for longer than this.
    pub older_than: Option<Duration>,
    /// Messages are not fetched that have been open for longer than this.
    pub give_up_after: Option<Duration>,
    /// The maximum number of requests of a run.
    pub requests_max: Option<u64>,
    /// True if the text of messages is stored.
    pub keep_content: bool,
    /// True if messages are fetched whose price is not known.
    pub prices: bool,
}

impl Settings {
    /// The configured settings of reconciliation.
    pub fn reconciling(&self) -> Result<Reconciling> {
        // The file checks that these are a number and booleans.
        let number = self.given_text(&RECONCILE_MAX_REQUESTS);
        let keep_content = self.given_text(&RECONCILE_KEEP_CONTENT);
        Ok(Reconciling {
            every: self.reconcile_every()?,
            older_than: self.length(&RECONCILE_OLDER_THAN)?,
            give_up_after: self.length(&RECONCILE_GIVE_UP_AFTER)?,
            requests_max: number.and_then(|(_, number)| number.parse().ok()),
            keep_content: keep_content.is_some_and(|(_, value)| value == "true"),
            prices: self.given_text(&RECONCILE_PRICES).is_some_and(|(_, value)| value == "true"),
        })
    }

    /// How often a server reconciles on its own; `None` if it does not.
    pub(super) fn reconcile_every(&self) -> Result<Option<Duration>> {
        match self.text(&RECONCILE_EVERY).1.as_str() {
            "off" => Ok(None),
            _ => self.length_or_default(&RECONCILE_EVERY).map(Some),
        }
    }

    fn length(&self, setting: &Setting) -> Result<Option<Duration>> {
        self.given_text(setting).map(|_| self.length_or_default(setting)).transpose()
    }

    /// The length of time that is given or else the default.
    pub(super) fn length_or_default(&self, setting: &Setting) -> Result<Duration> {
        let (name, value) = self.text(setting);
        let text = || anyhow!("{name}: `{value}` is not a time from 1s on, such as 6h");
        duration::parse(&value).map_err(|_| text())
    }
}

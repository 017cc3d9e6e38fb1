//! What every page shows around its content; `layout.html` has its HTML.

use std::sync::Arc;

use super::assets;
use super::theme::Theme;
use crate::domain::time::zone::Zone;
use crate::domain::{Position, Timestamp};
use crate::http::auth::csrf::CsrfToken;
use crate::http::auth::tokens::Scope;

/// The frame of one page.
pub struct Page {
    /// The beginning of the document's title.
    pub title: String,
    /// Which entry of the navigation is current; `None` for a page that has none.
    pub section: Option<Section>,
    pub theme: Theme,
    pub user: User,
    /// The token that the page's forms need; `None` if they need none.
    pub csrf: Option<CsrfToken>,
    /// The path and query of this page, to which forms of the frame return.
    pub target: String,
    /// The text in the search box.
    pub find: String,
    /// True if addresses are shown masked.
    pub masked: bool,
    /// The position that the content is as of; `None` if it is of none.
    pub as_of: Option<Position>,
    pub rule: &'static str,
    /// The path and query that return the content as JSON, if there is one.
    pub json: Option<String>,
    /// The zone of the page's times.
    pub zone: Zone,
    /// The time at which the page was made.
    pub now: Timestamp,
    /// For how many seconds the views have been behind the log, if that is worth a remark.
    pub behind_seconds: Option<u64>,
    /// The number of checks that failed when they were last made.
    pub checks_failed: usize,
    /// True if a script replaces the content from time to time.
    pub refreshes: bool,
}

/// An entry of the navigation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Section {
    Overview,
    Messages,
    Errors,
    Reports,
    Live,
    Ledger,
    Exports,
    Health,
}

/// An entry of the navigation on one page.
pub struct NavigationEntry {
    pub name: &'static str,
    pub path: &'static str,
    pub is_current: bool,
    /// The number of failed checks, if the entry is the one that leads to them.
    pub checks_failed: usize,
}

/// For whom a page is made.
pub enum User {
    /// A client whose token was rejected.
    Unknown,
    /// Everybody: no token is configured.
    Anyone,
    /// The holder of a token.
    Holder { name: Arc<str>, scope: Scope },
}

impl Section {
    /// The navigation, in its order.
    const ALL: [Self; 8] = [
        Self::Overview,
        Self::Messages,
        Self::Errors,
        Self::Reports,
        Self::Live,
        Self::Ledger,
        Self::Exports,
        Self::Health,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Overview => "Overview",
            Self::Messages => "Messages",
            Self::Errors => "Errors",
            Self::Reports => "Reports",
            Self::Live => "Live",
            Self::Ledger => "Ledger",
            Self::Exports => "Exports",
            Self::Health => "Health",
        }
    }

    /// The path of the page.
    pub fn path(self) -> &'static str {
        match self {
            Self::Overview => "/",
            Self::Messages => "/messages",
            Self::Errors => "/errors",
            Self::Reports => "/reports",
            Self::Live => "/live",
            Self::Ledger => "/ledger",
            Self::Exports => "/exports",
            Self::Health => "/health",
        }
    }
}

impl Page {
    /// The same with the position that its content is as of.
    #[allow(clippy::wrong_self_convention, reason = "as of is a position, no conversion")]
    pub fn as_of(self, position: Position) -> Self {
        Self { as_of: Some(position), ..self }
    }

    /// The same with the path and query that return its content as JSON.
    pub fn json(self, target: impl Into<String>) -> Self {
        Self { json: Some(target.into()), ..self }
    }

    /// The same with a content that a script replaces from time to time.
    pub fn refreshed(self) -> Self {
        Self { refreshes: true, ..self }
    }

    /// The same with times of a zone.
    pub fn zone(self, zone: Zone) -> Self {
        Self { zone, ..self }
    }

    /// The time at which the page was made, as clocks of its zone show it.
    pub fn made_at(&self) -> String {
        self.zone.local(self.now).strftime("%Y-%m-%d %H:%M:%S").to_string()
    }

    /// The same with a text in the search box.
    pub fn find(self, text: impl Into<String>) -> Self {
        Self { find: text.into(), ..self }
    }

    /// False if the client's token was rejected: then the page leads nowhere.
    pub fn is_for_somebody(&self) -> bool {
        !matches!(self.user, User::Unknown)
    }

    /// The name and the scope of the client's token; `None` if it has none.
    pub fn holder(&self) -> Option<(&str, Scope)> {
        match &self.user {
            User::Holder { name, scope } => Some((name, *scope)),
            User::Unknown | User::Anyone => None,
        }
    }

    /// True if the client may append or change something.
    pub fn may_operate(&self) -> bool {
        self.holder().is_some_and(|(_, scope)| scope.may_operate)
    }

    /// True if the client has logged in, and can log out.
    pub fn has_session(&self) -> bool {
        self.holder().is_some() && self.csrf.is_some()
    }

    /// The navigation.
    pub fn navigation(&self) -> Vec<NavigationEntry> {
        let entry = |section: Section| NavigationEntry {
            name: section.name(),
            path: section.path(),
            is_current: self.section == Some(section),
            checks_failed: if section == Section::Health { self.checks_failed } else { 0 },
        };
        Section::ALL.map(entry).into()
    }

    /// The name of the theme.
    pub fn theme(&self) -> &'static str {
        self.theme.name()
    }

    /// The names of the themes, in the order in which they are offered.
    pub fn themes(&self) -> [&'static str; 3] {
        Theme::ALL.map(Theme::name)
    }

    /// The theme, if it is another than the system's.
    pub fn forced_theme(&self) -> Option<&'static str> {
        (self.theme != Theme::System).then(|| self.theme.name())
    }

    /// The URL of the stylesheet.
    pub fn style(&self) -> &'static str {
        assets::STYLE.url()
    }

    /// The URL of the icon.
    pub fn icon(&self) -> &'static str {
        assets::ICON.url()
    }

    /// The URLs of the scripts of every page.
    pub fn scripts(&self) -> [&'static str; 2] {
        [assets::HTMX.url(), assets::PAGES.url()]
    }

    /// The program's version.
    pub fn version(&self) -> &'static str {
        env!("CARGO_PKG_VERSION")
    }
}

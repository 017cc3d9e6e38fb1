//! The request of a page: what every page needs from it.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpMessage, HttpRequest, web};
use time::OffsetDateTime;

use super::page::{Page, Section, User};
use super::theme::Theme;
use crate::domain::Timestamp;
use crate::domain::time::zone::Zone;
use crate::http::admin::checks;
use crate::http::admin::state::AdminState;
use crate::http::auth::csrf::{CsrfCheck, CsrfToken};
use crate::http::auth::tokens::{Client, Visibility};
use crate::http::error::Problem;
use crate::projection::worker::Waiting;
use crate::wire::mask;

/// Views that are further behind are remarked on every page: under full load they are a fraction of a second
/// behind.
const BEHIND_SECONDS_MIN: u64 = 5;

/// A request of a page.
#[derive(Clone)]
pub struct Visit {
    pub state: web::Data<AdminState>,
    pub now: Timestamp,
    client: Option<Client>,
    csrf: Option<CsrfToken>,
    theme: Theme,
    target: String,
}

impl FromRequest for Visit {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Self::new(request))
    }
}

impl Visit {
    /// The visit that a request makes.
    ///
    /// # Errors
    ///
    /// The server has no state, as no running one does.
    pub fn new(request: &HttpRequest) -> Result<Self, Problem> {
        let state = request.app_data::<web::Data<AdminState>>().ok_or(Problem::Internal)?;
        // The extensions are borrowed for it, and reading cookies writes to them.
        let client = request.extensions().get::<Client>().cloned();
        let target = request.uri().path_and_query().map_or("/", |target| target.as_str());
        let csrf = request.extensions().get::<CsrfCheck>().and_then(CsrfCheck::token).cloned();
        Ok(Self {
            state: state.clone(),
            now: Timestamp::from(OffsetDateTime::now_utc()),
            client,
            csrf,
            theme: Theme::from_request(request),
            target: target.to_owned(),
        })
    }

    /// The frame of a page with this title.
    pub fn page(&self, section: impl Into<Option<Section>>, title: impl Into<String>) -> Page {
        let user = match &self.client {
            Some(Client::Known { .. }) if self.state.tokens.load().is_empty() => User::Anyone,
            Some(Client::Known { name, scope }) => {
                User::Holder { name: name.clone(), scope: *scope }
            }
            Some(Client::Rejected) | None => User::Unknown,
        };
        let masked =
            matches!(&user, User::Holder { scope, .. } if scope.visibility != Visibility::Full);
        let checks_failed = match user {
            User::Unknown => 0,
            User::Anyone | User::Holder { .. } => self.checks_failed(),
        };
        Page {
            title: title.into(),
            section: section.into(),
            theme: self.theme,
            user,
            csrf: self.csrf.clone(),
            target: self.target(masked),
            find: String::new(),
            masked,
            as_of: None,
            rule: self.state.rule.name(),
            json: None,
            zone: Zone::default(),
            now: self.now,
            behind_seconds: self.behind_seconds(),
            checks_failed,
            refreshes: false,
        }
    }

    /// The path and query of the page, or less of it if it contains a number that is masked.
    fn target(&self, masked: bool) -> String {
        let path = self.target.split('?').next().unwrap_or("/");
        let shows_none = |target: &&str| !masked || mask::path(target) == *target;
        [self.target.as_str(), path].into_iter().find(shows_none).unwrap_or("/").to_owned()
    }

    /// The number of checks that failed in the last run. If that was a while ago, a new one begins, which
    /// the page does not wait for.
    fn checks_failed(&self) -> usize {
        let Some(checks) = &self.state.checks else { return 0 };
        if checks.is_old() {
            let state = self.state.clone();
            drop(actix_web::rt::task::spawn_blocking(move || checks::report(&state)));
        }
        checks.last_failed()
    }

    fn behind_seconds(&self) -> Option<u64> {
        match self.state.projection.waiting() {
            Waiting::Since(moment) => Some(moment.elapsed().as_secs()),
            Waiting::Nothing | Waiting::Unknown => None,
        }
        .filter(|seconds| *seconds >= BEHIND_SECONDS_MIN)
    }
}

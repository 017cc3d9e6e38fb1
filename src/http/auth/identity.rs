//! Who sends a request: the holder of an API token, by a header or by a session, or anybody if none is configured.

use std::sync::Arc;
use std::time::Instant;

use actix_web::HttpRequest;
use actix_web::http::header::AUTHORIZATION;

use super::csrf::CsrfCheck;
use super::session_cookie;
use super::sessions::SessionId;
use super::tokens::{Scope, TokenHash};
use crate::http::admin::state::AdminState;
use crate::http::error::Problem;

/// The name of every client if no token is configured.
const ANONYMOUS: &str = "anonymous";

/// Who sends a request.
pub enum Identity {
    /// A client that may proceed within its scope.
    Known {
        /// The name of its token, or `anonymous` if none is configured.
        name: Arc<str>,
        /// What it may do.
        scope: Scope,
        /// What its forms have to prove.
        csrf: CsrfCheck,
    },
    /// A browser without a session has requested a page.
    NotLoggedIn,
    /// The request is answered with this problem.
    Rejected(Problem),
}

/// What a client identifies itself with, for a response that lasts longer than its access.
pub enum Credentials {
    /// No token is required.
    None,
    /// An API token.
    Token(TokenHash),
    /// A session of the pages.
    Session(SessionId),
}

impl Credentials {
    /// The credentials in a request.
    pub fn from_request(request: &HttpRequest) -> Self {
        match request.headers().get(AUTHORIZATION) {
            Some(value) => bearer(value.as_bytes())
                .map_or(Self::None, |given| Self::Token(TokenHash::new(given))),
            None => session_cookie::id(request).map_or(Self::None, Self::Session),
        }
    }

    /// What they allow now; `None` if they are not valid any more.
    pub fn scope(&self, state: &AdminState) -> Option<Scope> {
        let tokens = state.tokens.load();
        if tokens.is_empty() {
            return Some(Scope::WITHOUT_TOKEN);
        }
        let token = match self {
            Self::None => return None,
            Self::Token(token) => *token,
            Self::Session(id) => state.sessions.find(id, Instant::now())?.token,
        };
        tokens.holder_of(token).map(|(_, scope)| scope)
    }
}

/// Identifies the client of a request.
pub fn identify(request: &HttpRequest, state: &AdminState) -> Identity {
    let tokens = state.tokens.load();
    if tokens.is_empty() {
        let csrf = CsrfCheck::Requires(state.sessions.public_csrf_token().clone());
        return Identity::Known { name: ANONYMOUS.into(), scope: Scope::WITHOUT_TOKEN, csrf };
    }
    let is_page = is_page(request.path());
    let holder = match request.headers().get(AUTHORIZATION) {
        Some(value) => bearer(value.as_bytes())
            .and_then(|given| tokens.holder_of(TokenHash::new(given)))
            .map(|holder| (holder, CsrfCheck::NotNeeded)),
        // Below /v1/, a session only reads: what programs may change, they change with a token in a header.
        None if is_page || request.method().is_safe() => session_cookie::id(request)
            .and_then(|id| state.sessions.find(&id, Instant::now()))
            .and_then(|session| {
                let holder = tokens.holder_of(session.token)?;
                Some((holder, CsrfCheck::Requires(session.csrf_token)))
            }),
        None => None,
    };
    match holder {
        Some(((name, scope), csrf)) => Identity::Known { name, scope, csrf },
        None if is_page && !request.headers().contains_key(AUTHORIZATION) => Identity::NotLoggedIn,
        None => Identity::Rejected(reject(request, state)),
    }
}

/// Counts a failed attempt, and returns the problem that its client gets.
pub fn reject(request: &HttpRequest, state: &AdminState) -> Problem {
    let address = request.peer_addr().map(|peer| peer.ip());
    match state.attempts.failed(address) {
        Ok(()) => Problem::NoToken,
        Err(retry_after_seconds) => Problem::TooManyAttempts { retry_after_seconds },
    }
}

/// The token in the value of an Authorization header.
fn bearer(value: &[u8]) -> Option<&[u8]> {
    let (scheme, given) = value.split_at_checked("Bearer ".len())?;
    scheme.eq_ignore_ascii_case(b"Bearer ").then_some(given)
}

/// False for paths that only programs request.
fn is_page(path: &str) -> bool {
    let first = path.split('/').nth(1).unwrap_or_default();
    !matches!(first, "v1" | "metrics")
}

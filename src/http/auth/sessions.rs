//! Sessions: logins of browsers by an API token. They are kept in memory, so a restart ends all of them.
//!
//! A session has only the hash of its token, which is looked up with every request. So removing or replacing a
//! token ends its sessions, and a changed scope applies to them at once.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};

use super::csrf::CsrfToken;
use super::random::random_text;
use super::tokens::TokenHash;

/// How long a session lasts: nobody has to log in more than once in a working day.
pub const SESSION_LENGTH: Duration = Duration::from_secs(12 * 60 * 60);

/// The number of sessions, of some 200 bytes each: more people than work with one ledger in 12 hours. A further
/// login ends the oldest one.
const SESSIONS_MAX: usize = 1000;

/// All sessions of one server.
pub struct Sessions {
    open: Mutex<HashMap<SessionKey, Session>>,
    public_csrf_token: CsrfToken,
}

/// The id of a session, which only the cookie of its browser has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionId(String);

/// One session.
#[derive(Debug, Clone)]
pub struct Session {
    /// The token of the login.
    pub token: TokenHash,
    /// The token that forms of this session need.
    pub csrf_token: CsrfToken,
    expires_at: Instant,
}

/// The SHA-256 hash of a session's id. Looking it up in a map takes a time that reveals nothing about ids.
type SessionKey = [u8; 32];

impl Default for Sessions {
    fn default() -> Self {
        Self { open: Mutex::default(), public_csrf_token: CsrfToken::random() }
    }
}

impl Sessions {
    /// Begins a session for the holder of this token, under a new random id.
    pub fn begin(&self, token: TokenHash, now: Instant) -> SessionId {
        let id = SessionId(random_text());
        let expires_at = now + SESSION_LENGTH;
        let session = Session { token, csrf_token: CsrfToken::random(), expires_at };
        let mut open = self.open();
        if open.len() >= SESSIONS_MAX {
            open.retain(|_, session| session.expires_at > now);
        }
        while open.len() >= SESSIONS_MAX {
            let oldest = open.iter().min_by_key(|(_, session)| session.expires_at);
            let Some(oldest) = oldest.map(|(key, _)| *key) else { break };
            open.remove(&oldest);
        }
        open.insert(id.key(), session);
        id
    }

    /// The session with this id; `None` if it has ended.
    pub fn find(&self, id: &SessionId, now: Instant) -> Option<Session> {
        let mut open = self.open();
        let key = id.key();
        let session = open.get(&key)?;
        if session.expires_at <= now {
            open.remove(&key);
            return None;
        }
        Some(session.clone())
    }

    /// Ends the session with this id, if there is one.
    pub fn end(&self, id: &SessionId) {
        self.open().remove(&id.key());
    }

    /// The CSRF token of forms that belong to no session: the login, and every form if no API token is configured.
    pub fn public_csrf_token(&self) -> &CsrfToken {
        &self.public_csrf_token
    }

    fn open(&self) -> MutexGuard<'_, HashMap<SessionKey, Session>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SessionId {
    /// The id as a client sends it; it may be of no session.
    pub fn from_cookie(value: &str) -> Self {
        Self(value.to_owned())
    }

    /// The text for the cookie.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn key(&self) -> SessionKey {
        Sha256::digest(self.0.as_bytes()).into()
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{SESSION_LENGTH, SESSIONS_MAX, SessionId, Sessions};
    use crate::http::auth::tokens::TokenHash;

    #[test]
    fn a_session_lasts_twelve_hours_or_until_it_is_ended() {
        let (sessions, begin) = (Sessions::default(), Instant::now());
        let token = TokenHash::new(b"one-of-16-letters");
        let id = sessions.begin(token, begin);
        let just_before = begin + SESSION_LENGTH - Duration::from_millis(1);
        assert_eq!(sessions.find(&id, just_before).unwrap().token, token);
        assert!(sessions.find(&id, begin + SESSION_LENGTH).is_none());

        let id = sessions.begin(token, begin);
        sessions.end(&id);
        assert!(sessions.find(&id, begin).is_none());
        assert!(sessions.find(&SessionId::from_cookie(""), begin).is_none());
    }

    #[test]
    fn every_login_gets_another_id_and_another_csrf_token() {
        let (sessions, now) = (Sessions::default(), Instant::now());
        let token = TokenHash::new(b"one-of-16-letters");
        let ids = [sessions.begin(token, now), sessions.begin(token, now)];
        assert_ne!(ids[0], ids[1]);
        let [one, other] = ids.map(|id| sessions.find(&id, now).unwrap().csrf_token);
        assert!(!one.matches(other.as_str()) && one.matches(one.as_str()));
        assert!(!one.matches(sessions.public_csrf_token().as_str()));
    }

    #[test]
    fn too_many_sessions_end_the_oldest() {
        let (sessions, now) = (Sessions::default(), Instant::now());
        let token = TokenHash::new(b"one-of-16-letters");
        let begin = |second| sessions.begin(token, now + Duration::from_secs(second));
        let ids: Vec<_> = (0..=SESSIONS_MAX as u64).map(begin).collect();
        let is_open = |id: &&SessionId| sessions.find(id, now).is_some();
        assert_eq!(ids.iter().filter(is_open).count(), SESSIONS_MAX);
        assert!(!is_open(&&ids[0]) && is_open(&&ids[1]));
    }
}

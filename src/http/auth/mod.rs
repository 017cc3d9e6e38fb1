//! Access control of the admin listener: API tokens, and what each of them may see.

pub mod csrf;
pub mod form;
pub mod identity;
pub mod middleware;
pub mod origin;
mod random;
pub mod redaction;
pub mod session_cookie;
pub mod sessions;
pub mod tokens;

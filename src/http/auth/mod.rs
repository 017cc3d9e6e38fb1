//! Access control of the admin listener: API tokens, and what each of them may see.

pub mod middleware;
pub mod redaction;
pub mod tokens;

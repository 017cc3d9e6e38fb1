//! Access control of the admin listener: API tokens, and what each of them may see.

pub mod middleware;
pub mod operator;
pub mod redaction;
pub mod tokens;

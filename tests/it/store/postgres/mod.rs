//! What only PostgreSQL has.

mod pair;

//! API tokens: what each may read, what is masked, what is recorded, and how they are replaced.

mod masking;
mod records;
mod rotation;
mod tokens;

//! The parts of a running server, put together: the ledger with its threads, both listeners, the
//! background jobs, and the reload of keys.

pub mod fitness;
pub mod ledger_process;
mod reconcile_job;
mod reload;
pub mod run;
mod tokens;

pub use self::reconcile_job::configured_plan;

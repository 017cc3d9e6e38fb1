//! The parts of the health page.

pub mod areas;
pub mod forwarding;
pub mod glance;
mod mark;
pub mod rejected;
pub mod silence;
pub mod verdict;

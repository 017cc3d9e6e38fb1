//! What pages share: the layout, small pieces of HTML, filters of templates, assets and response headers.

pub mod assets;
pub mod chance;
pub mod filters;
pub mod html;
pub mod page;
pub mod range;
pub mod rate;
pub mod spark;
pub mod stacks;
pub mod theme;
pub mod visit;

//! Text for people: diagnostics, scan findings, plans, drift, state.
//!
//! Commands gather data; this crate lays it out. It decides nothing and prints nothing.

mod diagnostics;
mod drift;
mod fit;
mod graph;
mod manifests;
mod markdown;
mod plan;
mod policy;
mod scan;
mod shown;
mod state;
mod style;

pub use diagnostics::diagnostics;
pub use drift::drift;
pub use fit::fitted;
pub use graph::{dot, mermaid, svg};
pub use manifests::{left, manifests, unwritten, written};
pub use markdown::{MARKDOWN_BYTES, markdown};
pub use plan::{brief, plan, size};
pub use policy::{differences, lints};
pub use scan::{scan, scan_markdown, scan_sarif};
pub use state::state;
pub use style::{Style, counted};

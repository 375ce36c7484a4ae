//! Text for people: diagnostics, scan findings, plans, drift, state.
//!
//! Commands gather data; this crate lays it out. It decides nothing and prints nothing.

mod diagnostics;
mod drift;
mod graph;
mod manifests;
mod markdown;
mod plan;
mod scan;
mod shown;
mod state;
mod style;

pub use diagnostics::diagnostics;
pub use drift::drift;
pub use graph::{dot, mermaid, svg};
pub use manifests::{left, manifests, unwritten, written};
pub use markdown::{MARKDOWN_BYTES, markdown};
pub use plan::{brief, plan};
pub use scan::scan;
pub use state::state;
pub use style::Style;

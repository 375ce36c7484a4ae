//! Text for people: diagnostics, scan findings, plans, drift, state.
//!
//! Commands gather data; this crate lays it out. It decides nothing and prints nothing.

mod diagnostics;
mod drift;
mod plan;
mod scan;
mod shown;
mod state;
mod style;

pub use diagnostics::diagnostics;
pub use drift::drift;
pub use plan::plan;
pub use scan::scan;
pub use state::state;
pub use style::Style;

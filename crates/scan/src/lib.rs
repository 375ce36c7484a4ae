//! Finds embedded credentials: in policies and resolvers, in named values, in SQL servers and
//! databases.
//!
//! [`scan`] is a pure function of a snapshot. It tells a literal from a reference, follows named
//! values, reads connection strings and the constant strings of policy expressions, and says what
//! each credential opens and what replaces it. No finding holds a value: only keyed fingerprints
//! leave this crate. What could not be read makes no finding and is not clean: [`unsearched`]
//! lists it.

mod connection_string;
mod constants;
mod credentials;
mod csharp;
mod finding;
mod looks;
mod mask;
mod named_value;
mod policy;
mod scan;
mod server;
mod source;

pub use connection_string::ConnectionString;
pub use finding::{Confidence, Finding, Opens};
pub use mask::secret_ranges;
pub use scan::{Unsearched, scan, unsearched};
pub use source::{Resolved, SqlSource, resolve, sql_sources};

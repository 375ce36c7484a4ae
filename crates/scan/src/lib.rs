//! Finds embedded credentials: in policies of every kind and revision, in named values, backends
//! and other entities of a gateway, in SQL servers and databases.
//!
//! [`scan`] is a pure function of a snapshot. It tells a literal from a reference, follows named
//! values, reads connection strings and the constant strings of policy expressions, and says what
//! each credential opens and what replaces it. No finding holds a value: only keyed fingerprints
//! leave this crate. What could not be read makes no finding and is not clean: [`unsearched`]
//! lists it.

mod backend;
mod calls;
mod certificate;
mod connection_string;
mod constants;
mod credentials;
mod csharp;
mod described;
mod expects;
mod exposure;
mod finding;
mod follow;
mod gateway;
mod http;
mod kept;
mod kept_sql;
mod logged;
mod looks;
mod mask;
mod named_value;
mod names;
mod opened;
mod place;
mod policy;
mod scan;
mod server;
mod shapes;
mod source;
mod target;
mod url;
mod ways;

pub use backend::{BackendCredential, BackendKind, backend_credentials};
pub use connection_string::ConnectionString;
pub use finding::{Confidence, Finding, Opens};
pub use follow::VARIABLE_SETTERS;
pub use http::{
    HttpCredential, HttpKind, LiteralValue, REQUESTS, SendRequest, http_credentials, unparkable,
};
pub use mask::secret_ranges;
pub use place::{Place, Section};
pub use scan::{Unsearched, scan, unsearched};
pub use source::{Resolved, SqlSource, resolve, sql_sources};
pub use target::{Include, Sender, Target, To, includes, inherits, targets};
pub use url::{Leads, UrlCredential, leads_to, url_credentials};

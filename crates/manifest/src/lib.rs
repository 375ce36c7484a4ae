//! From manifests to what they ask for: YAML in, [`keyless_model::Desired`] out.
//!
//! The stages, each a module: text to located nodes, variables, envelopes, a spec against its descriptor, what
//! its fields mean together, credentials, policy texts, links between documents, the model. Each
//! reports all it finds, and a load succeeds only when nothing was found.
//!
//! The same descriptors give the JSON Schema and the reference page.
//!
//! Pure: the texts are given, and policy files are read through a function of the caller. No
//! message repeats a value that looks like a credential.

mod build;
mod check;
mod credential;
mod document;
mod envelope;
mod environment;
mod links;
mod load;
mod node;
mod partners;
mod place;
mod policy_file;
mod policy_text;
mod reference;
mod render;
mod rules;
mod scalar;
mod schema;
mod source;
mod suggest;
mod variables;

pub use credential::masked;
pub use environment::{Environment, unknown_environment};
pub use load::{load, render};
pub use reference::reference;
pub use schema::schema;
pub use source::{MAX_MANIFEST_BYTES, Read, ReadError, Source};
pub use suggest::near;

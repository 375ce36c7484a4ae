//! keyless on real services: reading everything into a snapshot, the engine's provider, and the
//! local store of state and journal.

mod canary;
mod document;
mod error;
mod gates;
mod identity;
mod key_vault;
mod place;
mod provider;
mod read;
mod requests;
mod resource;
mod revision;
mod roles;
mod service_identity;
mod services;
mod statements;
mod store;

pub use error::LiveError;
pub use provider::LiveProvider;
pub use read::{Reading, read};
pub use services::Services;
pub use store::FileStore;

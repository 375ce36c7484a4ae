//! T-SQL over TDS: sessions that log in with an Entra token, one read for each database of its
//! security, and the statements that change it.
//!
//! [`connect`] gives a [`Session`]; everything else is a method of it. What a principal may not see
//! is an error here, never an empty answer. A session that lost its connection or ran out of time
//! refuses further work, because what the server still had to say would be taken for the next
//! answer. No error carries the token.

mod catalogue;
mod connect;
mod endpoint;
mod error;
mod numbers;
mod queries;
mod rows;
mod run;
mod server;
mod session;

pub use connect::connect;
pub use endpoint::Endpoint;
pub use error::{Refusal, SqlError};
pub use numbers::{is_transient, next_step};
pub use session::Session;

//! A small Azure on loopback: Entra tokens, Azure Resource Manager for API Management and SQL,
//! SQL Server's TDS with a catalogue that T-SQL can query, and a gateway whose resolvers really
//! connect to that SQL.
//!
//! It shares no code with the product, so that a mistake on one side shows on the other.

mod clock;
mod directory;

pub use clock::Clock;
pub use directory::{Claims, Directory, Principal, PrincipalKind, TokenError};

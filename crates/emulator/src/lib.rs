//! A small Azure on loopback: Entra tokens, Azure Resource Manager for API Management and SQL,
//! SQL Server's TDS with a catalogue that T-SQL can query, and a gateway whose resolvers really
//! connect to that SQL.
//!
//! It shares no code with the product, so that a mistake on one side shows on the other. What it
//! stores it enforces: ETags, references, identities, roles and logins.

mod arm;
mod assertion;
mod clock;
mod control;
mod directory;
mod emulator;
mod entra;
mod estate;
mod gateway;
mod http;
mod ids;
mod rawxml;
mod seed;
pub mod sql;
pub mod tds;
mod tls;
mod yaml;

pub use clock::Clock;
pub use directory::{Claims, Directory, Principal, PrincipalKind, TokenError};
pub use emulator::{Emulator, EmulatorError, Options};
pub use http::{Fault, FaultEffect, RequestCount};
pub use seed::{
    DatabaseSeed, PrincipalKindSeed, PrincipalSeed, ResourceSeed, Role, RoleSeed, Seed, SeedError,
    Settings, SqlServerSeed,
};
pub use tls::TlsError;
pub use yaml::YamlError;

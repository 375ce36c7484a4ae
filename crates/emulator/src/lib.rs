//! A small Azure on loopback: Entra tokens, Azure Resource Manager for API Management and SQL,
//! SQL Server's TDS with a catalogue that T-SQL can query, HTTP services that want a credential, and a
//! gateway whose policies really lead there.
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
mod federation;
mod gateway;
mod graph;
mod http;
mod ids;
mod monitor;
mod rawxml;
mod seed;
mod seed_services;
mod service;
pub mod sql;
pub mod tds;
mod tls;
mod yaml;

pub use clock::Clock;
pub use directory::{Claims, Directory, Principal, PrincipalKind, TokenError};
pub use emulator::{Emulator, EmulatorError, Options};
pub use gateway::{
    CallOutcome, CredentialKind, ServiceCalls, TrafficReport, TrafficSeed, TrafficToken,
};
pub use http::{Fault, FaultEffect, RequestCount};
pub use seed::{
    Bucket, DatabaseSeed, PrincipalKindSeed, PrincipalSeed, ResourceSeed, RoleSeed, Seed,
    SeedError, Settings, SqlServerSeed, Throttle,
};
pub use seed_services::{AcceptSeed, ResponseSeed, SecretSeed, ServiceSeed, VaultSeed};
pub use tls::TlsError;
pub use yaml::YamlError;

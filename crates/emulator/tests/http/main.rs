//! The emulator over real sockets, asked by a client of the tests' own.

#![expect(clippy::unwrap_used, reason = "a test fails where it stands")]

mod arm;
mod arm_apim;
mod arm_clients;
mod arm_kept;
mod arm_log;
mod arm_roles;
mod arm_sql;
mod arm_tiers;
mod entra_and_control;
mod examples;
mod faults;
mod gateway;
mod gateway_http;
mod secure;
mod sql_audit;
mod support;

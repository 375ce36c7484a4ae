//! The emulator over real sockets, asked by a client of the tests' own.

#![expect(clippy::unwrap_used, reason = "a test fails where it stands")]

mod arm;
mod entra_and_control;
mod gateway;
mod support;

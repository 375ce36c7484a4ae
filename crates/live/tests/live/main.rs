//! keyless's reading and provider on the emulated Azure: what no other crate can try.

#![expect(clippy::unwrap_used, reason = "the helpers of tests")]

mod documents;
mod kept;
mod probes;
mod reading;
mod resources;
mod roles;
mod support;

//! One file for each command: it gathers, calls the libraries, prints, and gives the exit code.

pub mod apply;
pub mod approve;
pub mod completions;
pub mod demo;
pub mod drift;
pub mod emulator;
pub mod explain;
pub mod graph;
pub mod init;
pub mod man;
pub mod plan;
pub mod policy;
pub mod render;
pub mod rollback;
pub mod scan;
pub mod schema;
pub mod state;
pub mod validate;

//! keyless engine

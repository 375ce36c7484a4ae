//! keyless plan

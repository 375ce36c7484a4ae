//! keyless policy

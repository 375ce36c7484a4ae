//! keyless azure

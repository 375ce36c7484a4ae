//! keyless manifest

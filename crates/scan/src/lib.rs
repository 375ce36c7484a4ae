//! keyless scan

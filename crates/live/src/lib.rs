//! keyless live

//! keyless report

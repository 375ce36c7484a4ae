//! keyless tsql

//! A database's security as data: its catalogue, the statements that change it, and what a
//! principal can effectively do.
//!
//! A [`Statement`] has one meaning, given twice: [`Statement::text`] for the server and
//! [`Statement::run`] on a [`Catalogue`] in memory. The planner, the simulation and the proof after
//! a step all use the second.

mod catalogue;
mod effective;
mod securable;
mod statement;

pub use catalogue::{
    Authentication, Catalogue, FirewallRule, Login, Permission, PermissionState, Principal,
    PrincipalKind, SecurityPolicy, same_name,
};
pub use effective::{Effective, Right, effective, right};
pub use securable::{Securable, SecurableError};
pub use statement::{SidSource, Statement, StatementError, quoted};

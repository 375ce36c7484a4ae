//! The words that every part of keyless shares: addresses, kinds, what is desired, what is live,
//! the catalogue of a database, statements, secrets and their fingerprints.
//!
//! Pure: nothing here reads a file, a clock or a network. Meaning (what to do about a difference)
//! lives in `plan`; this crate only says what things are.

mod address;
mod arm_id;
mod desired;
mod diagnostic;
mod fingerprint;
mod kind;
mod kinds;
mod name;
mod secret;
mod severity;
mod sid;
mod snapshot;
mod span;
mod state;
mod timestamp;

pub mod codes;
pub mod sql;

pub use address::{Address, AddressError};
pub use arm_id::{ArmId, ArmIdError};
pub use desired::{
    Access, ApiChoice, Auth, Callers, Canary, Claim, DatabaseRule, Desired, EntraAdmin, Evidence,
    Expected, Gateway, GrantSpec, HttpAccess, Identity, ManagedIdentity, NamedValue, Owned, Policy,
    PolicyScope, Principal, ProbeRequest, Prove, Replaced, Replaces, Resolver, Resource, Retire,
    Role, RoleAssignment, Selection, SqlDatabase, SqlGrant, SqlRole, SqlServer, SqlUser, UserSid,
    ValueSource,
};
pub use diagnostic::{Diagnostic, Diagnostics};
pub use fingerprint::{Fingerprint, FingerprintKey};
pub use kind::{Arm, Field, Form, KINDS, Kind, LATER_KINDS, Level, Property, Shape, kind};
pub use kinds::role_assignment::{BUILT_IN_ROLES, built_in_role};
pub use kinds::sql_server::AUDITING_FIELDS;
pub use name::{NameError, check_azure_name, check_document_name};
pub use secret::Secret;
pub use severity::Severity;
pub use sid::{Sid, SidError};
pub use snapshot::{Entity, Live, Session, Snapshot};
pub use span::Span;
pub use state::{AccessState, Applied, Sample, State};
pub use timestamp::{Seconds, Timestamp, TimestampError, parse_duration};

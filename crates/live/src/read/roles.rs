//! The role assignments of a scope: its own, those above it and those below it.

use keyless_azure::{ArmError, rbac};
use keyless_model::{Entity, Live};

use super::reader::{Reader, entity};
use crate::error::LiveError;

/// What Azure says of a scope that is not there. A subscription that may not be seen says
/// something else.
const ABSENT: [&str; 4] = [
    "NotFound",
    "ResourceNotFound",
    "ResourceGroupNotFound",
    "ParentResourceNotFound",
];

/// Reads the assignments of one scope.
pub(crate) async fn read(reader: &Reader<'_>, scope: &str) -> Result<(), LiveError> {
    let answer = match rbac::role_assignments(scope, None) {
        Ok(request) => reader.list(request).await,
        Err(error) => Err(error),
    };
    let live = match answer.map_err(|e| (is_absent(&e), LiveError::from(e))) {
        Ok(items) => {
            let mut list: Vec<Entity> = items.into_iter().map(|i| entity(i, None)).collect();
            list.sort_by(|a, b| a.id.cmp(&b.id));
            Live::Present(list)
        }
        Err((true, _)) => Live::Absent,
        Err((_, error)) if error.ends_the_run() => return Err(error),
        Err((_, error)) => Live::Unreadable(error.to_string()),
    };
    let mut snapshot = reader.snapshot();
    snapshot.assignments.insert(scope.to_lowercase(), live);
    Ok(())
}

fn is_absent(error: &ArmError) -> bool {
    error.status() == Some(404) && ABSENT.contains(&error.code())
}

//! Role assignments: who holds which role at which scope (azure-facts D). An equal one under
//! another name is refused, and a new one takes effect only after a while.

use serde_json::{Value, json};

use super::{covers, definition, filter, scope_of};
use crate::arm::error::ArmError;
use crate::arm::kind::Kind;
use crate::arm::store::{Entity, Store, name_of};
use crate::arm::target::Target;
use crate::directory::{Principal, PrincipalKind};
use crate::estate::Estate;

/// Since when an assignment counts: kept beside the body, and shown to nobody.
const EFFECTIVE: &str = "effectiveAt";
/// The fields that a client can set; all else of a body is ours.
const FIELDS: [&str; 7] = [
    "roleDefinitionId",
    "principalId",
    "principalType",
    "description",
    "condition",
    "conditionVersion",
    "delegatedManagedIdentityResourceId",
];

pub fn check(
    estate: &Estate,
    store: &Store,
    target: &Target,
    current: Option<&Entity>,
    next: &mut Value,
) -> Result<(), ArmError> {
    check_name(target)?;
    let properties = &next["properties"];
    let text = |field: &str| properties[field].as_str().unwrap_or_default().to_owned();
    let (principal, wanted) = (text("principalId"), text("roleDefinitionId"));
    if principal.is_empty() || wanted.is_empty() {
        let message = "The fields 'roleDefinitionId' and 'principalId' are required.";
        return Err(ArmError::new(400, "InvalidRequestContent", message));
    }
    let role = definition::find(&wanted).ok_or_else(|| definition::unknown(&wanted))?;
    let scope = scope_of(&target.id).to_owned();
    check_scope(store, &scope)?;
    let role_id = role.id_at(&scope);
    if let Some(current) = current {
        check_unchanged(current, &principal, role.id)?;
    }
    check_is_new(store, target, &scope, &principal, role.id)?;
    let kind = principal_type(estate, current, properties, &principal)?;
    let scope = if scope.is_empty() { "/" } else { &scope };
    let filled = json!({"roleDefinitionId": role_id, "principalType": kind, "scope": scope});
    *next = complete(estate, current, properties, filled);
    Ok(())
}

/// The body that is kept: what the client may say, what follows from it, and since when it counts.
fn complete(estate: &Estate, current: Option<&Entity>, sent: &Value, filled: Value) -> Value {
    let mut properties = json!({});
    for field in FIELDS {
        properties[field] = sent[field].clone();
    }
    for (field, value) in filled.as_object().into_iter().flatten() {
        properties[field] = value.clone();
    }
    let now = json!(estate.clock.iso());
    let created = current.map(|entity| entity.body["properties"]["createdOn"].clone());
    properties["createdOn"] = created.unwrap_or_else(|| now.clone());
    properties["updatedOn"] = now;
    let effective = current.map(|entity| entity.body[EFFECTIVE].clone());
    let soon = estate.clock.now() + estate.settings.role_propagation;
    let effective = effective.unwrap_or_else(|| json!(soon));
    json!({"properties": properties, EFFECTIVE: effective})
}

fn check_name(target: &Target) -> Result<(), ArmError> {
    let name = &target.name;
    let is_guid = name.len() == 36
        && name.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        });
    if is_guid {
        return Ok(());
    }
    let message = format!("The role assignment ID '{name}' is not valid. It must be a GUID.");
    Err(ArmError::new(400, "InvalidRoleAssignmentId", message))
}

/// A service or server that is a scope has to exist; what the emulator does not keep may be one.
fn check_scope(store: &Store, scope: &str) -> Result<(), ArmError> {
    let segments: Vec<&str> = scope.split('/').collect();
    let [_, _, _, _, _, _, provider, kind, ..] = segments.as_slice() else {
        return Ok(());
    };
    let known = crate::arm::kind::lookup(&format!("{provider}/{kind}")).is_some();
    let top = segments[..segments.len().min(9)].join("/").to_lowercase();
    if !known || store.get(&top).is_some() {
        return Ok(());
    }
    let message = format!("The scope '{scope}' was not found.");
    Err(ArmError::new(404, "ResourceNotFound", message))
}

/// Only the description and the condition of an assignment can change.
fn check_unchanged(current: &Entity, principal: &str, role: &str) -> Result<(), ArmError> {
    if is_of(current, principal, role) {
        return Ok(());
    }
    let message = "Tenant ID, application ID, principal ID, and scope are not allowed to be \
                   updated.";
    Err(ArmError::new(
        400,
        "RoleAssignmentUpdateNotPermitted",
        message,
    ))
}

fn is_of(entity: &Entity, principal: &str, role: &str) -> bool {
    let has = |field: &str, wanted: &str| {
        let value = entity.property(field).unwrap_or_default();
        name_of(value).eq_ignore_ascii_case(wanted)
    };
    has("principalId", principal) && has("roleDefinitionId", role)
}

fn check_is_new(
    store: &Store,
    target: &Target,
    scope: &str,
    principal: &str,
    role: &str,
) -> Result<(), ArmError> {
    let twin = all(store).find(|entity| {
        entity.key() != target.key
            && scope_of(&entity.id).eq_ignore_ascii_case(scope)
            && is_of(entity, principal, role)
    });
    let Some(twin) = twin else { return Ok(()) };
    let message = format!(
        "The role assignment already exists. The ID of the conflicting role assignment is {}.",
        twin.name().replace('-', "")
    );
    Err(ArmError::new(409, "RoleAssignmentExists", message))
}

/// The principal's type. Without one in the body the directory is asked, and one that has just
/// been made may not be found yet; with one, nobody is asked whether the principal exists.
fn principal_type(
    estate: &Estate,
    current: Option<&Entity>,
    properties: &Value,
    principal: &str,
) -> Result<String, ArmError> {
    let given = properties["principalType"].as_str();
    if let (None, Some(kind)) = (given, current.and_then(|e| e.property("principalType"))) {
        return Ok(kind.to_owned());
    }
    let found = match given {
        Some(_) => estate.directory.by_object_id(principal),
        None => estate.directory.by_replicated_id(principal),
    };
    match (given, found) {
        (Some(given), Some(found)) if !given.eq_ignore_ascii_case(type_of(&found)) => {
            let message = format!(
                "The PrincipalId '{principal}' has type '{}', which is different from the \
                 specified PrincipalType '{given}'.",
                type_of(&found)
            );
            Err(ArmError::new(400, "UnmatchedPrincipalType", message))
        }
        (_, Some(found)) => Ok(type_of(&found).to_owned()),
        (Some(given), None) => Ok(given.to_owned()),
        (None, None) => Err(principal_not_found(estate, principal)),
    }
}

fn type_of(principal: &Principal) -> &'static str {
    match principal.kind {
        PrincipalKind::User => "User",
        PrincipalKind::Group => "Group",
        PrincipalKind::Application | PrincipalKind::ManagedIdentity => "ServicePrincipal",
    }
}

fn principal_not_found(estate: &Estate, principal: &str) -> ArmError {
    let message = format!(
        "Principal {principal} does not exist in the directory {}. If the principal was created \
         a moment ago, this may be a replication delay; set principalType to one of User, Group \
         or ServicePrincipal.",
        estate.directory.tenant()
    );
    ArmError::new(400, "PrincipalNotFound", message)
}

/// The assignments of the store.
fn all(store: &Store) -> impl Iterator<Item = &Entity> {
    store
        .all()
        .filter(|entity| entity.kind == Kind::RoleAssignment)
}

/// What a reader does not see.
pub fn hide(body: &mut Value) {
    if let Some(fields) = body.as_object_mut() {
        fields.remove(EFFECTIVE);
    }
}

/// The keys of what a list shows: at the scope, above it, and below it unless the filter says
/// `atScope()`.
pub fn listed(
    estate: &Estate,
    store: &Store,
    target: &Target,
    filter: &str,
) -> Result<Vec<String>, ArmError> {
    let scope = scope_of(&target.id);
    let filter = filter::parse(filter)?;
    let members = filter
        .assigned_to
        .as_deref()
        .map(|id| principals(estate, id));
    let found = all(store).filter(|entity| {
        let own = scope_of(&entity.id);
        let principal = entity.property("principalId").unwrap_or_default();
        let same = |id: &String| id.eq_ignore_ascii_case(principal);
        let in_reach = covers(own, scope) || (!filter.at_scope && covers(scope, own));
        in_reach
            && filter.principal.as_ref().is_none_or(same)
            && members.as_ref().is_none_or(|ids| ids.iter().any(same))
    });
    Ok(found.map(Entity::key).collect())
}

/// A principal and the groups that it is in.
fn principals(estate: &Estate, object_id: &str) -> Vec<String> {
    let groups = estate.directory.by_object_id(object_id);
    let mut ids = vec![object_id.to_owned()];
    ids.extend(groups.into_iter().flat_map(|principal| principal.groups));
    ids
}

/// What somebody wants to do.
pub struct Ask<'a> {
    pub object_id: &'a str,
    pub groups: &'a [String],
    pub operation: &'a str,
    /// The operation reads or writes data, which roles allow apart from management.
    pub on_data: bool,
    /// The id of what it is done to.
    pub to: &'a str,
}

/// Whether an assignment that has taken effect allows it.
pub fn allows(estate: &Estate, store: &Store, ask: &Ask<'_>) -> bool {
    let now = estate.clock.now();
    all(store).any(|entity| {
        let principal = entity.property("principalId").unwrap_or_default();
        let is_theirs = principal.eq_ignore_ascii_case(ask.object_id)
            || ask.groups.iter().any(|g| g.eq_ignore_ascii_case(principal));
        is_theirs
            && entity.body[EFFECTIVE].as_i64().is_some_and(|at| at <= now)
            && covers(scope_of(&entity.id), ask.to)
            && entity
                .property("roleDefinitionId")
                .and_then(definition::find)
                .is_some_and(|role| {
                    if ask.on_data {
                        role.allows_on_data(ask.operation)
                    } else {
                        role.allows(ask.operation)
                    }
                })
    })
}

/// What a seed assigns has long taken effect.
pub fn settle(store: &mut Store) {
    let keys: Vec<String> = all(store).map(Entity::key).collect();
    for key in keys {
        if let Some(entity) = store.get_mut(&key) {
            entity.body[EFFECTIVE] = json!(0);
        }
    }
}

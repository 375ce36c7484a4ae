//! What a step does to the world, with no input or output: the planner looks ahead with it, and
//! tests compare it with what the services really do.

use keyless_model::sql::{Login, SidSource, Statement, StatementError};
use keyless_model::{Address, Entity, Live, Sid, Snapshot};
use keyless_policy::{Change, Document, Edit};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::step::{Assignee, Op, Splice, Step, Undo, ValueFrom};

/// Why a step cannot be carried out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("{0} is not there")]
    Absent(Address),
    #[error("{0} could not be read")]
    Unreadable(Address),
    #[error("{0}")]
    Statement(#[from] StatementError),
    #[error("the policy {0} cannot be edited: {1}")]
    Policy(Address, String),
}

/// Carries `step` out on `world`. Gates change nothing.
///
/// # Errors
/// When the services would refuse it.
pub fn simulate(world: &mut Snapshot, step: &Step) -> Result<(), Refused> {
    match &step.op {
        Op::Put { body, value, .. } => put(world, &step.address, body, value.as_ref()),
        Op::Patch { body, .. } => put(world, &step.address, body, None),
        Op::Splice { edits, .. } => splice(world, &step.address, edits),
        Op::Sql {
            database,
            statements,
            ..
        } => sql(world, database, statements),
        Op::Delete { .. } => {
            delete(world, &step.address);
            Ok(())
        }
        Op::Assign {
            scope,
            role,
            principal,
            description,
        } => assign(world, scope, role, principal, description),
        Op::Unassign { id } => {
            for live in world.assignments.values_mut() {
                if let Live::Present(list) = live {
                    list.retain(|e| !e.id.eq_ignore_ascii_case(id));
                }
            }
            Ok(())
        }
        Op::TakeBack { step } => take_back(world, step),
        Op::Gate { .. } => Ok(()),
    }
}

fn take_back(world: &mut Snapshot, step: &Step) -> Result<(), Refused> {
    match (&step.undo, &step.op) {
        (Undo::Delete, Op::Assign { description, .. }) => {
            for live in world.assignments.values_mut() {
                if let Live::Present(list) = live {
                    let own = |e: &Entity| e.text("/properties/description") == Some(description);
                    list.retain(|e| !own(e));
                }
            }
            Ok(())
        }
        (Undo::Delete, _) => {
            delete(world, &step.address);
            Ok(())
        }
        (Undo::Put { body }, _) => put(world, &step.address, body, None),
        (Undo::Splice { edits }, _) => splice(world, &step.address, edits),
        (Undo::Sql { statements }, Op::Sql { database, .. }) => sql(world, database, statements),
        _ => Ok(()),
    }
}

/// What lies inside goes with it.
fn delete(world: &mut Snapshot, address: &Address) {
    let below = world.entities.range(address.clone()..);
    let near = below.take_while(|(a, _)| a.as_str().starts_with(address.as_str()));
    let gone: Vec<Address> = near
        .filter(|(a, _)| a.within(address))
        .map(|(a, _)| a.clone())
        .collect();
    for address in gone {
        world.entities.remove(&address);
    }
}

/// Applies `edits` to a policy text.
///
/// # Errors
/// When the text is malformed or a place is not in it.
pub fn edited(text: &str, edits: &[Splice]) -> Result<String, String> {
    let document = Document::parse(text).map_err(|e| e.to_string())?;
    let mut list = Vec::with_capacity(edits.len());
    for edit in edits {
        let path = edit.path();
        let change = change(edit);
        let path = path
            .parse()
            .map_err(|_| format!("“{path}” is no path of an element"))?;
        list.push(Edit { path, change });
    }
    document.edit(&list).map_err(|e| e.to_string())
}

fn change(edit: &Splice) -> Change {
    match edit.clone() {
        Splice::Text { text, .. } => Change::SetText(text),
        Splice::Attribute { name, value, .. } => Change::SetAttribute { name, value },
        Splice::RemoveAttribute { name, .. } => Change::RemoveAttribute { name },
        Splice::Remove { .. } => Change::RemoveElement,
        Splice::Replace { xml, .. } => Change::ReplaceElement(xml),
        Splice::InsertFirst { xml, .. } => Change::InsertInto { xml, first: true },
        Splice::InsertLast { xml, .. } => Change::InsertInto { xml, first: false },
        Splice::InsertAfter { xml, .. } => Change::InsertAfter(xml),
    }
}

/// The secret that `from` speaks of, where the world holds it; the environment is not the world's.
fn value_of(world: &Snapshot, from: &ValueFrom) -> Result<Option<String>, Refused> {
    let (address, found) = match from {
        ValueFrom::PolicyText { policy, path } => {
            let text = world.policy_text(policy);
            (policy, text.and_then(|t| text_at(t, path)))
        }
        ValueFrom::PolicyAttribute { policy, path, name } => {
            let text = world.policy_text(policy);
            (policy, text.and_then(|t| attribute_at(t, path, name)))
        }
        ValueFrom::Field { address, pointer } => {
            let entity = world.entities.get(address);
            let text = entity.and_then(|e| e.text(pointer));
            (address, text.map(str::to_owned))
        }
        ValueFrom::Environment { .. } => return Ok(None),
    };
    found
        .map(Some)
        .ok_or_else(|| Refused::Absent(address.clone()))
}

/// The attribute `name` of the element at `path` of a policy.
pub fn attribute_at(policy: &str, path: &str, name: &str) -> Option<String> {
    let document = Document::parse(policy).ok()?;
    let element = document.find(&path.parse().ok()?)?;
    element.attribute(name).map(|a| a.value)
}

/// The text of the element at `path` of a policy.
pub fn text_at(policy: &str, path: &str) -> Option<String> {
    let document = Document::parse(policy).ok()?;
    document.find(&path.parse().ok()?)?.text()
}

/// `over` merged over `base`: objects by key, everything else whole; `null` removes.
pub fn merged(base: &Value, over: &Value) -> Value {
    match (base, over) {
        (Value::Object(base), Value::Object(over)) => {
            let mut out: Map<String, Value> = base.clone();
            for (name, value) in over {
                let inner = merged(base.get(name).unwrap_or(&Value::Null), value);
                if inner.is_null() {
                    out.remove(name);
                } else {
                    out.insert(name.clone(), inner);
                }
            }
            Value::Object(out)
        }
        (_, Value::Object(over)) => {
            merged(&Value::Object(Map::new()), &Value::Object(over.clone()))
        }
        _ => over.clone(),
    }
}

fn put(
    world: &mut Snapshot,
    address: &Address,
    body: &Value,
    value: Option<&ValueFrom>,
) -> Result<(), Refused> {
    let base = world
        .entities
        .get(address)
        .map_or(json!({}), |e| e.body.clone());
    let mut body = merged(&base, body);
    if let Some(from) = value
        && let Some(text) = value_of(world, from)?
    {
        body["properties"]["value"] = Value::String(text);
    }
    let id = world
        .entities
        .get(address)
        .map_or_else(String::new, |e| e.id.clone());
    let gains_identity = address.last().0 == "apim"
        && body
            .pointer("/identity/type")
            .and_then(Value::as_str)
            .is_some_and(has_system);
    world.entities.insert(
        address.clone(),
        Entity {
            id,
            etag: None,
            body,
        },
    );
    let identity = address.part("identity");
    if gains_identity && !world.entities.contains_key(&identity) {
        let made_up = json!({ "properties": {
            "clientId": made_up_guid(&identity),
            "principalId": made_up_guid(&identity.part("principal")),
        }});
        let entity = Entity {
            id: String::new(),
            etag: None,
            body: made_up,
        };
        world.entities.insert(identity, entity);
    }
    Ok(())
}

/// Whether an ARM identity type includes the system-assigned one.
pub(crate) fn has_system(kind: &str) -> bool {
    kind.to_ascii_lowercase().contains("systemassigned")
}

fn splice(world: &mut Snapshot, address: &Address, edits: &[Splice]) -> Result<(), Refused> {
    let text = world
        .policy_text(address)
        .ok_or_else(|| Refused::Absent(address.clone()))?;
    let text = edited(text, edits).map_err(|why| Refused::Policy(address.clone(), why))?;
    if let Some(entity) = world.entities.get_mut(address) {
        entity.body["properties"]["value"] = Value::String(text);
    }
    Ok(())
}

fn sql(world: &mut Snapshot, database: &Address, statements: &[Statement]) -> Result<(), Refused> {
    let server = database.root();
    for statement in statements {
        let statement = resolved(world, statement)?;
        if statement.in_master() {
            let logins = logins_mut(world, &server)?;
            statement.run_in_master(logins);
        } else {
            match world.databases.get_mut(database) {
                Some(Live::Present(catalogue)) => statement.run(catalogue)?,
                _ => return Err(Refused::Unreadable(database.clone())),
            }
        }
    }
    Ok(())
}

fn assign(
    world: &mut Snapshot,
    scope: &str,
    role: &str,
    principal: &Assignee,
    description: &str,
) -> Result<(), Refused> {
    let (object_id, kind) = match principal {
        Assignee::Known {
            object_id,
            principal_type,
        } => (object_id.clone(), principal_type.clone()),
        Assignee::Identity { address } => {
            let id =
                principal_id(world, address).ok_or_else(|| Refused::Absent(address.clone()))?;
            (id, "ServicePrincipal".to_owned())
        }
    };
    let body = json!({ "properties": {
        "scope": scope,
        "roleDefinitionId": format!("/providers/Microsoft.Authorization/roleDefinitions/{role}"),
        "principalId": object_id,
        "principalType": kind,
        "description": description,
    }});
    let entity = Entity {
        id: format!("{scope}/providers/Microsoft.Authorization/roleAssignments/{object_id}-{role}"),
        etag: None,
        body,
    };
    let list = world.assignments.entry(scope.to_lowercase());
    match list.or_insert_with(|| Live::Present(Vec::new())) {
        Live::Present(list) => list.push(entity),
        other => *other = Live::Present(vec![entity]),
    }
    Ok(())
}

/// The object id of the identity at `address`: a gateway's system-assigned one, or a managed one.
pub fn principal_id(world: &Snapshot, address: &Address) -> Option<String> {
    let entity = world.entities.get(address)?;
    let own = entity.text("/identity/principalId");
    let own = own.or_else(|| entity.text("/properties/principalId"));
    let own = own.filter(|id| !id.is_empty()).map(str::to_owned);
    own.or_else(|| {
        let made_up = world.entities.get(&address.part("identity"))?;
        made_up.text("/properties/principalId").map(str::to_owned)
    })
}

fn logins_mut<'a>(
    world: &'a mut Snapshot,
    server: &Address,
) -> Result<&'a mut Vec<Login>, Refused> {
    match world.logins.get_mut(server) {
        Some(Live::Present(logins)) => Ok(logins),
        _ => Err(Refused::Unreadable(server.clone())),
    }
}

/// The statement with the client id that the world knows.
pub fn resolved(world: &Snapshot, statement: &Statement) -> Result<Statement, Refused> {
    let Statement::CreateUser {
        name,
        sid: SidSource::ClientIdOf(gateway),
        group,
    } = statement
    else {
        return Ok(statement.clone());
    };
    let sid =
        client_sid(world, gateway).ok_or_else(|| Refused::Absent(gateway.part("identity")))?;
    Ok(Statement::CreateUser {
        name: name.clone(),
        sid: SidSource::Known(sid),
        group: *group,
    })
}

/// The SID by which databases know the identity at `address`: a gateway's system-assigned one, or
/// a managed identity.
pub fn client_sid(world: &Snapshot, address: &Address) -> Option<Sid> {
    let own = match address.is_gateway() {
        true => address.part("identity"),
        false => address.clone(),
    };
    let identity = world.entities.get(&own)?;
    Sid::from_guid(identity.text("/properties/clientId")?).ok()
}

/// A client id for an identity that does not exist yet; it stays inside a simulation.
fn made_up_guid(address: &Address) -> String {
    let digest = Sha256::digest(address.as_str().as_bytes());
    let h: String = digest.iter().take(16).map(|b| format!("{b:02x}")).collect();
    format!(
        "{}-{}-{}-{}-{}",
        &h[..8],
        &h[8..12],
        &h[12..16],
        &h[16..20],
        &h[20..]
    )
}

//! What a step does to the world, with no input or output: the planner looks ahead with it, and
//! tests compare it with what the services really do.

use keyless_model::sql::{Login, SidSource, Statement, StatementError};
use keyless_model::{Address, Entity, Live, Sid, Snapshot};
use keyless_policy::{Change, Document, Edit};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::step::{Op, Splice, Step, ValueFrom};

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
            world.entities.remove(&step.address);
            Ok(())
        }
        Op::Gate { .. } => Ok(()),
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
        let (path, change) = match edit {
            Splice::Text { path, text } => (path, Change::SetText(text.clone())),
            Splice::Attribute { path, name, value } => (
                path,
                Change::SetAttribute {
                    name: name.clone(),
                    value: value.clone(),
                },
            ),
        };
        let path = path
            .parse()
            .map_err(|_| format!("“{path}” is no path of an element"))?;
        list.push(Edit { path, change });
    }
    document.edit(&list).map_err(|e| e.to_string())
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
    if let Some(ValueFrom::PolicyText { policy, path }) = value {
        let text = world
            .policy_text(policy)
            .ok_or_else(|| Refused::Absent(policy.clone()))?;
        let text = text_at(text, path).ok_or_else(|| Refused::Absent(policy.clone()))?;
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
        let made_up = json!({ "properties": { "clientId": made_up_guid(&identity) } });
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

/// The SID by which databases know the system-assigned identity of `gateway`.
pub fn client_sid(world: &Snapshot, gateway: &Address) -> Option<Sid> {
    let identity = world.entities.get(&gateway.part("identity"))?;
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

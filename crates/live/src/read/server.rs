//! One logical SQL server: itself, its administrator and Entra-only switch, its logins, and the
//! catalogue of each of its databases.

use keyless_azure::sql;
use keyless_model::{Address, ArmId, Entity, Live, Snapshot};
use serde_json::{Value, json};

use super::{Reading, children, entity, name_of, unreadable};
use crate::error::LiveError;
use crate::services::Services;

/// Reads a server into `snapshot`.
pub(crate) async fn read(
    services: &Services,
    server: &Address,
    id: &ArmId,
    reading: Reading,
    snapshot: &mut Snapshot,
) -> Result<(), LiveError> {
    match services.arm.find(sql::server(id)?).await {
        Ok(Some(answer)) => {
            administrator(server, &answer.body, snapshot);
            snapshot
                .entities
                .insert(server.clone(), entity(answer.body, answer.etag));
        }
        Ok(None) => return Ok(()),
        Err(error) => return unreadable(snapshot, server.to_string(), error.into()),
    }
    let databases = match services.arm.list(sql::databases(id)?).await {
        Ok(items) => items.iter().filter_map(name_of).collect::<Vec<String>>(),
        Err(error) => {
            unreadable(snapshot, children(server, "db"), error.into())?;
            Vec::new()
        }
    };
    logins(services, server, snapshot).await?;
    for name in databases
        .iter()
        .filter(|n| !n.eq_ignore_ascii_case("master"))
    {
        database(services, server, name, reading, snapshot).await?;
    }
    Ok(())
}

/// The expanded read of the server holds its Entra administrator and the Entra-only switch.
fn administrator(server: &Address, body: &Value, snapshot: &mut Snapshot) {
    let found = body
        .pointer("/properties/administrators")
        .filter(|a| a.is_object());
    let only = found
        .and_then(|a| a.get("azureADOnlyAuthentication"))
        .cloned();
    let only = only
        .filter(|v| v.is_boolean())
        .unwrap_or(Value::Bool(false));
    let switch = json!({ "properties": { "azureADOnlyAuthentication": only } });
    snapshot
        .entities
        .insert(server.part("entraOnly"), part(switch));
    if let Some(admin) = found.filter(|a| a.get("sid").is_some_and(Value::is_string)) {
        let field = |name: &str| admin.get(name).cloned().unwrap_or(Value::Null);
        let body = json!({ "properties": {
            "administratorType": field("administratorType"),
            "login": field("login"),
            "sid": field("sid"),
            "tenantId": field("tenantId"),
        }});
        snapshot
            .entities
            .insert(server.part("entraAdmin"), part(body));
    }
}

fn part(body: Value) -> Entity {
    Entity {
        id: String::new(),
        etag: None,
        body,
    }
}

async fn logins(
    services: &Services,
    server: &Address,
    snapshot: &mut Snapshot,
) -> Result<(), LiveError> {
    let read = async {
        let mut session = services.session(server, "master").await?;
        Ok::<_, LiveError>(session.logins().await?)
    };
    let live = match read.await {
        Ok(logins) => Live::Present(logins),
        Err(error) if error.ends_the_run() => return Err(error),
        Err(error) => Live::Unreadable(error.to_string()),
    };
    snapshot.logins.insert(server.clone(), live);
    Ok(())
}

async fn database(
    services: &Services,
    server: &Address,
    name: &str,
    reading: Reading,
    snapshot: &mut Snapshot,
) -> Result<(), LiveError> {
    let address = server.child("db", name);
    let read = async {
        let mut session = services.session(server, name).await?;
        let catalogue = session.catalogue().await?;
        let sessions = match reading.sessions {
            true => Some(session.sessions().await),
            false => None,
        };
        Ok::<_, LiveError>((catalogue, sessions))
    };
    match read.await {
        Ok((catalogue, sessions)) => {
            snapshot
                .databases
                .insert(address.clone(), Live::Present(catalogue));
            if let Some(sessions) = sessions {
                let live = match sessions {
                    Ok(sessions) => Live::Present(sessions),
                    Err(error) => Live::Unreadable(error.to_string()),
                };
                snapshot.sessions.insert(address, live);
            }
        }
        Err(error) if error.ends_the_run() => return Err(error),
        Err(error) => {
            snapshot
                .databases
                .insert(address, Live::Unreadable(error.to_string()));
        }
    }
    Ok(())
}

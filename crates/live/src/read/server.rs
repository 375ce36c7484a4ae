//! One logical SQL server: itself, its administrator and Entra-only switch, its firewall and
//! auditing, its logins, and the catalogue of each of its databases.

use futures::future::try_join_all;
use keyless_azure::sql;
use keyless_model::sql::Catalogue;
use keyless_model::{Address, ArmId, Entity, Live};
use keyless_tsql::{Session, SqlError};
use serde_json::{Value, json};

use super::kept_sql;
use super::reader::{Reader, children, name_of};
use crate::error::LiveError;

/// Reads a server.
pub(crate) async fn read(
    reader: &Reader<'_>,
    server: &Address,
    id: &ArmId,
) -> Result<(), LiveError> {
    if !reader.item(server, sql::server(id)).await? {
        return Ok(());
    }
    administrator(reader, server);
    tokio::try_join!(
        databases(reader, server, id),
        reader.children(server, "firewallRule", sql::firewall_rules(id)),
        auditing(reader, server, id),
        logins(reader, server),
        kept_sql::read(reader, server, id),
    )?;
    Ok(())
}

/// The expanded read of the server holds its Entra administrator and the Entra-only switch.
fn administrator(reader: &Reader<'_>, server: &Address) {
    let found = reader.field(server, "/properties/administrators");
    let found = found.as_ref().filter(|a| a.is_object());
    let only = found
        .and_then(|a| a.get("azureADOnlyAuthentication"))
        .cloned();
    let only = only
        .filter(|v| v.is_boolean())
        .unwrap_or(Value::Bool(false));
    let switch = json!({ "properties": { "azureADOnlyAuthentication": only } });
    reader.put(server.part("entraOnly"), part(switch));
    if let Some(admin) = found.filter(|a| a.get("sid").is_some_and(Value::is_string)) {
        let field = |name: &str| admin.get(name).cloned().unwrap_or(Value::Null);
        let body = json!({ "properties": {
            "administratorType": field("administratorType"),
            "login": field("login"),
            "sid": field("sid"),
            "tenantId": field("tenantId"),
        }});
        reader.put(server.part("entraAdmin"), part(body));
    }
}

fn part(body: Value) -> Entity {
    Entity {
        id: String::new(),
        etag: None,
        body,
    }
}

/// A request for each server, so only where somebody wants to know.
async fn auditing(reader: &Reader<'_>, server: &Address, id: &ArmId) -> Result<(), LiveError> {
    if reader.reading.search || reader.reading.audited.contains(server) {
        let address = server.part("auditing");
        reader.item(&address, sql::auditing(id)).await?;
    }
    Ok(())
}

async fn logins(reader: &Reader<'_>, server: &Address) -> Result<(), LiveError> {
    let _turn = reader.session_turn().await;
    let read = async {
        let mut session = reader.services.session(server, "master").await?;
        Ok::<_, LiveError>(session.logins().await?)
    };
    let live = match read.await {
        Ok(logins) => Live::Present(logins),
        Err(error) if error.ends_the_run() => return Err(error),
        Err(error) => Live::Unreadable(why(reader, server, &error)),
    };
    reader.snapshot().logins.insert(server.clone(), live);
    Ok(())
}

/// SQL Server's number for a refused login (azure-facts C.7).
const LOGIN_FAILED: u32 = 18456;

/// Why a session brought nothing. Every token is refused while the server has no Entra
/// administrator (azure-facts C.1): who is refused then need look no further.
fn why(reader: &Reader<'_>, server: &Address, error: &LiveError) -> String {
    let refused = matches!(error, LiveError::Sql(e) if e.number() == Some(LOGIN_FAILED));
    let admin = server.part("entraAdmin");
    if refused && !reader.snapshot().entities.contains_key(&admin) {
        return NO_ADMIN.to_owned();
    }
    error.to_string()
}

const NO_ADMIN: &str = "the server has no Entra administrator, and without one it takes no token; \
                        set one with `az sql server ad-admin create`, or with `entraAdmin` in its \
                        SqlServer document and keyless apply";

async fn databases(reader: &Reader<'_>, server: &Address, id: &ArmId) -> Result<(), LiveError> {
    let items = match reader.list(sql::databases(id)?).await {
        Ok(items) => items,
        Err(error) => return reader.unreadable(children(server, "db"), error.into()),
    };
    let mut names: Vec<String> = items.iter().filter_map(name_of).collect();
    names.retain(|name| !name.eq_ignore_ascii_case("master"));
    tokio::try_join!(
        try_join_all(names.iter().map(|name| database(reader, server, name))),
        kept_sql::of_databases(reader, server, id, &names),
    )?;
    Ok(())
}

async fn database(reader: &Reader<'_>, server: &Address, name: &str) -> Result<(), LiveError> {
    let _turn = reader.session_turn().await;
    let address = server.child("db", name);
    let read = async {
        let mut session = reader.services.session(server, name).await?;
        let mut catalogue = session.catalogue().await?;
        beside(reader, &address, &mut session, &mut catalogue).await;
        if reader.reading.sessions {
            let sessions = live(session.sessions().await);
            let mut snapshot = reader.snapshot();
            snapshot.sessions.insert(address.clone(), sessions);
        }
        Ok::<_, LiveError>(catalogue)
    };
    let live = match read.await {
        Ok(catalogue) => Live::Present(catalogue),
        Err(error) if error.ends_the_run() => return Err(error),
        Err(error) => Live::Unreadable(why(reader, server, &error)),
    };
    reader.snapshot().databases.insert(address, live);
    Ok(())
}

/// What a database knows besides its security. Where it is refused, the catalogue stays as good as
/// before, and what is missing from it is told as unreadable.
async fn beside(
    reader: &Reader<'_>,
    address: &Address,
    session: &mut Session,
    catalogue: &mut Catalogue,
) {
    match session.firewall_rules().await {
        Ok(rules) => catalogue.firewall_rules = rules,
        Err(error) => untold(reader, children(address, "firewallRule"), &error),
    }
    if reader.reading.search {
        match session.scoped_credentials().await {
            Ok(credentials) => catalogue.scoped_credentials = credentials,
            Err(error) => untold(reader, children(address, "credential"), &error),
        }
    }
}

fn untold(reader: &Reader<'_>, scope: String, error: &SqlError) {
    let why = error.to_string();
    reader.snapshot().unreadable.insert(scope, why);
}

fn live<T>(answer: Result<T, SqlError>) -> Live<T> {
    match answer {
        Ok(found) => Live::Present(found),
        Err(error) => Live::Unreadable(error.to_string()),
    }
}

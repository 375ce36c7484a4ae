//! What is special about each kind: what a body must say, what follows from a write, what a reader
//! sees. Everything that is not named here is only stored.

use serde_json::{Value, json};

use super::error::ArmError;
use super::kind::Kind;
use super::store::{Entity, Store};
use super::target::Target;
use super::{apim, authorization, identity, sql};
use crate::estate::Estate;

/// A checked write: the entity as it will be, or `None` for its removal.
#[derive(Clone, Debug)]
pub struct Change {
    pub id: String,
    pub key: String,
    pub kind: Kind,
    pub next: Option<Entity>,
}

/// Checks and completes the body of a PUT or PATCH; `next` is the whole body after the merge.
pub fn check(
    estate: &Estate,
    store: &Store,
    target: &Target,
    current: Option<&Entity>,
    next: &mut Value,
) -> Result<(), ArmError> {
    if !matches!(target.kind, Kind::Link) && !next["properties"].is_object() {
        let top = matches!(
            target.kind,
            Kind::Service | Kind::SqlServer | Kind::Database | Kind::UserIdentity
        );
        if !top {
            return Err(ArmError::validation(
                "properties",
                "The field 'properties' is required.",
            ));
        }
        next["properties"] = json!({});
    }
    match target.kind {
        Kind::Service => apim::service::check(estate, store, target, next),
        Kind::NamedValue => apim::named_value::check(next),
        Kind::Backend => apim::backend::check(store, target, next),
        Kind::Logger => apim::logger::check(store, target, next),
        Kind::Fragment | Kind::Policy => apim::policy::check(estate, store, target, next),
        Kind::Api => apim::api::check(store, target, current, next),
        Kind::Operation | Kind::Resolver | Kind::Product => apim::plain::check(target.kind, next),
        Kind::Release => apim::api::check_release(estate, store, target, next),
        Kind::Subscription => apim::plain::check_subscription(estate, current, next),
        Kind::Link => apim::plain::check_link(store, target),
        Kind::NamedLink => apim::link::check(store, target, next),
        Kind::SqlServer => sql::server::check(store, target, current, next),
        Kind::Database => sql::server::check_database(estate, current, next),
        Kind::Administrator => sql::entra::check_admin(target, next),
        Kind::EntraOnly => sql::entra::check_only(store, target, next),
        Kind::FirewallRule => sql::firewall::check(next),
        Kind::SqlSetting | Kind::DatabaseSetting => sql::setting::check(target, next),
        Kind::UserIdentity => identity::check_user_assigned(current, next),
        Kind::Federated => identity::check_federated(next),
        Kind::RoleAssignment => {
            authorization::assignment::check(estate, store, target, current, next)
        }
        Kind::Lock => authorization::lock::check(next),
        Kind::ApimPlain => {
            apim::secrets::keep_keys(current, next);
            Ok(())
        }
        Kind::SqlPlain => Ok(()),
        Kind::SystemIdentity | Kind::RoleDefinition => Err(ArmError::new(
            405,
            "MethodNotAllowed",
            "The resource is read-only.",
        )),
    }
}

/// Fields that a body leaves out get what the service puts there.
pub fn complete<const N: usize>(properties: &mut Value, defaults: [(&str, Value); N]) {
    for (field, value) in defaults {
        if properties[field].is_null() {
            properties[field] = value;
        }
    }
}

/// Refuses a DELETE that would leave something without what it refers to.
pub fn check_delete(store: &Store, target: &Target, all_revisions: bool) -> Result<(), ArmError> {
    match target.kind {
        Kind::NamedValue => apim::named_value::check_delete(store, target),
        Kind::Backend => apim::backend::check_delete(store, target),
        Kind::Fragment => apim::policy::check_fragment_delete(store, target),
        Kind::Api => apim::api::check_delete(store, target, all_revisions),
        Kind::Administrator => sql::entra::check_admin_delete(store, target),
        Kind::Database if target.name.eq_ignore_ascii_case("master") => Err(ArmError::new(
            400,
            "InvalidDatabase",
            "The master database cannot be dropped.",
        )),
        Kind::SqlSetting | Kind::DatabaseSetting | Kind::SystemIdentity | Kind::RoleDefinition => {
            Err(ArmError::new(
                405,
                "MethodNotAllowed",
                "The setting cannot be deleted.",
            ))
        }
        _ => Ok(()),
    }
}

/// Makes the change, with all that follows from it. What only shows now fails here: for a
/// long-running operation that is after the request was accepted.
pub fn commit(estate: &Estate, store: &mut Store, change: Change) -> Result<(), ArmError> {
    let Change {
        key, kind, next, ..
    } = change;
    let Some(entity) = next else {
        return remove(estate, store, kind, &key);
    };
    match kind {
        Kind::Service => apim::service::commit(estate, store, entity),
        Kind::NamedValue => apim::named_value::commit(estate, store, entity),
        Kind::Logger => apim::logger::commit(estate, store, entity),
        Kind::ApimPlain => apim::cache::commit(estate, store, entity),
        Kind::Api => apim::api::commit(store, entity),
        Kind::Release => apim::api::commit_release(store, entity),
        Kind::NamedLink => apim::link::commit(store, entity),
        Kind::SqlServer => sql::server::commit(estate, store, entity),
        Kind::Database => sql::server::commit_database(estate, store, entity),
        Kind::Administrator => sql::entra::commit_admin(estate, store, entity),
        Kind::EntraOnly => sql::entra::commit_only(estate, store, entity),
        Kind::FirewallRule => sql::firewall::commit(estate, store, entity),
        Kind::UserIdentity => identity::commit_user_assigned(estate, store, entity),
        Kind::SqlSetting | Kind::DatabaseSetting => {
            sql::setting::commit(estate, store, entity);
            Ok(())
        }
        _ => {
            store.put(entity);
            Ok(())
        }
    }
}

fn remove(estate: &Estate, store: &mut Store, kind: Kind, key: &str) -> Result<(), ArmError> {
    match kind {
        Kind::EntraOnly => return sql::entra::remove_only(estate, store, key),
        Kind::Administrator => sql::entra::remove_admin(estate, key),
        Kind::Database => sql::server::remove_database(estate, key),
        Kind::SqlServer => sql::server::remove(estate, store, key),
        Kind::Service | Kind::UserIdentity => identity::remove(estate, store, key),
        Kind::FirewallRule => sql::firewall::remove(estate, store, key),
        Kind::NamedLink => apim::link::remove(store, key),
        _ => {}
    }
    store.remove(key);
    if kind == Kind::Link {
        apim::link::remove_names(store, key);
    }
    if kind == Kind::Api {
        // `check_delete` has let nobody come here who does not want the others gone as well.
        apim::api::remove_revisions(store, key);
        apim::plain::unlink(store, key);
    }
    Ok(())
}

/// The entity as a reader gets it. `format` is `rawxml` or `xml` for policy texts.
pub fn view(estate: &Estate, store: &Store, entity: &Entity, format: Option<&str>) -> Value {
    let mut body = entity.envelope();
    match entity.kind {
        Kind::Service => body["etag"] = json!(entity.etag.trim_matches('"')),
        Kind::NamedValue => apim::named_value::hide(&mut body),
        Kind::Fragment | Kind::Policy => apim::policy::show(entity.kind, &mut body, format),
        Kind::Api => apim::api::show(entity, &mut body),
        Kind::Subscription => apim::plain::hide_keys(&mut body),
        Kind::ApimPlain => apim::secrets::hide(entity, &mut body),
        Kind::SqlPlain => sql::kept::hide(&mut body),
        Kind::Link => apim::plain::show_link(estate, store, entity, &mut body),
        Kind::Administrator => sql::entra::show_admin(store, entity, &mut body),
        Kind::SqlSetting | Kind::DatabaseSetting => sql::setting::hide(&mut body),
        Kind::RoleAssignment => authorization::assignment::hide(&mut body),
        _ => {}
    }
    body
}

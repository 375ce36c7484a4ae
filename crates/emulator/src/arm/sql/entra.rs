//! The server's Entra admin and its Entra-only flag. Neither can be had without the other's
//! consent: no flag without an admin, no removal of the admin under the flag.

use serde_json::{Value, json};

use super::server::entra_only;
use super::{server_key, server_name};
use crate::arm::error::ArmError;
use crate::arm::store::{Entity, Store};
use crate::arm::target::Target;
use crate::directory::PrincipalKind;
use crate::estate::Estate;
use crate::sql::EntraAdmin;

fn admin_key(key: &str) -> String {
    format!("{}/administrators/activedirectory", server_key(key))
}

pub fn check_admin(target: &Target, next: &mut Value) -> Result<(), ArmError> {
    let bad = |field: &str| {
        let message = format!("Invalid value given for parameter {field}.");
        ArmError::new(400, "InvalidParameterValue", message)
    };
    if !target.name.eq_ignore_ascii_case("ActiveDirectory") {
        return Err(bad("administratorName"));
    }
    let properties = &mut next["properties"];
    for field in ["login", "sid"] {
        if properties[field].as_str().is_none_or(str::is_empty) {
            return Err(bad(field));
        }
    }
    properties["administratorType"] = json!("ActiveDirectory");
    if let Some(properties) = properties.as_object_mut() {
        properties.remove("azureADOnlyAuthentication");
    }
    Ok(())
}

pub fn commit_admin(
    estate: &Estate,
    store: &mut Store,
    mut entity: Entity,
) -> Result<(), ArmError> {
    let tenant = entity
        .property("tenantId")
        .unwrap_or(estate.directory.tenant())
        .to_owned();
    entity.body["properties"]["tenantId"] = json!(tenant);
    let sid = entity.property("sid").unwrap_or_default().to_owned();
    let known = estate.directory.by_object_id(&sid);
    let admin = EntraAdmin {
        login: entity.property("login").unwrap_or_default().to_owned(),
        is_group: known.is_some_and(|principal| principal.kind == PrincipalKind::Group),
        sid,
        tenant,
    };
    estate
        .sql
        .set_entra_admin(server_name(&entity.key()), Some(admin));
    store.put(entity);
    Ok(())
}

pub fn check_admin_delete(store: &Store, target: &Target) -> Result<(), ArmError> {
    if !entra_only(store, &target.key) {
        return Ok(());
    }
    let message = "The Microsoft Entra administrator cannot be removed while Microsoft Entra-only \
                   authentication is enabled.";
    Err(ArmError::new(
        400,
        "AadOnlyAuthenticationIsEnabled",
        message,
    ))
}

pub fn remove_admin(estate: &Estate, key: &str) {
    estate.sql.set_entra_admin(server_name(key), None);
}

pub fn check_only(store: &Store, target: &Target, next: &Value) -> Result<(), ArmError> {
    let wanted = &next["properties"]["azureADOnlyAuthentication"];
    let Some(on) = wanted
        .as_bool()
        .filter(|_| target.name.eq_ignore_ascii_case("Default"))
    else {
        let message = "Invalid value given for parameter AzureADOnlyAuthentication.";
        return Err(ArmError::new(400, "InvalidParameterValue", message));
    };
    if on && store.get(&admin_key(&target.key)).is_none() {
        let message = "A Microsoft Entra administrator has to be set before Microsoft Entra-only \
                       authentication can be enabled.";
        return Err(ArmError::new(400, "AadAdministratorNotConfigured", message));
    }
    Ok(())
}

pub fn commit_only(estate: &Estate, store: &mut Store, entity: Entity) -> Result<(), ArmError> {
    let on = entity.body["properties"]["azureADOnlyAuthentication"] == json!(true);
    estate.sql.set_entra_only(server_name(&entity.key()), on);
    store.put(entity);
    Ok(())
}

/// A deleted flag is an unset one.
pub fn remove_only(estate: &Estate, store: &mut Store, key: &str) -> Result<(), ArmError> {
    estate.sql.set_entra_only(server_name(key), false);
    if let Some(entity) = store.get_mut(key) {
        entity.body["properties"]["azureADOnlyAuthentication"] = json!(false);
    }
    Ok(())
}

pub fn show_admin(store: &Store, entity: &Entity, body: &mut Value) {
    let on = entra_only(store, &entity.key());
    body["properties"]["azureADOnlyAuthentication"] = json!(on);
}

/// The admin as it stands inside a server's expanded body.
pub fn expanded(store: &Store, server: &str) -> Option<Value> {
    let mut admin = store.get(&admin_key(server))?.body["properties"].clone();
    admin["azureADOnlyAuthentication"] = json!(entra_only(store, server));
    Some(admin)
}

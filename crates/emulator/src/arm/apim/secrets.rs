//! Secrets of the kinds that are otherwise only stored: taken out of what readers see, told by
//! their actions (azure-facts B.5 rows 11, 14, 15, 17 to 22).

use serde_json::{Value, json};

use super::credential_manager;
use crate::arm::error::ArmError;
use crate::arm::store::{Entity, Store};
use crate::ids;

/// By collection: the fields that no reader sees.
const HIDDEN: [(&str, &[&str]); 7] = [
    (
        "authorizationServers",
        &["clientSecret", "resourceOwnerPassword"],
    ),
    ("identityProviders", &["clientSecret"]),
    ("openidConnectProviders", &["clientSecret"]),
    ("certificates", &["data", "password"]),
    ("authorizations", &["parameters"]),
    ("tenant", &["primaryKey", "secondaryKey"]),
    ("portalsettings", &["validationKey"]),
];
/// By collection: what `listSecrets` tells.
const TOLD: [(&str, &[&str]); 6] = [
    (
        "authorizationServers",
        &[
            "clientSecret",
            "resourceOwnerUsername",
            "resourceOwnerPassword",
        ],
    ),
    ("identityProviders", &["clientSecret"]),
    ("openidConnectProviders", &["clientSecret"]),
    ("subscriptions", &["primaryKey", "secondaryKey"]),
    ("tenant", &["primaryKey", "secondaryKey"]),
    ("portalsettings", &["validationKey"]),
];
/// Where a gateway's keys are kept beside the body.
const KEYS: &str = "keys";

fn of<'a>(table: &[(&str, &'a [&'a str])], entity: &Entity) -> &'a [&'a str] {
    let collection = entity.type_name.rsplit('/').next().unwrap_or_default();
    let found = table.iter().find(|(known, _)| *known == collection);
    found.map_or(&[], |(_, fields)| fields)
}

/// Takes out what a reader does not see.
pub fn hide(entity: &Entity, body: &mut Value) {
    if let Some(fields) = body.as_object_mut() {
        fields.remove(KEYS);
    }
    if let Some(properties) = body["properties"].as_object_mut() {
        for field in of(&HIDDEN, entity) {
            properties.remove(*field);
        }
        credential_manager::hide(properties);
    }
}

/// The answer to `listSecrets`; `None` where there is no such action.
pub fn told(entity: &Entity) -> Option<Value> {
    let fields = of(&TOLD, entity);
    let properties = &entity.body["properties"];
    let told = fields
        .iter()
        .map(|field| ((*field).to_owned(), properties[*field].clone()));
    (!fields.is_empty()).then(|| Value::Object(told.collect()))
}

/// A subscription gets another key in place of `field`.
pub fn renew(store: &mut Store, key: &str, field: &str) {
    let etag = store.next_etag();
    if let Some(entity) = store.get_mut(key) {
        entity.body["properties"][field] = json!(new_key());
        entity.etag = etag;
    }
}

/// The keys of a self-hosted gateway; they come to be when they are first asked for.
pub fn gateway_keys(store: &mut Store, key: &str) -> Value {
    let Some(entity) = store.get_mut(key) else {
        return Value::Null;
    };
    if entity.body[KEYS].is_null() {
        entity.body[KEYS] = json!({"primary": new_key(), "secondary": new_key()});
    }
    entity.body[KEYS].clone()
}

/// Keys that a gateway has stay with it, and nobody sends others along.
pub fn keep_keys(current: Option<&Entity>, next: &mut Value) {
    let Some(fields) = next.as_object_mut() else {
        return;
    };
    fields.remove(KEYS);
    if let Some(keys) = current.and_then(|current| current.body.get(KEYS)) {
        fields.insert(KEYS.to_owned(), keys.clone());
    }
}

/// `regenerateKey` with `{"keyType": "primary"}` or `"secondary"`.
pub fn renew_gateway_key(store: &mut Store, key: &str, body: &Value) -> Result<(), ArmError> {
    let wanted = body["keyType"].as_str().unwrap_or_default();
    if !["primary", "secondary"].contains(&wanted) {
        let message = "The key type is 'primary' or 'secondary'.";
        return Err(ArmError::validation("keyType", message));
    }
    gateway_keys(store, key);
    if let Some(entity) = store.get_mut(key) {
        entity.body[KEYS][wanted] = json!(new_key());
    }
    Ok(())
}

fn new_key() -> String {
    ids::guid().replace('-', "")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arm::kind;

    fn entity(collection: &str, properties: Value) -> Entity {
        let type_name = format!("Microsoft.ApiManagement/service/{collection}");
        let (kind, type_name) = kind::lookup(&type_name).unwrap();
        Entity {
            id: format!("/s/{collection}/one"),
            kind,
            type_name,
            body: json!({"properties": properties}),
            etag: String::new(),
        }
    }

    #[test]
    fn a_client_secret_is_hidden_and_told() {
        let server = entity(
            "authorizationServers",
            json!({"clientId": "port", "clientSecret": "Port-Secret-3"}),
        );
        let mut seen = server.envelope();
        hide(&server, &mut seen);
        assert_eq!(seen["properties"], json!({"clientId": "port"}));
        assert_eq!(told(&server).unwrap()["clientSecret"], "Port-Secret-3");
        assert!(told(&entity("tags", json!({}))).is_none());
    }

    #[test]
    fn a_gateway_keeps_its_keys_until_one_is_renewed() {
        let mut store = Store::default();
        let gateway = entity("gateways", json!({}));
        let key = gateway.key();
        store.put(gateway);
        let first = gateway_keys(&mut store, &key);
        assert_eq!(gateway_keys(&mut store, &key), first);
        renew_gateway_key(&mut store, &key, &json!({"keyType": "primary"})).unwrap();
        let second = gateway_keys(&mut store, &key);
        assert_ne!(second["primary"], first["primary"]);
        assert_eq!(second["secondary"], first["secondary"]);
        assert!(renew_gateway_key(&mut store, &key, &json!({})).is_err());
    }
}

//! The APIM service itself.

use serde_json::{Value, json};

use crate::arm::error::ArmError;
use crate::arm::identity;
use crate::arm::kind::Kind;
use crate::arm::store::{Entity, Store};
use crate::arm::target::Target;
use crate::estate::Estate;

/// What every new service has as its policy.
const DEFAULT_POLICY: &str = "<policies>\r\n\t<inbound />\r\n\t<backend>\r\n\t\t<forward-request \
                              />\r\n\t</backend>\r\n\t<outbound />\r\n\t<on-error />\r\n</policies>";

pub fn check(
    estate: &Estate,
    store: &Store,
    target: &Target,
    next: &mut Value,
) -> Result<(), ArmError> {
    identity::check(store, next)?;
    let name = target.name.to_lowercase();
    let gateway = format!("https://{name}.azure-api.localhost:{}", estate.ports.https);
    if !next["location"].is_string() {
        next["location"] = json!("West Europe");
    }
    if !next["sku"].is_object() {
        next["sku"] = json!({"name": "Developer", "capacity": 1});
    }
    let properties = &mut next["properties"];
    let created = store.get(&target.key);
    let created = created.and_then(|service| service.property("createdAtUtc"));
    let created = created.map_or_else(|| estate.clock.iso(), str::to_owned);
    properties["createdAtUtc"] = json!(created);
    properties["provisioningState"] = json!("Succeeded");
    properties["targetProvisioningState"] = json!("");
    let site = |kind: &str| {
        let https = estate.ports.https;
        json!(format!("https://{name}.{kind}.azure-api.localhost:{https}"))
    };
    for (field, value) in [
        ("gatewayUrl", json!(gateway)),
        ("developerPortalUrl", site("developer")),
        ("managementApiUrl", site("management")),
        ("portalUrl", site("portal")),
        ("scmUrl", site("scm")),
        ("enableClientCertificate", json!(false)),
        ("publisherEmail", json!("platform@contoso.example")),
        ("publisherName", json!("Contoso")),
        ("publicIPAddresses", json!(["127.0.0.1"])),
        ("virtualNetworkType", json!("None")),
        ("notificationSenderEmail", json!("no-reply@contoso.example")),
        (
            "hostnameConfigurations",
            json!([{
                "type": "Proxy",
                "hostName": format!("{name}.azure-api.localhost"),
                "negotiateClientCertificate": false,
                "defaultSslBinding": true,
                "certificateSource": "BuiltIn",
            }]),
        ),
        ("platformVersion", json!("stv2.1")),
    ] {
        if properties[field].is_null() {
            properties[field] = value;
        }
    }
    Ok(())
}

pub fn commit(estate: &Estate, store: &mut Store, mut entity: Entity) -> Result<(), ArmError> {
    identity::commit(estate, store, &mut entity);
    let key = entity.key();
    if store.get(&key).is_none() {
        let etag = store.next_etag();
        store.put(Entity {
            id: format!("{}/policies/policy", entity.id),
            kind: Kind::Policy,
            type_name: "Microsoft.ApiManagement/service/policies",
            body: json!({"properties": {"format": "rawxml", "value": DEFAULT_POLICY}}),
            etag,
        });
    }
    store.put(entity);
    Ok(())
}

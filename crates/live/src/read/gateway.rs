//! One API Management service: itself, its identity, and the lists of what it holds.

use futures::future::try_join_all;
use keyless_azure::{apim, system_identity};
use keyless_model::{Address, ArmId, Entity};
use serde_json::Value;

use super::reader::Reader;
use super::{apis, kept, policies};
use crate::error::LiveError;

/// Reads a gateway.
pub(crate) async fn read(
    reader: &Reader<'_>,
    gateway: &Address,
    id: &ArmId,
) -> Result<(), LiveError> {
    if !reader.item(gateway, apim::service(id)).await? {
        return Ok(());
    }
    let (_, _, _, products, apis, index, (), ()) = tokio::try_join!(
        identity(reader, gateway, id),
        named_values(reader, gateway, id),
        reader.children(gateway, "backend", apim::backends(id)),
        products(reader, gateway, id),
        apis::read(reader, gateway, id),
        policies::index(reader, gateway, id),
        others(reader, gateway, id),
        kept::read(reader, gateway, id),
    )?;
    tokio::try_join!(
        policies::read(reader, gateway, id, index, &products, &apis),
        kept::of_apis(reader, id, &apis),
    )?;
    Ok(())
}

/// The ids of the system-assigned identity, of which the service's own body leaves out the client
/// id.
async fn identity(reader: &Reader<'_>, gateway: &Address, id: &ArmId) -> Result<(), LiveError> {
    let kind = reader.field(gateway, "/identity/type");
    let kind = kind.as_ref().and_then(Value::as_str).unwrap_or_default();
    if !kind.to_lowercase().contains("systemassigned") {
        return Ok(());
    }
    let request = Ok::<_, LiveError>(system_identity(id));
    reader.item(&gateway.part("identity"), request).await?;
    Ok(())
}

async fn named_values(reader: &Reader<'_>, gateway: &Address, id: &ArmId) -> Result<(), LiveError> {
    let request = apim::named_values(id);
    let found = reader.children(gateway, "namedValue", request).await?;
    if !reader.reading.inspect_secrets {
        return Ok(());
    }
    let secret = |a: &&Address| reader.snapshot().entities.get(a).is_some_and(is_secret);
    let secret: Vec<&Address> = found.iter().filter(secret).collect();
    try_join_all(secret.into_iter().map(|a| value(reader, id, a))).await?;
    Ok(())
}

fn is_secret(entity: &Entity) -> bool {
    let vault = entity.body.pointer("/properties/keyVault");
    entity.flag("/properties/secret") == Some(true) && vault.is_none_or(Value::is_null)
}

async fn value(reader: &Reader<'_>, id: &ArmId, address: &Address) -> Result<(), LiveError> {
    let request = apim::named_value_secret(id, address.last().1)?;
    match reader.find(request).await {
        Ok(answer) => {
            let value = answer.and_then(|a| a.body.get("value").cloned());
            let mut snapshot = reader.snapshot();
            if let (Some(entity), Some(value)) = (snapshot.entities.get_mut(address), value) {
                entity.body["properties"]["value"] = value;
            }
            Ok(())
        }
        Err(error) => reader.unreadable(format!("{address}/value"), error.into()),
    }
}

/// The products, and which APIs each holds.
async fn products(
    reader: &Reader<'_>,
    gateway: &Address,
    id: &ArmId,
) -> Result<Vec<Address>, LiveError> {
    let request = apim::products(id);
    let found = reader.children(gateway, "product", request).await?;
    let held = |p: &Address| apim::product_apis(id, p.last().1);
    try_join_all(found.iter().map(|p| reader.children(p, "api", held(p)))).await?;
    Ok(found)
}

/// Self-hosted gateways with the APIs that they serve, loggers, workspaces.
async fn others(reader: &Reader<'_>, gateway: &Address, id: &ArmId) -> Result<(), LiveError> {
    let self_hosted = async {
        let request = apim::gateways(id);
        let found = reader.children(gateway, "gateway", request).await?;
        let served = |g: &Address| apim::gateway_apis(id, g.last().1);
        try_join_all(found.iter().map(|g| reader.children(g, "api", served(g)))).await
    };
    tokio::try_join!(
        self_hosted,
        reader.children(gateway, "logger", apim::loggers(id)),
        reader.children(gateway, "workspace", apim::workspaces(id)),
    )?;
    Ok(())
}

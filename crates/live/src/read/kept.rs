//! What only a search for credentials looks at in a gateway: what it keeps secrets for, and where
//! texts and logs may show one (azure-facts B.5). Lists only: no secret is asked for, so what Azure
//! hides stays hidden.

use futures::future::try_join_all;
use keyless_azure::apim;
use keyless_model::{Address, ArmId};

use super::apis::Revision;
use super::reader::Reader;
use crate::error::LiveError;

/// Reads the lists of the service itself: one request each, while they fit one page.
pub(crate) async fn read(
    reader: &Reader<'_>,
    gateway: &Address,
    id: &ArmId,
) -> Result<(), LiveError> {
    if !reader.reading.search {
        return Ok(());
    }
    let lists = [
        ("cache", apim::caches(id)),
        ("authorizationServer", apim::authorization_servers(id)),
        ("openidConnectProvider", apim::openid_providers(id)),
        ("identityProvider", apim::identity_providers(id)),
        ("certificate", apim::certificates(id)),
        ("subscription", apim::subscriptions(id)),
        ("diagnostic", apim::diagnostics(id)),
        ("documentation", apim::documentations(id)),
        ("schema", apim::schemas(id)),
        ("tenantAccess", apim::tenant_access(id)),
        ("portalSetting", apim::portal_settings(id)),
    ];
    let lists = lists.map(|(word, request)| reader.children(gateway, word, request));
    tokio::try_join!(try_join_all(lists), credential_manager(reader, gateway, id))?;
    Ok(())
}

/// The providers of the credential manager, and the connections of each.
async fn credential_manager(
    reader: &Reader<'_>,
    gateway: &Address,
    id: &ArmId,
) -> Result<(), LiveError> {
    let request = apim::authorization_providers(id);
    let word = "authorizationProvider";
    let found = reader.children(gateway, word, request).await?;
    let connections = |p: &Address| apim::authorizations(id, p.last().1);
    let lists = found
        .iter()
        .map(|p| reader.children(p, "authorization", connections(p)));
    try_join_all(lists).await?;
    Ok(())
}

/// Reads what each API logs, and its schemas: revisions have their own.
pub(crate) async fn of_apis(
    reader: &Reader<'_>,
    id: &ArmId,
    apis: &[Revision],
) -> Result<(), LiveError> {
    if !reader.reading.search {
        return Ok(());
    }
    let lists = apis.iter().flat_map(|revision| {
        let api = &revision.api;
        let name = api.last().1;
        [
            reader.children(api, "diagnostic", apim::api_diagnostics(id, name)),
            reader.children(api, "schema", apim::api_schemas(id, name)),
        ]
    });
    try_join_all(lists).await?;
    Ok(())
}

//! The ARM requests that read, write and delete what is at a place.

use keyless_azure::{Request, apim, sql, user_assigned_identity};
use keyless_model::{Address, ArmId};
use serde_json::Value;

use crate::error::LiveError;
use crate::place::{Place, place};

/// Reads what is at the place.
pub(crate) fn get(id: &ArmId, place: &Place) -> Result<Request, LiveError> {
    Ok(match place {
        Place::Service => apim::service(id)?,
        Place::NamedValue(name) => apim::named_value(id, name)?,
        Place::Backend(name) => apim::backend(id, name)?,
        Place::Fragment(name) => apim::fragment(id, name)?,
        Place::Product(name) => apim::product(id, name)?,
        Place::Api(name) => apim::api(id, name)?,
        Place::Operation { api, name } => apim::operation(id, api, name)?,
        Place::Resolver { api, name } => apim::resolver(id, api, name)?,
        Place::Policy(policy) => apim::policy(id, policy.at())?,
        Place::Server => sql::server(id)?,
        Place::EntraAdmin => sql::administrator(id)?,
        Place::EntraOnly => sql::entra_only(id)?,
        Place::FirewallRule(name) => sql::firewall_rule(id, name)?,
        Place::Auditing => sql::auditing(id)?,
        Place::Identity => user_assigned_identity(id)?,
    })
}

/// Writes the whole body at the place, if it still has this ETag. SQL knows no ETags.
pub(crate) fn put(
    id: &ArmId,
    address: &Address,
    body: Value,
    etag: Option<&str>,
) -> Result<Request, LiveError> {
    Ok(match place(address)? {
        Place::NamedValue(name) => apim::put_named_value(id, &name, body, etag)?,
        Place::Backend(name) => apim::put_backend(id, &name, body, etag)?,
        Place::Fragment(name) => apim::put_fragment(id, &name, body, etag)?,
        Place::Product(name) => apim::put_product(id, &name, body, etag)?,
        Place::Api(name) => apim::put_api(id, &name, body, etag)?,
        Place::Operation { api, name } => apim::put_operation(id, &api, &name, body, etag)?,
        Place::Resolver { api, name } => apim::put_resolver(id, &api, &name, body, etag)?,
        Place::Policy(policy) => apim::put_policy(id, policy.at(), body, etag)?,
        Place::EntraAdmin => sql::put_administrator(id, body)?,
        Place::EntraOnly => sql::put_entra_only(id, body)?,
        Place::FirewallRule(name) => sql::put_firewall_rule(id, &name, body)?,
        Place::Auditing => sql::put_auditing(id, body)?,
        Place::Service | Place::Server | Place::Identity => {
            return Err(LiveError::Place(address.clone()));
        }
    })
}

/// Changes the fields of `body` and no other, if the thing still has this ETag. None where Azure
/// has no such request, or where one is not needed: there the whole body is written.
pub(crate) fn patch(
    id: &ArmId,
    place: &Place,
    body: &Value,
    etag: &str,
) -> Result<Option<Request>, LiveError> {
    let body = || body.clone();
    Ok(Some(match place {
        Place::Service => apim::patch_service(id, body())?,
        Place::Server => sql::patch_server(id, body())?,
        Place::Api(name) => apim::patch_api(id, name, body(), etag)?,
        Place::Operation { api, name } => apim::patch_operation(id, api, name, body(), etag)?,
        Place::Product(name) => apim::patch_product(id, name, body(), etag)?,
        _ => return Ok(None),
    }))
}

/// Removes what is at the place, if it still has this ETag.
pub(crate) fn delete(id: &ArmId, address: &Address, etag: &str) -> Result<Request, LiveError> {
    Ok(match place(address)? {
        Place::NamedValue(name) => apim::delete_named_value(id, &name, etag)?,
        Place::Backend(name) => apim::delete_backend(id, &name, etag)?,
        Place::Fragment(name) => apim::delete_fragment(id, &name, etag)?,
        Place::Api(name) => apim::delete_api(id, &name, etag)?,
        Place::Product(name) => apim::delete_product(id, &name, etag)?,
        Place::Resolver { api, name } => apim::delete_resolver(id, &api, &name, etag)?,
        Place::Policy(policy) => apim::delete_policy(id, policy.at(), etag)?,
        Place::EntraAdmin => sql::delete_administrator(id)?,
        Place::FirewallRule(name) => sql::delete_firewall_rule(id, &name)?,
        // What keyless adopts and never makes, and switches, which are set instead.
        Place::Service
        | Place::Operation { .. }
        | Place::Server
        | Place::EntraOnly
        | Place::Auditing
        | Place::Identity => return Err(LiveError::Place(address.clone())),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn can_be_deleted(address: &str) -> bool {
        let kind = match address.starts_with("sql:") {
            true => "Microsoft.Sql/servers",
            false => "Microsoft.ApiManagement/service",
        };
        let id = ArmId {
            subscription: "00000000-0000-0000-0000-000000000001".into(),
            resource_group: "rg".into(),
            kind: kind.into(),
            name: "one".into(),
        };
        delete(&id, &address.parse().unwrap(), "*").is_ok()
    }

    #[test]
    fn what_a_plan_makes_can_be_taken_back_by_a_delete() {
        for made in [
            "apim:g/namedValue:n",
            "apim:g/backend:b",
            "apim:g/policyFragment:f",
            "apim:g/product:p",
            "apim:g/api:a/resolver:r",
            "apim:g/policy",
            "apim:g/product:p/policy",
            "apim:g/api:a/policy",
            "apim:g/api:a/operation:o/policy",
            "apim:g/api:a/resolver:r/policy",
            "sql:s/entraAdmin",
            "sql:s/firewallRule:r",
        ] {
            assert!(can_be_deleted(made), "{made}");
        }
    }

    #[test]
    fn what_is_adopted_or_only_set_is_never_deleted() {
        for kept in [
            "apim:g",
            "apim:g/api:a/operation:o",
            "sql:s",
            "sql:s/entraOnly",
            "sql:s/auditing",
        ] {
            assert!(!can_be_deleted(kept), "{kept}");
        }
    }
}

//! From an address to the ARM requests that read, write and delete what is there.

use keyless_azure::apim::PolicyAt;
use keyless_azure::{Request, apim, sql};
use keyless_model::{Address, ArmId};
use serde_json::Value;

use crate::error::LiveError;

/// A thing in Azure Resource Manager that keyless reads or writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Service,
    NamedValue(String),
    Api(String),
    Resolver { api: String, name: String },
    Policy(PolicyPlace),
    Server,
    EntraAdmin,
    EntraOnly,
}

/// Whose policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PolicyPlace {
    Service,
    Product(String),
    Api(String),
    Operation { api: String, operation: String },
    Resolver { api: String, resolver: String },
}

impl PolicyPlace {
    fn at(&self) -> PolicyAt<'_> {
        match self {
            Self::Service => PolicyAt::Service,
            Self::Product(name) => PolicyAt::Product(name),
            Self::Api(name) => PolicyAt::Api(name),
            Self::Operation { api, operation } => PolicyAt::Operation { api, operation },
            Self::Resolver { api, resolver } => PolicyAt::Resolver { api, resolver },
        }
    }
}

/// The place at `address`.
pub(crate) fn place(address: &Address) -> Result<Place, LiveError> {
    let segments: Vec<(&str, &str)> = address.segments().collect();
    let own = str::to_owned;
    Ok(match segments[..] {
        [("apim", _)] => Place::Service,
        [("apim", _), ("namedValue", name)] => Place::NamedValue(own(name)),
        [("apim", _), ("api", name)] => Place::Api(own(name)),
        [("apim", _), ("api", api), ("resolver", name)] => Place::Resolver {
            api: own(api),
            name: own(name),
        },
        [("apim", _), ("policy", "")] => Place::Policy(PolicyPlace::Service),
        [("apim", _), ("product", name), ("policy", "")] => {
            Place::Policy(PolicyPlace::Product(own(name)))
        }
        [("apim", _), ("api", api), ("policy", "")] => Place::Policy(PolicyPlace::Api(own(api))),
        [
            ("apim", _),
            ("api", api),
            ("operation", operation),
            ("policy", ""),
        ] => Place::Policy(PolicyPlace::Operation {
            api: own(api),
            operation: own(operation),
        }),
        [
            ("apim", _),
            ("api", api),
            ("resolver", resolver),
            ("policy", ""),
        ] => Place::Policy(PolicyPlace::Resolver {
            api: own(api),
            resolver: own(resolver),
        }),
        [("sql", _)] => Place::Server,
        [("sql", _), ("entraAdmin", "")] => Place::EntraAdmin,
        [("sql", _), ("entraOnly", "")] => Place::EntraOnly,
        _ => return Err(LiveError::Place(address.clone())),
    })
}

/// Reads what is at the place.
pub(crate) fn get(id: &ArmId, place: &Place) -> Result<Request, LiveError> {
    Ok(match place {
        Place::Service => apim::service(id)?,
        Place::NamedValue(name) => apim::named_value(id, name)?,
        Place::Api(name) => apim::api(id, name)?,
        Place::Resolver { api, name } => apim::resolver(id, api, name)?,
        Place::Policy(policy) => apim::policy(id, policy.at())?,
        Place::Server => sql::server(id)?,
        Place::EntraAdmin => sql::administrator(id)?,
        Place::EntraOnly => sql::entra_only(id)?,
    })
}

/// Writes the whole body at the place, if it still has this ETag.
pub(crate) fn put(
    id: &ArmId,
    place: &Place,
    body: Value,
    etag: Option<&str>,
) -> Result<Request, LiveError> {
    Ok(match place {
        Place::NamedValue(name) => apim::put_named_value(id, name, body, etag)?,
        Place::Resolver { api, name } => apim::put_resolver(id, api, name, body, etag)?,
        Place::Policy(policy) => apim::put_policy(id, policy.at(), body, etag)?,
        Place::Api(name) => apim::put_api(id, name, body, etag)?,
        Place::EntraAdmin => sql::put_administrator(id, body)?,
        Place::EntraOnly => sql::put_entra_only(id, body)?,
        Place::Service => apim::patch_service(id, body)?,
        Place::Server => sql::patch_server(id, body)?,
    })
}

/// Removes what is at the place, if it still has this ETag.
pub(crate) fn delete(id: &ArmId, address: &Address, etag: &str) -> Result<Request, LiveError> {
    Ok(match place(address)? {
        Place::NamedValue(name) => apim::delete_named_value(id, &name, etag)?,
        Place::Resolver { api, name } => apim::delete_resolver(id, &api, &name, etag)?,
        Place::Policy(policy) => apim::delete_policy(id, policy.at(), etag)?,
        Place::EntraAdmin => sql::delete_administrator(id)?,
        _ => return Err(LiveError::Place(address.clone())),
    })
}

/// The address of the policy with this ARM id, below the gateway's own id. None for a place that
/// this version does not manage, such as a workspace.
pub(crate) fn policy_address(gateway: &Address, service: &ArmId, id: &str) -> Option<Address> {
    let own = service.to_string();
    let head = id.get(..own.len())?;
    if !head.eq_ignore_ascii_case(&own) {
        return None;
    }
    let parts: Vec<&str> = id[own.len()..].trim_start_matches('/').split('/').collect();
    let words = |at: usize, word: &str| parts[at].eq_ignore_ascii_case(word);
    match parts.len() {
        2 if words(0, "policies") => Some(gateway.part("policy")),
        4 if words(0, "products") => Some(gateway.child("product", parts[1]).part("policy")),
        4 if words(0, "apis") => Some(gateway.child("api", parts[1]).part("policy")),
        6 if words(0, "apis") && words(2, "operations") => {
            let api = gateway.child("api", parts[1]);
            Some(api.child("operation", parts[3]).part("policy"))
        }
        6 if words(0, "apis") && words(2, "resolvers") => {
            let api = gateway.child("api", parts[1]);
            Some(api.child("resolver", parts[3]).part("policy"))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SERVICE: &str = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/rg/providers/Microsoft.ApiManagement/service/contoso";

    #[test]
    fn an_id_of_the_policy_index_leads_to_its_address_and_back_to_a_request() {
        let gateway = Address::gateway("g");
        let service = ArmId::parse(SERVICE).unwrap();
        for (id, address) in [
            ("policies/policy", "apim:g/policy"),
            ("products/p/policies/policy", "apim:g/product:p/policy"),
            ("apis/a;rev=2/policies/policy", "apim:g/api:a;rev=2/policy"),
            (
                "apis/a/operations/o/policies/policy",
                "apim:g/api:a/operation:o/policy",
            ),
            (
                "apis/a/resolvers/r/policies/policy",
                "apim:g/api:a/resolver:r/policy",
            ),
        ] {
            let whole = format!("{}/{id}", SERVICE.to_uppercase().replace("/SUB", "/sub"));
            let whole = whole.replace(&id.to_uppercase(), id);
            let found = policy_address(&gateway, &service, &whole).unwrap();
            assert_eq!(found.as_str(), address);
            assert!(
                get(&service, &place(&found).unwrap())
                    .unwrap()
                    .path
                    .contains(id.split('/').next().unwrap())
            );
        }
        let workspace = format!("{SERVICE}/workspaces/w/policies/policy");
        assert_eq!(policy_address(&gateway, &service, &workspace), None);
    }
}

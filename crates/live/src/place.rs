//! From an address to what lies there in Azure Resource Manager, and back from an id of the policy
//! index.

use keyless_azure::apim::PolicyAt;
use keyless_model::{Address, ArmId};

use crate::error::LiveError;

/// A thing in Azure Resource Manager that keyless reads or writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Service,
    NamedValue(String),
    Backend(String),
    Fragment(String),
    Product(String),
    /// An API in its current revision, or with `;rev=n` in another.
    Api(String),
    Operation {
        api: String,
        name: String,
    },
    Resolver {
        api: String,
        name: String,
    },
    Policy(PolicyPlace),
    Server,
    EntraAdmin,
    EntraOnly,
    FirewallRule(String),
    Auditing,
    /// A user-assigned identity, which keyless only reads.
    Identity,
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
    pub(crate) fn at(&self) -> PolicyAt<'_> {
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
    let found = match segments[..] {
        [("apim", _), ref below @ ..] => in_gateway(below),
        [("sql", _), ref below @ ..] => in_server(below),
        [("identity", _)] => Some(Place::Identity),
        _ => None,
    };
    found.ok_or_else(|| LiveError::Place(address.clone()))
}

fn in_gateway(below: &[(&str, &str)]) -> Option<Place> {
    let own = |name: &str| name.to_owned();
    if let [whose @ .., ("policy", "")] = below {
        return policy(whose).map(Place::Policy);
    }
    Some(match *below {
        [] => Place::Service,
        [("namedValue", name)] => Place::NamedValue(own(name)),
        [("backend", name)] => Place::Backend(own(name)),
        [("policyFragment", name)] => Place::Fragment(own(name)),
        [("product", name)] => Place::Product(own(name)),
        [("api", name)] => Place::Api(own(name)),
        [("api", api), ("operation", name)] => Place::Operation {
            api: own(api),
            name: own(name),
        },
        [("api", api), ("resolver", name)] => Place::Resolver {
            api: own(api),
            name: own(name),
        },
        _ => return None,
    })
}

fn policy(whose: &[(&str, &str)]) -> Option<PolicyPlace> {
    let own = |name: &str| name.to_owned();
    Some(match *whose {
        [] => PolicyPlace::Service,
        [("product", name)] => PolicyPlace::Product(own(name)),
        [("api", api)] => PolicyPlace::Api(own(api)),
        [("api", api), ("operation", operation)] => PolicyPlace::Operation {
            api: own(api),
            operation: own(operation),
        },
        [("api", api), ("resolver", resolver)] => PolicyPlace::Resolver {
            api: own(api),
            resolver: own(resolver),
        },
        _ => return None,
    })
}

fn in_server(below: &[(&str, &str)]) -> Option<Place> {
    Some(match *below {
        [] => Place::Server,
        [("entraAdmin", "")] => Place::EntraAdmin,
        [("entraOnly", "")] => Place::EntraOnly,
        [("auditing", "")] => Place::Auditing,
        [("firewallRule", name)] => Place::FirewallRule(name.to_owned()),
        _ => return None,
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
    use crate::requests::get;

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
            let request = get(&service, &place(&found).unwrap()).unwrap();
            assert!(request.path.ends_with(id), "{}", request.path);
        }
        let workspace = format!("{SERVICE}/workspaces/w/policies/policy");
        assert_eq!(policy_address(&gateway, &service, &workspace), None);
    }

    #[test]
    fn every_address_of_the_model_has_its_place_and_no_other() {
        let at = |text: &str| place(&text.parse().unwrap());
        for (text, found) in [
            ("apim:g/backend:b", Place::Backend("b".into())),
            ("apim:g/policyFragment:f", Place::Fragment("f".into())),
            ("apim:g/product:p", Place::Product("p".into())),
            ("apim:g/api:a;rev=2", Place::Api("a;rev=2".into())),
            ("sql:s/firewallRule:r", Place::FirewallRule("r".into())),
            ("sql:s/auditing", Place::Auditing),
            ("identity:i", Place::Identity),
        ] {
            assert_eq!(at(text).unwrap(), found, "{text}");
        }
        for text in [
            "apim:g/logger:l",
            "apim:g/backend:b/policy",
            "sql:s/db:d/firewallRule:r",
            "rbac:r",
            "identity:i/policy",
        ] {
            assert!(matches!(at(text), Err(LiveError::Place(_))), "{text}");
        }
    }
}

//! The token that an Access asks for, as a policy element.

use keyless_model::{Address, HttpAccess, Identity, Live};
use keyless_policy::ElementRef;

use crate::draft::Input;
use crate::stages::arm::escaped;
use crate::stages::http::lanes::Lanes;

/// The element that asks for a token.
pub(crate) const ELEMENT: &str = "authentication-managed-identity";

/// A token for a service, of an identity of the gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Token {
    pub audience: String,
    /// Of a user-assigned identity; `authentication-managed-identity` takes no expression there
    /// (azure-facts B.4). None for the system-assigned one.
    pub client_id: Option<String>,
}

/// The token of an Access. The client id of an identity that could not be read is empty.
pub(crate) fn token(input: Input, access: &HttpAccess) -> Token {
    let client_id = match &access.identity {
        Identity::System => None,
        Identity::User(name) => {
            let entity = input.live.entities.get(&Address::identity(name));
            let id = entity.and_then(|e| e.text("/properties/clientId"));
            Some(id.unwrap_or_default().to_owned())
        }
    };
    let audience = access.audience.clone();
    Token {
        audience,
        client_id,
    }
}

impl Token {
    /// The element that asks for it.
    pub fn xml(&self) -> String {
        let mut out = format!("<{ELEMENT} resource=\"{}\"", escaped(&self.audience));
        if let Some(id) = &self.client_id {
            out.push_str(&format!(" client-id=\"{}\"", escaped(id)));
        }
        out + " />"
    }

    /// Whether this element asks for it and sends it. None when an expression or a value that was
    /// not read decides that.
    pub fn is_asked_by(&self, element: ElementRef, lanes: &Lanes) -> Option<bool> {
        let attribute = |name: &str| {
            let found = element.attribute(name).map(|a| lanes.resolved(&a.value));
            found.unwrap_or_default()
        };
        if !attribute("output-token-variable-name").is_empty() {
            return Some(false);
        }
        let (resource, client_id) = (attribute("resource"), attribute("client-id"));
        if resource.starts_with('@') || resource.contains("{{") || client_id.contains("{{") {
            return None;
        }
        let wanted = self.client_id.as_deref().unwrap_or_default();
        Some(resource == self.audience && client_id.eq_ignore_ascii_case(wanted))
    }
}

/// Why the identity of an Access cannot be used yet, and what to do about it.
pub(crate) fn missing(input: Input, access: &HttpAccess) -> Option<(String, &'static str)> {
    let Identity::User(name) = &access.identity else {
        return None;
    };
    let address = Address::identity(name);
    let id = match input.live.get(&address) {
        Live::Present(entity) => entity.text("/properties/clientId").unwrap_or_default(),
        Live::Absent => "",
        Live::Unreadable(why) => {
            let next = "give the identity that plans the Reader role on the managed identity";
            return Some((why, next));
        }
    };
    if id.is_empty() {
        let why = format!("the managed identity {name} does not exist, or has no client id");
        return Some((why, "correct the id in its ManagedIdentity document"));
    }
    let document = input.desired.gateways.get(&access.gateway)?;
    let wanted = document.user_identities.contains(name);
    (!wanted && !is_assigned(input, access, name)).then(|| {
        let why = format!("the managed identity {name} is not one of the gateway's");
        (why, "add it to `identity.user` of the Gateway document")
    })
}

/// Whether the service already has the user-assigned identity of this document.
fn is_assigned(input: Input, access: &HttpAccess, name: &str) -> bool {
    let gateway = input.live.entities.get(&Address::gateway(&access.gateway));
    let assigned = gateway.and_then(|e| e.body.pointer("/identity/userAssignedIdentities"));
    let ids = assigned.and_then(|v| v.as_object()).into_iter().flatten();
    let wanted = input.desired.identities.get(name).map(|i| i.id.to_string());
    wanted.is_some_and(|wanted| ids.clone().any(|(id, _)| id.eq_ignore_ascii_case(&wanted)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_escaped() {
        let token = Token {
            audience: "api://a&\"<b".into(),
            client_id: Some("c".into()),
        };
        let xml = "<authentication-managed-identity resource=\"api://a&amp;&quot;&lt;b\" \
                   client-id=\"c\" />";
        assert_eq!(token.xml(), xml);
    }
}

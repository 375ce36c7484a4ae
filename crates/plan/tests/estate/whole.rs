//! The rest of an estate: documents of a gateway, firewall rules, role assignments.

use std::collections::BTreeSet;

use keyless_model::sql::FirewallRule;
use keyless_model::{
    Address, DatabaseRule, Entity, Live, NamedValue, Policy, PolicyScope, Principal, Resource,
    RoleAssignment, Span,
};
use serde_json::{Map, Value, json};

use super::{Estate, arm_id, entity, guid};

/// Key Vault Secrets User.
pub const SECRETS_USER: &str = "4633458b-17de-408a-b874-0445c86b69e6";

/// The id of a vault of this name.
pub fn vault(name: &str) -> String {
    arm_id("Microsoft.KeyVault/vaults", name).to_string()
}

pub fn map(value: Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

impl Estate {
    pub fn put(&mut self, address: &Address, properties: Value) {
        self.truth
            .entities
            .insert(address.clone(), entity(properties));
    }

    pub fn set(&mut self, address: &Address, pointer: &str, value: Value) {
        let entity = self.truth.entities.get_mut(address).unwrap();
        *entity.body.pointer_mut(pointer).unwrap() = value;
    }

    /// A resolver with this policy text in revision 1 of the API, which is not the current one.
    pub fn old_resolver(&mut self, gateway: &str, api: &str, resolver: &str, policy: &str) {
        let old = format!("{api};rev=1");
        self.resolver(gateway, &old, resolver, policy);
        let address = Address::gateway(gateway).child("api", &old);
        self.set(&address, "/properties/isCurrent", json!(false));
    }

    /// A resource document.
    pub fn declare(&mut self, kind: &'static str, address: &Address, properties: Value) {
        let resource = Resource {
            span: Span::default(),
            kind,
            document: address.last().1.to_owned(),
            address: address.clone(),
            properties: map(properties),
        };
        self.desired.resources.insert(address.clone(), resource);
    }

    pub fn declare_policy(&mut self, gateway: &str, scope: PolicyScope, text: &str) {
        let policy = Policy {
            span: Span::default(),
            gateway: gateway.into(),
            scope,
            text: text.into(),
            description: None,
        };
        let name = format!("policy{}", self.desired.policies.len());
        self.desired.policies.insert(name, policy);
    }

    /// A named value document that refers to a secret of a vault.
    pub fn declare_reference(&mut self, gateway: &str, name: &str, vault: &str) -> Address {
        let secret = format!("https://{vault}.vault.azure.net/secrets/{name}");
        let properties = json!({
            "displayName": name, "secret": true,
            "keyVault": { "secretIdentifier": secret, "identityClientId": null },
        });
        self.declare_value(gateway, name, properties);
        Address::gateway(gateway).child("namedValue", name)
    }

    /// A named value document.
    pub fn declare_value(&mut self, gateway: &str, name: &str, properties: Value) {
        let document = NamedValue {
            span: Span::default(),
            gateway: gateway.into(),
            name: name.into(),
            properties: map(properties),
            value_from: None,
        };
        self.desired.named_values.insert(name.into(), document);
    }

    /// A role assignment document, and what is there at its scope.
    pub fn declare_role(&mut self, name: &str, scope: &str, principal: Principal) {
        let document = RoleAssignment {
            span: Span::default(),
            scope: scope.into(),
            role: SECRETS_USER.into(),
            principal,
        };
        self.desired.role_assignments.insert(name.into(), document);
        let list = self.truth.assignments.entry(scope.to_lowercase());
        list.or_insert_with(|| Live::Present(vec![]));
    }

    /// An assignment that is there: `listed` at a scope, made at another or the same.
    pub fn assigned(&mut self, listed: &str, made: &str, principal: &str, description: &str) {
        let number = self
            .truth
            .assignments
            .values()
            .flat_map(Live::present)
            .flatten()
            .count();
        let id = format!("{made}/providers/Microsoft.Authorization/roleAssignments/{number}");
        let body = json!({ "properties": {
            "scope": made, "principalId": principal, "description": description,
            "roleDefinitionId": format!("/x/roleDefinitions/{SECRETS_USER}"),
        }});
        let one = Entity {
            id,
            etag: None,
            body,
        };
        match self.truth.assignments.get_mut(&listed.to_lowercase()) {
            Some(Live::Present(list)) => list.push(one),
            _ => panic!("no list of {listed}"),
        }
    }

    /// The object id of a gateway's identity.
    pub fn object_id(number: u32) -> String {
        guid(100_000 + number)
    }

    /// The server asks where callers come from.
    pub fn wall(&mut self, server: &str) -> Address {
        let address = Address::server(server);
        self.walls.insert(address.clone());
        address
    }

    pub fn rule(&mut self, server: &str, name: &str, start: &str, end: &str) -> Address {
        let address = Address::server(server).child("firewallRule", name);
        self.put(
            &address,
            json!({ "startIpAddress": start, "endIpAddress": end }),
        );
        address
    }

    pub fn declare_rule(&mut self, server: &str, name: &str, start: &str, end: &str) -> Address {
        let address = Address::server(server).child("firewallRule", name);
        let range = json!({ "startIpAddress": start, "endIpAddress": end });
        self.declare("FirewallRule", &address, range);
        address
    }

    pub fn declare_inside(&mut self, server: &str, db: &str, name: &str, start: &str, end: &str) {
        let document = DatabaseRule {
            span: Span::default(),
            database: Address::database(server, db),
            rule: inside(name, start, end),
        };
        self.desired.database_rules.insert(name.into(), document);
    }

    /// The gateway calls from this address.
    pub fn calls_from(&mut self, gateway: &str, ip: &str) {
        let address = Address::gateway(gateway);
        let entity = self.truth.entities.get_mut(&address).unwrap();
        entity.body["properties"]["publicIPAddresses"] = json!([ip]);
    }

    pub fn owns_firewall(&mut self, server: &str, prune: bool) {
        let document = self.desired.servers.get_mut(server).unwrap();
        (document.owns_firewall, document.prune) = (true, prune);
    }

    /// References of policies to fragments, backends and named values that are not there.
    pub fn dangling(&self) -> BTreeSet<String> {
        let mut out = BTreeSet::new();
        for (address, entity) in &self.truth.entities {
            let text = entity.text("/properties/value").unwrap_or_default();
            if !matches!(address.last().0, "policy" | "policyFragment") {
                continue;
            }
            let root = address.root();
            for (mark, word) in [
                ("fragment-id=\"", "policyFragment"),
                ("backend-id=\"", "backend"),
            ] {
                for part in text.split(mark).skip(1) {
                    let name = part.split('"').next().unwrap();
                    if !self.truth.entities.contains_key(&root.child(word, name)) {
                        out.insert(format!("{address} names {word} {name}"));
                    }
                }
            }
            for reference in keyless_policy::references(text) {
                if self.truth.named_value(&root, &reference.name).is_none() {
                    out.insert(format!("{address} names {}", reference.name));
                }
            }
        }
        out
    }
}

pub fn inside(name: &str, start: &str, end: &str) -> FirewallRule {
    FirewallRule {
        name: name.into(),
        start: start.into(),
        end: end.into(),
    }
}

//! A small gateway to scan.

#![allow(dead_code, reason = "each test file uses a part of it")]

use keyless_model::{Address, Entity, FingerprintKey, Snapshot};
use keyless_scan::{Finding, scan};
use serde_json::{Value, json};

#[derive(Default)]
pub struct Estate(pub Snapshot);

pub fn gateway() -> Address {
    Address::gateway("contoso")
}

pub fn resolver(name: &str) -> Address {
    gateway()
        .child("api", "orders")
        .child("resolver", name)
        .part("policy")
}

pub fn key() -> FingerprintKey {
    FingerprintKey::new([7; 32])
}

impl Estate {
    pub fn put(mut self, address: Address, properties: Value) -> Self {
        let body = json!({ "properties": properties });
        self.0.entities.insert(
            address,
            Entity {
                id: String::new(),
                etag: None,
                body,
            },
        );
        self
    }

    /// A policy of the whole service with this in its inbound section.
    pub fn inbound(self, xml: &str) -> Self {
        let text = format!("<policies><inbound>\n{xml}\n</inbound></policies>");
        self.put(gateway().part("policy"), json!({ "value": text }))
    }

    /// A resolver with a SQL data source.
    pub fn resolver(self, name: &str, identity: bool, connection: &str) -> Self {
        let connection = connection.replace('&', "&amp;").replace('<', "&lt;");
        let text = format!(
            "<sql-data-source><connection-info>\n  <connection-string \
             use-managed-identity=\"{identity}\">{connection}</connection-string>\n\
             </connection-info><request><sql-statement>SELECT 1</sql-statement></request>\
             </sql-data-source>"
        );
        self.put(resolver(name), json!({ "value": text }))
    }

    pub fn plain(self, name: &str, value: &str) -> Self {
        let address = gateway().child("namedValue", &format!("{name}-id"));
        self.put(
            address,
            json!({ "displayName": name, "value": value, "secret": false }),
        )
    }

    /// A secret, as a list returns it or with its value read.
    pub fn secret(self, name: &str, value: Option<&str>) -> Self {
        let address = gateway().child("namedValue", &format!("{name}-id"));
        let mut properties = json!({ "displayName": name, "secret": true });
        if let Some(value) = value {
            properties["value"] = json!(value);
        }
        self.put(address, properties)
    }

    pub fn scan(&self) -> Vec<Finding> {
        scan(&self.0, &key())
    }

    /// `rule place` of each finding.
    pub fn told(&self) -> Vec<String> {
        self.scan()
            .iter()
            .map(|f| format!("{} {}", f.rule, f.place))
            .collect()
    }
}

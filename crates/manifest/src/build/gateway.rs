//! What lies inside a gateway.

use keyless_model::{Address, NamedValue, Policy, PolicyScope, Resolver, Resource, ValueSource};

use super::{body, properties, string};
use crate::document::Document;

pub(super) fn named_value(document: &Document<'_>) -> Option<NamedValue> {
    let spec = document.spec;
    let value_from = match spec.get("valueFrom") {
        Some(node) => Some(ValueSource::Environment(string(node, "env")?)),
        None => None,
    };
    Some(NamedValue {
        span: document.span(),
        gateway: string(spec, "gateway")?,
        name: document.own_name().to_owned(),
        properties: body(spec.get("properties")?)?,
        value_from,
    })
}

pub(super) fn policy(document: &Document<'_>, text: String) -> Option<Policy> {
    let scope = document.spec.get("scope")?;
    let parts = ["product", "api", "operation"].map(|key| string(scope, key));
    let scope = match parts {
        [None, None, None] => PolicyScope::Service,
        [Some(product), None, None] => PolicyScope::Product(product),
        [None, Some(api), None] => PolicyScope::Api(api),
        [None, Some(api), Some(operation)] => PolicyScope::Operation { api, operation },
        _ => return None,
    };
    scoped(document, scope, text)
}

pub(super) fn fragment(document: &Document<'_>, text: String) -> Option<Policy> {
    let scope = PolicyScope::Fragment(document.own_name().to_owned());
    scoped(document, scope, text)
}

fn scoped(document: &Document<'_>, scope: PolicyScope, text: String) -> Option<Policy> {
    Some(Policy {
        span: document.span(),
        gateway: string(document.spec, "gateway")?,
        scope,
        text,
        description: string(document.spec, "description"),
    })
}

pub(super) fn resolver(document: &Document<'_>, policy: Option<String>) -> Option<Resolver> {
    let spec = document.spec;
    if spec.get("policy").is_some() && policy.is_none() {
        return None;
    }
    Some(Resolver {
        span: document.span(),
        gateway: string(spec, "gateway")?,
        api: string(spec, "api")?,
        name: document.own_name().to_owned(),
        properties: properties(spec)?,
        policy,
    })
}

/// A backend, API, operation or product.
pub(super) fn resource(document: &Document<'_>) -> Option<Resource> {
    let spec = document.spec;
    let gateway = Address::gateway(document.text("gateway")?);
    let name = document.own_name();
    let address = match document.kind.name {
        "Backend" => gateway.child("backend", name),
        "Api" => gateway.child("api", name),
        "Product" => gateway.child("product", name),
        "Operation" => gateway
            .child("api", document.text("api")?)
            .child("operation", name),
        _ => return None,
    };
    Some(Resource {
        span: document.span(),
        kind: document.kind.name,
        document: document.name.to_owned(),
        address,
        properties: body(spec.get("properties")?)?,
    })
}

//! The `context` of policy expressions, as a tree of values.

use serde_json::{Map, Value, json};
use url::form_urlencoded::Serializer;

use super::draft::{Draft, Pairs};
use super::expression::BODY;
use super::route::Route;
use crate::arm::Store;
use crate::estate::Estate;
use crate::http::{Request, Response};

/// What is the same during one call.
pub struct Call<'a> {
    pub estate: &'a Estate,
    pub route: &'a Route,
    pub original: &'a Request,
    pub request_id: &'a str,
}

impl Call<'_> {
    /// The members that do not change while policies run.
    pub fn tree(&self) -> Value {
        let route = self.route;
        let store = self.estate.store();
        json!({
            "RequestId": self.request_id,
            "Timestamp": self.estate.clock.iso(),
            "Deployment": {"ServiceName": route.service_name, "Region": "West Europe",
                "GatewayId": "managed"},
            "Api": api(&store, &route.api),
            "Operation": route.operation.as_deref().map(|key| operation(&store, key)),
            "Product": route.product.as_deref().map(|key| named(&store, key)),
            "Subscription": route.subscription.as_deref().map(|key| subscription(&store, key)),
            "User": null,
            "LastError": null,
            "Variables": {},
            "Request": self.request(),
            "Response": null,
        })
    }

    /// The request as it came.
    fn request(&self) -> Value {
        let original = self.original;
        let headers = original.headers.iter();
        let headers = headers
            .filter_map(|(name, value)| Some((name.to_string(), value.to_str().ok()?.to_owned())));
        let url = url(&original.host, &original.path, &original.query);
        json!({
            "Method": original.verb,
            "Headers": grouped(&headers.collect()),
            "Body": body(&original.body),
            "IpAddress": "127.0.0.1",
            "MatchedParameters": parameters(self.route),
            "OriginalUrl": url,
            "Url": url,
        })
    }

    /// The request as the policies have made it so far.
    pub fn current(&self, draft: &Draft) -> Value {
        let mut request = self.request();
        request["Method"] = json!(draft.method);
        request["Headers"] = grouped(&draft.headers);
        request["Body"] = body(&draft.body);
        request["Url"] = url(&self.original.host, draft.path(), &draft.query);
        request
    }
}

fn api(store: &Store, key: &str) -> Value {
    let Some(api) = store.get(key) else {
        return Value::Null;
    };
    let of = |field: &str| api.property(field).unwrap_or_default();
    json!({
        "Id": api.name(),
        "Name": of("displayName"),
        "Path": of("path"),
        "Revision": of("apiRevision"),
        "Version": of("apiVersion"),
    })
}

fn operation(store: &Store, key: &str) -> Value {
    let Some(operation) = store.get(key) else {
        return Value::Null;
    };
    let of = |field: &str| operation.property(field).unwrap_or_default();
    json!({
        "Id": operation.name(),
        "Name": of("displayName"),
        "Method": of("method"),
        "UrlTemplate": of("urlTemplate"),
    })
}

fn named(store: &Store, key: &str) -> Value {
    let Some(entity) = store.get(key) else {
        return Value::Null;
    };
    json!({"Id": entity.name(), "Name": entity.property("displayName").unwrap_or_default()})
}

fn subscription(store: &Store, key: &str) -> Value {
    let mut subscription = named(store, key);
    for (member, field) in [
        ("Key", "primaryKey"),
        ("PrimaryKey", "primaryKey"),
        ("SecondaryKey", "secondaryKey"),
    ] {
        let value = store.get(key).and_then(|entity| entity.property(field));
        subscription[member] = json!(value);
    }
    subscription
}

fn parameters(route: &Route) -> Value {
    let all = route.matched.parameters.iter();
    Value::Object(
        all.map(|(name, value)| (name.clone(), json!(value)))
            .collect(),
    )
}

fn url(host: &str, path: &str, query: &Pairs) -> Value {
    let text = Serializer::new(String::new()).extend_pairs(query).finish();
    let mark = if text.is_empty() { "" } else { "?" };
    json!({
        "Scheme": "https",
        "Host": host,
        "Port": 443,
        "Path": path,
        "QueryString": format!("{mark}{text}"),
        "Query": grouped(query),
    })
}

/// Every name with all its values.
fn grouped(pairs: &Pairs) -> Value {
    let mut all = Map::new();
    for (name, value) in pairs {
        let known = all
            .keys()
            .find(|own| own.eq_ignore_ascii_case(name))
            .cloned();
        let values = all.entry(known.unwrap_or_else(|| name.clone()));
        if let Value::Array(values) = values.or_insert_with(|| json!([])) {
            values.push(json!(value));
        }
    }
    Value::Object(all)
}

fn body(bytes: &[u8]) -> Value {
    if bytes.is_empty() {
        Value::Null
    } else {
        json!({BODY: String::from_utf8_lossy(bytes)})
    }
}

/// An answer, as `context.Response` and response variables hold it.
pub fn response(response: &Response) -> Value {
    json!({
        "StatusCode": response.status,
        "StatusReason": hyper::StatusCode::from_u16(response.status)
            .ok()
            .and_then(|status| status.canonical_reason()),
        "Headers": grouped(&response.headers),
        "Body": body(&response.body),
    })
}

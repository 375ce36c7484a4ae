//! Whether a caller may call an API, and as whose subscriber: the subscription's product is the one
//! whose policy applies. A key for all APIs or for one API brings no product with it (Azure: article
//! "Subscriptions in Azure API Management").

use serde_json::json;

use super::route::refusal;
use crate::arm::{Entity, Store, without_revision};
use crate::http::{Request, Response};

/// The scopes that a caller brings, by their keys.
#[derive(Debug, Default)]
pub struct Caller {
    pub product: Option<String>,
    pub subscription: Option<String>,
}

/// Holds the key of a request to the subscriptions as they are now.
pub fn check(
    store: &Store,
    service: &str,
    api: &Entity,
    request: &Request,
) -> Result<Caller, Response> {
    let properties = &api.body["properties"];
    let names = &properties["subscriptionKeyParameterNames"];
    let header = names["header"].as_str();
    let query = names["query"].as_str();
    let sent = request
        .header(header.unwrap_or("Ocp-Apim-Subscription-Key"))
        .or_else(|| request.query(query.unwrap_or("subscription-key")));
    if let Some(caller) = sent.and_then(|sent| subscriber(store, service, api, sent)) {
        return Ok(caller);
    }
    let open = open_product(store, service, api);
    if properties["subscriptionRequired"] == json!(false) || (sent.is_none() && open.is_some()) {
        return Ok(Caller {
            product: open,
            subscription: None,
        });
    }
    Err(refusal(
        401,
        match sent {
            None => {
                "Access denied due to missing subscription key. Make sure to include subscription \
                 key when making requests to an API."
            }
            Some(_) => {
                "Access denied due to invalid subscription key. Make sure to provide a valid key \
                 for an active subscription."
            }
        },
    ))
}

/// Who the key belongs to, if the subscription is active and covers the API.
fn subscriber(store: &Store, service: &str, api: &Entity, sent: &str) -> Option<Caller> {
    let subscriptions = store.list(&format!("{service}/subscriptions"));
    subscriptions.into_iter().find_map(|subscription| {
        let is_theirs = ["primaryKey", "secondaryKey"]
            .iter()
            .any(|field| subscription.property(field) == Some(sent));
        let active = subscription.property("state") == Some("active");
        let product = covered(store, service, subscription, api)?;
        (is_theirs && active).then(|| Caller {
            product,
            subscription: Some(subscription.key()),
        })
    })
}

/// A subscription is for all APIs, for one, or for those of a product, which is told then.
fn covered(
    store: &Store,
    service: &str,
    subscription: &Entity,
    api: &Entity,
) -> Option<Option<String>> {
    let scope = subscription.property("scope").unwrap_or_default();
    let scope = scope.trim_end_matches('/').to_lowercase();
    let name = base_name(api);
    if scope.ends_with("/apis") || scope == service {
        return Some(None);
    }
    let Some((_, product)) = scope.rsplit_once("/products/") else {
        return scope.ends_with(&format!("/apis/{name}")).then_some(None);
    };
    let product = format!("{service}/products/{product}");
    let is_member = store.get(&format!("{product}/apis/{name}")).is_some();
    is_member.then_some(Some(product))
}

/// A published product of the API that wants no subscription.
fn open_product(store: &Store, service: &str, api: &Entity) -> Option<String> {
    let name = base_name(api);
    let products = store.list(&format!("{service}/products"));
    let open = products.into_iter().find(|product| {
        let key = product.key();
        product.body["properties"]["subscriptionRequired"] == json!(false)
            && product.property("state") == Some("published")
            && store.get(&format!("{key}/apis/{name}")).is_some()
    });
    open.map(Entity::key)
}

/// Products and subscriptions are of the API, whatever its revision.
fn base_name(api: &Entity) -> String {
    without_revision(api.name()).to_lowercase()
}

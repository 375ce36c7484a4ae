//! Which API a request is for, and whether its caller may call it.

use serde_json::json;

use crate::arm::{Entity, Kind, Store};
use crate::http::{Request, Response};

/// The API revision that answers.
#[derive(Clone, Debug)]
pub struct Route {
    /// Keys of the service and of the API revision.
    pub service: String,
    pub api: String,
    pub service_name: String,
    pub is_graphql: bool,
    /// The path behind the API's own.
    pub rest: String,
}

/// Finds the API whose path is the longest prefix of the request's.
pub fn find(store: &Store, service: &str, request: &Request) -> Result<Route, Response> {
    let owner = store
        .all()
        .find(|entity| entity.kind == Kind::Service && entity.name().eq_ignore_ascii_case(service))
        .ok_or_else(|| refusal(404, "No such service."))?;
    let key = owner.key();
    let (path, revision) = split(&request.segments().join("/"));

    let candidates = store.list(&format!("{key}/apis"));
    let api = candidates
        .iter()
        .filter(|api| is_revision(api, revision.as_deref()))
        .filter(|api| rest_of(&path, api).is_some())
        .max_by_key(|api| api.property("path").map_or(0, str::len))
        .ok_or_else(|| refusal(404, "Resource not found"))?;
    check_key(store, &key, api, request)?;
    Ok(Route {
        api: api.key(),
        service_name: owner.name().to_owned(),
        is_graphql: api
            .property("type")
            .is_some_and(|kind| kind.eq_ignore_ascii_case("graphql")),
        rest: rest_of(&path, api).unwrap_or_default().to_owned(),
        service: key,
    })
}

/// `orders;rev=2/x` → `orders/x` and revision 2.
fn split(path: &str) -> (String, Option<String>) {
    let Some(at) = path.find(";rev=") else {
        return (path.to_owned(), None);
    };
    let (before, after) = (&path[..at], &path[at + 5..]);
    let end = after.find('/').unwrap_or(after.len());
    (
        format!("{before}{}", &after[end..]),
        Some(after[..end].to_owned()),
    )
}

/// The current revision answers without a number as well.
fn is_revision(api: &Entity, wanted: Option<&str>) -> bool {
    match wanted {
        None => !api.key().contains(";rev="),
        Some(number) => api.property("apiRevision") == Some(number),
    }
}

fn rest_of<'a>(path: &'a str, api: &Entity) -> Option<&'a str> {
    let own = api.property("path")?.trim_matches('/');
    let rest = path.get(own.len()..)?;
    let same = path[..own.len()].eq_ignore_ascii_case(own);
    let whole = own.is_empty() || rest.is_empty() || rest.starts_with('/');
    (same && whole).then_some(rest)
}

fn check_key(
    store: &Store,
    service: &str,
    api: &Entity,
    request: &Request,
) -> Result<(), Response> {
    let properties = &api.body["properties"];
    if properties["subscriptionRequired"] == json!(false) {
        return Ok(());
    }
    let names = &properties["subscriptionKeyParameterNames"];
    let sent = request
        .header(
            names["header"]
                .as_str()
                .unwrap_or("Ocp-Apim-Subscription-Key"),
        )
        .or_else(|| request.query(names["query"].as_str().unwrap_or("subscription-key")));
    let Some(sent) = sent else {
        return Err(refusal(
            401,
            "Access denied due to missing subscription key. Make sure to include subscription key \
             when making requests to an API.",
        ));
    };
    let subscriptions = store.list(&format!("{service}/subscriptions"));
    let accepted = subscriptions.iter().any(|subscription| {
        let is_theirs = ["primaryKey", "secondaryKey"]
            .iter()
            .any(|field| subscription.property(field) == Some(sent));
        let active = subscription.property("state") == Some("active");
        is_theirs && active && covers(store, service, subscription, api)
    });
    if accepted {
        return Ok(());
    }
    Err(refusal(
        401,
        "Access denied due to invalid subscription key. Make sure to provide a valid key for an \
         active subscription.",
    ))
}

/// A subscription is for all APIs, for one, or for those of a product.
fn covers(store: &Store, service: &str, subscription: &Entity, api: &Entity) -> bool {
    let scope = subscription
        .property("scope")
        .unwrap_or_default()
        .to_lowercase();
    let scope = scope.trim_end_matches('/');
    let name = api.name().to_lowercase();
    let name = name.split(";rev=").next().unwrap_or_default();
    if scope.ends_with("/apis") || scope == service {
        return true;
    }
    match scope.rsplit_once("/products/") {
        Some((_, product)) => store
            .get(&format!("{service}/products/{product}/apis/{name}"))
            .is_some(),
        None => scope.ends_with(&format!("/apis/{name}")),
    }
}

/// A refusal in the gateway's own shape.
pub fn refusal(status: u16, message: &str) -> Response {
    Response::json(status, &json!({"statusCode": status, "message": message}))
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn a_revision_stands_in_the_middle_of_a_path() {
        assert_eq!(split("a/b;rev=2/c"), ("a/b/c".into(), Some("2".into())));
        assert_eq!(split("a/b"), ("a/b".into(), None));
    }
}

//! Which API and operation a request is for.

use serde_json::json;

use super::access;
use super::operation::{self, Match};
use crate::arm::{Entity, Kind, Store, name_of};
use crate::http::{Request, Response};

/// Who answers, and under which scopes' policies. All keys are lower-case ids.
#[derive(Clone, Debug)]
pub struct Route {
    pub service: String,
    pub service_name: String,
    /// The API revision.
    pub api: String,
    pub is_graphql: bool,
    /// GraphQL APIs have no operations.
    pub operation: Option<String>,
    pub matched: Match,
    /// The product whose subscription the caller came with.
    pub product: Option<String>,
    pub subscription: Option<String>,
    /// The path behind the API's own, decoded.
    pub rest: String,
}

/// Finds the API whose path is the longest prefix of the request's, and in it the operation.
pub fn find(store: &Store, service: &str, request: &Request) -> Result<Route, Response> {
    let owner = store
        .all()
        .find(|entity| entity.kind == Kind::Service && entity.name().eq_ignore_ascii_case(service))
        .ok_or_else(|| refusal(404, "No such service."))?;
    let key = owner.key();
    let (path, revision) = split(&request.segments().join("/"));

    let candidates = store.list(&format!("{key}/apis"));
    let (api, rest) = candidates
        .iter()
        .filter(|api| is_revision(api, revision.as_deref()))
        .filter_map(|api| Some((api, rest_of(&path, &own_path(store, api, request)?)?)))
        .min_by_key(|(_, rest)| rest.len())
        .ok_or_else(|| refusal(404, "Resource not found"))?;
    let is_graphql = api
        .property("type")
        .is_some_and(|kind| kind.eq_ignore_ascii_case("graphql"));
    let (operation, matched) = match is_graphql {
        true => (None, Match::default()),
        false => operation_of(store, api, rest, request)?,
    };
    let caller = access::check(store, &key, api, request)?;
    Ok(Route {
        api: api.key(),
        service_name: owner.name().to_owned(),
        is_graphql,
        operation,
        matched,
        product: caller.product,
        subscription: caller.subscription,
        rest: rest.to_owned(),
        service: key,
    })
}

fn operation_of(
    store: &Store,
    api: &Entity,
    rest: &str,
    request: &Request,
) -> Result<(Option<String>, Match), Response> {
    let segments = rest.split('/').filter(|part| !part.is_empty());
    let segments: Vec<String> = segments.map(str::to_owned).collect();
    let found = operation::find(store, &api.key(), &request.verb, &segments, &request.query);
    let (operation, matched) =
        found.ok_or_else(|| refusal(404, "Unable to match incoming request to an operation."))?;
    Ok((Some(operation), matched))
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

/// The API's path with its version, where the version stands in the path; nothing when the request
/// asks for another version by header or query.
fn own_path(store: &Store, api: &Entity, request: &Request) -> Option<String> {
    let path = api.property("path")?.trim_matches('/').to_owned();
    let set = api.property("apiVersionSetId").and_then(|id| {
        let service = api.key().split("/apis/").next()?.to_owned();
        let set = name_of(id).to_lowercase();
        store.get(&format!("{service}/apiversionsets/{set}"))
    });
    let Some(set) = set else { return Some(path) };
    let version = api.property("apiVersion").unwrap_or_default();
    let of = |field: &str| set.property(field).unwrap_or_default();
    let asked = match of("versioningScheme") {
        "Header" => request.header(of("versionHeaderName")),
        "Query" => request.query(of("versionQueryName")),
        _ if version.is_empty() => return Some(path),
        _ => return Some(format!("{path}/{version}")),
    };
    (asked.unwrap_or_default() == version).then_some(path)
}

fn rest_of<'a>(path: &'a str, own: &str) -> Option<&'a str> {
    let own = own.trim_matches('/');
    let rest = path.get(own.len()..)?;
    let same = path[..own.len()].eq_ignore_ascii_case(own);
    let whole = own.is_empty() || rest.is_empty() || rest.starts_with('/');
    (same && whole).then_some(rest)
}

/// A refusal in the gateway's own shape.
pub fn refusal(status: u16, message: &str) -> Response {
    Response::json(status, &json!({"statusCode": status, "message": message}))
}

#[cfg(test)]
mod tests {
    use super::{rest_of, split};

    #[test]
    fn a_revision_stands_in_the_middle_of_a_path() {
        assert_eq!(split("a/b;rev=2/c"), ("a/b/c".into(), Some("2".into())));
        assert_eq!(split("a/b"), ("a/b".into(), None));
    }

    #[test]
    fn a_path_belongs_to_an_api_by_whole_segments() {
        assert_eq!(rest_of("Orders/1", "orders"), Some("/1"));
        assert_eq!(rest_of("orders", "orders"), Some(""));
        assert_eq!(rest_of("ordersx", "orders"), None);
    }
}

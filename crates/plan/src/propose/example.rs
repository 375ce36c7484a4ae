//! A request of which a person can make the one that tries a new path.

use keyless_model::{Address, Entity, Snapshot};

/// A request to one API. Parameters in it have no values yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Example {
    pub api: String,
    pub method: &'static str,
    /// Below the API's own path; `{…}` stands for a value.
    pub path: String,
    /// A query of GraphQL.
    pub query: Option<String>,
    /// The API asks its callers for a subscription key.
    pub needs_key: bool,
}

/// A query of the resolver, if it answers one: never a mutation.
pub(super) fn of_resolver(snapshot: &Snapshot, resolver: &Address) -> Option<Example> {
    let path = snapshot.entities.get(resolver)?.text("/properties/path")?;
    let field = path.strip_prefix("Query/").filter(|f| is_name(f))?;
    Some(Example {
        method: "POST",
        path: "/".into(),
        query: Some(format!("{{ {field} {{ __typename }} }}")),
        ..of_api(snapshot, &resolver.parent()?)?
    })
}

/// A read through one of these operations, the one with the fewest parameters.
pub(super) fn of_operations<'a>(
    snapshot: &Snapshot,
    api: &Address,
    names: impl Iterator<Item = &'a str>,
) -> Option<Example> {
    let get = |name: &str| {
        let operation = snapshot.entities.get(&api.child("operation", name))?;
        let method = operation.text("/properties/method")?;
        let path = operation.text("/properties/urlTemplate")?;
        // What a query says may be a key, and a manifest must hold none.
        let path = path.split('?').next().unwrap_or_default();
        method.eq_ignore_ascii_case("GET").then(|| path.to_owned())
    };
    let path = names
        .filter_map(get)
        .min_by_key(|p| (p.matches('{').count(), p.clone()))?;
    Some(Example {
        method: "GET",
        path,
        query: None,
        ..of_api(snapshot, api)?
    })
}

fn of_api(snapshot: &Snapshot, api: &Address) -> Option<Example> {
    let entity: &Entity = snapshot.entities.get(api)?;
    Some(Example {
        api: api.last().1.to_owned(),
        method: "GET",
        path: String::new(),
        query: None,
        needs_key: entity.flag("/properties/subscriptionRequired") == Some(true),
    })
}

fn is_name(text: &str) -> bool {
    let letter = |c: char| c.is_ascii_alphanumeric() || c == '_';
    !text.is_empty() && text.chars().all(letter)
}

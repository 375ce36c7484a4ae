//! What a path means: an item, a list or an action, of which kind, below which parent.

use super::error::ArmError;
use super::kind::{self, Kind};
use super::store::Store;

/// One addressed thing.
#[derive(Clone, Debug)]
pub struct Target {
    /// The id as Azure writes it; for a list, of the collection.
    pub id: String,
    /// The id in lower case: the store's key.
    pub key: String,
    pub kind: Kind,
    pub type_name: &'static str,
    pub shape: Shape,
    /// The key of the entity that has to exist first; `None` at the top of a provider.
    pub parent: Option<String>,
    pub name: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shape {
    Item,
    List,
    /// A POST on an item; the action's name in lower case.
    Action(String),
    /// A list that is computed from others, such as `allPolicies`.
    Computed(Computed),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Computed {
    AllPolicies,
    Revisions,
    /// `apis/{a}/products`: the products that hold an API.
    Products,
}

/// Parses the decoded segments of a path. The path of a current revision with its `;rev=n` is the
/// path without it.
pub fn parse(store: &Store, verb: &str, segments: &[String]) -> Result<Target, ArmError> {
    let mut segments = segments.to_vec();
    unname_current_revision(store, &mut segments);
    if segments
        .iter()
        .any(|segment| segment.chars().any(char::is_control))
    {
        return Err(invalid("The path holds a control character."));
    }
    let at = segments
        .iter()
        .rposition(|segment| segment.eq_ignore_ascii_case("providers"))
        .filter(|at| is_addressed(&segments, *at))
        .ok_or_else(|| invalid("The path is not that of a resource."))?;
    let rest = &segments[at + 1..];
    let Some((namespace, chain)) = rest.split_first() else {
        return Err(invalid("The path names no resource provider."));
    };
    let scope: String = segments[..at]
        .iter()
        .flat_map(|segment| ["/", segment])
        .collect();

    if chain.len() % 2 == 1 {
        let last = chain.last().map(|s| s.to_lowercase()).unwrap_or_default();
        let computed = match last.as_str() {
            "allpolicies" => Some(Computed::AllPolicies),
            "revisions" => Some(Computed::Revisions),
            "products" if is_api(chain) => Some(Computed::Products),
            _ => None,
        };
        if computed.is_some() || verb == "POST" {
            let shape = computed.map_or(Shape::Action(last), Shape::Computed);
            return build(&scope, namespace, &chain[..chain.len() - 1], shape);
        }
        return build(&scope, namespace, chain, Shape::List);
    }
    build(&scope, namespace, chain, Shape::Item)
}

/// Everything lies in a subscription but roles, which exist at every scope.
fn is_addressed(segments: &[String], at: usize) -> bool {
    let namespace = segments.get(at + 1);
    segments[0].eq_ignore_ascii_case("subscriptions")
        || namespace.is_some_and(|name| name.eq_ignore_ascii_case("Microsoft.Authorization"))
}

/// Whether a chain is `service/{s}/apis/{a}/…`.
fn is_api(chain: &[String]) -> bool {
    chain.len() == 5 && chain[2].eq_ignore_ascii_case("apis")
}

fn build(scope: &str, namespace: &str, chain: &[String], shape: Shape) -> Result<Target, ArmError> {
    let types: Vec<&str> = chain.iter().step_by(2).map(String::as_str).collect();
    let wanted = format!("{namespace}/{}", types.join("/"));
    let (kind, type_name) = kind::lookup(&wanted).ok_or_else(|| {
        let what = format!("The resource type '{wanted}' could not be found in the namespace.");
        ArmError::new(404, "InvalidResourceType", what)
    })?;
    let mut id = String::from(scope);
    let mut canonical = type_name.split('/');
    id.push_str("/providers/");
    id.push_str(canonical.next().unwrap_or_default());
    let mut parent = (kind == Kind::SystemIdentity).then(|| scope.to_lowercase());
    for (at, (pair, type_segment)) in chain.chunks(2).zip(canonical).enumerate() {
        if at > 0 {
            parent = Some(id.to_lowercase());
        }
        id.push('/');
        id.push_str(type_segment);
        if let Some(name) = pair.get(1) {
            id.push('/');
            id.push_str(name);
        }
    }
    let name = chain.last().cloned().unwrap_or_default();
    Ok(Target {
        key: id.to_lowercase(),
        id,
        kind,
        type_name,
        shape,
        parent,
        name,
    })
}

fn invalid(message: &str) -> ArmError {
    ArmError::new(400, "InvalidResourceId", message)
}

/// `apis/orders;rev=1` is `apis/orders` while 1 is its current revision.
fn unname_current_revision(store: &Store, segments: &mut [String]) {
    let at = segments
        .iter()
        .position(|segment| segment.eq_ignore_ascii_case("apis"));
    let Some(at) = at.filter(|at| at + 1 < segments.len()) else {
        return;
    };
    let Some((api, revision)) = split_revision(&segments[at + 1]) else {
        return;
    };
    let key = format!("/{}/{api}", segments[..=at].join("/")).to_lowercase();
    if store
        .get(&key)
        .is_some_and(|entity| entity.property("apiRevision") == Some(revision))
    {
        segments[at + 1] = api.to_owned();
    }
}

/// `orders;rev=2` → `orders` and `2`.
pub fn split_revision(name: &str) -> Option<(&str, &str)> {
    let at = name.to_lowercase().find(";rev=")?;
    Some((&name[..at], &name[at + 5..]))
}

/// The name of the API, whatever the revision.
pub fn without_revision(name: &str) -> &str {
    split_revision(name).map_or(name, |(api, _)| api)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(verb: &str, path: &str) -> Result<Target, ArmError> {
        let segments: Vec<String> = path
            .split('/')
            .filter(|s| !s.is_empty())
            .map(str::to_owned)
            .collect();
        parse(&Store::default(), verb, &segments)
    }

    const SERVICE: &str =
        "/subscriptions/s/resourceGroups/rg/providers/Microsoft.ApiManagement/service/contoso";

    #[test]
    fn an_item_a_list_and_an_action_are_told_apart() {
        let item = target(
            "GET",
            &format!("{SERVICE}/apis/a/resolvers/r/policies/policy"),
        )
        .unwrap();
        assert_eq!((item.kind, item.shape), (Kind::Policy, Shape::Item));
        assert_eq!(
            item.parent,
            Some(format!("{SERVICE}/apis/a/resolvers/r").to_lowercase())
        );
        let list = target("GET", &format!("{SERVICE}/NAMEDVALUES")).unwrap();
        assert_eq!((list.kind, list.shape), (Kind::NamedValue, Shape::List));
        assert_eq!(list.parent, Some(SERVICE.to_lowercase()));
        assert!(list.id.ends_with("/namedValues"));
        let action = target("POST", &format!("{SERVICE}/namedValues/n/listValue")).unwrap();
        assert_eq!(action.shape, Shape::Action("listvalue".into()));
        assert_eq!(
            action.key,
            format!("{SERVICE}/namedValues/n").to_lowercase()
        );
    }

    #[test]
    fn an_identity_hangs_below_the_resource_that_has_it() {
        let path = format!("{SERVICE}/providers/Microsoft.ManagedIdentity/identities/default");
        let target = target("GET", &path).unwrap();
        assert_eq!(target.kind, Kind::SystemIdentity);
        assert_eq!(target.parent, Some(SERVICE.to_lowercase()));
    }

    #[test]
    fn a_role_assignment_stands_at_any_scope() {
        let name = "/providers/Microsoft.Authorization/roleAssignments/g";
        for scope in [
            "",
            "/subscriptions/s",
            SERVICE,
            "/providers/Microsoft.Management/managementGroups/m",
        ] {
            let found = target("PUT", &format!("{scope}{name}")).unwrap();
            assert_eq!(found.id, format!("{scope}{name}"));
            assert_eq!((found.kind, found.parent), (Kind::RoleAssignment, None));
        }
    }

    #[test]
    fn a_service_has_no_parent_and_an_unknown_type_is_refused() {
        assert_eq!(target("GET", SERVICE).unwrap().parent, None);
        let error = target("GET", &format!("{SERVICE}/nothings/x")).unwrap_err();
        assert_eq!(error.code, "InvalidResourceType");
    }
}

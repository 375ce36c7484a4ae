//! GET, HEAD, and lists with their pages.

use serde_json::{Value, json};

use super::error::ArmError;
use super::hooks;
use super::kind::Kind;
use super::odata;
use super::operation;
use super::store::{Entity, Store};
use super::target::{Computed, Shape, Target};
use super::write::{missing, require_parent, with_etag};
use super::{apim, authorization, identity, sql};
use crate::estate::Estate;
use crate::http::{Request, Response};

/// Answers GET and HEAD.
pub fn answer(
    estate: &Estate,
    store: &mut Store,
    request: &Request,
    target: &Target,
) -> Result<Response, ArmError> {
    match target.shape {
        Shape::Item => item(estate, store, request, target),
        Shape::List => list(estate, store, request, target),
        Shape::Computed(Computed::Products) => {
            require_present(store, target)?;
            let items = apim::plain::products_of(estate, store, &target.key);
            page(estate, request, items, true)
        }
        Shape::Computed(Computed::AllPolicies) => {
            require_present(store, target)?;
            let items = apim::policy::index(store, &target.key);
            page(estate, request, items, true)
        }
        Shape::Computed(Computed::Revisions) => {
            require_present(store, target)?;
            page(
                estate,
                request,
                apim::api::revisions(store, &target.key),
                true,
            )
        }
        Shape::Action(_) => Err(ArmError::new(
            405,
            "MethodNotAllowed",
            "An action is called with POST.",
        )),
    }
}

fn require_present(store: &Store, target: &Target) -> Result<(), ArmError> {
    if store.get(&target.key).is_some() {
        Ok(())
    } else {
        Err(missing(target))
    }
}

fn item(
    estate: &Estate,
    store: &mut Store,
    request: &Request,
    target: &Target,
) -> Result<Response, ArmError> {
    if target.kind == Kind::SystemIdentity {
        let body = identity::system_assigned(estate, store, target)?;
        return Ok(Response::json(200, &body));
    }
    if target.kind == Kind::RoleDefinition {
        return Ok(Response::json(
            200,
            &authorization::definition::item(target)?,
        ));
    }
    let running = operation::touch(estate, store, &target.key);
    require_parent(store, target)?;
    catch_up(estate, store, target.kind, &target.key);
    let entity = store.get(&target.key).ok_or_else(|| missing(target))?;
    if request.verb == "HEAD" {
        // An association is only said to be there (`ProductApi_CheckEntityExists`).
        let status = if entity.kind == Kind::Link { 204 } else { 200 };
        return Ok(with_etag(Response::empty(status), entity));
    }
    let mut body = shown(estate, store, request, entity, request.query("format"));
    if running && target.kind == Kind::Service {
        body["properties"]["provisioningState"] = json!("Updating");
    }
    expand(request, store, entity, &mut body);
    Ok(with_etag(Response::json(200, &body), entity))
}

/// The entity as this request's API version shows it.
fn shown(
    estate: &Estate,
    store: &Store,
    request: &Request,
    entity: &Entity,
    format: Option<&str>,
) -> Value {
    let mut body = hooks::view(estate, store, entity, format);
    if entity.kind == Kind::Backend {
        apim::backend::hide_preview(&mut body, request.query("api-version"));
    }
    body
}

/// Brings an entity up to what has happened elsewhere since it was last read.
fn catch_up(estate: &Estate, store: &mut Store, kind: Kind, key: &str) {
    match kind {
        Kind::NamedValue => apim::named_value::refresh_when_due(estate, store, key),
        Kind::FirewallRule => sql::firewall::catch_up(estate, store, key),
        _ => {}
    }
}

/// `$expand=administrators/activedirectory` puts the Entra admin into a SQL server's body,
/// `expandApiVersionSet=true` the version set into an API's.
fn expand(request: &Request, store: &Store, entity: &Entity, body: &mut Value) {
    let asked = request.query("expandApiVersionSet");
    if entity.kind == Kind::Api && asked.is_some_and(|yes| yes.eq_ignore_ascii_case("true")) {
        apim::api::expand_version_set(store, entity, body);
    }
    let wanted = request
        .query("$expand")
        .is_some_and(|what| what.eq_ignore_ascii_case("administrators/activedirectory"));
    if entity.kind != Kind::SqlServer || !wanted {
        return;
    }
    if let Some(admin) = super::sql::entra::expanded(store, &entity.key()) {
        body["properties"]["administrators"] = admin;
    }
}

fn list(
    estate: &Estate,
    store: &mut Store,
    request: &Request,
    target: &Target,
) -> Result<Response, ArmError> {
    let filter = request.query("$filter").unwrap_or_default();
    if target.kind == Kind::RoleDefinition {
        let roles = authorization::definition::list(target, filter);
        return page(estate, request, roles, false);
    }
    require_parent(store, target)?;
    if target.kind == Kind::FirewallRule {
        catch_up(estate, store, target.kind, &target.key);
    }
    let children: Vec<String> = match &target.parent {
        _ if target.kind == Kind::RoleAssignment => {
            authorization::assignment::listed(estate, store, target, filter)?
        }
        _ if target.kind == Kind::Lock => authorization::lock::listed(store, target),
        Some(_) => store
            .list(&target.key)
            .iter()
            .map(|entity| entity.key())
            .collect(),
        None => top_level(store, target),
    };
    for key in &children {
        operation::touch(estate, store, key);
        if target.kind == Kind::NamedValue {
            catch_up(estate, store, target.kind, key);
        }
    }
    let wanted = match filter {
        filter if !filter.trim().is_empty() && target.kind.is_apim() => Some(odata::parse(filter)?),
        _ => None,
    };
    let items = children
        .iter()
        .filter_map(|key| store.get(key))
        .filter(|entity| listed(estate, request, entity))
        .map(|entity| {
            let mut body = shown(estate, store, request, entity, None);
            expand(request, store, entity, &mut body);
            body
        })
        .filter(|body| wanted.as_ref().is_none_or(|wanted| wanted.passes(body)))
        .collect();
    page(estate, request, items, target.kind.is_apim())
}

/// Services and servers of a resource group or of the whole subscription.
fn top_level(store: &Store, target: &Target) -> Vec<String> {
    let scope = target
        .key
        .split("/providers/")
        .next()
        .unwrap_or_default()
        .to_owned()
        + "/";
    store
        .below(&scope)
        .filter(|entity| entity.kind == target.kind)
        .map(super::store::Entity::key)
        .collect()
}

/// Non-current revisions stay out of the list of APIs.
fn listed(estate: &Estate, request: &Request, entity: &Entity) -> bool {
    match entity.kind {
        Kind::Api if entity.key().contains(";rev=") => estate.settings.list_revisions,
        Kind::NamedValue if only_failed(request) => apim::named_value::has_failed(entity),
        _ => true,
    }
}

/// `isKeyVaultRefreshFailed=true` asks for the named values that could not be refreshed.
fn only_failed(request: &Request) -> bool {
    request
        .query("isKeyVaultRefreshFailed")
        .is_some_and(|asked| asked.eq_ignore_ascii_case("true"))
}

/// Cuts one page out of `items`.
pub fn page(
    estate: &Estate,
    request: &Request,
    items: Vec<Value>,
    apim: bool,
) -> Result<Response, ArmError> {
    let number = |name: &str| -> Result<Option<usize>, ArmError> {
        let Some(text) = request.query(name) else {
            return Ok(None);
        };
        text.parse().map(Some).map_err(|_| {
            ArmError::validation(
                name,
                format!("The value of '{name}' is not a whole number."),
            )
        })
    };
    let skip = number(if apim { "$skip" } else { "$skipToken" })?.unwrap_or(0);
    let size = match number("$top")?.filter(|_| apim) {
        Some(0) => {
            return Err(ArmError::validation(
                "$top",
                "The value of '$top' is at least 1.",
            ));
        }
        Some(top) => top.min(estate.settings.max_page_size),
        None => estate.settings.page_size,
    };
    let total = items.len();
    let items: Vec<Value> = items.into_iter().skip(skip).take(size).collect();
    let next = skip + items.len();
    let link = (next < total).then(|| {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        for (name, value) in &request.query {
            if !name.eq_ignore_ascii_case("$skip") && !name.eq_ignore_ascii_case("$skipToken") {
                query.append_pair(name, value);
            }
        }
        query.append_pair(if apim { "$skip" } else { "$skipToken" }, &next.to_string());
        format!("{}{}?{}", estate.arm_url(), request.path, query.finish())
    });
    let mut body = json!({"value": items});
    if apim {
        body["count"] = json!(total);
        body["nextLink"] = json!(link.unwrap_or_default());
    } else if let Some(link) = link {
        body["nextLink"] = json!(link);
    }
    Ok(Response::json(200, &body))
}

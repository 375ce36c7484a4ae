//! Policies at every scope, and policy fragments. The text has to be well formed apart from its
//! expressions, and what it names has to exist.

use serde_json::{Value, json};

use super::{reference, service_key, tier};
use crate::arm::error::ArmError;
use crate::arm::kind::Kind;
use crate::arm::store::{Entity, Store};
use crate::arm::target::Target;
use crate::estate::Estate;
use crate::rawxml;

/// In KiB (azure-facts B.4).
const FRAGMENT_LIMIT: usize = 512;

pub fn check(
    estate: &Estate,
    store: &Store,
    target: &Target,
    next: &mut Value,
) -> Result<(), ArmError> {
    if target.kind == Kind::Policy && target.name != "policy" {
        return Err(ArmError::validation(
            "policyId",
            "The policy's identifier is 'policy'.",
        ));
    }
    let properties = &mut next["properties"];
    let Some(text) = properties["value"].as_str() else {
        return Err(ArmError::validation(
            "value",
            "The field 'value' is required.",
        ));
    };
    let raw = raw(properties["format"].as_str().unwrap_or("xml"), text)?;
    let limit = if target.kind == Kind::Fragment {
        FRAGMENT_LIMIT
    } else {
        tier::policy_limit(store, &target.key)
    };
    if raw.len() > limit * 1024 {
        let message = format!("The policy is larger than {limit} KiB.");
        return Err(ArmError::validation("value", message));
    }
    let masked = rawxml::mask(&raw).map_err(refuse)?;
    let document = rawxml::parse(&masked).map_err(refuse)?;
    check_root(target, document.root_element().tag_name().name())?;
    if target.kind == Kind::Fragment {
        check_fragment(&document)?;
    }
    tier::check_elements(store, &target.key, &document)?;
    check_references(store, target, &raw)?;
    let raw = if estate.settings.reformat {
        rawxml::reformat(&raw).map_err(refuse)?
    } else {
        raw
    };
    properties["value"] = json!(raw);
    properties["format"] = json!("rawxml");
    Ok(())
}

/// The text as `rawxml`, in whichever format it came.
fn raw(format: &str, text: &str) -> Result<String, ArmError> {
    match format {
        "rawxml" => Ok(text.to_owned()),
        "xml" => rawxml::from_xml(text).map_err(refuse),
        other => {
            let message = format!("The format '{other}' is not supported by the emulator.");
            Err(ArmError::validation("format", message))
        }
    }
}

fn refuse(error: rawxml::RawXmlError) -> ArmError {
    ArmError::validation("representation", error.to_string())
}

fn check_root(target: &Target, root: &str) -> Result<(), ArmError> {
    let fits = if target.kind == Kind::Fragment {
        root == "fragment"
    } else if target.key.contains("/resolvers/") {
        matches!(
            root,
            "sql-data-source" | "http-data-source" | "cosmosdb-data-source"
        )
    } else {
        root == "policies"
    };
    if fits {
        return Ok(());
    }
    let message = format!("The element '{root}' cannot be the root of a policy at this scope.");
    Err(ArmError::validation("representation", message))
}

/// A fragment holds neither sections, nor the base of one, nor another fragment.
fn check_fragment(document: &roxmltree::Document<'_>) -> Result<(), ArmError> {
    const FOREIGN: [&str; 6] = [
        "base",
        "include-fragment",
        "inbound",
        "backend",
        "outbound",
        "on-error",
    ];
    let foreign = document
        .descendants()
        .find(|node| FOREIGN.contains(&node.tag_name().name()));
    let Some(node) = foreign else { return Ok(()) };
    let name = node.tag_name().name();
    let message = format!("The element '{name}' cannot stand in a policy fragment.");
    Err(ArmError::validation("representation", message))
}

fn check_references(store: &Store, target: &Target, raw: &str) -> Result<(), ArmError> {
    for name in reference::named_values(raw) {
        if reference::find_named_value(store, &target.key, name).is_none() {
            let message = format!("Cannot find a property '{name}'.");
            return Err(ArmError::validation("representation", message));
        }
    }
    let service = service_key(&target.key);
    for (element, attribute, collection, noun) in [
        (
            "include-fragment",
            "fragment-id",
            "policyfragments",
            "Policy fragment",
        ),
        ("set-backend-service", "backend-id", "backends", "Backend"),
    ] {
        for (id, at) in reference::attribute_places(raw, element, attribute) {
            if store
                .get(&format!("{service}/{collection}/{id}").to_lowercase())
                .is_none()
            {
                let (line, column) = (at.row, at.col);
                let message = format!(
                    "Error in element '{element}' on line {line}, column {column}: {noun} with id \
                     '{id}' could not be found."
                );
                return Err(ArmError::validation(element, message));
            }
        }
    }
    Ok(())
}

/// The policies that include a fragment.
pub fn fragment_users<'a>(store: &'a Store, fragment: &Entity) -> Vec<&'a Entity> {
    reference::users(store, &fragment.key(), "include-fragment", "fragment-id")
}

pub fn check_fragment_delete(store: &Store, target: &Target) -> Result<(), ArmError> {
    let Some(fragment) = store.get(&target.key) else {
        return Ok(());
    };
    let users = fragment_users(store, fragment);
    reference::refuse_use("Policy Fragment", &target.key, &target.name, &users)
}

/// The text in the form that was asked for. Only `rawxml` shows expressions as they are.
pub fn show(kind: Kind, body: &mut Value, format: Option<&str>) {
    let properties = &mut body["properties"];
    if format == Some("rawxml") {
        return;
    }
    let xml = properties["value"]
        .as_str()
        .and_then(|raw| rawxml::to_xml(raw).ok());
    if let Some(xml) = xml {
        properties["value"] = json!(xml);
    }
    properties["format"] = json!("xml");
    // A fragment says its format only when it was asked for as rawxml (azure-facts B.4).
    if let (Kind::Fragment, Some(fields)) = (kind, properties.as_object_mut()) {
        fields.remove("format");
    }
}

/// `allPolicies`: where there is a policy, and no texts.
pub fn index(store: &Store, service: &str) -> Vec<Value> {
    let prefix = format!("{service}/");
    let id_of_service = store
        .get(service)
        .map_or(service, |entity| entity.id.as_str());
    let policies = store
        .below(&prefix)
        .filter(|entity| entity.kind == Kind::Policy);
    policies
        .map(|policy| entry(id_of_service, policy))
        .collect()
}

fn entry(service: &str, policy: &Entity) -> Value {
    let name: String = policy.id[service.len()..]
        .trim_start_matches('/')
        .trim_end_matches("/policies/policy")
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .collect();
    json!({
        "id": format!("{service}/allPolicies/{name}"),
        "type": "Microsoft.ApiManagement/service/allPolicies",
        "name": name,
        "properties": {"referencePolicyId": policy.id, "complianceState": "NonCompliant"},
    })
}

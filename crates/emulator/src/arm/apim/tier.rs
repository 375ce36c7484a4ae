//! What a service refuses because of its tier: kinds of entities (azure-facts A.4,
//! `MethodNotAllowedInPricingTier`), policies (azure-facts B.4 and the columns of the policy
//! reference), and their size. Kinds are refused to readers as well.

use super::service_key;
use crate::arm::error::ArmError;
use crate::arm::store::Store;
use crate::arm::target::Target;

/// Kinds that Consumption does not have. Groups belong to the developer portal, which it lacks.
const NOT_IN_CONSUMPTION: [&str; 5] = [
    "groups",
    "products/groups",
    "products/groupLinks",
    "tenant",
    "workspaces",
];

/// The tiers with self-hosted gateways (the feature comparison of the tiers).
const SELF_HOSTED: [&str; 2] = ["Developer", "Premium"];

/// Policies and the tiers that do not have them; `V2` stands for all that end so.
const POLICIES: [(&str, &[&str]); 5] = [
    ("sql-data-source", &["Consumption"]),
    ("cosmosdb-data-source", &["Consumption"]),
    ("rate-limit-by-key", &["Consumption"]),
    ("quota-by-key", &["Consumption", "V2"]),
    ("send-service-bus-message", &["Consumption", "V2"]),
];

/// In KiB (azure-facts B.4).
const POLICY_LIMIT: usize = 256;
const CONSUMPTION_POLICY_LIMIT: usize = 16;

/// The tier of the service that a key lies in.
fn tier<'a>(store: &'a Store, key: &str) -> &'a str {
    let service = store.get(service_key(key));
    service
        .and_then(|service| service.body["sku"]["name"].as_str())
        .unwrap_or_default()
}

fn is(tier: &str, name: &str) -> bool {
    tier.eq_ignore_ascii_case(name)
}

/// Refuses an entity or a list that the service's tier does not have.
pub fn check(store: &Store, target: &Target) -> Result<(), ArmError> {
    let kind = target
        .type_name
        .strip_prefix("Microsoft.ApiManagement/service/");
    let Some(kind) = kind else { return Ok(()) };
    let tier = tier(store, &target.key);
    let is_gateway = kind == "gateways" || kind.starts_with("gateways/");
    let lacks_gateway = !tier.is_empty() && !SELF_HOSTED.iter().any(|one| is(tier, one));
    let lacks = is(tier, "Consumption") && NOT_IN_CONSUMPTION.contains(&kind);
    if lacks || (is_gateway && lacks_gateway) {
        let message = format!("Method not allowed in {tier} pricing tier");
        return Err(ArmError::new(400, "MethodNotAllowedInPricingTier", message));
    }
    Ok(())
}

/// How many KiB a policy may have.
pub fn policy_limit(store: &Store, key: &str) -> usize {
    if is(tier(store, key), "Consumption") {
        CONSUMPTION_POLICY_LIMIT
    } else {
        POLICY_LIMIT
    }
}

/// Refuses a policy element that the service's tier does not have, with its place.
pub fn check_elements(
    store: &Store,
    key: &str,
    document: &roxmltree::Document<'_>,
) -> Result<(), ArmError> {
    let tier = tier(store, key);
    let lacks = |tiers: &[&str]| {
        let is_v2 = tier.to_uppercase().ends_with("V2");
        tiers
            .iter()
            .any(|one| is(tier, one) || (*one == "V2" && is_v2))
    };
    for node in document.descendants().filter(roxmltree::Node::is_element) {
        let name = node.tag_name().name();
        if POLICIES
            .iter()
            .any(|(policy, tiers)| *policy == name && lacks(tiers))
        {
            let at = document.text_pos_at(node.range().start);
            let message = format!(
                "Error in element '{name}' on line {}, column {}: Policy is not allowed in \
                 '{tier}' sku",
                at.row, at.col
            );
            return Err(ArmError::validation(name, message));
        }
    }
    Ok(())
}

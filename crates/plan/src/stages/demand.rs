//! What an Access demands of its callers, as a `validate-azure-ad-token` element (azure-facts B.4;
//! Microsoft's page "Validate Microsoft Entra token" has the order of what is inside).

use std::collections::BTreeSet;

use keyless_model::{Callers, Claim};
use keyless_policy::ElementRef;

use crate::stages::arm::escaped;

/// The element that checks a caller's token.
pub(crate) const ELEMENT: &str = "validate-azure-ad-token";

/// A demand, by what it means: order and repetition do not count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Demand {
    tenant: String,
    audiences: BTreeSet<String>,
    clients: BTreeSet<String>,
    /// By name: whether one value is enough, and the values.
    claims: BTreeSet<(String, bool, BTreeSet<String>)>,
}

impl Demand {
    /// Without a tenant of their own the callers are those of `tenant`.
    pub fn of(callers: &Callers, tenant: &str) -> Self {
        let claim = |c: &Claim| {
            let values: BTreeSet<String> = c.values.iter().cloned().collect();
            (c.name.clone(), c.any && values.len() > 1, values)
        };
        Self {
            tenant: callers.tenant.as_deref().unwrap_or(tenant).to_lowercase(),
            audiences: callers.audiences.iter().cloned().collect(),
            clients: callers
                .client_ids
                .iter()
                .map(|id| id.to_lowercase())
                .collect(),
            claims: callers.claims.iter().map(claim).collect(),
        }
    }

    /// What an element demands. None when it takes the token from elsewhere than the `Authorization`
    /// header, asks for more than this can say, or leaves something to an expression or a named value.
    pub fn read(element: ElementRef) -> Option<Self> {
        let attribute = |name: &str| element.attribute(name).map(|a| a.value);
        let header = attribute("header-name");
        let usual = header.is_none_or(|h| h.eq_ignore_ascii_case("Authorization"));
        let elsewhere = ["query-parameter-name", "token-value"];
        if !usual || elsewhere.iter().any(|name| attribute(name).is_some()) {
            return None;
        }
        let mut out = Self {
            tenant: plain(attribute("tenant-id")?)?.to_lowercase(),
            audiences: BTreeSet::new(),
            clients: BTreeSet::new(),
            claims: BTreeSet::new(),
        };
        for child in element.children() {
            match child.name() {
                "audiences" => out.audiences = texts(child)?,
                "client-application-ids" => {
                    let ids = texts(child)?;
                    out.clients = ids.into_iter().map(|id| id.to_lowercase()).collect();
                }
                "required-claims" => out.claims = claims(child)?,
                _ => return None,
            }
        }
        Some(out)
    }

    pub fn xml(&self) -> String {
        let mut out = format!("<{ELEMENT} tenant-id=\"{}\">", escaped(&self.tenant));
        if !self.clients.is_empty() {
            let ids = all("application-id", &self.clients);
            out += &format!("<client-application-ids>{ids}</client-application-ids>");
        }
        let audiences = all("audience", &self.audiences);
        out += &format!("<audiences>{audiences}</audiences>");
        if !self.claims.is_empty() {
            let claims: String = self.claims.iter().map(claim_xml).collect();
            out += &format!("<required-claims>{claims}</required-claims>");
        }
        out + &format!("</{ELEMENT}>")
    }

    /// For people.
    pub fn told(&self) -> String {
        let listed = |set: &BTreeSet<String>| set.iter().cloned().collect::<Vec<_>>().join(" or ");
        let mut out = format!(
            "an Entra token of the tenant {} for {}",
            self.tenant,
            listed(&self.audiences)
        );
        if !self.clients.is_empty() {
            out += &format!(", of the application {}", listed(&self.clients));
        }
        for (name, any, values) in &self.claims {
            let between = if *any { " or " } else { " and " };
            let values: Vec<&str> = values.iter().map(String::as_str).collect();
            out += &format!(", with {name} {}", values.join(between));
        }
        out
    }
}

fn claims(element: ElementRef) -> Option<BTreeSet<(String, bool, BTreeSet<String>)>> {
    let one = |claim: ElementRef| {
        let kind = claim.attribute("match").map(|a| a.value);
        let values = texts(claim)?;
        let any = kind.as_deref() == Some("any") && values.len() > 1;
        Some((plain(claim.attribute("name")?.value)?, any, values))
    };
    element.children().into_iter().map(one).collect()
}

fn claim_xml((name, any, values): &(String, bool, BTreeSet<String>)) -> String {
    let kind = if *any { "any" } else { "all" };
    format!(
        "<claim name=\"{}\" match=\"{kind}\">{}</claim>",
        escaped(name),
        all("value", values)
    )
}

fn all(name: &str, values: &BTreeSet<String>) -> String {
    let one = |value: &String| format!("<{name}>{}</{name}>", escaped(value));
    values.iter().map(one).collect()
}

/// The texts of the elements inside.
fn texts(element: ElementRef) -> Option<BTreeSet<String>> {
    let inside = element.children().into_iter();
    inside.map(|e| plain(e.text()?)).collect()
}

/// A text that says the same for every call.
fn plain(text: String) -> Option<String> {
    let text = text.trim();
    let computed = text.starts_with('@') || text.contains("{{");
    (!computed).then(|| text.to_owned())
}

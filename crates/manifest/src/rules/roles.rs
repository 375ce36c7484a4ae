//! Role assignments.

use keyless_model::{BUILT_IN_ROLES, Sid, built_in_role, check_azure_name};

use super::Rules;
use crate::scalar::shown;
use crate::suggest::nearest;

impl Rules<'_, '_> {
    pub(super) fn role_assignment(&mut self) {
        let spec = self.document.spec;
        if let Some((node, text)) = spec.get("scope").and_then(|n| n.text().map(|t| (n, t)))
            && !is_scope(text)
        {
            let message = format!("`scope` is {}, which is no resource id", shown(text));
            let help = "write /subscriptions/<guid>, or the id of a resource group, a resource or a \
                        child of one, as the portal shows it under “Resource ID”";
            self.fail("KL0104", message, &node.range, "not an id", help);
        }
        if let Some((node, text)) = spec.get("role").and_then(|n| n.text().map(|t| (n, t)))
            && built_in_role(text).is_none()
            && Sid::from_guid(text).is_err()
        {
            let message = format!("`role` is {}, which keyless does not know", shown(text));
            let known = BUILT_IN_ROLES.iter().map(|(name, _)| *name);
            let help = match nearest(text, known) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "write the GUID of its definition: `az role definition list --name …` \
                         shows it"
                    .to_owned(),
            };
            self.fail("KL0104", message, &node.range, "unknown role", help);
        }
        self.principal();
    }

    fn principal(&mut self) {
        let Some(entry) = self.document.spec.entry("principal") else {
            return;
        };
        let keys = ["gateway", "identity", "objectId"];
        let given: Vec<_> = keys.iter().filter_map(|k| entry.node.entry(k)).collect();
        let help = "say who gets the role with one of `gateway`, `identity` and `objectId`";
        match given[..] {
            [] => {
                let message = "the role is given to nobody";
                self.fail("KL0105", message, &entry.at, "nobody is named", help);
            }
            [one] => self.principal_type(one.key == "objectId"),
            [_, second, ..] => {
                let message = "the role is given to more than one principal";
                self.fail("KL0113", message, &second.at, "another one", help);
            }
        }
    }

    fn principal_type(&mut self, known_by_id: bool) {
        let Some(entry) = self.document.spec.entry("principal") else {
            return;
        };
        match (known_by_id, entry.node.entry("principalType")) {
            (true, None) => {
                let message = "`objectId` needs `principalType`";
                let help = "add `principalType: ServicePrincipal`, Group or User: without it Azure \
                            refuses an identity that it has not heard of yet";
                self.fail(
                    "KL0105",
                    message,
                    &entry.at,
                    "`principalType` is missing",
                    help,
                );
            }
            (false, Some(kind)) => {
                let message = "`principalType` says what `objectId` is the id of";
                let help = "take it out: an identity is a service principal";
                self.fail("KL0113", message, &kind.at, "without `objectId`", help);
            }
            _ => {}
        }
    }
}

/// A subscription, and what may follow: a resource group, a provider with pairs of types and names.
fn is_scope(text: &str) -> bool {
    let Some(rest) = text.strip_prefix('/') else {
        return false;
    };
    let parts: Vec<&str> = rest.split('/').collect();
    if parts.iter().any(|part| check_azure_name(part).is_err()) {
        return false;
    }
    let is = |at: usize, word: &str| parts.get(at).is_some_and(|p| p.eq_ignore_ascii_case(word));
    let subscription = is(0, "subscriptions") && parts.len() >= 2;
    if !subscription || Sid::from_guid(parts[1]).is_err() {
        return false;
    }
    match parts.len() {
        2 => true,
        4 => is(2, "resourceGroups"),
        n => is(2, "resourceGroups") && is(4, "providers") && n >= 8 && n % 2 == 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_is_a_subscription_or_lies_in_one() {
        let subscription = "/subscriptions/00000000-0000-0000-0000-000000000001";
        for rest in [
            "",
            "/resourceGroups/rg",
            "/resourceGroups/rg/providers/Microsoft.KeyVault/vaults/kv",
            "/resourceGroups/rg/providers/Microsoft.KeyVault/vaults/kv/secrets/s",
        ] {
            assert!(is_scope(&format!("{subscription}{rest}")), "{rest}");
        }
        for rest in [
            "/",
            "/resourceGroups",
            "/resourceGroups/..",
            "/resourceGroups/rg/providers/Microsoft.KeyVault",
            "/resourceGroups/rg/providers/Microsoft.KeyVault/vaults",
            "/resourceGroups/rg/vaults/kv",
        ] {
            assert!(!is_scope(&format!("{subscription}{rest}")), "{rest}");
        }
        for bad in ["", "kv", "/subscriptions/x", "/providers/Microsoft.Sql"] {
            assert!(!is_scope(bad), "{bad}");
        }
    }
}

//! Backends, APIs, operations and products of a gateway, and Key Vault references.

use keyless_model::Sid;

use super::{Rules, body, is_false, is_true};
use crate::credential;
use crate::node::Node;
use crate::scalar::shown;

impl Rules<'_, '_> {
    pub(super) fn backend(&mut self) {
        self.types(body::BACKEND);
        self.no_user_in("url");
        for (place, what) in [("header", "a header"), ("query", "a query parameter")] {
            let named = self.property(&format!("credentials.{place}"));
            for entry in named.map_or(&[][..], Node::entries) {
                for value in entry.node.items() {
                    if credential::names_secret(&entry.key) {
                        let what = format!("a credential in {what} of the backend");
                        self.no_secret(value, &what, NAMED_VALUE);
                    }
                }
            }
        }
        if let Some(parameter) = self.property("credentials.authorization.parameter") {
            let what = "a credential in `authorization` of the backend";
            self.no_secret(parameter, what, NAMED_VALUE);
        }
    }

    pub(super) fn api(&mut self) {
        self.revision(self.document.spec.get("name"));
        self.types(body::API);
        self.no_user_in("serviceUrl");
        let protocols = self.property("protocols").map_or(&[][..], Node::items);
        for (node, text) in protocols.iter().filter_map(|n| n.text().map(|t| (n, t))) {
            if !["http", "https", "ws", "wss"].contains(&text) {
                let message = format!("`protocols` lists {}", shown(text));
                let help = "write http, https, ws or wss";
                self.fail("KL0104", message, &node.range, "not a protocol", help);
            }
        }
    }

    pub(super) fn operation(&mut self) {
        self.revision(self.document.spec.get("api"));
        self.types(body::OPERATION);
        for (list, what) in [
            ("request.headers", "the header"),
            ("request.queryParameters", "the query parameter"),
        ] {
            let parameters = self.property(list).map_or(&[][..], Node::items);
            for parameter in parameters {
                self.default_value(parameter, what);
            }
        }
    }

    /// Whoever may see the API sees the defaults of its parameters (azure-facts B.5, row 31).
    fn default_value(&mut self, parameter: &Node, what: &str) {
        let name = parameter.get("name").and_then(Node::text);
        if !name.is_some_and(credential::names_secret) {
            return;
        }
        let name = shown(name.unwrap_or_default());
        let more = parameter.get("values").map_or(&[][..], Node::items);
        for value in parameter.get("defaultValue").into_iter().chain(more) {
            let what = format!("a default value of {what} {name}");
            let help = "take it out and replace the credential: whoever sees the API sees it";
            self.no_secret(value, &what, help);
        }
    }

    pub(super) fn product(&mut self) {
        self.types(body::PRODUCT);
        let open = self.property("subscriptionRequired").is_some_and(is_false);
        if let Some(approval) = self.property("approvalRequired").filter(|n| is_true(n))
            && open
        {
            let message = "`approvalRequired` has nothing to approve: no subscription is required";
            let help = "write `subscriptionRequired: true`, or take `approvalRequired` out";
            let label = "beside `subscriptionRequired: false`";
            self.fail("KL0113", message, &approval.range, label, help);
        }
    }

    /// A Key Vault reference is one, and its identity a client id (azure-facts B.2).
    pub(super) fn key_vault(&mut self) {
        if let Some((node, text)) = self.property_text("keyVault.secretIdentifier")
            && !is_secret_id(text)
        {
            let message = format!(
                "`secretIdentifier` is {}, which is no secret of a vault",
                shown(text)
            );
            let help = "write https://<vault>.vault.azure.net/secrets/<name>; without a version \
                        the value is read anew within four hours";
            self.fail("KL0104", message, &node.range, "not a secret's id", help);
        }
        if let Some((node, text)) = self.property_text("keyVault.identityClientId")
            && Sid::from_guid(text).is_err()
        {
            let message = format!("`identityClientId` is {}, which is no GUID", shown(text));
            let help = "write the client id of a user-assigned identity of the gateway, or leave \
                        it out for the system-assigned one";
            self.fail("KL0104", message, &node.range, "not a GUID", help);
        }
    }

    /// A key in the query is found in every scalar.
    fn no_user_in(&mut self, path: &str) {
        if let Some((node, text)) = self.property_text(path)
            && credential::user_in_url(text)
            && !credential::suspicious(text)
        {
            self.leak(node, &format!("a user in a URL (`{path}`)"), OUT_OF_URL);
        }
    }

    /// What a manifest's scalars are searched for anyway is not said twice.
    fn no_secret(&mut self, node: &Node, what: &str, help: &str) {
        let literal = |text: &str| credential::written_out(text) && !credential::suspicious(text);
        if node.text().is_some_and(literal) {
            self.leak(node, what, help);
        }
    }

    pub(super) fn leak(&mut self, node: &Node, what: &str, help: &str) {
        let message = format!("the manifest holds {what}");
        self.fail(
            "KL0110",
            message,
            &node.range,
            "looks like a credential",
            help,
        );
    }
}

const NAMED_VALUE: &str = "put a {{named value}} in its place and replace the credential: it is no \
                           longer a secret; an Access makes it needless";

pub(super) const OUT_OF_URL: &str = "take it out of the URL and replace the credential: it is no \
                                     longer a secret; an Access makes it needless";

/// `https://<vault host>/secrets/<name>[/<version>]`
fn is_secret_id(text: &str) -> bool {
    let Some((host, path)) = text
        .strip_prefix("https://")
        .and_then(|rest| rest.split_once('/'))
    else {
        return false;
    };
    let letters = |part: &str, more: &str| {
        !part.is_empty()
            && part
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || more.contains(c))
    };
    let parts: Vec<&str> = path.trim_end_matches('/').split('/').collect();
    let named = match parts[..] {
        ["secrets", name] => letters(name, "-"),
        ["secrets", name, version] => letters(name, "-") && letters(version, ""),
        _ => false,
    };
    let (host, port) = host.split_once(':').unwrap_or((host, "443"));
    named && letters(host, "-.") && host.contains(".vault.") && letters(port, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_of_a_vault_has_a_name_and_perhaps_a_version() {
        for good in [
            "https://kv-prod.vault.azure.net/secrets/partner",
            "https://kv-prod.vault.azure.net/secrets/partner/0123456789abcdef0123456789abcdef",
            "https://kv.vault.usgovcloudapi.net/secrets/a-1/",
        ] {
            assert!(is_secret_id(good), "{good}");
        }
        for bad in [
            "http://kv.vault.azure.net/secrets/a",
            "https://kv.vault.azure.net/keys/a",
            "https://kv.vault.azure.net/secrets",
            "https://kv.vault.azure.net/secrets/a/b/c",
            "https://kv.vault.azure.net/secrets/a?b",
            "https://example.com/secrets/a",
            "kv-prod",
        ] {
            assert!(!is_secret_id(bad), "{bad}");
        }
    }
}

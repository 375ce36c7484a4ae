//! What the fields of an Access to an HTTP service mean together.

use super::Rules;
use super::apim::OUT_OF_URL;
use crate::credential;
use crate::node::Node;
use crate::scalar::shown;

impl Rules<'_, '_> {
    pub(super) fn http(&mut self) {
        let spec = self.document.spec;
        self.needs("to", "url", "https, the service's host and perhaps a path");
        self.needs(
            "to",
            "audience",
            "what a token for the service is asked for",
        );
        self.not_blank(spec.get("to"), "audience");
        if let Some(url) = spec.get("to").and_then(|to| to.get("url")) {
            self.https(url, "url", false);
        }
        for key in ["role", "schemas", "grants"] {
            if let Some(entry) = spec.entry(key) {
                let message = format!("`{key}` is a right in a database, and `to` is a URL");
                let help = "take it out: what an identity may do there is the service's business, \
                            or a RoleAssignment's";
                self.fail("KL0113", message, &entry.at, "beside `to.url`", help);
            }
        }
        self.replaces_only(&["namedValue", "backend"], "an HTTP service");
        let evidence = spec.get("retire").and_then(|r| r.get("evidence"));
        for word in evidence.map_or(&[][..], Node::items) {
            if let Some(text @ ("sessions" | "audit")) = word.text() {
                let message = format!("`{text}` is evidence of a database, and `to` is a URL");
                let help = "write `evidence: [approval]`, or leave it out: a person says that \
                            nobody uses the key";
                self.fail("KL0113", message, &word.range, "not to be had here", help);
            }
        }
    }

    /// An https URL with a host. What a service is known by has no query.
    pub(super) fn https(&mut self, node: &Node, key: &str, query: bool) {
        // What is a credential is reported as one.
        let Some(text) = node.text().filter(|t| !credential::suspicious(t)) else {
            return;
        };
        if credential::user_in_url(text) {
            return self.leak(node, &format!("a user in a URL (`{key}`)"), OUT_OF_URL);
        }
        let rest = text.strip_prefix("https://").unwrap_or_default();
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        let host = authority.rsplit_once(':').map_or(authority, |(h, _)| h);
        let letter = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
        let bad = |c: char| c.is_control() || c.is_whitespace() || c == '\\';
        let port = authority.rsplit_once(':').map_or("443", |(_, port)| port);
        let good = !host.is_empty()
            && host.chars().all(letter)
            && port.parse::<u16>().is_ok()
            && !path.contains(bad)
            && !path.contains('#')
            && (query || !path.contains('?'))
            && !path.split('/').any(|part| part == "..");
        if good {
            return;
        }
        let message = format!("`{key}` is {}, which cannot be used", shown(text));
        let help = match query {
            true => "write an https URL with its host, such as https://orders.contoso.net/health",
            false => {
                "write https and the host, and a path only where services share the host: \
                      https://orders.contoso.net; no user, query or fragment"
            }
        };
        self.fail("KL0104", message, &node.range, "not such a URL", help);
    }
}

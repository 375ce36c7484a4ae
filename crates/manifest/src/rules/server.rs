//! SQL servers and their firewall rules.

use core::net::Ipv4Addr;

use super::{Rules, body, is_false, is_true};
use crate::node::{Node, Value};
use crate::scalar::shown;

impl<'d> Rules<'d, '_> {
    pub(super) fn server(&mut self) {
        let spec = self.document.spec;
        self.not_blank(spec.get("entraAdmin"), "login");
        self.types(body::SERVER);
        self.prunes_what_it_owns();
        let me = self.document.name;
        for partner in spec.get("partners").map_or(&[][..], Node::items) {
            if partner.text() == Some(me) {
                let message = format!("the server “{me}” is no partner of itself");
                let help = "name the other servers of the failover group";
                self.fail("KL0115", message, &partner.range, "itself", help);
            }
        }
        if let Some(entry) = spec.entry("auditing") {
            self.auditing(&entry.node);
            if matches!(entry.node.value, Value::Map(_)) && entry.node.entries().is_empty() {
                let message = "`auditing` is empty, so nothing of it is managed";
                let help = "add `state: Enabled`, or take it out";
                self.fail("KL0104", message, &entry.at, "empty", help);
            }
        }
    }

    /// What azure-facts C.5 says of the extended auditing settings.
    fn auditing(&mut self, auditing: &Node) {
        let groups = auditing.get("auditActionsAndGroups");
        for group in groups.map_or(&[][..], Node::items) {
            let Some(text) = group.text() else { continue };
            let letter = |c: char| c.is_ascii_alphanumeric() || "_ :.,[]".contains(c);
            if text.is_empty() || !text.chars().all(letter) {
                let message = format!("`auditActionsAndGroups` lists {}", shown(text));
                let help = "write a group such as BATCH_COMPLETED_GROUP";
                self.fail("KL0104", message, &group.range, "not an action", help);
            }
        }
        let Some(storage) = auditing.entry("storageEndpoint") else {
            return;
        };
        if let Some(text) = storage.node.text()
            && !text.starts_with("https://")
        {
            let message = format!("`storageEndpoint` is {}", shown(text));
            let help = "write https://<account>.blob.core.windows.net";
            self.fail("KL0104", message, &storage.node.range, "not https", help);
        }
        if !auditing.get("isManagedIdentityInUse").is_some_and(is_true) {
            let message = "auditing to a storage account without the server's identity needs a key";
            let help = "add `isManagedIdentityInUse: true`, or use Azure Monitor instead";
            self.fail("KL0113", message, &storage.at, "with a key", help);
        }
    }

    /// `prune` without `owns` would look like a promise and do nothing.
    pub(super) fn prunes_what_it_owns(&mut self) {
        let spec = self.document.spec;
        let owns = spec.get("owns").is_some_and(|o| !o.items().is_empty());
        if let Some(entry) = spec.entry("prune").filter(|e| is_true(&e.node) && !owns) {
            self.fail(
                "KL0113",
                "`prune` has nothing to prune: the document owns no scope",
                &entry.at,
                "without `owns`",
                "add `owns`, or take `prune` out",
            );
        }
    }

    pub(super) fn firewall_rule(&mut self) {
        let start = self.ip("startIpAddress");
        let end = self.ip("endIpAddress");
        let Some(((node, first), (_, last))) = start.zip(end) else {
            return;
        };
        let at = &node.range;
        if first > last {
            let message = format!("the rule starts at {first} and ends before it, at {last}");
            let help = "exchange the two addresses";
            return self.fail("KL0113", message, at, "after the end", help);
        }
        if !first.is_unspecified() {
            return;
        }
        // By value, not by name (azure-facts C.2).
        let message = if last.is_unspecified() {
            "the rule 0.0.0.0 lets in everything that runs in Azure, other customers' services \
             included"
                .to_owned()
        } else {
            format!("a rule from 0.0.0.0 lets in every address up to {last}")
        };
        let help = "name the gateway's own addresses, or use a private endpoint; leave such a rule \
                    undeclared, and keyless lists it and closes it last";
        self.fail("KL0113", message, at, "too wide", help);
    }

    /// An address, as far as it is one.
    fn ip(&mut self, key: &str) -> Option<(&'d Node, Ipv4Addr)> {
        let node = self.document.spec.get(key)?;
        let text = node.text()?;
        if let Ok(address) = text.parse() {
            return Some((node, address));
        }
        let message = format!("`{key}` is {}, which is no IPv4 address", shown(text));
        let help = match text.contains(['/', ':']) {
            true => {
                "a rule is a range of single IPv4 addresses, such as 203.0.113.10; it knows \
                     no /n and no IPv6"
            }
            false => "write four numbers from 0 to 255, such as 203.0.113.10",
        };
        self.fail("KL0104", message, &node.range, "not an address", help);
        None
    }

    /// `exclusive` implies `owns`.
    pub(super) fn database(&mut self) {
        let spec = self.document.spec;
        let exclusive = spec.get("exclusive").is_some_and(is_true);
        if let Some(entry) = spec
            .entry("owns")
            .filter(|e| is_false(&e.node) && exclusive)
        {
            self.fail(
                "KL0113",
                "`exclusive: true` owns the database, and `owns` is false",
                &entry.at,
                "beside `exclusive: true`",
                "take one of the two out",
            );
        }
    }
}

//! What the fields of an Access mean together.

use std::collections::BTreeSet;
use std::ops::Range;

use keyless_model::parse_duration;

use super::{Rules, is_empty_list};
use crate::node::{Node, Value};
use crate::scalar::shown;

impl Rules<'_, '_> {
    pub(super) fn access(&mut self) {
        let spec = self.document.spec;
        self.apis();
        self.rights();
        for entry in spec.get("replaces").map_or(&[][..], Node::items) {
            if matches!(entry.value, Value::Map(_)) && entry.entries().len() != 1 {
                let message = "each entry of `replaces` names one credential";
                let help = "write one of `namedValue`, `sqlLogin` and `sqlUser` in each entry";
                self.fail("KL0113", message, &entry.range, "not one", help);
            }
        }
        if let Some(entry) = spec.entry("prove") {
            self.prove(&entry.node, &entry.at);
        }
        if let Some(retire) = spec.get("retire") {
            self.retire(retire);
        }
    }

    fn apis(&mut self) {
        let Some(entry) = self.document.spec.get("from").and_then(|f| f.entry("apis")) else {
            return;
        };
        if matches!(entry.node.value, Value::List(_)) && entry.node.items().is_empty() {
            let message = "`apis` is empty, so nothing reaches the database";
            let help = "name an API, or write \"*\" for all";
            self.fail("KL0104", message, &entry.at, "empty", help);
        }
        let mut names = BTreeSet::new();
        for api in entry.node.items() {
            let Some((node, name)) = api.get("name").and_then(|n| n.text().map(|t| (n, t))) else {
                continue;
            };
            if name.contains(';') {
                let message = format!("`apis` names a revision, {}", shown(name));
                let help = "name the API alone: the current revision is switched, all are cleaned";
                self.fail("KL0109", message, &node.range, "a revision", help);
            } else if !names.insert(name.to_lowercase()) {
                let message = format!("`apis` names {} twice", shown(name));
                let help = "keep one entry for each API";
                self.fail("KL0106", message, &node.range, "again here", help);
            }
        }
    }

    /// `role`, `schemas` and `grants`.
    fn rights(&mut self) {
        let spec = self.document.spec;
        let Some(role) = spec.entry("role").filter(|e| e.node.text().is_some()) else {
            return;
        };
        let custom = role.node.text() == Some("custom");
        let grants = spec.entry("grants").filter(|e| !e.node.items().is_empty());
        match (custom, spec.entry("schemas"), grants) {
            (true, Some(schemas), _) => {
                let message = "`schemas` has no meaning with `role: custom`";
                let help = "write each securable into `grants`";
                self.fail(
                    "KL0113",
                    message,
                    &schemas.at,
                    "beside `role: custom`",
                    help,
                );
            }
            (false, Some(schemas), _) if is_empty_list(&schemas.node) => {
                let message = "`schemas` is empty, so the role may do nothing";
                let help = "name a schema, or leave it out for dbo";
                self.fail("KL0104", message, &schemas.at, "empty", help);
            }
            _ => {}
        }
        match (custom, grants) {
            (true, None) => {
                let message = "`role: custom` needs `grants`";
                let help = "list what the role may do: `grants: [{ permission: SELECT, on: … }]`";
                self.fail("KL0105", message, &role.at, "without `grants`", help);
            }
            (false, Some(grants)) => {
                let message = "`grants` is for `role: custom` only";
                let help = "write `role: custom`, or take `grants` out";
                self.fail("KL0113", message, &grants.at, "with another role", help);
            }
            _ => {}
        }
        let mut seen = BTreeSet::new();
        for rule in spec.get("grants").map_or(&[][..], Node::items) {
            self.grant(rule, "columns");
            let part = |key| rule.get(key).and_then(Node::text).map(str::to_lowercase);
            let columns = rule.get("columns").map_or(&[][..], Node::items);
            let columns: BTreeSet<_> = columns.iter().filter_map(Node::text).collect();
            if let (Some(permission), Some(on)) = (part("permission"), part("on"))
                && !seen.insert((permission, on, columns))
            {
                let message = "`grants` speaks of one permission twice";
                self.fail(
                    "KL0106",
                    message,
                    &rule.range,
                    "again here",
                    "keep one of them",
                );
            }
        }
    }

    fn prove(&mut self, prove: &Node, at: &Range<usize>) {
        let sends = prove.get("canary").and_then(Node::text) == Some("revision");
        match (sends, prove.entry("request")) {
            (true, None) => {
                let message = "`canary: revision` needs a `request` to send";
                let help = "add `request: { method: POST, path: /graphql, body: … }`";
                self.fail("KL0105", message, at, "`request` is missing", help);
            }
            (false, Some(entry)) => {
                let message = "`request` is never sent: `canary` is none";
                let help = "add `canary: revision`, or take `request` out";
                self.fail("KL0113", message, &entry.at, "never sent", help);
            }
            _ => {}
        }
        if let Some(request) = prove.get("request") {
            self.path(request.get("path"));
            if let (Some("GET"), Some(body)) = (
                request.get("method").and_then(Node::text),
                request.entry("body"),
            ) {
                let message = "a GET has no `body`";
                let help = "write `method: POST`, or take `body` out";
                self.fail("KL0113", message, &body.at, "with `method: GET`", help);
            }
        }
        if let Some(auth) = prove.entry("auth") {
            self.auth(&auth.node, &auth.at);
        }
    }

    fn path(&mut self, path: Option<&Node>) {
        let Some((node, text)) = path.and_then(|n| n.text().map(|t| (n, t))) else {
            return;
        };
        let bad = text.split(['/', '?']).any(|part| part == "..")
            || text.contains(['\\', '#'])
            || text.chars().any(|c| c.is_control() || c.is_whitespace());
        if bad || !(text.is_empty() || text.starts_with('/')) {
            let message = format!("`path` is {}, which is no path below an API", shown(text));
            let help = "write a path that starts with `/`, such as /graphql, or leave it empty";
            self.fail("KL0104", message, &node.range, "not a path", help);
        }
    }

    fn auth(&mut self, auth: &Node, at: &Range<usize>) {
        self.environment(auth.get("env"));
        for key in ["header", "env"] {
            if matches!(auth.value, Value::Map(_)) && auth.entry(key).is_none() {
                let message = format!("`auth` has no `{key}`");
                let help = "give the `header` that carries the key and the `env` that holds it";
                self.fail("KL0105", message, at, &format!("`{key}` is missing"), help);
            }
        }
        let Some((node, text)) = auth.get("header").and_then(|n| n.text().map(|t| (n, t))) else {
            return;
        };
        let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
        if text.is_empty() || !text.bytes().all(token) {
            let message = format!("`header` is {}, which is no header's name", shown(text));
            let help = "write a name such as Ocp-Apim-Subscription-Key";
            self.fail("KL0104", message, &node.range, "not a header", help);
        }
    }

    fn retire(&mut self, retire: &Node) {
        if let Some(entry) = retire.entry("evidence").filter(|e| is_empty_list(&e.node)) {
            let message = "`evidence` is empty, so nothing would show that the soak was clean";
            let help = "name `audit`, `sessions` or `approval`";
            self.fail("KL0104", message, &entry.at, "empty", help);
        }
        let most = 366 * 86_400;
        for key in ["after", "disabledFor"] {
            let Some(node) = retire.get(key) else {
                continue;
            };
            if node
                .text()
                .and_then(parse_duration)
                .is_some_and(|s| s > most)
            {
                let message = format!("`{key}` is longer than a year");
                let help = "write at most 366d";
                self.fail("KL0104", message, &node.range, "too long", help);
            }
        }
    }
}

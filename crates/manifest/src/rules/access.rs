//! What the fields of an Access mean together.

use std::collections::BTreeSet;
use std::ops::Range;

use keyless_model::parse_duration;

use super::{Rules, is_empty_list};
use crate::node::{Node, Value};
use crate::scalar::shown;

/// What an Access reaches.
enum Target {
    Sql,
    Http,
}

/// The keys of `to` that speak of a database, and those that speak of an HTTP service.
const SQL: [&str; 2] = ["server", "database"];
const HTTP: [&str; 3] = ["url", "audience", "accepts"];

impl Rules<'_, '_> {
    pub(super) fn access(&mut self) {
        let spec = self.document.spec;
        self.apis();
        match self.target() {
            Some(Target::Sql) => self.sql(),
            Some(Target::Http) => self.http(),
            None => self.rights(),
        }
        for entry in spec.get("replaces").map_or(&[][..], Node::items) {
            if matches!(entry.value, Value::Map(_)) && entry.entries().len() != 1 {
                let message = "each entry of `replaces` names one credential";
                let help = "write one of `namedValue`, `backend`, `sqlLogin` and `sqlUser` in each \
                            entry";
                self.fail("KL0113", message, &entry.range, "not one", help);
            }
        }
        if let Some(entry) = spec.entry("prove") {
            self.prove(&entry.node, &entry.at);
        }
        if let Some(retire) = spec.get("retire") {
            self.retire(retire);
        }
        if let Some(entry) = spec.entry("callers") {
            self.callers(&entry.node);
        }
    }

    /// Who calls is checked for a whole API: its policy runs for every operation.
    fn callers(&mut self, callers: &Node) {
        if let Some(entry) = callers
            .entry("audiences")
            .filter(|e| is_empty_list(&e.node))
        {
            let message = "`audiences` is empty, so no token would do";
            let help = "name what the callers' tokens are for, such as api://orders-gateway";
            self.fail("KL0104", message, &entry.at, "empty", help);
        }
        self.plain_texts(callers, "audiences");
        for claim in callers.get("claims").map_or(&[][..], Node::items) {
            self.not_blank(Some(claim), "name");
            if let Some(entry) = claim.entry("values").filter(|e| is_empty_list(&e.node)) {
                let message = "`values` is empty, so the claim asks for nothing";
                self.fail("KL0104", message, &entry.at, "empty", "name a value");
            }
            self.plain_texts(claim, "values");
        }
        let from = self.document.spec.get("from");
        let apis = from
            .and_then(|f| f.get("apis"))
            .map_or(&[][..], Node::items);
        for key in ["operations", "resolvers"] {
            for entry in apis.iter().filter_map(|api| api.entry(key)) {
                if !entry.node.items().is_empty() {
                    let message =
                        format!("`callers` are those of a whole API, and `{key}` names some");
                    let help =
                        format!("leave `{key}` out, or write another Access for the callers");
                    self.fail("KL0113", message, &entry.at, "only some", help);
                }
            }
        }
    }

    /// A text of the list that says nothing, or that a policy would take for an expression or a named
    /// value.
    fn plain_texts(&mut self, node: &Node, key: &str) {
        for item in node.get(key).map_or(&[][..], Node::items) {
            if item.text().is_some_and(|t| t.trim().is_empty()) {
                let message = format!("`{key}` holds an empty text");
                self.fail("KL0104", message, &item.range, "empty", "write a value");
            }
            let computed = |t: &str| t.trim_start().starts_with('@') || t.contains("{{");
            if item.text().is_some_and(computed) {
                let message = format!("`{key}` holds an expression or a named value");
                let help = "write the text itself: what callers must send is said here";
                self.fail("KL0104", message, &item.range, "not plain", help);
            }
        }
    }

    fn apis(&mut self) {
        let Some(entry) = self.document.spec.get("from").and_then(|f| f.entry("apis")) else {
            return;
        };
        if matches!(entry.node.value, Value::List(_)) && entry.node.items().is_empty() {
            let message = "`apis` is empty, so nothing reaches the target";
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

    /// What `to` names: a database, an HTTP service, or nothing that can be told.
    fn target(&mut self) -> Option<Target> {
        let to = self.document.spec.entry("to")?;
        if !matches!(to.node.value, Value::Map(_)) {
            return None;
        }
        let first = |keys: &[&str]| keys.iter().find_map(|key| to.node.entry(key));
        match (first(&SQL), first(&HTTP)) {
            (Some(_), Some(http)) => {
                let message = "`to` names a database and an HTTP service";
                let help = "write one Access for each";
                self.fail("KL0113", message, &http.at, "beside a database", help);
                None
            }
            (None, None) => {
                let message = "`to` names neither a database nor an HTTP service";
                let help = "write `to: { server, database }` or `to: { url, audience, accepts }`";
                self.fail("KL0105", message, &to.at, "nothing is reached", help);
                None
            }
            (Some(_), None) => Some(Target::Sql),
            (None, Some(_)) => Some(Target::Http),
        }
    }

    fn sql(&mut self) {
        let document = self.document;
        self.needs("to", "server", "the name of a SqlServer document");
        self.needs("to", "database", "the database's own name");
        if document.spec.entry("role").is_none() {
            let message = "`spec` has no `role`, which an Access to a database needs";
            let help = "add `role`: reader, writer, executor or custom";
            self.fail(
                "KL0105",
                message,
                &document.spec_at,
                "`role` is missing",
                help,
            );
        }
        if let Some(user) = document.spec.get("identity").and_then(|i| i.entry("user")) {
            // azure-facts B.4, the row of `sql-data-source`.
            let message = "a database is reached with the system-assigned identity only: \
                           `sql-data-source` knows no other";
            let help = "write `identity: system`, or leave it out";
            self.fail("KL0113", message, &user.at, "user-assigned", help);
        }
        self.replaces_only(&["namedValue", "sqlLogin", "sqlUser"], "a database");
        self.rights();
    }

    /// A key that the object at `parent` must have for this kind of target.
    pub(super) fn needs(&mut self, parent: &str, key: &str, about: &str) {
        let Some(entry) = self.document.spec.entry(parent) else {
            return;
        };
        if entry.node.entry(key).is_none() {
            let message = format!("`spec.{parent}` has no `{key}`");
            let label = format!("`{key}` is missing");
            let help = format!("add `{key}`: {about}");
            self.fail("KL0105", message, &entry.at, &label, help);
        }
    }

    /// Credentials that cannot be those of such a target.
    pub(super) fn replaces_only(&mut self, keys: &[&str], target: &str) {
        let replaces = self.document.spec.get("replaces");
        for entry in replaces.map_or(&[][..], Node::items) {
            for one in entry.entries() {
                let known = ["namedValue", "backend", "sqlLogin", "sqlUser"];
                if known.contains(&one.key.as_str()) && !keys.contains(&one.key.as_str()) {
                    let message = format!("`{}` is no credential of {target}", one.key);
                    let help = format!("name one of {}", keys.join(", "));
                    self.fail("KL0113", message, &one.at, "of another target", help);
                }
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
        let canary = prove.get("canary").and_then(Node::text);
        let sends = matches!(canary, Some("revision" | "url"));
        match (sends, prove.entry("request")) {
            (true, None) => {
                let message = format!(
                    "`canary: {}` needs a `request` to send",
                    canary.unwrap_or_default()
                );
                let help = match canary {
                    Some("url") => "add `request: { method: GET, url: https://… }`",
                    _ => "add `request: { method: POST, path: /graphql, body: … }`",
                };
                self.fail("KL0105", message, at, "`request` is missing", help);
            }
            (false, Some(entry)) => {
                let message = "`request` is never sent: `canary` is none";
                let help = "add `canary: revision`, or take `request` out";
                self.fail("KL0113", message, &entry.at, "never sent", help);
            }
            _ => {}
        }
        if let Some(entry) = prove.entry("request") {
            let request = &entry.node;
            self.path(request.get("path"));
            self.request_url(canary, request, &entry.at);
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

    /// A URL is asked for by its canary, and only by that.
    fn request_url(&mut self, canary: Option<&str>, request: &Node, at: &Range<usize>) {
        match (canary == Some("url"), request.entry("url")) {
            (true, None) => {
                let message = "`canary: url` needs the `url` that the request goes to";
                let help = "add `url` to the request: https, with host and path";
                self.fail("KL0105", message, at, "`url` is missing", help);
            }
            (false, Some(entry)) => {
                let message = "`url` is for `canary: url` only";
                let help = "write `canary: url`, or a `path` below the API";
                self.fail("KL0113", message, &entry.at, "with another canary", help);
            }
            (true, Some(entry)) => {
                self.https(&entry.node, "url", true);
                let help = "keep one of them: `url` is the whole of it";
                self.not_both(request, "path", "url", help);
            }
            (false, None) => {}
        }
    }

    /// One of three ways.
    fn auth(&mut self, auth: &Node, at: &Range<usize>) {
        if !matches!(auth.value, Value::Map(_)) {
            return;
        }
        self.environment(auth.get("env"));
        self.not_blank(Some(auth), "audience");
        let key = ["header", "env"].iter().find_map(|k| auth.entry(k));
        let ways = [key, auth.entry("subscription"), auth.entry("audience")];
        let given: Vec<_> = ways.into_iter().flatten().collect();
        let help = "write `{ header, env }`, `{ subscription }` or `{ audience }`";
        match given[..] {
            [] => {
                let message = "`auth` names no way to authenticate";
                self.fail("KL0105", message, at, "nothing is named", help);
            }
            [_] => {}
            [_, second, ..] => {
                let message = "`auth` names more than one way to authenticate";
                self.fail("KL0113", message, &second.at, "another one", help);
            }
        }
        for key in ["header", "env"] {
            if given.len() == 1 && given[0].key != key && auth.entry(key).is_none() {
                let pair = ["header", "env"].contains(&given[0].key.as_str());
                if pair {
                    let message = format!("`auth` has no `{key}`");
                    let help = "give the `header` that carries the key and the `env` that holds it";
                    self.fail("KL0105", message, at, &format!("`{key}` is missing"), help);
                }
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

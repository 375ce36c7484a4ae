//! What the fields of one document mean together.
//!
//! Runs beside `check.rs` and takes nothing for granted: a field of a wrong type is passed over
//! here, because it is reported there.

mod access;
mod apim;
mod body;
mod http;
mod roles;
mod server;

use std::ops::Range;

use keyless_model::Diagnostic;
use keyless_model::sql::Securable;

use crate::credential;
use crate::document::Document;
use crate::node::{Node, Value};
use crate::scalar::{Meaning, Scalar, shown};

/// Reports contradictions inside a document.
pub(crate) fn document(document: &Document<'_>, found: &mut Vec<Diagnostic>) {
    let mut rules = Rules { document, found };
    match document.kind.name {
        "Gateway" => rules.prunes_what_it_owns(),
        "SqlServer" => rules.server(),
        "SqlDatabase" => rules.database(),
        "NamedValue" => rules.named_value(),
        "Backend" => rules.backend(),
        "Api" => rules.api(),
        "Operation" => rules.operation(),
        "Policy" => rules.policy(),
        "PolicyFragment" => rules.one_text(document.spec, &document.spec_at),
        "Product" => rules.product(),
        "RoleAssignment" => rules.role_assignment(),
        "FirewallRule" => rules.firewall_rule(),
        "Resolver" => rules.resolver(),
        "SqlUser" => rules.user(),
        "SqlRole" => rules.role(),
        "SqlGrant" => {
            rules.own_name("the grantee", document.spec.get("to"));
            rules.grant(document.spec, "column");
        }
        "Access" => rules.access(),
        _ => {}
    }
}

struct Rules<'d, 'f> {
    document: &'d Document<'d>,
    found: &'f mut Vec<Diagnostic>,
}

impl Rules<'_, '_> {
    fn fail(
        &mut self,
        code: &'static str,
        message: impl Into<String>,
        at: &Range<usize>,
        label: &str,
        help: impl Into<String>,
    ) {
        self.found
            .push(self.document.error(code, message, at, label).help(help));
    }

    /// Both keys stand there.
    fn not_both(&mut self, node: &Node, a: &str, b: &str, help: &str) -> bool {
        let (Some(_), Some(entry)) = (node.entry(a), node.entry(b)) else {
            return false;
        };
        let message = format!("`{a}` and `{b}` cannot both be given");
        self.fail("KL0113", message, &entry.at, &format!("beside `{a}`"), help);
        true
    }

    fn not_blank(&mut self, node: Option<&Node>, key: &str) {
        let Some(value) = node.and_then(|n| n.get(key)) else {
            return;
        };
        if value.text().is_some_and(|t| t.trim().is_empty()) {
            let message = format!("`{key}` is empty");
            self.fail("KL0104", message, &value.range, "empty", "write a value");
        }
    }

    fn named_value(&mut self) {
        let spec = self.document.spec;
        self.not_blank(spec.get("valueFrom"), "env");
        self.environment(spec.get("valueFrom").and_then(|v| v.get("env")));
        self.types(body::NAMED_VALUE);
        self.key_vault();
        let Some(properties) = spec.get("properties") else {
            return;
        };
        let given = |key: &str| properties.entry(key).filter(|e| !is_null(&e.node));
        let source = spec.entry("valueFrom");
        if let (Some(value), Some(secret)) = (given("value"), given("secret"))
            && is_true(&secret.node)
            && !value.node.text().is_some_and(credential::suspicious)
        {
            self.fail(
                "KL0110",
                "the value of a secret named value stands in the manifest",
                &value.at,
                "a secret's value",
                "use `valueFrom: { env: … }` or `keyVault` instead, and replace the secret: it is \
                 no longer one",
            );
        }
        for key in ["value", "keyVault"] {
            if let (Some(_), Some(source)) = (given(key), source) {
                let message = format!("`valueFrom` and `properties.{key}` cannot both be given");
                let label = format!("beside `{key}`");
                self.fail("KL0113", message, &source.at, &label, "keep one of them");
            }
        }
        if let (Some(_), Some(vault)) = (given("value"), given("keyVault")) {
            let message = "`value` and `keyVault` cannot both be given";
            self.fail(
                "KL0113",
                message,
                &vault.at,
                "beside `value`",
                "keep one of them",
            );
        }
    }

    fn policy(&mut self) {
        let document = self.document;
        self.one_text(document.spec, &document.spec_at);
        let Some(scope) = document.spec.get("scope") else {
            return;
        };
        self.revision(scope.get("api"));
        if let (Some(product), Some(_)) = (
            scope.entry("product"),
            scope.entry("api").or(scope.entry("operation")),
        ) {
            let message = "`product` stands alone: a product's policy is of no one API";
            let help = "take it or the API out";
            self.fail("KL0113", message, &product.at, "beside an API", help);
        }
        if let (Some(entry), None) = (scope.entry("operation"), scope.entry("api")) {
            self.fail(
                "KL0113",
                "`operation` needs `api`: an operation belongs to an API",
                &entry.at,
                "without `api`",
                "add the API's name",
            );
        }
    }

    fn resolver(&mut self) {
        let spec = self.document.spec;
        self.revision(spec.get("api"));
        self.types(body::RESOLVER);
        if let Some(entry) = spec.entry("policy") {
            self.one_text(&entry.node, &entry.at);
        }
    }

    /// `file` or `inline`, and one of them.
    fn one_text(&mut self, holder: &Node, at: &Range<usize>) {
        let both = self.not_both(holder, "file", "inline", "keep one of them");
        let none = holder.entry("file").is_none() && holder.entry("inline").is_none();
        if !both && none && matches!(holder.value, Value::Map(_)) {
            self.fail(
                "KL0105",
                "the policy has neither `file` nor `inline`",
                at,
                "no policy text",
                "add `file` with a path relative to this manifest, or `inline`",
            );
        }
    }

    /// An API's name may end in `;rev=n`.
    fn revision(&mut self, api: Option<&Node>) {
        let Some((node, text)) = api.and_then(|n| n.text().map(|t| (n, t))) else {
            return;
        };
        let Some((name, revision)) = text.split_once(';') else {
            return;
        };
        let number = revision.strip_prefix("rev=").unwrap_or_default();
        let good = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
        if name.is_empty() || !good {
            let message = format!("{} is not the name of an API or a revision", shown(text));
            let help = "write a revision as `orders;rev=2`";
            self.fail("KL0109", message, &node.range, "bad name", help);
        }
    }

    fn user(&mut self) {
        let document = self.document;
        let spec = document.spec;
        let keys = ["clientId", "objectId", "gateway", "identity"];
        let given: Vec<_> = keys.iter().filter_map(|k| spec.entry(k)).collect();
        let help =
            "say who the user is with one of `clientId`, `objectId`, `gateway` and `identity`";
        match given[..] {
            [] => {
                let message = "the user has no identity";
                self.fail(
                    "KL0105",
                    message,
                    &document.spec_at,
                    "nobody is named",
                    help,
                );
            }
            [_] => {}
            [_, second, ..] => {
                let message = "the user has more than one identity";
                self.fail("KL0113", message, &second.at, "another one", help);
            }
        }
        if let (Some(entry), None) = (spec.entry("type"), spec.entry("objectId")) {
            let message = "`type` says what `objectId` is the id of, and there is none";
            let help = "take `type` out, or give the `objectId`";
            self.fail("KL0113", message, &entry.at, "without `objectId`", help);
        }
        self.own_name("the name", spec.get("name"));
    }

    fn role(&mut self) {
        let spec = self.document.spec;
        self.own_name("the role", spec.get("name"));
    }

    /// Names that begin like the roles which keyless makes.
    fn own_name(&mut self, what: &str, name: Option<&Node>) {
        let Some((node, text)) = name.and_then(|n| n.text().map(|t| (n, t))) else {
            return;
        };
        if text.to_ascii_lowercase().starts_with("keyless_") {
            let message = format!("{what} {} begins with “keyless_”", shown(text));
            let help = "use another name: those belong to the roles of Accesses";
            self.fail("KL0113", message, &node.range, "kept for Accesses", help);
        }
    }

    /// One permission on one securable, with columns or without.
    fn grant(&mut self, rule: &Node, columns: &str) {
        let permission = rule
            .get("permission")
            .and_then(|n| n.text().map(|t| (n, t)));
        if let Some((node, text)) = permission {
            let word = |w: &str| !w.is_empty() && w.bytes().all(|b| b.is_ascii_alphabetic());
            if text.len() > 60 || !text.split(' ').all(word) {
                let message = format!("`permission` is {}", shown(text));
                let help =
                    "write a permission as T-SQL names it, such as SELECT or VIEW DEFINITION";
                self.fail("KL0104", message, &node.range, "not a permission", help);
            }
        }
        let on = rule.get("on").and_then(|n| n.text().map(|t| (n, t)));
        let Some((node, text)) = on else { return };
        let securable = text.parse::<Securable>().ok();
        let Some(securable) = securable.filter(|s| !matches!(s, Securable::Other(_))) else {
            let message = format!("`on` is {}, which names no securable", shown(text));
            let help = "write DATABASE, SCHEMA::dbo or OBJECT::dbo.Orders";
            return self.fail("KL0104", message, &node.range, "not a securable", help);
        };
        let Some(entry) = rule.entry(columns) else {
            return;
        };
        if matches!(entry.node.value, Value::List(_)) && entry.node.items().is_empty() {
            return;
        }
        if !matches!(securable, Securable::Object { .. }) {
            let message = format!("`{columns}` needs a table or view: `on` is {}", shown(text));
            let help = "write `on: OBJECT::schema.name`, or take the columns out";
            return self.fail("KL0113", message, &entry.at, "without an object", help);
        }
        let by_column = ["SELECT", "UPDATE", "REFERENCES"];
        if let Some((_, text)) = permission
            && !by_column.iter().any(|p| p.eq_ignore_ascii_case(text))
        {
            let message = format!("{} cannot be given for a column", shown(text));
            let help = "only SELECT, UPDATE and REFERENCES can";
            self.fail("KL0113", message, &entry.at, "not for columns", help);
        }
    }

    /// The value is not shown: it may be the secret instead of its variable's name.
    fn environment(&mut self, env: Option<&Node>) {
        let Some((node, text)) = env.and_then(|n| n.text().map(|t| (n, t))) else {
            return;
        };
        let letter = |b: u8| b.is_ascii_alphabetic() || b == b'_';
        let good = text.bytes().all(|b| letter(b) || b.is_ascii_digit())
            && text.bytes().next().is_none_or(letter);
        if !good {
            let message = "`env` is not the name of an environment variable";
            let help = "write the variable's name, such as PROBE_KEY, never its value";
            self.fail(
                "KL0104",
                message,
                &node.range,
                "not a variable's name",
                help,
            );
        }
    }
}

fn meaning(node: &Node) -> Option<Meaning<'_>> {
    node.scalar().map(Scalar::meaning)
}

fn is_true(node: &Node) -> bool {
    meaning(node) == Some(Meaning::Bool(true))
}

fn is_false(node: &Node) -> bool {
    meaning(node) == Some(Meaning::Bool(false))
}

fn is_null(node: &Node) -> bool {
    meaning(node) == Some(Meaning::Null)
}

fn is_empty_list(node: &Node) -> bool {
    matches!(node.value, Value::List(_)) && node.items().is_empty()
}

//! What is wrong with the structure of a policy, whatever it holds: statements
//! where API Management refuses or skips them, and tokens that get lost or seen.
//!
//! Each rule says where its fact stands. A rule that cannot be sure says
//! nothing: which attributes and elements exist is left to the service.

use std::collections::BTreeSet;

use crate::document::Document;
use crate::{ElementPath, ElementRef};

/// Longest policy, in bytes; a fragment may be longer (azure-facts B.4).
const MAX_POLICY: usize = 256 * 1024;

const SECTIONS: [&str; 4] = ["inbound", "backend", "outbound", "on-error"];

/// The roots of a resolver's policy (azure-facts B.4).
const DATA_SOURCES: [&str; 3] = [
    "sql-data-source",
    "cosmosdb-data-source",
    "http-data-source",
];

/// Elements that put what they are given into a log, a cache or an answer
/// (azure-facts B.4, "leak sinks").
const SINKS: [&str; 5] = [
    "log-to-eventhub",
    "emit-metric",
    "trace",
    "return-response",
    "cache-store-value",
];

const TOKEN: &str = "authentication-managed-identity";

/// Something that is wrong at one place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lint {
    /// A permanent code.
    pub code: &'static str,
    /// The element.
    pub path: ElementPath,
    /// Its line and column, from 1.
    pub line: (usize, usize),
    /// What is wrong. Holds no value of the document.
    pub message: String,
    /// What to do about it.
    pub help: &'static str,
}

/// Everything that is wrong, in the order of the document.
pub fn lints(document: &Document) -> Vec<Lint> {
    let mut out = Vec::new();
    size(document, &mut out);
    match document.root().name() {
        "policies" => sections(document.root(), &mut out),
        "fragment" => fragment(document, &mut out),
        name if DATA_SOURCES.contains(&name) => {}
        _ => root(document.root(), &mut out),
    }
    for element in document.elements() {
        token(element, &mut out);
        place(element, &mut out);
    }
    leaks(document, &mut out);
    out.sort_by_key(|lint| lint.line);
    out
}

fn lint(code: &'static str, element: ElementRef<'_>, message: String, help: &'static str) -> Lint {
    Lint {
        code,
        path: element.path(),
        line: element.line_column(),
        message,
        help,
    }
}

/// Microsoft docs, "API Management limits" (azure-facts B.4).
fn size(document: &Document, out: &mut Vec<Lint>) {
    let bytes = document.text().len();
    if document.root().name() == "policies" && bytes > MAX_POLICY {
        let message = format!("the policy has {bytes} bytes, and the service takes {MAX_POLICY}");
        let help = "move parts of it into policy fragments";
        out.push(lint("KL0601", document.root(), message, help));
    }
}

/// Microsoft docs, "Policies in Azure API Management", "Reuse policy configurations" and
/// "Configure a GraphQL resolver": what a document of each sort is made of.
fn root(root: ElementRef<'_>, out: &mut Vec<Lint>) {
    let message = format!(
        "this is no policy: its root is <{}>, no `policies` or `fragment`",
        root.name()
    );
    let help = "make `policies`, `fragment` or, in a resolver, its data source the root";
    out.push(lint("KL0602", root, message, help));
}

/// Microsoft docs, "Policies in Azure API Management": four sections, each once.
fn sections(root: ElementRef<'_>, out: &mut Vec<Lint>) {
    let mut seen = BTreeSet::new();
    for section in root.children() {
        let name = section.name();
        if !SECTIONS.contains(&name) {
            let message = format!("<{name}> is no section of a policy");
            let help = "put it into inbound, backend, outbound or on-error";
            out.push(lint("KL0602", section, message, help));
        } else if !seen.insert(name) {
            let message = format!("the section <{name}> stands twice");
            out.push(lint("KL0602", section, message, "make one section of both"));
        }
    }
}

/// Microsoft docs, "Reuse policy configurations": a fragment has no sections, no
/// `<base />` and no fragments (azure-facts B.4).
fn fragment(document: &Document, out: &mut Vec<Lint>) {
    for element in document.elements() {
        let at_top = element
            .parent()
            .is_some_and(|parent| parent.parent().is_none());
        let what = match element.name() {
            "base" => "<base /> has no meaning in a fragment",
            "include-fragment" => "a fragment includes no other",
            name if at_top && SECTIONS.contains(&name) => "a fragment has no sections",
            _ => continue,
        };
        let help = "write it in the policy that includes the fragment";
        out.push(lint("KL0603", element, what.to_owned(), help));
    }
}

/// The page of `authentication-managed-identity` (azure-facts B.4).
fn token(element: ElementRef<'_>, out: &mut Vec<Lint>) {
    if element.name() != TOKEN {
        return;
    }
    if element
        .attribute("client-id")
        .is_some_and(|a| a.is_expression)
    {
        let message = "client-id takes no expression".to_owned();
        let help = "write the client id itself, or a named value";
        out.push(lint("KL0604", element, message, help));
    }
    let ignored = element.attribute("ignore-error");
    if ignored.is_some_and(|a| a.value.trim().eq_ignore_ascii_case("true")) {
        let message = "a token that cannot be had is passed over, and the call goes on without one";
        let help = "leave ignore-error out, so that the failure is seen";
        out.push(lint("KL0605", element, message.to_owned(), help));
    }
}

/// Statements that work in one place only: the pages of
/// `authentication-managed-identity`, `validate-azure-ad-token` and the data
/// sources of resolvers (azure-facts B.4).
fn place(element: ElementRef<'_>, out: &mut Vec<Lint>) {
    let around: Vec<&str> = std::iter::successors(element.parent(), |e| e.parent())
        .map(|e| e.name())
        .collect();
    let [inner @ .., "policies"] = around.as_slice() else {
        return;
    };
    let own_request = inner.iter().any(|name| name.starts_with("send-"));
    let section = inner.last().copied().unwrap_or_default();
    let elsewhere = SECTIONS.contains(&section) && section != "inbound";
    let name = element.name();
    let (message, help) = match name {
        TOKEN if elsewhere && !own_request => (
            format!("<{name}> works in inbound only"),
            "move it into inbound",
        ),
        "validate-azure-ad-token" if elsewhere => (
            format!("<{name}> works in inbound only"),
            "move it into inbound",
        ),
        name if DATA_SOURCES.contains(&name) => {
            let help = "make it the root of the policy of a resolver";
            (
                format!("<{name}> is for resolvers of GraphQL APIs only"),
                help,
            )
        }
        _ => return,
    };
    out.push(lint("KL0606", element, message, help));
}

/// A variable that holds a token, named where its value is kept or shown.
fn leaks(document: &Document, out: &mut Vec<Lint>) {
    let elements = document.elements();
    let tokens = elements.iter().filter(|e| e.name() == TOKEN);
    let kept = tokens.filter_map(|e| e.attribute("output-token-variable-name"));
    let quoted: Vec<String> = kept.map(|a| format!("\"{}\"", a.value)).collect();
    if quoted.is_empty() {
        return;
    }
    for element in elements {
        let is_sink = |e: &ElementRef| SINKS.contains(&e.name());
        let Some(sink) = std::iter::successors(Some(element), |e| e.parent()).find(is_sink) else {
            continue;
        };
        let names = |text: &str| quoted.iter().any(|name| text.contains(name.as_str()));
        let attributes = element.attributes();
        if element.text().is_some_and(|text| names(&text))
            || attributes
                .iter()
                .any(|a| a.is_expression && names(&a.value))
        {
            let message = format!("<{}> is given the variable that holds a token", sink.name());
            let help = "send the token to the service that it is for and nowhere else";
            out.push(lint("KL0607", element, message, help));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<(&'static str, String)> {
        let document = Document::parse(text).unwrap();
        let lints = lints(&document).into_iter();
        lints
            .map(|lint| (lint.code, lint.path.to_string()))
            .collect()
    }

    fn policy(section: &str, inside: &str) -> String {
        format!("<policies><{section}>{inside}</{section}></policies>")
    }

    #[test]
    fn a_policy_as_it_should_be_has_none() {
        let token = "<authentication-managed-identity resource=\"https://a.example\" client-id=\"{{id}}\" \
                     output-token-variable-name=\"t\" />";
        let request = format!("<send-request>{token}</send-request>");
        let uses = "<set-header name=\"Authorization\"><value>@((string)context.Variables[\"t\"])</value></set-header>";
        assert_eq!(
            found(&policy(
                "inbound",
                &format!("<base />{token}{uses}<trace>x</trace>")
            )),
            []
        );
        assert_eq!(found(&policy("outbound", &request)), []);
        assert_eq!(found("<fragment><set-header name=\"a\" /></fragment>"), []);
        assert_eq!(found("<sql-data-source><x/></sql-data-source>"), []);
    }

    #[test]
    fn each_rule_finds_its_place() {
        let at = |code, path: &str| vec![(code, path.to_owned())];
        assert_eq!(
            found("<policies><set-header/></policies>"),
            at("KL0602", "/policies/set-header")
        );
        assert_eq!(
            found("<policies><inbound/><inbound/></policies>"),
            at("KL0602", "/policies/inbound[2]")
        );
        for other in ["<inbound/>", "<Policies/>", "<html><body/></html>"] {
            assert_eq!(found(other)[0].0, "KL0602", "{other}");
        }
        for name in ["base", "inbound", "include-fragment"] {
            let text = format!("<fragment><{name}/></fragment>");
            assert_eq!(found(&text), at("KL0603", &format!("/fragment/{name}")));
        }
        let id = "<authentication-managed-identity client-id=\"@(x)\" />";
        assert_eq!(found(&policy("inbound", id))[0].0, "KL0604");
        let ignored = "<authentication-managed-identity ignore-error=\"true\" />";
        assert_eq!(found(&policy("inbound", ignored))[0].0, "KL0605");
        for inside in [
            "<authentication-managed-identity/>",
            "<validate-azure-ad-token/>",
        ] {
            assert_eq!(found(&policy("backend", inside))[0].0, "KL0606");
        }
        assert_eq!(
            found(&policy("inbound", "<sql-data-source/>"))[0].0,
            "KL0606"
        );
        let long = policy("inbound", &" ".repeat(MAX_POLICY));
        assert_eq!(found(&long), at("KL0601", "/policies"));
    }

    #[test]
    fn a_token_in_a_log_is_found() {
        let token = "<authentication-managed-identity output-token-variable-name=\"t\" />";
        let log =
            "<trace source=\"x\"><message>@(\"\" + context.Variables[\"t\"])</message></trace>";
        let leak = found(&policy("inbound", &format!("{token}{log}")));
        assert_eq!(
            leak,
            [("KL0607", "/policies/inbound/trace/message".to_owned())]
        );
        assert_eq!(found(&policy("inbound", log)), []);
    }
}

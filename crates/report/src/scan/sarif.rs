//! Findings of a scan as SARIF 2.1.0 (OASIS, "Static Analysis Results Interchange Format"), for
//! code scanning and for editors.
//!
//! A finding stands in Azure and not in a file. Where a manifest declares the thing, the place is
//! that document, so that a reviewer sees it beside the line; else it is the address as a relative
//! URI. The address and the element's path are told as a logical location either way.

use std::collections::BTreeMap;

use keyless_model::{Address, Desired, Severity, Span, codes};
use keyless_scan::{Confidence, Finding, Unsearched};
use serde_json::{Map, Value, json};

/// The schema that the log keeps to.
const SCHEMA: &str = "https://json.schemastore.org/sarif-2.1.0.json";

/// The findings as a log of one run.
pub fn scan_sarif(findings: &[Finding], unread: &[Unsearched], desired: Option<&Desired>) -> Value {
    let declared = desired.map(declared).unwrap_or_default();
    let mut rules: BTreeMap<&str, Severity> = BTreeMap::new();
    for finding in findings {
        let worst = rules.entry(finding.rule).or_insert(Severity::Info);
        *worst = finding.severity.max(*worst);
    }
    let codes: Vec<&str> = rules.keys().copied().collect();
    let results = findings.iter().map(|f| result(f, &codes, &declared));
    let notes: Vec<Value> = unread.iter().map(notification).collect();
    json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "keyless",
                "version": env!("CARGO_PKG_VERSION"),
                "rules": rules.iter().map(|(code, worst)| rule(code, *worst)).collect::<Vec<_>>(),
            }},
            "columnKind": "unicodeCodePoints",
            "invocations": [{
                "executionSuccessful": true,
                "toolExecutionNotifications": notes,
            }],
            "results": results.collect::<Vec<_>>(),
        }],
    })
}

/// Microsoft's page on what replaces the credential, or on the thing itself.
fn page(code: &str) -> Option<&'static str> {
    Some(match code {
        "KL0401" | "KL0402" | "KL0403" | "KL0404" => {
            "https://learn.microsoft.com/azure/api-management/sql-data-source-policy"
        }
        "KL0405" | "KL0406" | "KL0407" => {
            "https://learn.microsoft.com/azure/azure-sql/database/authentication-azure-ad-only-authentication"
        }
        "KL0408" | "KL0409" => {
            "https://learn.microsoft.com/azure/api-management/authentication-managed-identity-policy"
        }
        "KL0410" | "KL0413" => {
            "https://learn.microsoft.com/azure/api-management/api-management-howto-properties"
        }
        "KL0411" | "KL0412" => "https://learn.microsoft.com/azure/api-management/backends",
        "KL0414" => {
            "https://learn.microsoft.com/azure/api-management/api-management-howto-app-insights"
        }
        "KL0418" | "KL0419" => {
            "https://learn.microsoft.com/azure/azure-sql/database/firewall-configure"
        }
        "KL0420" => "https://learn.microsoft.com/azure/azure-sql/database/auditing-overview",
        _ => return None,
    })
}

fn rule(code: &str, worst: Severity) -> Value {
    let mut rule = json!({
        "id": code,
        "defaultConfiguration": { "level": level(worst) },
        "properties": { "tags": ["security", "credentials"], "security-severity": score(worst) },
    });
    if let Some(known) = codes::find(code) {
        rule["shortDescription"] = json!({ "text": known.title });
        rule["fullDescription"] = json!({ "text": known.about });
        let help = format!("{}\n\n`keyless explain {code}` says the same.", known.about);
        rule["help"] = json!({ "text": help });
    }
    if let Some(page) = page(code) {
        rule["helpUri"] = json!(page);
    }
    rule
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical | Severity::High => "error",
        Severity::Warning => "warning",
        Severity::Info => "note",
    }
}

/// What GitHub sorts by: over 9 is critical, over 7 high, over 4 medium (its docs, "SARIF support
/// for code scanning").
fn score(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "9.5",
        Severity::High => "8.0",
        Severity::Warning => "5.0",
        Severity::Info => "1.0",
    }
}

fn result(finding: &Finding, codes: &[&str], declared: &BTreeMap<Address, Span>) -> Value {
    let sure = match finding.confidence {
        Confidence::Certain => "certain",
        Confidence::Likely => "likely",
        Confidence::Possible => "possible",
    };
    let mut properties = Map::new();
    properties.insert("severity".into(), json!(finding.severity.word()));
    properties.insert("confidence".into(), json!(sure));
    properties.insert("address".into(), json!(finding.address));
    properties.insert("replacement".into(), json!(finding.replacement));
    if let Some(opens) = &finding.opens {
        properties.insert("opens".into(), json!(opens));
    }
    if let Some(through) = &finding.through {
        properties.insert("through".into(), json!(through));
    }
    json!({
        "ruleId": finding.rule,
        "ruleIndex": codes.iter().position(|c| *c == finding.rule),
        "level": level(finding.severity),
        "message": { "text": message(finding) },
        "locations": [location(finding, declared)],
        // Made of rule, place and what is opened; nothing of the credential.
        "partialFingerprints": { "keylessFinding/v1": finding.id },
        "properties": properties,
    })
}

fn message(finding: &Finding) -> String {
    let mut text = format!("{}: {}", finding.address, finding.what);
    if let Some(opens) = &finding.opens {
        text.push_str(&format!("; it opens {}", opens.server));
        let inside = [("database", &opens.database), ("as", &opens.login)];
        for (word, name) in inside {
            if let Some(name) = name {
                text.push_str(&format!(", {word} {name}"));
            }
        }
    }
    format!("{text}. Instead: {}", finding.replacement)
}

fn location(finding: &Finding, declared: &BTreeMap<Address, Span>) -> Value {
    let around = std::iter::successors(Some(finding.address.clone()), Address::parent);
    let span = around.into_iter().find_map(|a| declared.get(&a));
    let (uri, region) = match span {
        // A colon in the first segment would make a scheme of it.
        Some(span) => {
            let file = path(&span.file.replace('\\', "/")).replace(':', "%3A");
            (file, Some((span.line, span.column)))
        }
        None => (
            format!("azure/{}", path(finding.address.as_str())),
            finding.line,
        ),
    };
    let mut physical = json!({ "artifactLocation": { "uri": uri } });
    if let Some((line, column)) = region {
        physical["region"] = json!({ "startLine": line, "startColumn": column });
    }
    let whole = match (finding.place.as_str(), finding.line) {
        ("", _) => finding.address.to_string(),
        (place, Some((line, column))) => format!("{}#{place}:{line}:{column}", finding.address),
        (place, None) => format!("{}#{place}", finding.address),
    };
    let name = finding.place.rsplit('/').next().filter(|n| !n.is_empty());
    json!({
        "physicalLocation": physical,
        "logicalLocations": [{
            "name": name.unwrap_or(finding.address.last().1),
            "fullyQualifiedName": whole,
        }],
    })
}

/// A relative path as a URI (RFC 3986): what may not stand in a segment is escaped.
fn path(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => out.push(char::from(byte)),
            b'/' | b'-' | b'.' | b'_' | b'~' | b':' | b'@' | b'=' | b';' => {
                out.push(char::from(byte));
            }
            byte => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

fn notification(unread: &Unsearched) -> Value {
    let text = format!("{} was not searched: {}", unread.address, unread.why);
    json!({ "level": "warning", "message": { "text": text } })
}

/// Where each thing in Azure is declared.
fn declared(desired: &Desired) -> BTreeMap<Address, Span> {
    let mut out = BTreeMap::new();
    for (name, one) in &desired.gateways {
        out.insert(Address::gateway(name), one.span.clone());
    }
    for (name, one) in &desired.servers {
        out.insert(Address::server(name), one.span.clone());
    }
    for one in desired.policies.values() {
        out.insert(one.scope.address(&one.gateway), one.span.clone());
    }
    for one in desired.resolvers.values() {
        out.insert(one.address(), one.span.clone());
    }
    for one in desired.resources.values() {
        out.insert(one.address.clone(), one.span.clone());
    }
    for one in desired.named_values.values() {
        let address = Address::gateway(&one.gateway).child("namedValue", &one.name);
        out.insert(address, one.span.clone());
    }
    out
}

#[cfg(test)]
pub(super) mod tests;

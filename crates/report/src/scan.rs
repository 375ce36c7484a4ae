//! Findings of a scan, worst first.

use std::collections::BTreeMap;

use keyless_scan::{Finding, Unsearched};

use crate::style::{Style, Tone, counted};

/// Lays the findings out, and the scopes that could not be searched, with the reason of each.
pub fn scan(findings: &[Finding], unread: &[Unsearched], style: &Style) -> String {
    let mut out = String::new();
    // What to do instead is told where it comes first; a whole estate needs the same few answers.
    let mut told: BTreeMap<&str, &str> = BTreeMap::new();
    for finding in findings {
        let place = match finding.line {
            Some((line, column)) => format!("{}:{line}:{column}", finding.address),
            None => finding.address.to_string(),
        };
        let severity = style.severity(finding.severity);
        out.push_str(&format!(
            "{severity} {} {place}\n",
            style.paint(Tone::Faint, finding.rule)
        ));
        if !finding.place.is_empty() {
            let at = format!("at {}", finding.place);
            out.push_str(&format!("  {}\n", style.paint(Tone::Faint, &at)));
        }
        out.push_str(&style.wrapped(2, &finding.what));
        if let Some(opens) = &finding.opens {
            let parts = [
                Some(format!("server {}", opens.server)),
                opens.database.as_ref().map(|d| format!("database {d}")),
                opens.login.as_ref().map(|l| format!("login {l}")),
            ];
            let parts: Vec<String> = parts.into_iter().flatten().collect();
            if !parts.is_empty() {
                out.push_str(&style.wrapped(2, &format!("opens: {}", parts.join(", "))));
            }
        }
        let first = told.get(finding.replacement.as_str()).copied();
        let instead = match first {
            None => format!("instead: {}", finding.replacement),
            Some(rule) => format!("instead: as for {rule} above"),
        };
        told.entry(&finding.replacement).or_insert(finding.rule);
        out.push_str(&style.wrapped(2, &instead));
        out.push('\n');
    }
    for row in unread {
        let mark = style.paint(Tone::Changed, "not searched");
        out.push_str(&format!("{mark} {}\n", row.address));
        out.push_str(&style.wrapped(2, &row.why));
        out.push('\n');
    }
    let found = counted(findings.len(), "finding", "findings");
    if unread.is_empty() {
        out.push_str(&format!("{found}.\n"));
    } else {
        let unread = counted(unread.len(), "place", "places");
        out.push_str(&format!("{found}; {unread} could not be searched.\n"));
    }
    out
}

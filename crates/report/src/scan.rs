//! Findings of a scan, worst first.

mod markdown;
mod sarif;

pub use markdown::scan_markdown;
pub use sarif::scan_sarif;

use std::cmp::Reverse;
use std::collections::BTreeMap;

use keyless_model::Severity;
use keyless_scan::{Finding, Unsearched};

use crate::style::{Style, Tone, counted};

/// Lays the findings out, and the scopes that could not be searched, with the reason of each.
pub fn scan(findings: &[Finding], unread: &[Unsearched], style: &Style) -> String {
    let mut out = String::new();
    let mut answers = Answers::of(findings);
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
            out.push_str(&style.wrapped(2, &format!("opens: {}", parts.join(", "))));
        }
        out.push_str(&style.wrapped(2, &answers.told(&finding.replacement)));
        out.push('\n');
    }
    unsearched(&mut out, unread, style);
    out.push_str(&style.wrapped(0, &sum(findings, unread)));
    out
}

/// What to do instead. A whole estate needs the same few answers: one that is needed again gets a
/// number where it comes first, and only the number after that.
struct Answers<'a> {
    needed: BTreeMap<&'a str, usize>,
    numbers: BTreeMap<&'a str, usize>,
}

impl<'a> Answers<'a> {
    fn of(findings: &'a [Finding]) -> Self {
        let mut needed = BTreeMap::new();
        for finding in findings {
            *needed.entry(finding.replacement.as_str()).or_default() += 1;
        }
        Self {
            needed,
            numbers: BTreeMap::new(),
        }
    }

    fn told(&mut self, answer: &'a str) -> String {
        if self.needed.get(answer) == Some(&1) {
            return format!("instead: {answer}");
        }
        let next = self.numbers.len() + 1;
        match *self.numbers.entry(answer).or_insert(next) {
            number if number == next => format!("instead ({number}): {answer}"),
            number => format!("instead: ({number}) above"),
        }
    }
}

/// The places with one reason stand together.
fn unsearched(out: &mut String, unread: &[Unsearched], style: &Style) {
    for (i, row) in unread.iter().enumerate() {
        let mark = style.paint(Tone::Changed, "not searched");
        out.push_str(&format!("{mark} {}\n", row.address));
        if unread.get(i + 1).is_none_or(|next| next.why != row.why) {
            out.push_str(&style.wrapped(2, &row.why));
            out.push('\n');
        }
    }
}

/// `30 findings: 5 critical, 25 warning; 3 places could not be searched.`
fn sum(findings: &[Finding], unread: &[Unsearched]) -> String {
    let mut counts: BTreeMap<Reverse<Severity>, usize> = BTreeMap::new();
    for finding in findings {
        *counts.entry(Reverse(finding.severity)).or_default() += 1;
    }
    let counts = counts.iter();
    let counts: Vec<String> = counts
        .map(|(severity, n)| format!("{n} {}", severity.0.word()))
        .collect();
    let mut out = counted(findings.len(), "finding", "findings");
    if !counts.is_empty() {
        out.push_str(&format!(": {}", counts.join(", ")));
    }
    if !unread.is_empty() {
        let places = counted(unread.len(), "place", "places");
        out.push_str(&format!("; {places} could not be searched"));
    }
    out + ".\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answers(list: &[&str]) -> Vec<String> {
        let mut needed = BTreeMap::new();
        for answer in list {
            *needed.entry(*answer).or_default() += 1;
        }
        let numbers = BTreeMap::new();
        let mut answers = Answers { needed, numbers };
        list.iter().map(|a| answers.told(a)).collect()
    }

    #[test]
    fn an_answer_that_is_needed_again_gets_a_number() {
        let told = answers(&["drop it", "an Access", "rotate", "an Access", "drop it"]);
        let wanted = [
            "instead (1): drop it",
            "instead (2): an Access",
            "instead: rotate",
            "instead: (2) above",
            "instead: (1) above",
        ];
        assert_eq!(told, wanted);
    }

    #[test]
    fn places_with_one_reason_tell_it_once() {
        let row = |address: &str, why: &str| Unsearched {
            address: address.into(),
            why: why.into(),
        };
        let style = Style {
            color: false,
            width: 80,
        };
        let rows = [row("sql:a", "no"), row("sql:b", "no"), row("sql:c", "off")];
        let text = scan(&[], &rows, &style);
        let wanted = "not searched sql:a\nnot searched sql:b\n  no\n\nnot searched sql:c\n  off\n\n\
                      0 findings; 3 places could not be searched.\n";
        assert_eq!(text, wanted);
    }
}

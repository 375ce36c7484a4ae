//! Findings of drift, worst first, and a heartbeat when there are none.

use std::collections::BTreeMap;

use keyless_model::Timestamp;
use keyless_plan::{Class, Finding, Shown};

use crate::shown::pieces;
use crate::style::{Style, Tone};

/// A finding holds what a plan would change, from live to declared. Drift is read the other way:
/// what was declared, and what is there now.
fn from_declared(shown: &[Shown]) -> Vec<Shown> {
    let turned = |piece: &Shown| match piece.clone() {
        Shown::Field {
            path,
            before,
            after,
        } => Shown::Field {
            path,
            before: after,
            after: before,
        },
        Shown::Lines { title, mut lines } => {
            for line in &mut lines {
                line.mark = match line.mark {
                    '+' => '-',
                    '-' => '+',
                    other => other,
                };
            }
            // What was there comes before what is there now.
            let mut from = 0;
            while from < lines.len() {
                let block = lines[from..]
                    .iter()
                    .take_while(|l| "+-".contains(l.mark))
                    .count();
                lines[from..from + block].sort_by_key(|l| l.mark == '+');
                from += block.max(1);
            }
            Shown::Lines { title, lines }
        }
        other => other,
    };
    shown.iter().map(turned).collect()
}

/// Lays the findings out. Pending ones are counted: they are the plan's business.
pub fn drift(findings: &[Finding], at: Timestamp, style: &Style) -> String {
    let mut out = String::new();
    for finding in findings.iter().filter(|f| f.class != Class::Pending) {
        let class = style.paint(Tone::Heading, finding.class.word());
        let code = style.paint(Tone::Faint, finding.code);
        let severity = style.severity(finding.severity);
        out.push_str(&format!("{severity} {class} {code} {}\n", finding.address));
        out.push_str(&style.wrapped(2, &finding.what));
        pieces(&mut out, style, 2, &from_declared(&finding.shown));
        out.push_str(&style.wrapped(2, &format!("next: {}", finding.next)));
        out.push_str(&format!(
            "  {}\n\n",
            style.paint(Tone::Faint, &format!("id {}", finding.id))
        ));
    }
    let mut counts: BTreeMap<Class, usize> = BTreeMap::new();
    for finding in findings {
        *counts.entry(finding.class).or_default() += 1;
    }
    let list: Vec<String> = counts
        .iter()
        .map(|(c, n)| format!("{n} {}", c.word()))
        .collect();
    let pending_only = counts.keys().all(|c| *c == Class::Pending);
    out.push_str(&match (list.is_empty(), pending_only) {
        (true, _) => format!("Clean at {at}: live is as declared and as last applied.\n"),
        (false, true) => format!(
            "Clean at {at}; {} (keyless plan shows them).\n",
            list.join(", ")
        ),
        (false, false) => format!("{} at {at}.\n", list.join(", ")),
    });
    out
}

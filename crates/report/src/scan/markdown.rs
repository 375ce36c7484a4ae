//! Findings of a scan as Markdown for a pull request, the worst first, and never longer than a
//! comment may be.

use std::collections::BTreeSet;

use keyless_model::{Severity, codes};
use keyless_scan::{Finding, Unsearched};

use crate::markdown::{cell, code, fits, sentence};
use crate::style::counted;

/// Lays the findings out as tables, one for each severity, with what to do instead behind them.
pub fn scan_markdown(findings: &[Finding], unread: &[Unsearched]) -> String {
    let mut out = String::from("### keyless scan\n\n");
    let found = counted(findings.len(), "finding", "findings");
    let places = counted(unread.len(), "place", "places");
    out.push_str(&match unread.is_empty() {
        true => format!("{found}.\n"),
        false => format!("{found}; {places} could not be searched.\n"),
    });
    let mut left = 0;
    let worst_first = [
        (Severity::Critical, "Critical"),
        (Severity::High, "High"),
        (Severity::Warning, "Warnings"),
        (Severity::Info, "Notes"),
    ];
    for (severity, title) in worst_first {
        let rows = findings.iter().filter(|f| f.severity == severity);
        let rows: Vec<String> = rows.map(row).collect();
        let head = "| rule | where | what | opens |\n|---|---|---|---|\n";
        left += table(&mut out, title, head, &rows);
    }
    let rows: Vec<String> = unread.iter().map(unsearched).collect();
    left += table(
        &mut out,
        "Not searched",
        "| where | why |\n|---|---|\n",
        &rows,
    );
    left += table(
        &mut out,
        "Instead",
        "| rule | what to do |\n|---|---|\n",
        &answers(findings),
    );
    if left > 0 {
        out.push_str(&format!(
            "\n**Left out for length:** {}. `keyless scan --format json` has all of them.\n",
            counted(left, "row", "rows")
        ));
    }
    out
}

/// Writes a table as far as it fits. Returns how many rows did not.
fn table(out: &mut String, title: &str, head: &str, rows: &[String]) -> usize {
    let head = format!("\n#### {title} ({})\n\n{head}", rows.len());
    if rows.is_empty() || !fits(out, &head) {
        return rows.len();
    }
    out.push_str(&head);
    let mut left = 0;
    for row in rows {
        if left == 0 && fits(out, row) {
            out.push_str(row);
        } else {
            left += 1;
        }
    }
    left
}

fn row(finding: &Finding) -> String {
    let line = finding
        .line
        .map(|(line, column)| format!(":{line}:{column}"));
    let place = format!("{}{}", finding.address, line.unwrap_or_default());
    let mut place = code(&place);
    if !finding.place.is_empty() {
        place.push_str(&format!("<br>{}", code(&finding.place)));
    }
    let opens = finding.opens.as_ref().map(|opens| {
        let parts = [
            Some(&opens.server),
            opens.database.as_ref(),
            opens.login.as_ref(),
        ];
        let parts: Vec<String> = parts.into_iter().flatten().map(|p| code(p)).collect();
        parts.join(" ")
    });
    format!(
        "| {} | {place} | {} | {} |\n",
        finding.rule,
        cell(&finding.what),
        opens.unwrap_or_default()
    )
}

fn unsearched(unread: &Unsearched) -> String {
    format!("| {} | {} |\n", code(&unread.address), cell(&unread.why))
}

/// What to do, once for each rule and answer, in the order of the findings.
fn answers(findings: &[Finding]) -> Vec<String> {
    let mut told: BTreeSet<(&str, &str)> = BTreeSet::new();
    let mut out = Vec::new();
    for finding in findings {
        let answer = (finding.rule, finding.replacement.as_str());
        if told.insert(answer) {
            let title = codes::find(finding.rule).map_or("", |c| c.title);
            let (rule, instead) = (finding.rule, sentence(&finding.replacement));
            out.push(format!("| {rule} {} | {instead} |\n", cell(title)));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use keyless_model::{FingerprintKey, Snapshot};

    use super::*;
    use crate::markdown::MARKDOWN_BYTES;
    use crate::scan::sarif::tests::{policy, snapshot};

    fn of(snapshot: &Snapshot) -> String {
        let findings = keyless_scan::scan(snapshot, &FingerprintKey::new([1; 32]));
        scan_markdown(&findings, &keyless_scan::unsearched(snapshot))
    }

    #[test]
    fn the_worst_comes_first_and_text_is_no_markup() {
        let text = of(&snapshot());
        let (critical, high) = (text.find("#### Critical (1)"), text.find("#### High ("));
        assert!(critical < high && critical.is_some(), "{text}");
        assert!(
            text.contains("`orders.database.windows.net` `orders` `app`"),
            "{text}"
        );
        assert!(text.contains("#### Not searched (1)"), "{text}");
        assert!(!text.contains("hunter22") && !text.contains("@b"), "{text}");
    }

    #[test]
    fn a_command_in_an_answer_is_code() {
        assert_eq!(
            sentence("run `a | b_c` or `x_y`, a_b"),
            "run a \\| b\\_c or `x_y`, a\\_b"
        );
        assert_eq!(sentence("a lone ` stays"), "a lone \\` stays");
    }

    #[test]
    fn a_long_list_is_cut_to_a_comment_and_says_so() {
        let mut many = snapshot();
        for i in 0..2_000 {
            policy(&mut many, &format!("a-rather-long-name-{i}"));
        }
        let text = of(&many);
        assert!(text.len() <= MARKDOWN_BYTES, "{}", text.len());
        assert!(text.contains("#### Critical (1)") && text.contains("Left out for length"));
    }

    #[test]
    fn nothing_found_is_one_line() {
        assert_eq!(
            of(&Snapshot::default()),
            "### keyless scan\n\n0 findings.\n"
        );
    }
}

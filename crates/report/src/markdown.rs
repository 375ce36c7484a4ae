//! A plan as Markdown for a pull request: what matters for security first, and never longer than
//! a comment may be.
//!
//! Invariant: the text has at most [`MARKDOWN_BYTES`] bytes; what does not fit is counted.

use keyless_plan::{Op, Phase, Plan, Shown, Step, Waiting};

use crate::plan::{mark, sum, waits_for};

/// The longest comment that GitHub takes is 65,536 characters.
pub const MARKDOWN_BYTES: usize = 65_536;

/// Room for the lines that tell what was left out.
const TAIL: usize = 400;

/// Lays a plan out as Markdown.
pub fn markdown(plan: &Plan, unchanged: usize) -> String {
    let mut out = String::from("### keyless plan\n\n");
    out.push_str(&format!("{}\n", sum(plan, unchanged).trim_end()));
    if plan.is_empty() {
        return out;
    }
    let mut left = Left::default();
    // Every row comes before any detail: a large change must not crowd out a small one that matters.
    let mut listed = Vec::new();
    for (title, steps) in sections(plan) {
        listed.extend(section(&mut out, &mut left, title, &steps));
    }
    rows(&mut out, &mut left, &plan.waiting);
    details(&mut out, &mut left, &listed);
    if left.any() {
        out.push_str(&format!(
            "\n**Left out for length:** {} steps, {} details, {} held-up rows. The plan file has \
             all of them: `keyless plan --show plan.json`.\n",
            left.steps, left.details, left.rows
        ));
    }
    out
}

/// What did not fit.
#[derive(Default)]
struct Left {
    steps: usize,
    details: usize,
    rows: usize,
}

impl Left {
    fn any(&self) -> bool {
        self.steps + self.details + self.rows > 0
    }
}

/// The steps, what cannot be undone first, then who may do what, then the rest.
fn sections(plan: &Plan) -> Vec<(&'static str, Vec<&Step>)> {
    let mut sections: Vec<(&'static str, Vec<&Step>)> = vec![
        ("Cannot be undone", Vec::new()),
        ("Who may do what, and how they get in", Vec::new()),
        ("Switched to an identity", Vec::new()),
        ("Safe changes", Vec::new()),
        ("Gates", Vec::new()),
    ];
    for step in &plan.steps {
        let at = match step.phase {
            _ if step.is_gate() => 4,
            _ if step.irreversible().is_some() => 0,
            Phase::Identify | Phase::Grant | Phase::Disable | Phase::Lock => 1,
            Phase::Switch => 2,
            _ => 3,
        };
        sections[at].1.push(step);
    }
    sections.retain(|(_, steps)| !steps.is_empty());
    sections
}

/// Writes the rows of a section. Returns the steps that have one.
fn section<'a>(
    out: &mut String,
    left: &mut Left,
    title: &str,
    steps: &[&'a Step],
) -> Vec<&'a Step> {
    let head = format!(
        "\n#### {title} ({})\n\n| | phase | what | why |\n|---|---|---|---|\n",
        steps.len()
    );
    let mut listed = Vec::new();
    if !fits(out, &head) {
        left.steps += steps.len();
        return listed;
    }
    out.push_str(&head);
    for step in steps {
        let row = row(step);
        if fits(out, &row) {
            out.push_str(&row);
            listed.push(*step);
        } else {
            left.steps += 1;
        }
    }
    listed
}

fn details(out: &mut String, left: &mut Left, steps: &[&Step]) {
    for step in steps.iter().filter(|s| !s.shown.is_empty()) {
        let detail = detail(step);
        if fits(out, &detail) {
            out.push_str(&detail);
        } else {
            left.details += 1;
        }
    }
}

fn row(step: &Step) -> String {
    let (mark, _) = mark(step);
    let mut why = cell(&step.reason);
    if let Op::Gate { gate } = &step.op
        && let Some(text) = waits_for(gate)
    {
        why = format!("{why}: {}", cell(&text));
    }
    if let Some(never) = step.irreversible() {
        why = format!("{why}. **Cannot be undone:** {}", cell(never));
    }
    let (phase, address) = (step.phase.word(), code(step.address.as_str()));
    format!("| {mark} | {phase} | {address} | {why} |\n")
}

/// The change itself, folded away.
fn detail(step: &Step) -> String {
    let mut lines = String::new();
    for piece in &step.shown {
        match piece {
            Shown::Field {
                path,
                before,
                after,
            } => {
                lines.extend(before.iter().map(|v| format!("- {path}: {v}\n")));
                lines.extend(after.iter().map(|v| format!("+ {path}: {v}\n")));
            }
            Shown::Lines { title, lines: text } => {
                lines.push_str(&format!("@@ {title} @@\n"));
                for line in text {
                    let words: String = line.pieces.iter().map(|(_, t)| t.as_str()).collect();
                    lines.push_str(&format!("{} {}\n", line.mark, words.trim_end()));
                }
            }
            Shown::Sql { text } => lines.push_str(&format!("+ {text}\n")),
            Shown::Remark { text } => lines.push_str(&format!("# {text}\n")),
        }
    }
    let fence = fence(&lines);
    format!(
        "\n<details><summary>{}</summary>\n\n{fence}diff\n{lines}{fence}\n\n</details>\n",
        escaped(step.address.as_str())
    )
}

fn rows(out: &mut String, left: &mut Left, waiting: &[Waiting]) {
    if waiting.is_empty() {
        return;
    }
    let head = format!(
        "\n#### Held up ({})\n\n| where | what | why | next |\n|---|---|---|---|\n",
        waiting.len()
    );
    if !fits(out, &head) {
        left.rows += waiting.len();
        return;
    }
    out.push_str(&head);
    for row in waiting {
        let text = format!(
            "| {} | {} | {} | {} |\n",
            code(row.address.as_str()),
            cell(&row.what),
            cell(&row.why),
            cell(&row.next)
        );
        if fits(out, &text) {
            out.push_str(&text);
        } else {
            left.rows += 1;
        }
    }
}

pub(crate) fn fits(out: &str, more: &str) -> bool {
    out.len() + more.len() + TAIL <= MARKDOWN_BYTES
}

/// A longer run of backticks than any in the text.
fn fence(text: &str) -> String {
    let longest = text
        .split(|c| c != '`')
        .map(str::len)
        .max()
        .unwrap_or_default();
    "`".repeat(longest.max(2) + 1)
}

/// Text in a cell of a table: no markup, no line end, and nobody is called.
pub(crate) fn cell(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' | '\r' => out.push(' '),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            // A word joiner keeps it from being a name.
            '@' => out.push_str("@\u{2060}"),
            '|' | '*' | '_' | '`' | '[' | ']' | '\\' | '#' | '~' => {
                out.push('\\');
                out.push(c);
            }
            c if c.is_control() => {}
            c => out.push(c),
        }
    }
    out
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

/// An address as code; one with a backtick or a bar stands as text.
pub(crate) fn code(text: &str) -> String {
    if text.contains(['`', '|', '\n']) {
        cell(text)
    } else {
        format!("`{text}`")
    }
}

/// A sentence of ours in a cell: what stands between backticks in it is code.
pub(crate) fn sentence(text: &str) -> String {
    if !text.matches('`').count().is_multiple_of(2) {
        return cell(text);
    }
    let parts = text.split('`').enumerate();
    let laid_out = parts.map(|(at, part)| match at % 2 == 1 && !part.is_empty() {
        true => code(part),
        false => cell(part),
    });
    laid_out.collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use keyless_plan::{Inputs, Line, Undo};

    use super::*;

    fn step(phase: Phase, address: &str, undo: Undo, op: Op) -> Step {
        Step {
            id: format!("{}/{address}", phase.word()),
            phase,
            address: address.parse().unwrap(),
            access: None,
            reason: "because | of @team <b>`x`</b>".into(),
            op,
            needs: BTreeSet::new(),
            undo,
            notes: vec![],
            shown: vec![Shown::Lines {
                title: "t".into(),
                lines: vec![Line {
                    mark: '+',
                    pieces: vec![(true, "``` a".into())],
                }],
            }],
        }
    }

    fn plan(steps: Vec<Step>) -> Plan {
        Plan {
            format: keyless_plan::FORMAT.into(),
            id: "0123456789abcdef".into(),
            tool: "t".into(),
            inputs: Inputs::default(),
            roots: Default::default(),
            steps,
            waiting: vec![],
        }
    }

    fn never() -> Undo {
        Undo::Never { why: "gone".into() }
    }

    #[test]
    fn what_cannot_be_undone_comes_first_and_text_is_no_markup() {
        let patch = Op::Patch {
            body: Default::default(),
            expect: None,
        };
        let text = markdown(
            &plan(vec![
                step(Phase::Switch, "apim:g/policy", Undo::Delete, patch),
                step(Phase::Retire, "apim:g/namedValue:x", never(), Op::Delete {}),
            ]),
            3,
        );
        let (first, second) = (text.find("namedValue:x"), text.find("apim:g/policy"));
        assert!(first < second, "{text}");
        assert!(text.contains(r"because \| of @"), "{text}");
        assert!(!text.contains("@team") && !text.contains("<b>"), "{text}");
        assert!(text.contains("````diff"), "{text}");
        assert!(text.contains("3 documents unchanged"), "{text}");
    }

    #[test]
    fn a_long_plan_is_cut_to_a_comment_and_says_so() {
        let steps: Vec<Step> = (0..2_000)
            .map(|i| {
                let address = format!("apim:g/namedValue:a-rather-long-name-{i}");
                step(Phase::Retire, &address, never(), Op::Delete {})
            })
            .collect();
        let text = markdown(&plan(steps), 0);
        assert!(text.len() <= MARKDOWN_BYTES, "{}", text.len());
        assert!(text.contains("Left out for length"), "{}", text.len());
        let listed = text.matches("| - | retire").count();
        assert!(text.contains(&format!("{} steps,", 2_000 - listed)));
    }

    #[test]
    fn a_large_change_crowds_out_no_row() {
        let mut large = step(Phase::Retire, "apim:g/policy", never(), Op::Delete {});
        large.shown = vec![Shown::Remark {
            text: "x".repeat(40_000),
        }];
        let mut steps = vec![large.clone(), large];
        steps[1].address = "apim:g/product:p/policy".parse().unwrap();
        let op = Op::Patch {
            body: Default::default(),
            expect: None,
        };
        steps.push(step(Phase::Grant, "sql:s/db:d/user:u", Undo::Delete, op));
        let mut plan = plan(steps);
        plan.waiting.push(Waiting {
            address: "sql:s/entraOnly".parse().unwrap(),
            access: None,
            what: "lock".into(),
            why: "why".into(),
            next: "next".into(),
        });
        let text = markdown(&plan, 0);
        assert!(text.len() <= MARKDOWN_BYTES);
        for row in ["sql:s/db:d/user:u", "sql:s/entraOnly", "apim:g/product:p"] {
            assert!(text.contains(row), "{row}");
        }
        assert!(text.contains("1 details"), "{}", &text[text.len() - 300..]);
    }

    #[test]
    fn an_empty_plan_is_one_sentence() {
        assert!(markdown(&plan(vec![]), 2).lines().count() <= 3);
    }
}

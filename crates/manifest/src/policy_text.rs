//! A policy's text: whether it is a policy, and whether it holds a credential.
//!
//! Only literals count. An attribute, a text or a string of an expression that is a `{{reference}}`
//! is none. Messages name the element, never the value.

use std::ops::Range;

use keyless_model::{Diagnostic, Span};
use keyless_policy::{Document, ElementRef, PolicyError};

use crate::credential::{self, Context};

/// Attributes that hold a password.
const PASSWORDS: &[(&str, &str)] = &[("authentication-basic", "password"), ("proxy", "password")];

/// How a policy is to be read.
pub(crate) struct Policy<'a> {
    pub(crate) text: &'a str,
    /// The `format` is `xml`.
    pub(crate) xml: bool,
    /// The root element that it must have, if one is prescribed.
    pub(crate) root: Option<&'static str>,
    /// The span of a byte range of the text.
    pub(crate) locate: &'a dyn Fn(&Range<usize>) -> Span,
}

/// Reports what is wrong with a policy's text.
pub(crate) fn check(policy: &Policy<'_>, found: &mut Vec<Diagnostic>) {
    let report = |code, message: String, range: &Range<usize>, label: &str, help: &str| {
        Diagnostic::error(code, message)
            .at(&(policy.locate)(range), label)
            .help(help)
    };
    let document = match Document::parse(policy.text) {
        Ok(document) => document,
        Err(PolicyError::Malformed(at)) => {
            let message = format!("the policy is malformed: {}", at.message);
            let range = at.offset..at.offset + 1;
            found.push(report("KL0111", message, &range, "here", at.help));
            return leaks(
                credential::find(policy.text, Context::Text),
                0,
                policy,
                found,
            );
        }
        Err(error @ PolicyError::TooLarge { .. }) => {
            let help = "move parts of it into policy fragments";
            return found.push(report("KL0112", error.to_string(), &(0..0), "", help));
        }
        Err(error) => {
            let help = "mend the policy document";
            return found.push(report("KL0111", error.to_string(), &(0..0), "", help));
        }
    };
    let root = document.root();
    if let Some(wanted) = policy.root.filter(|wanted| *wanted != root.name()) {
        let message = format!("the policy's root is <{}>, not <{wanted}>", root.name());
        let help = format!("wrap the statements in <{wanted}>");
        let range = root.range().start..root.range().start + root.name().len() + 1;
        found.push(report("KL0111", message, &range, "another root", &help));
    }
    if let Some(first) = document
        .expressions()
        .first()
        .filter(|_| policy.xml && document.needs_rawxml())
    {
        let message = "the format is `xml`, and an expression is not escaped".to_owned();
        let help = "leave `format` out: `rawxml` takes expressions as they are";
        found.push(report("KL0111", message, first, "as in rawxml", help));
    }
    for element in document.elements() {
        secrets_of(&element, policy, found);
        // What a fragment cannot hold (azure-facts B.4).
        if policy.root == Some("fragment")
            && let name @ ("base" | "include-fragment" | "inbound" | "outbound" | "on-error") =
                element.name()
        {
            let message = format!("a policy fragment cannot hold <{name}>");
            let range = element.range().start..element.range().start + name.len() + 1;
            let help = "keep it in the policies that include the fragment";
            found.push(report("KL0111", message, &range, "not in a fragment", help));
        }
    }
    for comment in comments(&document) {
        let text = &policy.text[comment.clone()];
        leaks(
            credential::find(text, Context::Text),
            comment.start,
            policy,
            found,
        );
    }
}

/// The credentials of one element: its attributes, its own text, and what only its name tells.
fn secrets_of(element: &ElementRef<'_>, policy: &Policy<'_>, found: &mut Vec<Diagnostic>) {
    let name = element.name();
    for attribute in element.attributes() {
        let named = PASSWORDS.contains(&(name, attribute.name.as_str()));
        if named && !attribute.is_expression && literal(&attribute.value) {
            leak("a password", &attribute.range, policy, found);
        } else {
            let pieces = pieces(&attribute.value, attribute.is_expression);
            values(
                &pieces,
                context_of(name, attribute.is_expression),
                &attribute.range,
                policy,
                found,
            );
        }
    }
    let Some((text, inner)) = element.text().zip(element.inner_range()) else {
        return;
    };
    let expression = element.is_expression();
    let key = keyed(element);
    if key.is_some() && !expression && literal(text.trim()) {
        leak(key.unwrap_or_default(), &inner, policy, found);
    } else {
        values(
            &pieces(&text, expression),
            context_of(name, expression),
            &inner,
            policy,
            found,
        );
    }
}

/// What the literal text of an element is by its place, if that makes it a credential.
fn keyed(element: &ElementRef<'_>) -> Option<&'static str> {
    let parent = element.parent()?;
    let holder = parent.attribute("name");
    let header = matches!(parent.name(), "set-header" | "set-query-parameter");
    match element.name() {
        "value" if header && holder.is_some_and(|h| credential::names_key(&h.value)) => {
            Some("a key")
        }
        "key" if matches!(parent.name(), "issuer-signing-keys" | "decryption-keys") => {
            Some("a signing key")
        }
        _ => None,
    }
}

fn context_of(element: &str, expression: bool) -> Context {
    match (expression, element) {
        (true, _) => Context::Expression,
        (false, "sql-statement") => Context::Sql,
        (false, _) => Context::Text,
    }
}

/// Whether a value is written out.
fn literal(value: &str) -> bool {
    !value.is_empty()
        && !value.starts_with("{{")
        && !value.starts_with("@(")
        && !value.starts_with("@{")
}

/// A value itself, or the strings of an expression.
fn pieces(value: &str, expression: bool) -> Vec<String> {
    if expression {
        strings(value)
    } else {
        vec![value.to_owned()]
    }
}

/// The string literals of C# code, near enough to look for patterns in.
fn strings(code: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut chars = code.chars();
    let mut before = ' ';
    while let Some(c) = chars.next() {
        if c == '"' {
            let verbatim = before == '@';
            let mut text = String::new();
            while let Some(c) = chars.next() {
                match c {
                    '"' => break,
                    '\\' if !verbatim => text.extend(chars.next()),
                    c => text.push(c),
                }
            }
            found.push(text);
        }
        before = c;
    }
    found
}

fn values(
    pieces: &[String],
    context: Context,
    range: &Range<usize>,
    policy: &Policy<'_>,
    found: &mut Vec<Diagnostic>,
) {
    // The piece is decoded, so its offsets are not the document's: the whole value is marked.
    if let Some(hit) = pieces
        .iter()
        .flat_map(|p| credential::find(p, context))
        .next()
    {
        leak(hit.what, range, policy, found);
    }
}

fn leaks(
    hits: Vec<credential::Found>,
    start: usize,
    policy: &Policy<'_>,
    found: &mut Vec<Diagnostic>,
) {
    for hit in hits {
        leak(
            hit.what,
            &(hit.range.start + start..hit.range.end + start),
            policy,
            found,
        );
    }
}

fn leak(what: &str, range: &Range<usize>, policy: &Policy<'_>, found: &mut Vec<Diagnostic>) {
    let message = format!("the policy holds {what}");
    let help = "put a {{named value}} in its place, or, for a database, the identity: \
                <connection-string use-managed-identity=\"true\">";
    let start = policy.text[range.clone()].len() - policy.text[range.clone()].trim_start().len();
    let span = (policy.locate)(&(range.start + start..range.end));
    found.push(
        Diagnostic::error("KL0110", message)
            .at(&span, "looks like a credential")
            .help(help),
    );
}

/// The ranges of the comments outside expressions.
fn comments(document: &Document) -> Vec<Range<usize>> {
    let text = document.text();
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(start) = text[at..].find("<!--").map(|i| at + i) {
        let end = text[start..].find("-->").map_or(text.len(), |i| start + i);
        if !document.expressions().iter().any(|e| e.contains(&start)) {
            found.push(start..end);
            at = end;
        } else {
            at = start + 4;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codes(text: &str) -> Vec<(&'static str, String)> {
        let locate = |range: &Range<usize>| Span {
            start: range.start,
            ..Span::default()
        };
        let mut found = Vec::new();
        check(
            &Policy {
                text,
                xml: false,
                root: None,
                locate: &locate,
            },
            &mut found,
        );
        assert!(!format!("{found:?}").contains("hunter2"), "{found:?}");
        found.into_iter().map(|d| (d.code, d.message)).collect()
    }

    #[test]
    fn credentials_are_found_wherever_a_policy_can_hold_one() {
        for text in [
            "<sql-data-source><connection-info><connection-string>Server=s;Password=hunter2;\
             </connection-string></connection-info></sql-data-source>",
            "<authentication-basic username='u' password='hunter2'/>",
            "<proxy url='http://p' username='u' password='hunter2'/>",
            "<set-header name='X-Functions-Key'><value>hunter2</value></set-header>",
            "<set-body>@(\"client_secret=hunter2\")</set-body>",
            "<set-variable value=\"@{ var a = 1 < 2; return @\"\"\"x\"\";Password=hunter2\"; }\"/>",
            "<issuer-signing-keys><key>aHVudGVyMg==</key></issuer-signing-keys>",
            "<a><!-- Server=s;Pwd=hunter2 --></a>",
            "<a>hunter2 & Password=hunter2</a>",
        ] {
            assert!(
                codes(text).iter().any(|(code, _)| *code == "KL0110"),
                "{text}"
            );
        }
    }

    #[test]
    fn references_and_code_are_no_credentials() {
        for text in [
            "<connection-string>{{orders-db}}</connection-string>",
            "<connection-string>Server=s;Password={{pw}};</connection-string>",
            "<connection-string use-managed-identity='true'>Server=s;Database=d</connection-string>",
            "<authentication-basic username='u' password='{{pw}}'/>",
            "<authentication-basic username='u' password='@(context.User.Id)'/>",
            "<set-header name='x-functions-key'><value>{{key}}</value></set-header>",
            "<set-variable value=\"@{ var password = context.User.Id; return password; }\"/>",
            "<set-body>@($\"client_secret={context.User.Id}\")</set-body>",
            "<sql-statement>select 1 from u where password = @p and pwd=u.pwd</sql-statement>",
        ] {
            assert_eq!(codes(text), [], "{text}");
        }
    }
}

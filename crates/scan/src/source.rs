//! The SQL data sources of a policy document, and what their text is once named values are put in.

use std::fmt;

use keyless_model::Live;
use keyless_policy::{Document, ElementPath, references};

/// One `connection-string` of a `sql-data-source`. The text may hold a password, so `Debug` does
/// not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct SqlSource {
    /// Of the `connection-string` element.
    pub path: ElementPath,
    /// Its text as it stands, entities decoded.
    pub text: String,
    /// `use-managed-identity="true"`.
    pub managed_identity: bool,
    /// Display names of the named values in it, each once.
    pub references: Vec<String>,
    /// Of the element, from 1.
    pub line: usize,
    pub column: usize,
}

impl fmt::Debug for SqlSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqlSource")
            .field("path", &self.path)
            .field("managed_identity", &self.managed_identity)
            .field("references", &self.references)
            .finish_non_exhaustive()
    }
}

/// Each SQL data source of a document, in order (Microsoft docs, `sql-data-source` policy).
pub fn sql_sources(document: &Document) -> Vec<SqlSource> {
    let mut out = Vec::new();
    for element in document.elements() {
        let within = |name: &str| {
            std::iter::successors(element.parent(), |e| e.parent()).any(|e| e.name() == name)
        };
        if element.name() != "connection-string" || !within("sql-data-source") {
            continue;
        }
        let Some(text) = element.text() else { continue };
        let flag = element.attribute("use-managed-identity");
        let (line, column) = element.line_column();
        out.push(SqlSource {
            path: element.path(),
            managed_identity: flag.is_some_and(|a| a.value.trim().eq_ignore_ascii_case("true")),
            references: names(&text),
            text,
            line,
            column,
        });
    }
    out
}

/// The display names in a text, each once, in order.
pub(crate) fn names(text: &str) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    for reference in references(text) {
        if !out.contains(&reference.name) {
            out.push(reference.name);
        }
    }
    out
}

/// A text once `{{x}}` is followed through the named values that can be read.
#[derive(Clone, PartialEq, Eq)]
pub enum Resolved {
    /// The whole text. It may hold a secret, so `Debug` does not show it.
    Text(String),
    /// Display names of the named values that could not be read, or are not there.
    Unreadable(Vec<String>),
}

impl fmt::Debug for Resolved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(_) => f.write_str("Text(…)"),
            Self::Unreadable(names) => f.debug_tuple("Unreadable").field(names).finish(),
        }
    }
}

/// Puts the values of named values in the place of their references. A value is taken as it is:
/// named values do not nest (Microsoft docs, "Use named values").
pub fn resolve(text: &str, lookup: impl Fn(&str) -> Live<String>) -> Resolved {
    let (whole, missing) = substitute(text, lookup);
    if missing.is_empty() {
        Resolved::Text(whole)
    } else {
        Resolved::Unreadable(missing)
    }
}

/// The text with every readable reference replaced, and the names of the others, which stay.
pub(crate) fn substitute(
    text: &str,
    lookup: impl Fn(&str) -> Live<String>,
) -> (String, Vec<String>) {
    let mut out = String::new();
    let mut missing: Vec<String> = Vec::new();
    let mut at = 0;
    for reference in references(text) {
        out.push_str(&text[at..reference.range.start]);
        at = reference.range.end;
        match lookup(&reference.name) {
            Live::Present(value) => out.push_str(&value),
            Live::Absent | Live::Unreadable(_) => {
                out.push_str(&text[reference.range]);
                if !missing.contains(&reference.name) {
                    missing.push(reference.name);
                }
            }
        }
    }
    out.push_str(&text[at..]);
    (out, missing)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lookup(name: &str) -> Live<String> {
        match name {
            "db" => Live::Present("Server=s;Database=d".into()),
            "nested" => Live::Present("{{db}}".into()),
            "gone" => Live::Absent,
            _ => Live::Unreadable("secret".into()),
        }
    }

    #[test]
    fn references_are_followed_once() {
        assert!(
            resolve("{{db}};x={{ db }}", lookup)
                == Resolved::Text("Server=s;Database=d;x=Server=s;Database=d".into())
        );
        assert!(resolve("{{nested}}", lookup) == Resolved::Text("{{db}}".into()));
    }

    #[test]
    fn what_cannot_be_read_is_named_once() {
        let resolved = resolve("{{db}}{{pw}}{{gone}}{{pw}}", lookup);
        assert!(resolved == Resolved::Unreadable(vec!["pw".into(), "gone".into()]));
    }

    #[test]
    fn debug_shows_no_text() {
        let resolved = resolve("Password=hunter2", lookup);
        assert_eq!(format!("{resolved:?}"), "Text(…)");
    }

    #[test]
    fn each_sql_data_source_is_found_with_its_flag() {
        let document = Document::parse(
            "<policies>\n <sql-data-source><connection-info>\n  <connection-string \
             use-managed-identity=\"true\">{{a}}&amp;{{a}}</connection-string></connection-info>\
             </sql-data-source>\n <cosmosdb-data-source><connection-info><connection-string>x\
             </connection-string></connection-info></cosmosdb-data-source>\n <sql-data-source>\
             <connection-info><connection-string>y</connection-string></connection-info>\
             </sql-data-source></policies>",
        )
        .unwrap();
        let found = sql_sources(&document);
        assert_eq!(found.len(), 2);
        assert!(found[0].managed_identity && !found[1].managed_identity);
        assert_eq!(found[0].text, "{{a}}&{{a}}");
        assert_eq!(found[0].references, ["a"]);
        assert_eq!((found[0].line, found[0].column), (3, 3));
        let path = "/policies/sql-data-source[2]/connection-info/connection-string";
        assert_eq!(found[1].path.as_str(), path);
    }
}

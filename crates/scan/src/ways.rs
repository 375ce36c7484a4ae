//! How the answer of a request travels through the variables and the cache of a policy to the place
//! that sends it on, and which elements read a variable.
//!
//! A document is read once, so that following many answers takes time in proportion.

use std::collections::{HashMap, HashSet};

use keyless_policy::{Document, ElementRef};

use crate::follow::constant;
use crate::names::{is_authorization, is_key_header};
use crate::place::{around, child};

/// The elements of a document that read variables.
pub(crate) struct Ways {
    steps: Vec<Step>,
    /// The paths of the elements that name a variable in quotes, as `context.Variables["x"]` does.
    readers: HashMap<String, Vec<String>>,
}

/// An element that may carry a value on.
struct Step {
    path: String,
    /// The names in quotes of what it takes.
    reads: Vec<String>,
    what: What,
}

enum What {
    Variable {
        name: String,
    },
    Store {
        key: String,
    },
    Lookup {
        key: String,
        variable: String,
    },
    /// It sends a header for credentials.
    Header,
}

/// The way of a request's answer through a document.
#[derive(Default)]
pub(crate) struct Way {
    /// The `set-header` elements that send it, or a part of it, as a credential.
    pub headers: Vec<String>,
    /// The elements that carry it there: `set-variable`, `cache-store-value`,
    /// `cache-lookup-value`.
    pub between: Vec<String>,
}

/// A bound on time. Each round follows an answer through all that stands in order, and one more is
/// needed for each cache that is read above the place that fills it.
const MAX_ROUNDS: usize = 8;

impl Ways {
    pub fn of(document: &Document) -> Ways {
        let elements = document.elements();
        let mut readers: HashMap<String, Vec<String>> = HashMap::new();
        for element in &elements {
            let path = element.path().to_string();
            let texts = element.attributes().into_iter().map(|a| a.value);
            for name in texts.chain(element.text()).flat_map(|t| quoted(&t)) {
                readers.entry(name).or_default().push(path.clone());
            }
        }
        let steps = elements.into_iter().filter_map(step).collect();
        Ways { steps, readers }
    }

    /// The paths of the elements that name a variable, in order.
    pub fn readers(&self, variable: &str) -> &[String] {
        self.readers.get(variable).map_or(&[], Vec::as_slice)
    }

    /// Follows what a request puts into this variable.
    pub fn from(&self, variable: &str) -> Way {
        let mut known = Known::default();
        known.variables.insert(variable);
        for _ in 0..MAX_ROUNDS {
            let learned = self.steps.iter().filter(|s| known.learns(s)).count();
            if learned == 0 {
                break;
            }
        }
        let mut out = Way::default();
        for step in self.steps.iter().filter(|s| known.reaches(s)) {
            match step.what {
                What::Header => out.headers.push(step.path.clone()),
                _ => out.between.push(step.path.clone()),
            }
        }
        out
    }
}

/// What stands between quotes in a text, and what stands between two such strings.
fn quoted(text: &str) -> Vec<String> {
    let pieces: Vec<&str> = text.split('"').collect();
    let inner = pieces.iter().skip(1).take(pieces.len().saturating_sub(2));
    inner.map(|p| (*p).to_owned()).collect()
}

fn step(element: ElementRef) -> Option<Step> {
    let text = |name: &str| element.attribute(name).map(|a| a.value);
    let (what, taken) = match element.name() {
        "set-variable" => (
            What::Variable {
                name: text("name")?,
            },
            text("value"),
        ),
        "cache-store-value" => {
            let key = cache_key(text("key")?);
            (What::Store { key }, text("value"))
        }
        "cache-lookup-value" => {
            let (key, variable) = (cache_key(text("key")?), text("variable-name")?);
            (What::Lookup { key, variable }, None)
        }
        "set-header" if is_credential(element) => {
            (What::Header, child(element, "value").and_then(|v| v.text()))
        }
        _ => return None,
    };
    Some(Step {
        path: element.path().to_string(),
        reads: quoted(&taken.unwrap_or_default()),
        what,
    })
}

fn is_credential(header: ElementRef) -> bool {
    let name = header.attribute("name").map(|a| a.value);
    name.is_some_and(|n| is_authorization(&n) || is_key_header(&n))
        && around(header, &["return-response"]).is_none()
}

/// A key as it is compared: an expression that is always the same is what it says.
fn cache_key(text: String) -> String {
    constant(&text).unwrap_or(text)
}

/// The variables and cache keys in which the answer is.
#[derive(Default)]
struct Known<'a> {
    variables: HashSet<&'a str>,
    keys: HashSet<&'a str>,
}

impl<'a> Known<'a> {
    fn reaches(&self, step: &Step) -> bool {
        match &step.what {
            What::Lookup { key, .. } => self.keys.contains(key.as_str()),
            _ => step
                .reads
                .iter()
                .any(|r| self.variables.contains(r.as_str())),
        }
    }

    /// Whether the answer is in one place more.
    fn learns(&mut self, step: &'a Step) -> bool {
        if !self.reaches(step) {
            return false;
        }
        match &step.what {
            What::Variable { name } | What::Lookup { variable: name, .. } => {
                self.variables.insert(name)
            }
            What::Store { key } => self.keys.insert(key),
            What::Header => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_followed_through_variables_and_the_cache() {
        let text = r#"<policies><inbound>
            <cache-lookup-value key="@("k")" variable-name="cached" />
            <send-request response-variable-name="answer"><set-url>https://login</set-url></send-request>
            <set-variable name="json" value="@(((IResponse)context.Variables["answer"]).Body.As<JObject>())" />
            <set-variable name="token" value="@((string)((JObject)context.Variables["json"])["access_token"])" />
            <cache-store-value key="k" value="@((string)context.Variables["token"])" duration="9" />
            <set-variable name="other" value="@((string)context.Variables["else"])" />
            <set-header name="Authorization"><value>@("Bearer " + (string)context.Variables["cached"])</value></set-header>
            <set-header name="x-trace"><value>@((string)context.Variables["token"])</value></set-header>
            <return-response><set-header name="Authorization"><value>@((string)context.Variables["token"])</value></set-header></return-response>
            </inbound></policies>"#;
        let document = Document::parse(text).unwrap();
        let ways = Ways::of(&document);
        assert_eq!(
            ways.readers("cached"),
            ["/policies/inbound/set-header[1]/value"]
        );
        let found = ways.from("answer");
        assert_eq!(found.headers, ["/policies/inbound/set-header[1]"]);
        assert_eq!(
            found.between,
            [
                "/policies/inbound/cache-lookup-value",
                "/policies/inbound/set-variable[1]",
                "/policies/inbound/set-variable[2]",
                "/policies/inbound/cache-store-value",
            ]
        );
    }
}

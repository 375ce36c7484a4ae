//! The credentials for HTTP services in a policy document: which elements send one, what of it is
//! literal and could be parked, and which named values stand for it.
//!
//! What counts is what the rules of [`crate::policy`] find; nothing is judged here a second time.

use std::collections::{BTreeSet, HashMap};
use std::fmt;

use keyless_model::{Live, Secret};
use keyless_policy::{Document, ElementRef};

use crate::constants::{Part, parts};
use crate::finding::Confidence;
use crate::names::{is_key_header, is_key_parameter, sounds_secret};
use crate::place::{Place, Section, around, child, section};
use crate::policy::{Role, Search, search};
use crate::source::{names, substitute};
use crate::ways::Ways;

/// An element that sends a credential with an HTTP request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpCredential {
    /// The path of the element itself: `set-header`, `set-query-parameter` or
    /// `authentication-basic`, or the `send-request` that fetches a token.
    pub path: String,
    pub section: Section,
    /// The request that it is sent with, if that is not the call itself.
    pub within_send_request: Option<SendRequest>,
    pub kind: HttpKind,
    /// `Possible` when only its name says that it may be a credential: something to show, and
    /// nothing to take away.
    pub confidence: Confidence,
    /// The literal credentials, each place once. None when all of it is by reference or computed.
    pub values: Vec<LiteralValue>,
    /// Display names of the named values that stand for the credential.
    pub references: Vec<String>,
    /// The paths of the `set-variable` elements through which it comes and that nothing else in
    /// this document reads: without the element itself they are of no use.
    pub variables: Vec<String>,
    /// Of the element, from 1.
    pub line: usize,
}

/// How the credential is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HttpKind {
    Basic,
    Header {
        name: String,
    },
    Query {
        name: String,
    },
    /// A `send-request` shows a client secret to a token endpoint, and its answer is sent as the
    /// credential.
    ClientSecretBody {
        /// The paths of the `set-header` elements that send the token.
        authorization: Vec<String>,
        /// The paths of the elements that carry it there, in variables and the cache.
        between: Vec<String>,
    },
}

/// A request that a policy makes on its own: `send-request`, `send-one-way-request`, or the
/// `http-request` of a resolver.
#[derive(Clone, PartialEq, Eq)]
pub struct SendRequest {
    pub path: String,
    /// The text of its `set-url`. It may hold a key, so `Debug` does not show it.
    pub url: Option<String>,
}

impl fmt::Debug for SendRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SendRequest").field(&self.path).finish()
    }
}

/// A text that holds a literal credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiteralValue {
    pub place: Place,
    /// The whole text at the place.
    pub text: Secret,
    /// Why no named value can stand for it, if none can.
    pub unparkable: Option<&'static str>,
}

/// A named value's value has at most this many characters (azure-facts B.2).
const LONGEST_VALUE: usize = 4096;

/// Why no named value can stand for a text. The service puts the value in before it reads XML and
/// C#, so it must say the same there as here.
pub fn unparkable(text: &str) -> Option<&'static str> {
    if parts(text).iter().any(|p| matches!(p, Part::Expression(_))) {
        Some("it is joined in an expression")
    } else if text.trim_start().starts_with('@') {
        Some("it begins like an expression")
    } else if text.contains(['"', '\'']) {
        Some("it holds a quote")
    } else if text.contains(['<', '&']) {
        Some("it holds a character that XML escapes")
    } else if text.contains("{{") {
        Some("a reference to a named value is a part of it")
    } else if text.trim().is_empty() {
        Some("it is empty")
    } else if text.chars().count() > LONGEST_VALUE {
        Some("it has more than 4,096 characters")
    } else {
        None
    }
}

/// Elements that send a credential with a call or a request.
pub(crate) const SENDERS: [&str; 3] = ["authentication-basic", "set-header", "set-query-parameter"];

/// Elements that send a request of their own.
pub const REQUESTS: [&str; 3] = ["send-request", "send-one-way-request", "http-request"];

/// Each element of a document that sends a credential over HTTP, in order. What a policy answers to
/// its caller (`return-response`) is not sent to a service and left out, as is a token that comes
/// from a managed identity or from the caller.
pub fn http_credentials(document: &Document) -> Vec<HttpCredential> {
    let elements = document.elements();
    let reader = Reader {
        ways: Ways::of(document),
        elements: elements
            .iter()
            .map(|e| (e.path().to_string(), *e))
            .collect(),
        found: search(document, &|_| Live::Absent),
    };
    let elements = elements.into_iter();
    elements
        .filter(|e| around(*e, &["return-response"]).is_none())
        .filter_map(|e| reader.element(e))
        .collect()
}

struct Reader<'a> {
    ways: Ways,
    /// By path.
    elements: HashMap<String, ElementRef<'a>>,
    found: Search,
}

impl Reader<'_> {
    fn element(&self, element: ElementRef) -> Option<HttpCredential> {
        let name = || element.attribute("name").map(|a| a.value);
        match element.name() {
            "authentication-basic" => {
                let credential = self.credential(element, HttpKind::Basic);
                Some(HttpCredential {
                    confidence: Confidence::Certain,
                    ..credential
                })
            }
            "set-header" => self.sent(element, HttpKind::Header { name: name()? }),
            "set-query-parameter" => self.sent(element, HttpKind::Query { name: name()? }),
            "send-request" => self.token(element),
            _ => None,
        }
    }

    /// A header or parameter, if it sends a credential or its name says that it may.
    fn sent(&self, element: ElementRef, kind: HttpKind) -> Option<HttpCredential> {
        let credential = self.credential(element, kind);
        let found = !credential.values.is_empty() || !credential.references.is_empty();
        if found {
            return Some(credential);
        }
        let text = child(element, "value").and_then(|v| v.text())?;
        let references = possible(&credential.kind, &text)?;
        Some(HttpCredential {
            confidence: Confidence::Possible,
            references,
            ..credential
        })
    }

    /// A request that fetches a token with a client secret, or with a login and the grant of client
    /// credentials (RFC 6749, 2.3.1 and 4.4).
    fn token(&self, element: ElementRef) -> Option<HttpCredential> {
        let body = child(element, "set-body").and_then(|b| b.text())?;
        let body = body.to_lowercase().replace(['-', '_'], "");
        let shows_secret = body.contains("clientsecret");
        if !shows_secret && !body.contains("clientcredentials") {
            return None;
        }
        let answer = element.attribute("response-variable-name")?.value;
        let way = self.ways.from(&answer);
        let is_sent = !way.headers.is_empty();
        let kind = HttpKind::ClientSecretBody {
            authorization: way.headers,
            between: way.between,
        };
        let found = self.credential(element, kind);
        let held = !found.values.is_empty() || !found.references.is_empty();
        (is_sent && (shows_secret || held)).then_some(found)
    }

    /// What the rules found in an element, and in the variables that it sends.
    fn credential(&self, element: ElementRef, kind: HttpKind) -> HttpCredential {
        let path = element.path().to_string();
        let inside = format!("{path}/");
        let sent = self.found.sends.iter();
        let sent: BTreeSet<&str> = sent
            .filter(|(by, _)| by.starts_with(&inside))
            .map(|(_, place)| place.as_str())
            .collect();
        let is_here = |place: &str| place.starts_with(&inside) || sent.contains(place);
        let spots = self.found.spots.iter();
        let spots: Vec<_> = spots.filter(|s| is_here(&s.place)).collect();
        let mut places: Vec<&str> = Vec::new();
        for spot in &spots {
            if !places.contains(&spot.place.as_str()) {
                places.push(&spot.place);
            }
        }
        let mut references: Vec<String> = Vec::new();
        let mut sure: Vec<Confidence> = spots.iter().map(|s| s.hit.confidence).collect();
        for used in self.found.uses.iter().filter(|u| is_here(&u.place)) {
            sure.push(match used.role {
                Role::Key(confidence) => confidence,
                _ => Confidence::Likely,
            });
            if !references.contains(&used.name) {
                references.push(used.name.clone());
            }
        }
        HttpCredential {
            section: section(element),
            within_send_request: request(element),
            kind,
            confidence: sure.into_iter().max().unwrap_or(Confidence::Likely),
            values: places.into_iter().filter_map(|p| self.value(p)).collect(),
            references,
            variables: sent
                .iter()
                .filter_map(|p| self.only_for(p, &inside))
                .collect(),
            line: element.line_column().0,
            path,
        }
    }

    /// The path of the `set-variable` that a place is of, if only what is inside reads it.
    fn only_for(&self, place: &str, inside: &str) -> Option<String> {
        let place = Place::read(place);
        let setter = self
            .elements
            .get(place.path())
            .filter(|e| e.name() == "set-variable")?;
        let name = setter.attribute("name")?.value;
        let mut readers = self.ways.readers(&name).iter();
        let elsewhere = readers.any(|path| !format!("{path}/").starts_with(inside));
        (!elsewhere).then(|| place.path().to_owned())
    }

    fn value(&self, place: &str) -> Option<LiteralValue> {
        let place = Place::read(place);
        let text = place.text(*self.elements.get(place.path())?)?;
        Some(LiteralValue {
            unparkable: unparkable(&text),
            text: Secret::new(text),
            place,
        })
    }
}

/// The named values in a header or parameter that sounds secret, and none in one with a key's name
/// whose value is computed.
fn possible(kind: &HttpKind, text: &str) -> Option<Vec<String>> {
    let (name, is_key) = match kind {
        HttpKind::Header { name } => (name, is_key_header(name)),
        HttpKind::Query { name } => (name, is_key_parameter(name)),
        _ => return None,
    };
    let references = names(text);
    let (rest, _) = substitute(text, |_| Live::Present(String::new()));
    let is_reference = !references.is_empty() && !rest.trim().contains(char::is_whitespace);
    let computed = parts(text).iter().any(|p| matches!(p, Part::Expression(_)));
    if sounds_secret(name) && is_reference && !computed {
        return Some(references);
    }
    (is_key && computed).then(Vec::new)
}

fn request(element: ElementRef) -> Option<SendRequest> {
    let request = around(element, &REQUESTS)?;
    Some(SendRequest {
        path: request.path().to_string(),
        url: child(request, "set-url").and_then(|u| u.text()),
    })
}

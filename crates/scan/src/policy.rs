//! The rules for a policy document: which of its places hold a credential, and which named values
//! stand where one is expected.
//!
//! Invariant: each place is read by one rule, so that a credential is told once.

use keyless_model::{Live, Severity};
use keyless_policy::{Document, ElementRef};

use crate::connection_string::ConnectionString;
use crate::constants::{Part, parts};
use crate::credentials::{Hit, Sort, basic, find, opens};
use crate::finding::{Confidence, Opens, USE_ACCESS, USE_IDENTITY};
use crate::looks;
use crate::source::{names, sql_sources, substitute};

/// A literal credential in a document.
pub(crate) struct Spot {
    pub place: String,
    pub line: (usize, usize),
    pub rule: &'static str,
    pub severity: Severity,
    pub replacement: &'static str,
    pub what: String,
    pub hit: Hit,
}

/// A named value that stands in a place for credentials.
#[derive(Clone)]
pub(crate) struct Use {
    /// Its display name.
    pub name: String,
    pub role: Role,
    pub place: String,
    pub line: (usize, usize),
}

/// What the place says about the named value.
#[derive(Clone, PartialEq)]
pub(crate) enum Role {
    /// It is a connection string, or a part of one; with `use-managed-identity` or without.
    ConnectionString { identity: bool },
    /// It is the password in one.
    SqlPassword(Option<Opens>),
    /// It is another key, token or password.
    Key(Confidence),
}

#[derive(Default)]
pub(crate) struct Search {
    pub spots: Vec<Spot>,
    pub uses: Vec<Use>,
}

/// Headers whose value is a credential whatever it looks like (azure-docs, API keys of Functions,
/// API Management, Cognitive Services, Search and Event Grid).
const KEY_HEADERS: [&str; 14] = [
    "x-functions-key",
    "x-functions-code",
    "api-key",
    "apikey",
    "x-api-key",
    "ocp-apim-subscription-key",
    "subscription-key",
    "aeg-sas-key",
    "aeg-sas-token",
    "x-auth-token",
    "x-access-token",
    "x-client-secret",
    "client-secret",
    "client_secret",
];

/// Query parameters whose value is a credential.
const KEY_PARAMETERS: [&str; 15] = [
    "code",
    "sig",
    "key",
    "api_key",
    "api-key",
    "apikey",
    "subscription-key",
    "access_token",
    "token",
    "client_secret",
    "password",
    "pwd",
    "secret",
    "sas",
    "signature",
];

/// Least length of a key whose place may hold other things too.
const MIN_KEY: usize = 8;

/// Searches a document. `lookup` gives the values of named values that can be read.
pub(crate) fn search(document: &Document, lookup: &dyn Fn(&str) -> Live<String>) -> Search {
    let mut out = Search::default();
    for source in sql_sources(document) {
        let line = (source.line, source.column);
        let place = source.path.to_string();
        out.connection(&source.text, source.managed_identity, &place, line, lookup);
    }
    for element in document.elements() {
        out.element(document, element);
    }
    out.comments(document);
    out
}

impl Search {
    /// The text of a SQL data source.
    fn connection(
        &mut self,
        text: &str,
        identity: bool,
        place: &str,
        line: (usize, usize),
        lookup: &dyn Fn(&str) -> Live<String>,
    ) {
        let references = names(text);
        let Some(parsed) = ConnectionString::parse(text) else {
            // Either the references are the string, or an expression makes it.
            if parts(text).iter().any(|p| matches!(p, Part::Expression(_))) {
                return self.text(text, place, line);
            }
            for name in references {
                self.used(&name, Role::ConnectionString { identity }, place, line);
            }
            return;
        };
        let Some(password) = parsed.password() else {
            return;
        };
        let (whole, _) = substitute(text, lookup);
        let opens = ConnectionString::parse(&whole).as_ref().and_then(opens);
        for name in names(password.expose()) {
            self.used(&name, Role::SqlPassword(opens.clone()), place, line);
        }
        if has_literal(password.expose()) {
            let what = "a connection string with a password";
            let sort = Sort::Sql(opens);
            let hit = Hit {
                sort,
                value: password,
                what,
                confidence: Confidence::Certain,
            };
            self.hit(hit, "KL0401", place, line);
        }
    }

    fn element(&mut self, document: &Document, element: ElementRef) {
        let path = element.path().to_string();
        let parent = element.parent();
        let parent_name = parent.map_or("", |p| p.name());
        for attribute in element.attributes() {
            let place = format!("{path}/@{}", attribute.name);
            let line = document.line_column(attribute.range.start);
            match (element.name(), attribute.name.as_str()) {
                ("authentication-basic" | "proxy", "password") => {
                    self.secret(&attribute.value, "KL0408", "a password", 1, &place, line);
                }
                ("authentication-certificate", "password") => {
                    let what = "the password of a certificate";
                    self.secret(&attribute.value, "KL0409", what, 1, &place, line);
                }
                ("authentication-certificate", "body") => {
                    let what = "a certificate with its private key";
                    self.secret(&attribute.value, "KL0409", what, 40, &place, line);
                }
                _ => self.text(&attribute.value, &place, line),
            }
        }
        let Some(text) = element.text().filter(|t| !t.trim().is_empty()) else {
            return;
        };
        let line = element.line_column();
        let named = parent
            .and_then(|p| p.attribute("name"))
            .map(|a| a.value.to_lowercase());
        let named = named.unwrap_or_default();
        let named = named.trim();
        match (parent_name, element.name()) {
            (_, "connection-string") if within(element, "sql-data-source") => {}
            ("issuer-signing-keys" | "decryption-keys", "key") => {
                self.secret(&text, "KL0409", "a symmetric token key", 8, &path, line);
            }
            ("set-header", "value") if matches!(named, "authorization" | "proxy-authorization") => {
                self.authorization(&text, &path, line);
            }
            ("set-header", "value") if KEY_HEADERS.contains(&named) => {
                self.secret(&text, "KL0409", "a key in a header", MIN_KEY, &path, line);
            }
            ("set-query-parameter", "value") if KEY_PARAMETERS.contains(&named) => {
                self.secret(
                    &text,
                    "KL0409",
                    "a key in a query parameter",
                    MIN_KEY,
                    &path,
                    line,
                );
            }
            ("set-header" | "set-query-parameter", "value") if sounds_secret(named) => {
                self.suspect(&text, &path, line);
            }
            _ => self.text(&text, &path, line),
        }
    }

    /// A place whose literal value is a credential by the place alone.
    fn secret(
        &mut self,
        text: &str,
        rule: &'static str,
        what: &'static str,
        least: usize,
        place: &str,
        line: (usize, usize),
    ) {
        for constant in self.constants(text, place, line) {
            let value = constant.trim();
            for name in names(value) {
                self.used(&name, Role::Key(Confidence::Likely), place, line);
            }
            let spaced = least > 1 && value.contains(char::is_whitespace);
            if value.chars().count() >= least && !spaced && looks::is_literal(value) {
                let sure = rule == "KL0408" || looks::is_random(value) || least > 8;
                let confidence = if sure {
                    Confidence::Certain
                } else {
                    Confidence::Likely
                };
                self.hit(Hit::key(value, what, confidence), rule, place, line);
            }
        }
    }

    /// `Authorization`: a scheme and a token, or a token alone.
    fn authorization(&mut self, text: &str, place: &str, line: (usize, usize)) {
        for constant in self.constants(text, place, line) {
            let value = constant.trim();
            for name in names(value) {
                self.used(&name, Role::Key(Confidence::Likely), place, line);
            }
            let (scheme, token) = value.split_once(' ').unwrap_or(("", value));
            let token = token.trim();
            let hit = if scheme.eq_ignore_ascii_case("basic") {
                basic(token).filter(|h| names(h.value.expose()).is_empty())
            } else if scheme.eq_ignore_ascii_case("sharedaccesssignature") {
                Some(Hit::key(
                    token,
                    "a shared access signature",
                    Confidence::Certain,
                ))
            } else {
                let long = token.len() >= if scheme.is_empty() { 16 } else { MIN_KEY };
                let one = long && !token.contains(char::is_whitespace);
                one.then(|| {
                    let sure = looks::is_random(token) || looks::is_jwt(token);
                    let confidence = if sure {
                        Confidence::Certain
                    } else {
                        Confidence::Likely
                    };
                    Hit::key(token, "a literal token in a header", confidence)
                })
            };
            if let Some(hit) = hit.filter(|h| looks::is_literal(h.value.expose())) {
                self.hit(hit, "KL0409", place, line);
            }
        }
    }

    /// A header or parameter whose name sounds secret: only what also looks like a key counts.
    fn suspect(&mut self, text: &str, place: &str, line: (usize, usize)) {
        for constant in self.constants(text, place, line) {
            let value = constant.trim();
            if looks::is_random(value) {
                let hit = Hit::key(value, "a literal that looks like a key", Confidence::Likely);
                self.hit(hit, "KL0409", place, line);
            }
        }
    }

    /// The constant values that a place for a credential may take. Strings that only lead to the
    /// value are read as any other text, and count as a value if they look like a key.
    fn constants(&mut self, text: &str, place: &str, line: (usize, usize)) -> Vec<String> {
        let mut out = Vec::new();
        let cut = parts(text);
        let alone = !cut.iter().any(|p| matches!(p, Part::Expression(_)));
        if alone {
            return vec![text.to_owned()];
        }
        for part in cut {
            match part {
                // Text next to an expression is no whole value: `Bearer @(token)`.
                Part::Literal(text) => self.found(text, place, line),
                Part::Expression(found) => {
                    for string in &found.strings {
                        if found.whole.as_ref() == Some(string) {
                            continue;
                        }
                        if looks::is_random(string) {
                            out.push(string.clone());
                        } else {
                            self.found(string, place, line);
                        }
                    }
                    out.extend(found.whole);
                }
            }
        }
        out
    }

    /// Any other text: only what shows itself to be a credential.
    fn text(&mut self, text: &str, place: &str, line: (usize, usize)) {
        for part in parts(text) {
            match part {
                Part::Literal(text) => self.found(text, place, line),
                Part::Expression(found) => {
                    for string in &found.strings {
                        self.found(string, place, line);
                    }
                }
            }
        }
    }

    fn found(&mut self, text: &str, place: &str, line: (usize, usize)) {
        for hit in find(text) {
            for name in names(hit.value.expose()) {
                let role = match &hit.sort {
                    Sort::Sql(opens) => Role::SqlPassword(opens.clone()),
                    Sort::Key => Role::Key(Confidence::Certain),
                };
                self.used(&name, role, place, line);
            }
            if has_literal(hit.value.expose()) {
                let rule = match hit.sort {
                    Sort::Sql(_) => "KL0401",
                    Sort::Key => "KL0409",
                };
                self.hit(hit, rule, place, line);
            }
        }
    }

    /// What was commented out is still there for every reader.
    fn comments(&mut self, document: &Document) {
        let text = document.text();
        let mut at = 0;
        while let Some(start) = text[at..].find("<!--").map(|n| at + n + 4) {
            let Some(end) = text[start..].find("-->").map(|n| start + n) else {
                return;
            };
            let mut inside = Search::default();
            for piece in pieces(&text[start..end]) {
                inside.text(
                    &unescaped(piece),
                    "comment",
                    document.line_column(start - 4),
                );
            }
            for spot in inside.spots {
                let known = |s: &Spot| s.hit.value == spot.hit.value;
                if !self.spots.iter().any(known) {
                    self.spots.push(spot);
                }
            }
            at = end;
        }
    }

    fn hit(&mut self, hit: Hit, rule: &'static str, place: &str, line: (usize, usize)) {
        let known = |s: &Spot| s.place == place && s.hit.value == hit.value;
        if self.spots.iter().any(known) {
            return;
        }
        let (severity, replacement) = match rule {
            "KL0401" => (Severity::Critical, USE_ACCESS),
            _ => (Severity::High, USE_IDENTITY),
        };
        let what = match place {
            "comment" => format!("{} stands in a comment of this policy", hit.what),
            _ => format!("{} stands in this policy", hit.what),
        };
        let place = place.to_owned();
        self.spots.push(Spot {
            place,
            line,
            rule,
            severity,
            replacement,
            what,
            hit,
        });
    }

    fn used(&mut self, name: &str, role: Role, place: &str, line: (usize, usize)) {
        let place = place.to_owned();
        self.uses.push(Use {
            name: name.to_owned(),
            role,
            place,
            line,
        });
    }
}

/// Whether a credential stands in the text itself, be it a part that a reference completes.
fn has_literal(value: &str) -> bool {
    let (rest, _) = substitute(value, |_| Live::Present(String::new()));
    looks::is_literal(&rest)
}

fn within(element: ElementRef, name: &str) -> bool {
    std::iter::successors(element.parent(), |e| e.parent()).any(|e| e.name() == name)
}

fn sounds_secret(name: &str) -> bool {
    ["key", "secret", "token", "password", "sas", "auth"]
        .iter()
        .any(|w| name.contains(w))
}

/// A comment cut into the tags that it holds, and the texts between them.
fn pieces(comment: &str) -> Vec<&str> {
    let mut out = Vec::new();
    let mut rest = comment;
    let mut from = 0;
    while let Some(open) = rest[from..].find('<').map(|n| from + n) {
        let is_tag = rest[open + 1..].starts_with(|c: char| c.is_alphabetic() || c == '/');
        match rest[open..].find('>').filter(|_| is_tag) {
            Some(length) => {
                out.push(&rest[..open]);
                out.push(&rest[open + 1..open + length]);
                rest = &rest[open + length + 1..];
                from = 0;
            }
            None if is_tag => break,
            None => from = open + 1,
        }
    }
    out.push(rest);
    out
}

/// The five entities of XML as their characters.
fn unescaped(text: &str) -> String {
    text.replace("&quot;", "\"")
        .replace("&apos;", "'")
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&amp;", "&")
}

//! The rules for a policy document: which of its places hold a credential, and which named values
//! stand where one is expected.
//!
//! Invariant: each place is read by one rule, and a value is told once for each place.

use std::collections::BTreeMap;

use keyless_model::{Live, Severity};
use keyless_policy::{Document, ElementRef, references};

use crate::connection_string::ConnectionString;
use crate::constants::{Part, parts};
use crate::credentials::{Hit, Sort, basic, find, opens};
use crate::expects::{Expects, expected, expected_of};
use crate::finding::{CALLERS, Confidence, Opens, USE_ACCESS, USE_IDENTITY};
use crate::follow::{self, Constant};
use crate::looks;
use crate::names::MIN_KEY;
use crate::place::around;
use crate::source::{names, sql_sources, substitute};
use crate::url::in_url;

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
    /// In a policy.
    pub line: Option<(usize, usize)>,
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
    /// `(by, place)`: the place for a credential `by` sends a variable that is set at `place`.
    pub sends: Vec<(String, String)>,
}

/// Searches a document. `lookup` gives the values of named values that can be read.
pub(crate) fn search(document: &Document, lookup: &dyn Fn(&str) -> Live<String>) -> Search {
    let mut out = Search::default();
    for source in sql_sources(document) {
        let line = (source.line, source.column);
        let place = source.path.to_string();
        out.connection(&source.text, source.managed_identity, &place, line, lookup);
    }
    let variables = follow::constants(document);
    for element in document.elements() {
        out.element(document, element);
        out.variables(element, &variables);
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
        if looks::has_literal(password.expose()) {
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
        for attribute in element.attributes() {
            let place = format!("{path}/@{}", attribute.name);
            let line = document.line_column(attribute.range.start);
            let expects = expected_of(element, &attribute.name);
            self.read(expects, &attribute.value, &place, line);
        }
        let is_sql = element.name() == "connection-string"
            && around(element, &["sql-data-source"]).is_some();
        if let Some(text) = element.text().filter(|t| !is_sql && !t.trim().is_empty()) {
            self.read(expected(element), &text, &path, element.line_column());
        }
    }

    /// The places for credentials of an element once more, with the constants of the variables in
    /// them. What that shows stands where the variable is set.
    fn variables(&mut self, element: ElementRef, known: &BTreeMap<String, Vec<Constant>>) {
        let path = element.path().to_string();
        let mut places: Vec<(Expects, String, String)> = Vec::new();
        for attribute in element.attributes() {
            let place = format!("{path}/@{}", attribute.name);
            let expects = expected_of(element, &attribute.name);
            places.push((expects, attribute.value, place));
        }
        let text = element.text().unwrap_or_default();
        places.push((expected(element), text, path));
        places.retain(|(e, ..)| matches!(e, Expects::Authorization | Expects::Secret { .. }));
        for (expects, text, by) in places {
            for (whole, sent) in follow::put_in(&text, known) {
                let mut inside = Search::default();
                inside.read(expects, &whole, &by, element.line_column());
                self.sent(inside, &sent, &by);
            }
        }
    }

    /// Takes over what was found in the text of `by` with these constants in it.
    fn sent(&mut self, inside: Search, sent: &[&Constant], by: &str) {
        for spot in inside.spots {
            let value = spot.hit.value.expose();
            let from = sent.iter().find(|c| c.text.contains(value));
            let (place, line) = from.map_or((by, spot.line), |c| (&c.place, c.line));
            self.sends.push((by.to_owned(), place.to_owned()));
            self.hit(spot.hit, spot.rule, place, line);
        }
        for used in inside.uses {
            let from = sent.iter().find(|c| names(&c.text).contains(&used.name));
            let Some(from) = from else { continue };
            self.sends.push((by.to_owned(), from.place.clone()));
            self.used(&used.name, used.role, &from.place, from.line);
        }
    }

    fn read(&mut self, expects: Expects, text: &str, place: &str, line: (usize, usize)) {
        match expects {
            Expects::Authorization => self.authorization(text, place, line),
            Expects::Secret { rule, what, least } => {
                self.secret(text, rule, what, least, place, line);
            }
            Expects::Suspect { said } => self.suspect(text, said, place, line),
            Expects::Url => self.url(text, place, line),
            Expects::Text => self.text(text, place, line),
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
            let stand_in = least > 1 && looks::is_stand_in(value);
            let long = value.chars().count() >= least && !spaced;
            if long && !stand_in && looks::is_literal(value) {
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

    /// A header, a parameter or a variable whose name sounds secret: what looks like a key counts,
    /// and where the name says so, what looks like a password.
    fn suspect(&mut self, text: &str, said: bool, place: &str, line: (usize, usize)) {
        for constant in self.constants(text, place, line) {
            let value = constant.trim();
            for name in names(value).into_iter().filter(|_| said) {
                self.used(&name, Role::Key(Confidence::Possible), place, line);
            }
            if let Some(hit) = basic(value).filter(|h| looks::has_literal(h.value.expose())) {
                self.hit(hit, "KL0409", place, line);
                continue;
            }
            let random = looks::is_random(value);
            let is_one = random || said && looks::is_password(value);
            if !is_one {
                self.found(value, place, line);
                continue;
            }
            let (what, confidence) = match (said, random) {
                (true, true) => ("what its name calls a credential", Confidence::Certain),
                (true, false) => ("what its name calls a credential", Confidence::Likely),
                (false, _) => ("a literal that looks like a key", Confidence::Likely),
            };
            self.hit(Hit::key(value, what, confidence), "KL0409", place, line);
        }
    }

    /// The place for a URL, or for a part of one.
    fn url(&mut self, text: &str, place: &str, line: (usize, usize)) {
        self.text(text, place, line);
        for part in parts(text) {
            let strings = match part {
                Part::Literal(text) => vec![text.to_owned()],
                Part::Expression(found) => found.strings.into_iter().collect(),
            };
            for hit in strings.iter().flat_map(|s| in_url(s)) {
                self.told(hit, place, line);
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
        // What is encoded is a login: only its password counts, and that is read apart.
        let encodes = text.contains("ToBase64String");
        for part in cut {
            match part {
                // Text next to an expression is no whole value: `Bearer @(token)`.
                Part::Literal(text) => self.found(text, place, line),
                Part::Expression(found) => {
                    for string in &found.strings {
                        if found.values.contains(string) {
                            continue;
                        }
                        if looks::is_random(string) || is_reference(string) && !encodes {
                            out.push(string.clone());
                        } else {
                            self.found(string, place, line);
                        }
                    }
                    out.extend(found.values);
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
            self.told(hit, place, line);
        }
    }

    /// A credential that shows itself, or the named values that stand for it.
    fn told(&mut self, hit: Hit, place: &str, line: (usize, usize)) {
        for name in names(hit.value.expose()) {
            let role = match &hit.sort {
                Sort::Sql(opens) => Role::SqlPassword(opens.clone()),
                Sort::Key(_) => Role::Key(Confidence::Certain),
            };
            self.used(&name, role, place, line);
        }
        if looks::has_literal(hit.value.expose()) {
            let rule = match hit.sort {
                Sort::Sql(_) => "KL0401",
                Sort::Key(_) => "KL0409",
            };
            self.hit(hit, rule, place, line);
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
            _ if CALLERS.0.contains(&hit.what) => (Severity::High, CALLERS.1),
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
            line: Some(line),
        });
    }
}

/// Whether a text is one reference to a named value and nothing else.
fn is_reference(text: &str) -> bool {
    let text = text.trim();
    matches!(references(text).as_slice(), [one] if one.range == (0..text.len()))
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

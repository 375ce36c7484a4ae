//! The edits that make a policy document send a token instead of a key.
//!
//! Where several elements send a credential with the same call, the first becomes the element that
//! asks for the token and the others go.

use std::collections::{BTreeMap, BTreeSet};

use keyless_policy::{Document, ElementRef};
use keyless_scan::{HttpCredential, HttpKind, Place, Section, VARIABLE_SETTERS};

use crate::stages::http::caller;
use crate::stages::http::judge::{PolicyWork, branch, is_request, request_of, sender};
use crate::step::Splice;

/// The edits that carry out `work`, in the coordinates of `document`; `xml` asks for the token, and
/// calls run through `beside` too.
pub(crate) fn edits(
    document: &Document,
    work: &PolicyWork,
    xml: &str,
    beside: &[&Document],
) -> Vec<Splice> {
    Edits::of(document, work, beside).splices(document, xml)
}

/// A variable that would go with the credential, and that something which stays reads.
pub(crate) fn still_read(
    document: &Document,
    work: &PolicyWork,
    beside: &[&Document],
) -> Option<String> {
    let plan = Edits::of(document, work, beside);
    let gone = plan.removed.iter().chain(&plan.replaced);
    let gone = gone.filter_map(|path| document.find(&path.parse().ok()?));
    let mut names = gone.flat_map(variables_of);
    names.find(|name| plan.speaks_of(document, "", name) || any_speaks(beside, name))
}

/// The variables that an element and what is inside of it set.
fn variables_of(element: ElementRef) -> Vec<String> {
    let own = |word: &str| element.attribute(word).map(|a| a.value);
    let mut out: Vec<String> = VARIABLE_SETTERS.iter().filter_map(|w| own(w)).collect();
    if element.name() == "set-variable" {
        out.extend(own("name"));
    }
    out.extend(element.children().into_iter().flat_map(variables_of));
    out
}

fn any_speaks(documents: &[&Document], name: &str) -> bool {
    documents
        .iter()
        .any(|d| d.elements().into_iter().any(|e| speaks(e, name)))
}

/// Whether an element has the name in quotes, or as one of its attributes.
fn speaks(element: ElementRef, name: &str) -> bool {
    let said = |text: &str| text.contains(&format!("\"{name}\""));
    let mut attributes = element.attributes().into_iter();
    element.text().is_some_and(|t| said(&t))
        || attributes.any(|a| a.value == name || said(&a.value))
}

impl Edits {
    fn of(document: &Document, work: &PolicyWork, beside: &[&Document]) -> Self {
        let mut plan = Self::default();
        plan.fill(document, work, beside);
        plan
    }

    fn fill(&mut self, document: &Document, work: &PolicyWork, beside: &[&Document]) {
        self.call(document, work);
        self.requests(document, work);
        for (_, place, url) in &work.urls {
            self.urls.push((place.clone(), url.clean.clone()));
        }
        let credentials = work.call.iter().chain(work.requests.iter().map(|(_, c)| c));
        let all: Vec<&HttpCredential> = credentials.collect();
        for credential in &all {
            self.remove_rest(credential);
        }
        self.variables(document, &all, beside);
        self.untangle();
    }
}

#[derive(Default)]
struct Edits {
    /// Elements in whose place the token is asked for.
    replaced: BTreeSet<String>,
    removed: BTreeSet<String>,
    /// Elements at whose end the token is asked for; the empty path is the inbound section.
    ends: BTreeSet<String>,
    urls: Vec<(Place, String)>,
}

impl Edits {
    fn call(&mut self, document: &Document, work: &PolicyWork) {
        let mut branches: BTreeMap<&str, Vec<Candidate>> = BTreeMap::new();
        for path in work.wrong.iter().filter(|p| !is_request(p)) {
            let found = branches.entry(branch(path)).or_default();
            found.push(Candidate { path, here: true });
        }
        for credential in &work.call {
            let path = sender(credential);
            let here = fits(document, work, credential);
            let found = branches.entry(branch(path)).or_default();
            found.push(Candidate { path, here });
        }
        let always = work.right.contains("") || branches.contains_key("") || work.add;
        if (work.add || work.has_key_in_url())
            && !work.right.contains("")
            && !branches.contains_key("")
        {
            self.ends.insert(String::new());
        }
        for (around, candidates) in branches {
            let has_one = match around {
                "" => work.right.contains(""),
                _ => always || work.right.contains(around),
            };
            self.group(&candidates, has_one, "");
        }
    }

    fn requests(&mut self, document: &Document, work: &PolicyWork) {
        let mut groups: BTreeMap<&str, Vec<Candidate>> = BTreeMap::new();
        for (request, credential) in &work.requests {
            let path = sender(credential);
            let found = groups.entry(request).or_default();
            found.push(Candidate { path, here: true });
        }
        for path in work.wrong.iter().filter(|p| is_request(p)) {
            if let Some(request) = outer_request(document, path) {
                let found = groups.entry(request).or_default();
                found.insert(0, Candidate { path, here: true });
            }
        }
        for (request, ..) in &work.urls {
            if let Some(request) = request {
                groups.entry(request).or_default();
            }
        }
        for (request, candidates) in groups {
            self.group(&candidates, work.right.contains(request), request);
        }
    }

    /// One of the candidates becomes the element, unless there is one already.
    fn group(&mut self, candidates: &[Candidate], has_one: bool, end: &str) {
        let first = candidates.iter().position(|c| c.here).filter(|_| !has_one);
        if first.is_none() && !has_one {
            self.ends.insert(end.to_owned());
        }
        for (index, candidate) in candidates.iter().enumerate() {
            let path = candidate.path.to_owned();
            match first == Some(index) {
                true => self.replaced.insert(path),
                false => self.removed.insert(path),
            };
        }
    }

    /// Of a fetched token, all that fetches and carries it.
    fn remove_rest(&mut self, credential: &HttpCredential) {
        if let HttpKind::ClientSecretBody {
            authorization,
            between,
        } = &credential.kind
        {
            let rest = authorization.iter().skip(1).chain(between);
            self.removed.extend(rest.cloned());
            self.removed.insert(credential.path.clone());
        }
    }

    /// A variable that held a credential goes, if nothing else that calls run through speaks of it.
    fn variables(&mut self, document: &Document, all: &[&HttpCredential], beside: &[&Document]) {
        for place in all.iter().flat_map(|c| &c.values).map(|v| &v.place) {
            let path = place.path();
            let inside = |p: &String| path == p || path.starts_with(&format!("{p}/"));
            if self.removed.iter().chain(&self.replaced).any(inside) {
                continue;
            }
            let element = path.parse().ok().and_then(|p| document.find(&p));
            let name = element.and_then(|e| e.attribute("name"));
            if let Some(name) = name
                && !self.speaks_of(document, path, &name.value)
                && !any_speaks(beside, &name.value)
            {
                self.removed.insert(path.to_owned());
            }
        }
    }

    /// Whether anything that stays, but the element at `path`, has the name in quotes.
    fn speaks_of(&self, document: &Document, path: &str, name: &str) -> bool {
        let goes = |p: &str| {
            p == path
                || self
                    .removed
                    .iter()
                    .chain(&self.replaced)
                    .any(|r| p == r || p.starts_with(&format!("{r}/")))
        };
        let mut all = document.elements().into_iter();
        all.any(|e| speaks(e, name) && !goes(e.path().as_str()))
    }

    /// No edit stands inside another: what is inside of what goes, goes with it.
    fn untangle(&mut self) {
        let inside = |inner: &str, outer: &str| inner.starts_with(&format!("{outer}/"));
        for outer in self.removed.clone() {
            let held = self.replaced.iter().any(|r| inside(r, &outer));
            if held {
                self.replaced.retain(|r| !inside(r, &outer));
                self.removed.remove(&outer);
                self.replaced.insert(outer);
            }
        }
        let all: Vec<String> = self.removed.iter().chain(&self.replaced).cloned().collect();
        let free = |path: &str| !all.iter().any(|outer| inside(path, outer));
        self.removed.retain(|p| free(p));
        self.replaced.retain(|p| free(p));
        self.removed.retain(|p| !self.replaced.contains(p));
        self.ends.retain(|p| free(p) && !all.contains(p));
        self.urls
            .retain(|(place, _)| free(place.path()) && !all.contains(&place.path().to_owned()));
    }

    fn splices(self, document: &Document, xml: &str) -> Vec<Splice> {
        let xml = || xml.to_owned();
        let mut out: Vec<Splice> = Vec::new();
        for (place, text) in self.urls {
            out.push(match place {
                Place::Text { path } => Splice::Text { path, text },
                Place::Attribute { path, name } => Splice::Attribute {
                    path,
                    name,
                    value: text,
                },
            });
        }
        let replaced = self.replaced.into_iter();
        out.extend(replaced.map(|path| Splice::Replace { path, xml: xml() }));
        out.extend(self.removed.into_iter().map(|path| Splice::Remove { path }));
        for end in self.ends {
            out.push(match end.is_empty() {
                true => at_end_of_inbound(document, xml()),
                false => Splice::InsertLast {
                    path: end,
                    xml: xml(),
                },
            });
        }
        out
    }
}

/// An element that the token may take the place of.
struct Candidate<'a> {
    path: &'a str,
    /// The token may be asked for right there.
    here: bool,
}

/// Whether a token may be asked for where the credential is sent: in `inbound`, and not before
/// something that touches the `Authorization` of the call.
fn fits(document: &Document, work: &PolicyWork, credential: &HttpCredential) -> bool {
    credential.section != Section::Backend && !caller::behind(document, work, sender(credential))
}

fn section_of(document: &Document) -> Option<ElementRef<'_>> {
    let children = document.root().children();
    children.into_iter().find(|c| c.name() == "inbound")
}

fn at_end_of_inbound(document: &Document, xml: String) -> Splice {
    let root = document.root();
    match section_of(document) {
        Some(section) => Splice::InsertLast {
            path: section.path().to_string(),
            xml,
        },
        None if root.name() == "policies" => Splice::InsertFirst {
            path: root.path().to_string(),
            xml: format!("<inbound>{xml}</inbound>"),
        },
        None => Splice::InsertLast {
            path: root.path().to_string(),
            xml,
        },
    }
}

/// The request around a path, as a part of it.
fn outer_request<'a>(document: &Document, path: &'a str) -> Option<&'a str> {
    let (request, _) = request_of(document, path)?;
    path.get(..request.len())
}

//! What of one policy document is an Access's business: the credentials that it sends to the
//! target, the tokens that it asks for, the URLs with a key.

use std::collections::BTreeSet;

use keyless_policy::{Document, ElementRef};
use keyless_scan::{
    Confidence, HttpCredential, HttpKind, Leads, Place, REQUESTS, Section, To, UrlCredential,
    http_credentials, targets, url_credentials,
};

use crate::stages::http::identity::{ELEMENT, Token};
use crate::stages::http::lanes::Lanes;

/// What a policy document has to do with an Access, and what is to change in it.
#[derive(Default)]
pub(crate) struct PolicyWork {
    /// Credentials sent with the call itself.
    pub call: Vec<HttpCredential>,
    /// Credentials sent with requests that the policy makes on its own, and the path of each.
    pub requests: Vec<(String, HttpCredential)>,
    /// Elements that ask for another token.
    pub wrong: Vec<String>,
    /// Places around an element that asks for the right one: a request, a branch of a `choose`,
    /// or, for every call, the empty path.
    pub right: BTreeSet<String>,
    /// URLs that hold a credential, and the path of the request that they are of.
    pub urls: Vec<(Option<String>, Place, UrlCredential)>,
    /// The document is to ask for a token that it does not ask for yet.
    pub add: bool,
    /// It is left as it is: what else it does with the call is not known well enough.
    pub given_up: bool,
    /// Elements that stay, for only their name sounds like a credential's.
    pub possible: Vec<String>,
    /// What does not tell where it leads, or what it asks for.
    pub unclear: Vec<&'static str>,
}

const HIDDEN_REQUEST: &str = "a request of it sends a credential to a URL that an expression or a \
                              hidden value decides";
const HIDDEN_TOKEN: &str = "an expression or a hidden value decides which token it asks for";
const MANIFOLD: &str = "it fetches a token with a secret, and sends it to more than one place";
const UNFOLLOWED: &str = "it fetches a token with a secret, and nothing tells where that is sent";

impl PolicyWork {
    /// What of `document` belongs to the target at `url`; of the call itself only where `call`
    /// says that it goes there.
    pub fn of(lanes: &Lanes, token: &Token, url: &str, document: &Document, call: bool) -> Self {
        let mut out = Self::default();
        for credential in http_credentials(document) {
            out.credential(lanes, url, document, credential, call);
        }
        for element in document.elements() {
            if element.name() == ELEMENT {
                out.token(lanes, token, url, element, call);
            }
        }
        for target in targets(document) {
            let To::Url { place, text } = target.to else {
                continue;
            };
            if lanes.leads_to(&text, url) == Leads::Yes
                && let Some(found) = url_credentials(&text)
            {
                let request = request_of(document, place.path()).map(|r| r.0);
                out.urls.push((request, place, found));
            }
        }
        out
    }

    fn credential(
        &mut self,
        lanes: &Lanes,
        url: &str,
        document: &Document,
        credential: HttpCredential,
        call: bool,
    ) {
        let sent_by = match &credential.kind {
            HttpKind::ClientSecretBody { authorization, .. } => {
                let Some(first) = authorization.first() else {
                    self.unclear.extend(call.then_some(UNFOLLOWED));
                    return;
                };
                let to: Vec<_> = authorization
                    .iter()
                    .map(|p| request_of(document, p))
                    .collect();
                if to.iter().any(|other| *other != to[0]) {
                    let here = |to: &Option<(String, Option<String>)>| match to {
                        Some((_, to)) => to
                            .as_deref()
                            .is_none_or(|to| lanes.leads_to(to, url) != Leads::No),
                        None => call,
                    };
                    self.unclear.extend(to.iter().any(here).then_some(MANIFOLD));
                    return;
                }
                first.clone()
            }
            _ => credential.path.clone(),
        };
        let acts = matches!(
            credential.section,
            Section::Inbound | Section::Backend | Section::Fragment
        );
        let certain = credential.confidence != Confidence::Possible;
        match request_of(document, &sent_by) {
            Some((path, to)) => match to.map_or(Leads::Unknown, |to| lanes.leads_to(&to, url)) {
                Leads::Yes if certain => self.requests.push((path, credential)),
                Leads::Yes => self.possible.push(credential.path),
                Leads::Unknown if certain => self.unclear.push(HIDDEN_REQUEST),
                _ => {}
            },
            None if !call || !acts => {}
            None if certain => self.call.push(credential),
            None => self.possible.push(credential.path),
        }
    }

    fn token(&mut self, lanes: &Lanes, token: &Token, url: &str, element: ElementRef, call: bool) {
        let path = element.path().to_string();
        let kept = element.attribute("output-token-variable-name");
        if kept.is_some_and(|a| !a.value.is_empty()) {
            return;
        }
        let place = match around(element) {
            Some(request) => match request.1.map(|to| lanes.leads_to(&to, url)) {
                Some(Leads::Yes) => request.0,
                _ => return,
            },
            None if call => branch(&path).to_owned(),
            None => return,
        };
        match token.is_asked_by(element, lanes) {
            Some(true) => {
                self.right.insert(place);
            }
            Some(false) => self.wrong.push(path),
            None => self.unclear.push(HIDDEN_TOKEN),
        }
    }

    /// Whether the document is to change.
    pub fn changes(&self) -> bool {
        self.sends_keys() || !self.wrong.is_empty() || self.add
    }

    /// Leaves everything as it is.
    pub fn give_up(&mut self) {
        let right = std::mem::take(&mut self.right);
        *self = Self {
            right,
            given_up: true,
            ..Self::default()
        };
    }

    /// Whether calls that run through it come to send a token that they do not send now.
    pub fn asks_anew(&self) -> bool {
        let wrong = self.wrong.iter().any(|p| !is_request(p));
        self.add || wrong || !self.call.is_empty() || self.has_key_in_url()
    }

    /// Whether it sends a credential to the target.
    pub fn sends_keys(&self) -> bool {
        !self.call.is_empty() || !self.requests.is_empty() || !self.urls.is_empty()
    }

    /// Whether a key is in the URL that a call goes to, so that nothing else of it is replaced.
    pub fn has_key_in_url(&self) -> bool {
        self.urls.iter().any(|(request, ..)| request.is_none())
    }

    /// Whether calls that run through it send the token once it has changed; with `each`, all of
    /// them.
    pub fn sends_token(&self, each: bool) -> bool {
        let everywhere = |path: &str| branch(path).is_empty();
        let here = |path: &str| !each || everywhere(path);
        let right = self
            .right
            .iter()
            .any(|place| !is_request(place) && (!each || place.is_empty()));
        let wrong = self.wrong.iter().any(|p| !is_request(p) && here(p));
        right || wrong || self.add || self.call.iter().any(|c| here(sender(c)))
    }

    /// Display names of the named values behind what goes.
    pub fn references(&self) -> impl Iterator<Item = &str> {
        let credentials = self.call.iter().chain(self.requests.iter().map(|(_, c)| c));
        let urls = self.urls.iter().flat_map(|(_, _, u)| &u.references);
        credentials
            .flat_map(|c| &c.references)
            .chain(urls)
            .map(String::as_str)
    }
}

/// The element that puts the credential into a request: for a fetched token, the one that sends it.
pub(crate) fn sender(credential: &HttpCredential) -> &str {
    match &credential.kind {
        HttpKind::ClientSecretBody { authorization, .. } => {
            authorization.first().unwrap_or(&credential.path)
        }
        _ => &credential.path,
    }
}

/// The branch of a `choose` that a path leads into; empty when it leads into none.
pub(crate) fn branch(path: &str) -> &str {
    let is_branch = |step: &str| {
        let name = step.split('[').next();
        matches!(name, Some("when" | "otherwise"))
    };
    let mut end = path.len();
    while let Some(start) = path[..end].rfind('/') {
        if is_branch(&path[start + 1..end]) && end < path.len() {
            return &path[..end];
        }
        end = start;
    }
    ""
}

/// Whether the element at this path is a request, or stands in one.
pub(crate) fn is_request(path: &str) -> bool {
    path.split('/')
        .any(|step| REQUESTS.contains(&step.split('[').next().unwrap_or_default()))
}

/// The request around the element at a path, and its URL.
pub(crate) fn request_of(document: &Document, path: &str) -> Option<(String, Option<String>)> {
    around(document.find(&path.parse().ok()?)?)
}

fn around(element: ElementRef) -> Option<(String, Option<String>)> {
    let mut outer = std::iter::successors(element.parent(), |e| e.parent());
    let request = outer.find(|e| REQUESTS.contains(&e.name()))?;
    let child = |name| request.children().into_iter().find(|c| c.name() == name);
    // Where both lead together is not documented (`http-request` of a resolver may have both).
    let url = child("set-url").filter(|_| child("set-backend-service").is_none());
    Some((request.path().to_string(), url.and_then(|u| u.text())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_branch_is_the_innermost_one_around() {
        let path = "/policies/inbound/choose[2]/when[1]/choose/otherwise/set-header";
        assert_eq!(branch(path), &path[..path.len() - "/set-header".len()]);
        assert_eq!(branch("/policies/inbound/set-header[2]"), "");
        assert_eq!(branch("/policies/inbound/choose/when"), "");
    }
}

//! The HTTP services that APIs reach with a key or a password.
//!
//! Where calls lead is read from the same lanes as planning reads it, so that a plan finds what a
//! proposal found.

use std::collections::{BTreeMap, BTreeSet};

use keyless_model::{Address, Live, Snapshot};
use keyless_policy::Document;
use keyless_scan::{
    BackendKind, Confidence, HttpKind, Resolved, Section, Sender, To, backend_credentials,
    http_credentials, resolve, targets, url_credentials,
};

use super::example;
use super::{Proposal, Reached, api_name};
use crate::stages::http::lanes::{End, Lane, Lanes, Part};

/// What one gateway's APIs reach.
pub(super) fn find(snapshot: &Snapshot, gateway: &Address, out: &mut Proposal) {
    let lanes = Lanes::of(snapshot, gateway);
    let documents = lanes.lanes.iter().flat_map(|l| &l.links);
    let documents: BTreeSet<&Address> = documents.map(|l| &l.document).collect();
    let mut sends = BTreeMap::new();
    for address in documents {
        if let Some(document) = lanes.document(address) {
            sends.insert(address.clone(), Sends::of(document));
        } else if let Some(why) = lanes.broken(address)
            && !snapshot.unreadable.contains_key(address.as_str())
            && address.name_of("resolver").is_none()
        {
            out.leave(address, why, "mend it in the gateway");
        }
    }
    let finder = Finder {
        snapshot,
        gateway,
        sends,
    };
    for lane in &lanes.lanes {
        finder.lane(lane, out);
    }
}

struct Finder<'a> {
    snapshot: &'a Snapshot,
    gateway: &'a Address,
    sends: BTreeMap<Address, Sends>,
}

/// The credentials that a document sends.
#[derive(Default)]
struct Sends {
    /// With the call itself.
    call: bool,
    /// With requests of its own, to these URLs; none where only an expression knows.
    requests: BTreeSet<Option<String>>,
    /// URLs with a credential in them that it sends the call to.
    urls: BTreeSet<String>,
}

const HIDDEN: (&str, &str) = (
    "it sends a credential, and an expression or a hidden value decides where",
    "write the URL or the backend's id as plain text, then run init again",
);
const CLEAR: (&str, &str) = (
    "it sends a credential over http, where a token could be read on the way",
    "give the service https first",
);
const AUTHORITY: (&str, &str) = (
    "it shows a credential to Entra itself, and nothing tells what the token is for",
    "write the Access for the service by hand",
);

impl Sends {
    fn of(document: &Document) -> Self {
        let mut out = Self::default();
        let targets = targets(document);
        for credential in http_credentials(document) {
            if credential.confidence == Confidence::Possible {
                continue;
            }
            // What a client secret buys is sent by another element.
            let sent_by = match &credential.kind {
                HttpKind::ClientSecretBody { authorization, .. } => authorization.first(),
                _ => Some(&credential.path),
            };
            let Some(sent_by) = sent_by else { continue };
            let inside = |path: &str| sent_by.starts_with(&format!("{path}/"));
            let request = targets
                .iter()
                .find(|t| t.sender == Sender::SendRequest && inside(&t.path));
            let acts = !matches!(credential.section, Section::Outbound | Section::OnError);
            match (request.map(|t| &t.to), &credential.within_send_request) {
                (Some(To::Url { text, .. }), _) => drop(out.requests.insert(Some(text.clone()))),
                (Some(To::Backend { .. }), _) => drop(out.requests.insert(None)),
                // A request without a URL in it.
                (None, Some(_)) if sent_by == &credential.path => drop(out.requests.insert(None)),
                (None, _) => out.call |= acts && credential.section != Section::Resolver,
            }
        }
        for target in targets {
            let To::Url { text, .. } = target.to else {
                continue;
            };
            match (url_credentials(&text), target.sender) {
                (None, _) => {}
                (_, Sender::SendRequest) => drop(out.requests.insert(Some(text))),
                (_, Sender::BackendService) => drop(out.urls.insert(text)),
            }
        }
        out
    }
}

impl Finder<'_> {
    fn lane(&self, lane: &Lane, out: &mut Proposal) {
        let mut call = BTreeSet::new();
        for link in &lane.links {
            let Some(sends) = self.sends.get(&link.document) else {
                continue;
            };
            if sends.call && (link.inbound || link.backend) {
                call.insert(link.document.clone());
            }
            let place = BTreeSet::from([link.document.clone()]);
            for url in &sends.requests {
                self.reached(lane, url.as_deref(), place.clone(), out);
            }
        }
        for end in &lane.ends {
            let (url, own) = self.end(lane, end);
            let places: BTreeSet<Address> = call.iter().cloned().chain(own).collect();
            let is_nowhere = url.is_some_and(str::is_empty);
            if !places.is_empty() && !is_nowhere {
                self.reached(lane, url, places, out);
            }
        }
    }

    /// The URL of an end, and where a credential of its own stands.
    fn end<'a>(&'a self, lane: &Lane, end: &'a End) -> (Option<&'a str>, Option<Address>) {
        let text = |address: &Address, pointer: &str| {
            let entity = self.snapshot.entities.get(address);
            entity.and_then(|e| e.text(pointer)).unwrap_or_default()
        };
        match end {
            End::Unknown => (None, None),
            End::Service => {
                let url = text(&lane.api, "/properties/serviceUrl");
                let own = url_credentials(url).map(|_| lane.api.clone());
                (Some(url), own)
            }
            End::Backend(address) => {
                let body = self.snapshot.entities.get(address).map(|e| &e.body);
                let mut held = body.map(backend_credentials).unwrap_or_default();
                held.retain(|c| {
                    c.kind != BackendKind::Proxy && c.confidence != Confidence::Possible
                });
                let own = (!held.is_empty()).then(|| address.clone());
                (Some(text(address, "/properties/url")), own)
            }
            End::Url(url) => {
                let says = |d: &&Address| self.sends.get(*d).is_some_and(|s| s.urls.contains(url));
                let own = lane.links.iter().map(|l| &l.document).find(says);
                (Some(url), own.cloned())
            }
        }
    }

    fn reached(
        &self,
        lane: &Lane,
        url: Option<&str>,
        places: BTreeSet<Address>,
        out: &mut Proposal,
    ) {
        let url = match url.map_or(Err(HIDDEN), |text| self.service(text)) {
            Ok(url) => url,
            Err((why, next)) => {
                for place in &places {
                    out.leave(place, why, next);
                }
                return;
            }
        };
        let is = |to: &Reached| matches!(to, Reached::Service(known) if *known == url);
        let access = out.access(self.gateway, is, || Reached::Service(url.clone()));
        access.apis.extend(api_name(&lane.api).map(str::to_owned));
        // A canary can only try what belongs to one API.
        let own = places
            .iter()
            .any(|p| api_name(p).is_some() || p.last().0 == "backend");
        access.places.extend(places);
        if own && access.example.is_none() && lane.is_current() {
            access.example = self.example(lane);
        }
    }

    fn example(&self, lane: &Lane) -> Option<super::Example> {
        match &lane.part {
            Part::Api(names) => {
                let names = names.iter().map(String::as_str);
                example::of_operations(self.snapshot, &lane.api, names)
            }
            Part::Operation(name) => {
                let names = std::iter::once(name.as_str());
                example::of_operations(self.snapshot, &lane.api, names)
            }
            Part::Resolver(_) => example::of_resolver(self.snapshot, &lane.address()),
        }
    }

    /// Scheme and host of a URL. Of named values only those are put in that everybody may see.
    fn service(&self, text: &str) -> Result<String, (&'static str, &'static str)> {
        let seen = |name: &str| {
            let named = self.snapshot.named_value(self.gateway, name);
            let plain = named.filter(|(_, e)| e.flag("/properties/secret") != Some(true));
            let value = plain.and_then(|(_, e)| e.text("/properties/value"));
            Live::Present(value.map_or_else(|| format!("{{{{{name}}}}}"), str::to_owned))
        };
        match resolve(text.trim(), seen) {
            Resolved::Text(whole) => origin(&whole),
            Resolved::Unreadable(_) => Err(HIDDEN),
        }
    }
}

/// Scheme, host and port of an absolute https URL.
fn origin(url: &str) -> Result<String, (&'static str, &'static str)> {
    let (scheme, rest) = url.split_once("://").ok_or(HIDDEN)?;
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let authority = &rest[..end];
    // Never a login: what cannot be told from one is not shown.
    let authority = match authority.rsplit_once('@') {
        Some((login, host)) if !login.contains(['(', '{']) => host,
        _ => authority,
    };
    let authority = authority.to_lowercase();
    let authority = authority.strip_suffix(":443").unwrap_or(&authority);
    let (host, port) = authority.split_once(':').unwrap_or((authority, "443"));
    let letter = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
    let plain = !host.is_empty() && host.chars().all(letter) && port.parse::<u16>().is_ok();
    match scheme.to_lowercase().as_str() {
        "https" if !plain => Err(HIDDEN),
        "https" if is_entra(host) => Err(AUTHORITY),
        "https" => Ok(format!("https://{authority}")),
        "http" if plain => Err(CLEAR),
        _ => Err(HIDDEN),
    }
}

/// The authorities of Microsoft's clouds (Microsoft docs, "National clouds"): they give tokens out
/// and take none.
fn is_entra(host: &str) -> bool {
    const HOSTS: [&str; 4] = [
        "login.microsoftonline.com",
        "login.microsoftonline.us",
        "login.partner.microsoftonline.cn",
        "login.windows.net",
    ];
    HOSTS.contains(&host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_is_scheme_and_host_and_nothing_that_opens_it() {
        for (url, wanted) in [
            ("https://A.net/x?code=abcdefgh", Ok("https://a.net")),
            ("https://u:p4ss@a.net:443/x", Ok("https://a.net")),
            ("https://a.net:8443", Ok("https://a.net:8443")),
            ("https://{{host}}/x", Err(HIDDEN)),
            ("@(\"https://a.net\")", Err(HIDDEN)),
            ("https://@(x)/y", Err(HIDDEN)),
            ("{{url}}", Err(HIDDEN)),
            ("http://a.net", Err(CLEAR)),
            (
                "https://login.microsoftonline.com/t/oauth2/v2.0/token",
                Err(AUTHORITY),
            ),
            ("", Err(HIDDEN)),
        ] {
            assert_eq!(origin(url), wanted.map(str::to_owned), "{url}");
        }
    }
}

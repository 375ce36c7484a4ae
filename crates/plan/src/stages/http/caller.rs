//! Who else touches the `Authorization` of a call. A token is sent there: it must not take the
//! place of the caller's before that is checked, and nothing may take the token's place.

use std::collections::BTreeSet;

use keyless_policy::{Document, ElementRef};
use keyless_scan::HttpKind;

use crate::stages::http::judge::PolicyWork;

/// The elements that go when `work` is carried out.
fn going(work: &PolicyWork) -> BTreeSet<&str> {
    let mut out: BTreeSet<&str> = work.wrong.iter().map(String::as_str).collect();
    for credential in &work.call {
        out.insert(&credential.path);
        if let HttpKind::ClientSecretBody {
            authorization,
            between,
        } = &credential.kind
        {
            out.extend(authorization.iter().chain(between).map(String::as_str));
        }
    }
    out
}

/// Whether an element that stays, behind the one at `path` in its section, touches it; what a
/// fragment does is not known here.
pub(crate) fn behind(document: &Document, work: &PolicyWork, path: &str) -> bool {
    let Some(element) = path.parse().ok().and_then(|p| document.find(&p)) else {
        return false;
    };
    let (going, from) = (going(work), element.range().end);
    let mut later = document.elements();
    later.retain(|e| e.range().start >= from && stays(&going, *e) && section(*e) != "backend");
    // What `<base />` takes in is not known here either.
    let touched = |e: &ElementRef| matches!(e.name(), "include-fragment" | "base") || touches(*e);
    later.iter().any(|e| acts(*e) && touched(e))
}

/// Whether anything of the document that stays touches it in `sections`.
pub(crate) fn within(document: &Document, work: &PolicyWork, sections: &[&str]) -> bool {
    let going = going(work);
    let is_fragment = document.root().name() == "fragment";
    let mut all = document.elements();
    all.retain(|e| is_fragment || sections.contains(&section(*e)));
    all.into_iter()
        .any(|e| acts(e) && stays(&going, e) && touches(e))
}

fn stays(going: &BTreeSet<&str>, element: ElementRef) -> bool {
    let around = std::iter::successors(Some(element), |e| e.parent());
    around
        .into_iter()
        .all(|e| !going.contains(e.path().as_str()))
}

/// What stands in a request of its own, or in an answer, is no part of the call, unless it sends on
/// what the call holds: then it must not find the token there.
fn acts(element: ElementRef) -> bool {
    let mut around = std::iter::successors(Some(element), |e| e.parent());
    if around.any(|e| matches!(e.name(), "return-response" | "outbound" | "on-error")) {
        return false;
    }
    !in_request(element) || hands_on(element)
}

fn in_request(element: ElementRef) -> bool {
    let mut around = std::iter::successors(Some(element), |e| e.parent());
    around.any(|e| matches!(e.name(), "send-request" | "send-one-way-request"))
}

/// Whether a request copies the call, or an element of it reads the call's headers.
fn hands_on(element: ElementRef) -> bool {
    let copy = element.attribute("mode").is_some_and(|a| a.value == "copy");
    let reads = |text: &str| text.contains("context.Request.Headers");
    let inside = element.attributes().iter().any(|a| reads(&a.value));
    copy || inside || element.text().is_some_and(|t| reads(&t))
}

fn touches(element: ElementRef) -> bool {
    if in_request(element) {
        return hands_on(element);
    }
    let named = |text: &str| text.to_lowercase().contains("authorization");
    matches!(
        element.name(),
        "validate-jwt" | "validate-azure-ad-token" | "authentication-basic"
    ) || element.attributes().iter().any(|a| named(&a.value))
        || element.text().is_some_and(|t| named(&t))
}

/// The section of a policy in which an element stands.
fn section<'a>(element: ElementRef<'a>) -> &'a str {
    let around = std::iter::successors(Some(element), |e| e.parent());
    let names: Vec<&'a str> = around.map(|e| e.name()).collect();
    names.iter().rev().nth(1).copied().unwrap_or_default()
}

//! Keys of services, in policies of every scope, in fragments, products and backends.

use serde_json::json;

use crate::canaries::base64;
use crate::generated::names;
use crate::generated::services::{Place, Proof, Service};
use crate::generated::sketch::{Api, Sketch};
use crate::generated::xml;

/// Puts the key where it is. Gives the subscription that callers need.
pub fn plant(
    sketch: &mut Sketch,
    service: &Service,
    place: Place,
    proof: &Proof,
    apis: &[Api],
    each: usize,
) -> Option<String> {
    match place {
        Place::Api | Place::Branches | Place::Expression | Place::Variable => {
            for (revision, key) in keys(sketch, service, apis) {
                let sender = sender(sketch, &key, place, proof);
                sketch.policy(&format!("/apis/{revision}"), &xml::inbound(&sender));
            }
        }
        Place::Operations => {
            for (revision, key) in keys(sketch, service, apis) {
                for number in 0..each {
                    let sender = sender(sketch, &key, place, proof);
                    let scope = format!("/apis/{revision}/operations/get-{number}");
                    sketch.policy(&scope, &xml::inbound(&sender));
                }
            }
        }
        Place::Detour => {
            for (revision, key) in keys(sketch, service, apis) {
                let sender = sender(sketch, &key, place, proof);
                let leads = format!("<set-backend-service base-url=\"{}\" />", service.url());
                let scope = format!("/apis/{revision}/operations/get-0");
                sketch.policy(&scope, &xml::inbound(&(leads + &sender)));
            }
        }
        Place::Fragment => fragment(sketch, service, place, proof, apis),
        Place::Product => return Some(product(sketch, service, place, proof, apis)),
        Place::BackendHeader | Place::BackendQuery | Place::BackendBasic => {
            backend(sketch, service, proof, apis);
        }
        Place::ServiceUrl => {}
        Place::Gateway => {
            let sender = sender(sketch, &service.key, place, proof);
            sketch.policy("", &xml::whole(&sender));
        }
    }
    None
}

/// The revisions of the APIs with the key that each sends: a stale one has a key of long ago.
fn keys(sketch: &mut Sketch, service: &Service, apis: &[Api]) -> Vec<(String, String)> {
    let mut out = Vec::new();
    for api in apis {
        for revision in api.revisions() {
            let old = api.stale && revision != api.id;
            let key = if old {
                sketch.secret()
            } else {
                service.key.clone()
            };
            out.push((revision, key));
        }
    }
    out
}

/// The elements of a policy that send a key.
fn sender(sketch: &mut Sketch, key: &str, place: Place, proof: &Proof) -> String {
    let value = match place {
        Place::Expression => expression(sketch, key),
        Place::Variable => "@((string)context.Variables[\"sesame\"])".to_owned(),
        _ => spelled(sketch, key),
    };
    let one = match proof {
        Proof::Header(name) => xml::header(name, &value),
        Proof::Query(name) => xml::query(name, &value),
        Proof::Basic(user) => basic(sketch, user, key, &value, place),
    };
    let old = sketch.chance.once_in(5).then(|| sketch.secret());
    let one = xml::memory(old) + &one;
    match place {
        Place::Branches => xml::branches(&one),
        Place::Variable => format!("<set-variable name=\"sesame\" value=\"{key}\" />\n    {one}"),
        _ => one,
    }
}

/// A user and a password, as an element of their own or as the header that it makes.
fn basic(sketch: &mut Sketch, user: &str, key: &str, value: &str, place: Place) -> String {
    if place == Place::Expression {
        let bytes = format!("Encoding.UTF8.GetBytes(\"{user}:{key}\")");
        let header = format!("@(\"Basic \" + Convert.ToBase64String({bytes}))");
        return xml::header("Authorization", &header);
    }
    if value != key || sketch.chance.once_in(2) {
        return xml::basic(user, value);
    }
    let pair = base64(format!("{user}:{key}").as_bytes());
    sketch.expected.secrets.push(pair.clone());
    xml::header("Authorization", &format!("Basic {pair}"))
}

/// A value as a literal or through a named value.
fn spelled(sketch: &mut Sketch, value: &str) -> String {
    match sketch.chance.below(4) {
        0 => sketch.named_value(false, value).0,
        1 => sketch.named_value(true, value).0,
        _ => value.to_owned(),
    }
}

/// The key in C#.
fn expression(sketch: &mut Sketch, key: &str) -> String {
    match sketch.chance.below(3) {
        0 => format!("@(\"{key}\")"),
        1 => format!("@(\"{}\" + \"{}\")", &key[..14], &key[14..]),
        _ => format!("@{{ var key = \"{key}\"; return key; }}"),
    }
}

fn fragment(sketch: &mut Sketch, service: &Service, place: Place, proof: &Proof, apis: &[Api]) {
    let id = names::id(&mut sketch.chance, &service.word);
    let sender = sender(sketch, &service.key, place, proof);
    let properties = sketch.policy_body(&format!("<fragment>\n  {sender}\n</fragment>"));
    sketch.apim(&format!("policyFragments/{id}"), properties);
    for revision in apis.iter().flat_map(Api::revisions) {
        let mut include = format!("<include-fragment fragment-id=\"{id}\" />");
        if sketch.chance.once_in(3) {
            include = xml::branches(&include);
        }
        sketch.policy(&format!("/apis/{revision}"), &xml::inbound(&include));
    }
    sketch.clean(&format!("policyFragment:{id}"));
}

fn product(
    sketch: &mut Sketch,
    service: &Service,
    place: Place,
    proof: &Proof,
    apis: &[Api],
) -> String {
    let id = names::id(&mut sketch.chance, &service.word);
    let display = names::display(&mut sketch.chance, &service.word);
    let properties = json!({
        "displayName": display, "state": "published", "subscriptionRequired": true,
        "approvalRequired": false,
    });
    sketch.apim(&format!("products/{id}"), properties);
    for api in apis {
        sketch.apim(&format!("products/{id}/apis/{}", api.id), json!({}));
    }
    let sender = sender(sketch, &service.key, place, proof);
    sketch.policy(&format!("/products/{id}"), &xml::inbound(&sender));
    let subscription = sketch.subscription(&service.word, &format!("/products/{id}"));
    sketch.clean(&format!("product:{id}"));
    subscription
}

fn backend(sketch: &mut Sketch, service: &Service, proof: &Proof, apis: &[Api]) {
    let id = names::id(&mut sketch.chance, &service.word);
    let value = match proof {
        Proof::Basic(_) => service.key.clone(),
        _ => spelled(sketch, &service.key),
    };
    let credentials = match proof {
        Proof::Header(name) => json!({ "header": { *name: [value] } }),
        Proof::Query(name) => json!({ "query": { *name: [value] } }),
        Proof::Basic(user) => {
            let parameter = base64(format!("{user}:{value}").as_bytes());
            sketch.expected.secrets.push(parameter.clone());
            json!({ "authorization": { "scheme": "Basic", "parameter": parameter } })
        }
    };
    let properties =
        json!({ "url": service.url(), "protocol": "http", "credentials": credentials });
    sketch.apim(&format!("backends/{id}"), properties);
    for revision in apis.iter().flat_map(Api::revisions) {
        let leads = format!("<set-backend-service backend-id=\"{id}\" />");
        sketch.policy(&format!("/apis/{revision}"), &xml::inbound(&leads));
    }
    sketch.clean(&format!("backend:{id}"));
}

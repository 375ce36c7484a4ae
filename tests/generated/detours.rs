//! Calls that a policy leads elsewhere, before, behind and beside the element that sends the key:
//! whatever becomes of the Access, a token goes to nobody but its target.

use serde_json::json;

use crate::generated::services::{self, Service};
use crate::generated::sketch::{Api, Sketch};
use crate::generated::{carry_out, start, xml};

/// Where the key is sent.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Key {
    Api,
    Fragment,
    Product,
}

/// Where an API is led elsewhere.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Detour {
    Nowhere,
    /// In the first operation, which inherits the rest or does not.
    BeforeBase,
    BehindBase,
    WithoutBase,
    InFragment,
    /// In the API, on both sides of the key, or for some calls only.
    BeforeKey,
    BehindKey,
    ForSome,
    /// In the section that forwards.
    InBackend,
    /// In the product, around everything.
    InProduct,
    /// A second request, which takes along what the first one has.
    Copy,
}

const DETOURS: [Detour; 11] = [
    Detour::Nowhere,
    Detour::BeforeBase,
    Detour::BehindBase,
    Detour::WithoutBase,
    Detour::InFragment,
    Detour::BeforeKey,
    Detour::BehindKey,
    Detour::ForSome,
    Detour::InBackend,
    Detour::InProduct,
    Detour::Copy,
];

const BASE: &str = "<base />";

/// An API on a detour, and its Access; gives the host that the Access is for.
fn add(sketch: &mut Sketch, key: Key, detour: Detour) -> String {
    let service = services::new(sketch);
    let other = services::open_service(sketch);
    let away = format!("<set-backend-service base-url=\"{other}\" />");
    let api = sketch.api(false, Some(&service.url()));
    services::operations(sketch, &api, 2);
    let sender = xml::header("x-functions-key", &service.key);
    let (inner, outer) = match key {
        Key::Api => (sender, String::new()),
        Key::Fragment => (
            fragment(sketch, &service.word, "key", &sender),
            String::new(),
        ),
        Key::Product => (String::new(), sender),
    };
    let own = own_policy(detour, &inner, &away, &other);
    let first = first_policy(sketch, &service.word, detour, &away);
    for revision in api.revisions() {
        sketch.policy(&format!("/apis/{revision}"), &own);
        if let Some(first) = &first {
            sketch.policy(&format!("/apis/{revision}/operations/get-0"), first);
        }
    }
    let subscription = match (key, detour) {
        (_, Detour::InProduct) => Some(product(sketch, &service.word, &api, &(away + &outer))),
        (Key::Product, _) => Some(product(sketch, &service.word, &api, &outer)),
        _ => None,
    };
    services::traffic(sketch, &api, 2, subscription.as_deref());
    access(sketch, &service, &api);
    service.host()
}

/// The policy of the API.
fn own_policy(detour: Detour, key: &str, away: &str, other: &str) -> String {
    match detour {
        Detour::BeforeKey => xml::inbound(&format!("{away}{key}")),
        Detour::BehindKey => xml::inbound(&format!("{key}{away}")),
        Detour::ForSome => {
            let second = "@(context.Request.OriginalUrl.Path.Contains(\"part1\"))";
            let some = format!("<choose><when condition=\"{second}\">{away}</when></choose>");
            xml::inbound(&format!("{key}{some}"))
        }
        Detour::InBackend => {
            let plain = "<backend><base />";
            xml::inbound(key).replacen(plain, &format!("<backend>{away}<base />"), 1)
        }
        Detour::Copy => {
            let copy = format!(
                "<send-one-way-request mode=\"copy\"><set-url>{other}/audit</set-url>\
                 </send-one-way-request>"
            );
            xml::inbound(&format!("{key}{copy}"))
        }
        _ => xml::inbound(key),
    }
}

/// The policy of the first operation, if it is what leads away.
fn first_policy(sketch: &mut Sketch, word: &str, detour: Detour, away: &str) -> Option<String> {
    let behind = xml::inbound(away);
    match detour {
        Detour::BehindBase => Some(behind),
        Detour::BeforeBase => Some(xml::inbound("").replacen(BASE, &format!("{away}{BASE}"), 1)),
        Detour::WithoutBase => Some(behind.replacen(BASE, "", 1)),
        Detour::InFragment => Some(xml::inbound(&fragment(sketch, word, "way", away))),
        _ => None,
    }
}

/// A fragment; gives the element that includes it.
fn fragment(sketch: &mut Sketch, word: &str, what: &str, elements: &str) -> String {
    let properties = sketch.policy_body(&format!("<fragment>{elements}</fragment>"));
    sketch.apim(&format!("policyFragments/{word}-{what}"), properties);
    format!("<include-fragment fragment-id=\"{word}-{what}\" />")
}

/// A product of the API; gives the subscription to it.
fn product(sketch: &mut Sketch, id: &str, api: &Api, elements: &str) -> String {
    let properties = json!({ "displayName": id, "state": "published" });
    sketch.apim(&format!("products/{id}"), properties);
    sketch.apim(&format!("products/{id}/apis/{}", api.id), json!({}));
    sketch.policy(&format!("/products/{id}"), &xml::inbound(elements));
    sketch.subscription(id, &format!("/products/{id}"))
}

fn access(sketch: &mut Sketch, service: &Service, api: &Api) {
    let spec = json!({
        "from": { "gateway": sketch.gateway, "apis": [{ "name": api.id }] },
        "to": { "url": service.url(), "audience": service.audience(), "accepts": ["key", "token"] },
        "retire": { "after": "${{ var.soak }}" },
    });
    sketch.document("Access", &service.word, spec);
    sketch.services.push(json!({
        "host": service.host(),
        "accepts": [
            { "header": "x-functions-key", "value": service.key },
            { "audience": service.audience() },
        ],
        "principals": [sketch.service],
    }));
}

async fn tokens_go_to_targets_alone(number: u64, key: Key) {
    let mut sketch = Sketch::new(number);
    let hosts = DETOURS.map(|detour| add(&mut sketch, key, detour));
    let estate = start(&mut sketch).await;
    let last = carry_out(&estate, &sketch).await;
    estate.sent_tokens_to_targets_alone();
    // The first is on no detour.
    let moved = estate.emulator.calls(&hosts[0]);
    assert_eq!(format!("{:?}", moved.last), "[Token]", "{}", last.out);
    estate.keeps_secrets();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_of_an_api_on_a_detour_becomes_no_token_for_others() {
    tokens_go_to_targets_alone(7, Key::Api).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_of_a_fragment_on_a_detour_becomes_no_token_for_others() {
    tokens_go_to_targets_alone(8, Key::Fragment).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_of_a_product_on_a_detour_becomes_no_token_for_others() {
    tokens_go_to_targets_alone(9, Key::Product).await;
}

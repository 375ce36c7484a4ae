//! Estates of APIs in front of HTTP services, made up by proptest.

use std::collections::BTreeSet;

use keyless_model::{Address, Canary, Selection};
use proptest::prelude::*;
use serde_json::json;

use super::http::{Services, inbound, request, sections, url};
use super::{Estate, retire};

const SERVICES: [&str; 2] = ["orders", "stock"];

const ELSEWHERE: &str = "https://elsewhere.net/x";

pub fn audience(service: usize) -> String {
    format!("api://{}", SERVICES[service])
}

/// The key of a service: long and mixed, as machines make them.
fn key(service: usize) -> String {
    format!("Zq8kLm2fPvr9Xn4tYb7WcJd1mHs6Ge5Ua3Q{service}Z")
}

#[derive(Clone, Debug)]
pub struct Sketch {
    /// The service that each backend and each fragment has a credential for, and how it is held.
    backends: Vec<(usize, Held)>,
    fragments: Vec<Sent>,
    /// Which APIs each product holds, and what its policy sends.
    products: Vec<(u8, Option<Sent>)>,
    everywhere: Option<Sent>,
    apis: Vec<Api>,
    accesses: Vec<Wish>,
}

#[derive(Clone, Debug)]
struct Api {
    to: To,
    policy: Option<Vec<Part>>,
    operations: Vec<Option<Own>>,
    revision: Option<(To, Vec<Part>)>,
}

/// Where an operation's own policy sends calls, what else it does, and whether it takes in that of
/// the API.
type Own = (Option<To>, Vec<Part>, bool);

/// Where calls go.
#[derive(Clone, Copy, Debug)]
enum To {
    Service(usize),
    WithKey(usize),
    Backend(usize),
    BaseUrl(usize),
    Elsewhere,
    /// Elsewhere, by a policy.
    Away,
}

/// A piece of a policy.
#[derive(Clone, Debug)]
enum Part {
    Sent(Sent),
    InBackend(Sent),
    Choose(Sent, Option<Sent>),
    Include(usize),
    Request(usize, Sent),
    Plain,
}

/// A credential of a service.
#[derive(Clone, Copy, Debug)]
struct Sent {
    service: usize,
    how: How,
    held: Held,
}

#[derive(Clone, Copy, Debug)]
enum How {
    Header,
    Bearer,
    Query,
    Basic,
}

#[derive(Clone, Copy, Debug)]
enum Held {
    Literal,
    Plain,
    Hidden,
    Unparkable,
}

#[derive(Clone, Debug)]
struct Wish {
    service: usize,
    apis: u8,
    every: bool,
    /// 0 none, 1 without drop, 2 with.
    retire: usize,
    /// Of each API only the first operation.
    first: bool,
    canary: bool,
}

fn held() -> impl Strategy<Value = Held> {
    prop_oneof![
        3 => Just(Held::Literal), 2 => Just(Held::Plain), 2 => Just(Held::Hidden),
        1 => Just(Held::Unparkable)
    ]
}

fn sent() -> impl Strategy<Value = Sent> {
    let how = prop_oneof![
        Just(How::Header),
        Just(How::Bearer),
        Just(How::Query),
        Just(How::Basic)
    ];
    (0..2usize, how, held()).prop_map(|(service, how, held)| Sent { service, how, held })
}

fn part() -> impl Strategy<Value = Part> {
    prop_oneof![
        4 => sent().prop_map(Part::Sent),
        1 => sent().prop_map(Part::InBackend),
        2 => (sent(), prop::option::of(sent())).prop_map(|(a, b)| Part::Choose(a, b)),
        2 => (0..2usize).prop_map(Part::Include),
        2 => (0..2usize, sent()).prop_map(|(to, sent)| Part::Request(to, sent)),
        1 => Just(Part::Plain),
    ]
}

fn to() -> impl Strategy<Value = To> {
    prop_oneof![
        4 => (0..2usize).prop_map(To::Service),
        1 => (0..2usize).prop_map(To::WithKey),
        3 => (0..2usize).prop_map(To::Backend),
        1 => (0..2usize).prop_map(To::BaseUrl),
        1 => Just(To::Elsewhere),
        1 => Just(To::Away),
    ]
}

fn api() -> impl Strategy<Value = Api> {
    let parts = || prop::collection::vec(part(), 0..=3);
    let own = (prop::option::weighted(0.3, to()), parts(), any::<bool>());
    let operations = prop::collection::vec(prop::option::of(own), 0..=2);
    let policy = prop::option::weighted(0.8, parts());
    let revision = prop::option::weighted(0.3, (to(), parts()));
    (to(), policy, operations, revision).prop_map(|(to, policy, operations, revision)| Api {
        to,
        policy,
        operations,
        revision,
    })
}

/// A document that comes to say where calls lead: of the API or the backend of this number.
#[derive(Clone, Debug)]
pub struct Turn {
    backend: bool,
    index: usize,
    to: To,
}

pub fn turn() -> impl Strategy<Value = Turn> {
    (any::<bool>(), 0..4usize, to()).prop_map(|(backend, index, to)| Turn { backend, index, to })
}

impl Turn {
    pub fn declare(&self, e: &mut Estate) {
        let g = Address::gateway("g");
        let to = match self.to {
            To::Backend(service) | To::WithKey(service) => To::Service(service),
            other => other,
        };
        let to = service_url(to);
        let (kind, address, field) = match self.backend {
            true => (
                "Backend",
                g.child("backend", &format!("b{}", self.index % 2)),
                "url",
            ),
            false => (
                "Api",
                g.child("api", &format!("api{}", self.index)),
                "serviceUrl",
            ),
        };
        if !to.is_empty() {
            e.declare(kind, &address, json!({ field: to }));
        }
    }
}

pub fn sketch() -> impl Strategy<Value = Sketch> {
    let wish = (
        0..2usize,
        any::<u8>(),
        prop::bool::weighted(0.3),
        0..3usize,
        prop::bool::weighted(0.15),
        any::<bool>(),
    );
    let wish = wish.prop_map(|(service, apis, every, retire, first, canary)| Wish {
        service,
        apis,
        every,
        retire,
        first,
        canary,
    });
    let product = (any::<u8>(), prop::option::of(sent()));
    (
        prop::collection::vec((0..2usize, held()), 2),
        prop::collection::vec(sent(), 2),
        prop::collection::vec(product, 0..=2),
        prop::option::weighted(0.2, sent()),
        prop::collection::vec(api(), 1..=4),
        prop::collection::vec(wish, 1..=4),
    )
        .prop_map(
            |(backends, fragments, products, everywhere, apis, accesses)| Sketch {
                backends,
                fragments,
                products,
                everywhere,
                apis,
                accesses,
            },
        )
}

impl Sketch {
    pub fn services(&self) -> Services {
        let mut out = Services::default();
        for (index, name) in SERVICES.iter().enumerate() {
            out.takes(name, &audience(index), &key(index));
        }
        out
    }

    pub fn estate(&self) -> Estate {
        let mut e = Estate::web();
        for index in 0..SERVICES.len() {
            e.planted.insert(key(index));
        }
        for (index, (service, held)) in self.backends.iter().enumerate() {
            let value = credential(&mut e, *service, *held);
            let credentials = match index {
                0 => json!({ "header": { "x-functions-key": [value] } }),
                _ => json!({ "authorization": { "scheme": "Basic", "parameter": value } }),
            };
            let name = format!("b{index}");
            e.backend(&name, &url(SERVICES[*service]), credentials);
        }
        for (index, sent) in self.fragments.iter().enumerate() {
            let text = element(&mut e, *sent);
            e.fragment(&format!("f{index}"), &text);
        }
        for (index, api) in self.apis.iter().enumerate() {
            self.api(&mut e, &format!("api{index}"), api);
        }
        for (index, (apis, sent)) in self.products.iter().enumerate() {
            let names = self.names(*apis);
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            let policy = sent.map(|sent| inbound(&element(&mut e, sent)));
            e.product(&format!("p{index}"), &names, policy.as_deref());
        }
        if let Some(sent) = self.everywhere {
            let text = element(&mut e, sent);
            let text = sections(&text, "").replace("<base />", "");
            e.text_at(Address::gateway("g").part("policy"), &text);
        }
        for (index, wish) in self.accesses.iter().enumerate() {
            self.access(&mut e, index, wish);
        }
        e
    }

    /// The APIs whose bits are set.
    fn names(&self, bits: u8) -> Vec<String> {
        let chosen = (0..self.apis.len()).filter(|i| bits >> i & 1 == 1);
        chosen.map(|i| format!("api{i}")).collect()
    }

    fn api(&self, e: &mut Estate, name: &str, api: &Api) {
        let text = api
            .policy
            .as_ref()
            .map(|parts| policy(e, Some(api.to), parts, true));
        let to = match text {
            None => service_url(unless_it_needs_one(api.to)),
            Some(_) => service_url(api.to),
        };
        e.http_api(name, &to, text.as_deref());
        for (index, operation) in api.operations.iter().enumerate() {
            let text = operation
                .as_ref()
                .map(|(to, parts, base)| policy(e, *to, parts, *base));
            e.operation(name, &format!("op{index}"), text.as_deref());
        }
        if let Some((to, parts)) = &api.revision {
            let text = policy(e, Some(*to), parts, true);
            e.http_api(&format!("{name};rev=2"), &service_url(*to), Some(&text));
        }
    }

    fn access(&self, e: &mut Estate, index: usize, wish: &Wish) {
        let names = self.names(wish.apis);
        let mut names: Vec<&str> = names.iter().map(String::as_str).collect();
        if names.is_empty() && !wish.every {
            names.push("api0");
        }
        if wish.every {
            names.clear();
        }
        let name = format!("access{index}");
        let access = e.http_access(&name, &names, &url(SERVICES[wish.service]));
        access.audience = audience(wish.service);
        for choice in access.apis.iter_mut().flatten().filter(|_| wish.first) {
            choice.operations = Selection::Named(BTreeSet::from(["op0".to_owned()]));
        }
        if wish.canary {
            access.prove.canary = Canary::Revision;
            access.prove.request = Some(request());
        }
        access.retire = (wish.retire > 0).then(|| retire(wish.retire > 1));
    }
}

/// Without a policy nothing names a backend.
fn unless_it_needs_one(to: To) -> To {
    match to {
        To::Backend(service) | To::BaseUrl(service) => To::Service(service),
        other => other,
    }
}

fn service_url(to: To) -> String {
    match to {
        To::Service(service) => url(SERVICES[service]),
        To::WithKey(service) => format!("{}?code={}", url(SERVICES[service]), key(service)),
        To::Backend(_) | To::BaseUrl(_) => String::new(),
        To::Elsewhere | To::Away => ELSEWHERE.into(),
    }
}

fn policy(e: &mut Estate, to: Option<To>, parts: &[Part], base: bool) -> String {
    let mut inside = match to {
        Some(To::Backend(index)) => format!("<set-backend-service backend-id=\"b{index}\" />"),
        Some(To::BaseUrl(service)) => {
            format!(
                "<set-backend-service base-url=\"{}\" />",
                url(SERVICES[service])
            )
        }
        Some(To::Away) => format!("<set-backend-service base-url=\"{ELSEWHERE}\" />"),
        _ => String::new(),
    };
    let mut behind = String::new();
    for part in parts {
        match part {
            Part::Sent(sent) => inside.push_str(&element(e, *sent)),
            Part::InBackend(sent) => behind.push_str(&element(e, *sent)),
            Part::Choose(a, b) => {
                let a = element(e, *a);
                let b = b.map(|b| format!("<otherwise>{}</otherwise>", element(e, b)));
                let b = b.unwrap_or_default();
                inside.push_str(&format!(
                    "<choose><when condition=\"@(true)\">{a}</when>{b}</choose>"
                ));
            }
            Part::Include(index) => {
                inside.push_str(&format!("<include-fragment fragment-id=\"f{index}\" />"));
            }
            Part::Request(service, sent) => {
                let sent = element(e, *sent);
                inside.push_str(&format!(
                    "<send-request mode=\"new\"><set-url>{}</set-url>{sent}</send-request>",
                    url(SERVICES[*service])
                ));
            }
            Part::Plain => inside.push_str("<rewrite-uri template=\"/x\" />"),
        }
        inside.push_str("\n    ");
    }
    let text = sections(&inside, &behind);
    match base {
        true => text,
        false => text.replace("<base />", ""),
    }
}

fn element(e: &mut Estate, sent: Sent) -> String {
    let value = credential(e, sent.service, sent.held);
    match sent.how {
        How::Header => format!(
            "<set-header name=\"x-functions-key\" exists-action=\"override\"><value>{value}</value>\
             </set-header>"
        ),
        How::Bearer => format!(
            "<set-header name=\"Authorization\" exists-action=\"override\"><value>{value}</value>\
             </set-header>"
        ),
        How::Query => format!(
            "<set-query-parameter name=\"code\" exists-action=\"override\"><value>{value}</value>\
             </set-query-parameter>"
        ),
        How::Basic => {
            format!("<authentication-basic username=\"app\" password=\"{value}\" />")
        }
    }
}

/// The text that stands for the key of a service.
fn credential(e: &mut Estate, service: usize, held: Held) -> String {
    let name = format!("{}-{held:?}", SERVICES[service]);
    match held {
        Held::Literal => key(service),
        Held::Unparkable => format!("{}'", key(service)),
        Held::Plain => {
            e.named_value("g", &name, &key(service));
            format!("{{{{{name}}}}}")
        }
        Held::Hidden => {
            e.secret_value("g", &name, &key(service));
            format!("{{{{{name}}}}}")
        }
    }
}

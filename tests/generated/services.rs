//! HTTP services, and the APIs and Accesses in front of them.

use serde_json::{Value, json};

use crate::generated::keys::plant;
use crate::generated::names;
use crate::generated::sketch::{Api, Sketch};
use crate::generated::xml;

/// A service behind the gateway.
pub struct Service {
    /// A word of its own, which its host, audience and Access are called by.
    pub word: String,
    pub key: String,
}

impl Service {
    pub fn host(&self) -> String {
        format!("{}.inner.example", self.word)
    }

    pub fn url(&self) -> String {
        format!("https://{}", self.host())
    }

    pub fn audience(&self) -> String {
        format!("api://{}", self.word)
    }
}

/// Where the key of a service is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Place {
    Api,
    Branches,
    Expression,
    /// A variable of the policy.
    Variable,
    Operations,
    /// An operation that leads to another service than the rest of its API.
    Detour,
    Fragment,
    Product,
    BackendHeader,
    BackendQuery,
    BackendBasic,
    ServiceUrl,
    /// The policy of the whole gateway.
    Gateway,
}

const PLACES: [Place; 12] = [
    Place::Api,
    Place::Branches,
    Place::Expression,
    Place::Variable,
    Place::Operations,
    Place::Detour,
    Place::Fragment,
    Place::Product,
    Place::BackendHeader,
    Place::BackendQuery,
    Place::BackendBasic,
    Place::ServiceUrl,
];

/// What a service wants to see.
pub enum Proof {
    Header(&'static str),
    Query(&'static str),
    Basic(&'static str),
}

impl Place {
    fn proof(self, sketch: &mut Sketch) -> Proof {
        let headers = [
            "x-functions-key",
            "api-key",
            "X-Api-Key",
            "Ocp-Apim-Subscription-Key",
        ];
        let parameters = ["code", "sig", "api_key"];
        let kinds: &[usize] = match self {
            Self::BackendHeader => &[0],
            Self::BackendQuery | Self::ServiceUrl => &[1],
            Self::BackendBasic => &[2],
            Self::Variable => &[0, 1],
            _ => &[0, 0, 1, 2],
        };
        let (header, parameter) = (
            *sketch.chance.pick(&headers),
            *sketch.chance.pick(&parameters),
        );
        match sketch.chance.pick(kinds) {
            0 => Proof::Header(header),
            1 => Proof::Query(parameter),
            _ => Proof::Basic("gateway_user"),
        }
    }

    /// Calls of several APIs can share it.
    fn is_shared(self) -> bool {
        let shared = [
            Self::Fragment,
            Self::Product,
            Self::BackendHeader,
            Self::BackendQuery,
        ];
        shared.contains(&self) || self == Self::Gateway
    }

    /// A canary can try it.
    fn can_be_tried(self) -> bool {
        ![Self::Fragment, Self::Product, Self::Gateway].contains(&self)
    }
}

/// One service, whose key is sent with every call of the gateway.
pub fn add_one_for_all(sketch: &mut Sketch) {
    let apis = sketch.chance.between(1, 3);
    service(sketch, Place::Gateway, apis);
}

pub fn add(sketch: &mut Sketch, mut apis: usize) {
    let mut places = sketch.chance.shuffled(&PLACES);
    while apis > 0 {
        let place = places.pop().unwrap_or(Place::Api);
        let count = if place.is_shared() && sketch.chance.once_in(2) {
            2
        } else {
            1
        };
        let count = count.min(apis);
        service(sketch, place, count);
        apis -= count;
    }
    if sketch.chance.once_in(2) {
        service_without_tokens(sketch);
    }
    without_a_key(sketch);
}

/// An API with nothing to hide.
fn without_a_key(sketch: &mut Sketch) {
    let url = open_service(sketch);
    let api = sketch.api(false, Some(&url));
    operations(sketch, &api, 1);
    traffic(sketch, &api, 1, None);
}

/// A service that answers anybody; gives its URL.
pub fn open_service(sketch: &mut Sketch) -> String {
    let host = format!("{}.open.example", sketch.names.word());
    sketch.services.push(json!({ "host": host }));
    format!("https://{host}")
}

/// A partner's: its Access is held up, and says so.
fn service_without_tokens(sketch: &mut Sketch) {
    let service = new(sketch);
    let api = sketch.api(false, Some(&service.url()));
    operations(sketch, &api, 1);
    traffic(sketch, &api, 1, None);
    for revision in api.revisions() {
        let text = xml::inbound(&xml::header("x-api-key", &service.key));
        sketch.policy(&format!("/apis/{revision}"), &text);
    }
    let accepts = json!([{ "header": "x-api-key", "value": service.key }]);
    sketch
        .services
        .push(json!({ "host": service.host(), "accepts": accepts }));
    let spec = json!({
        "from": { "gateway": sketch.gateway, "apis": [{ "name": api.id }] },
        "to": { "url": service.url(), "audience": service.audience(), "accepts": ["key"] },
    });
    sketch.expected.waiting.push(service.word.clone());
    sketch.document("Access", &service.word, spec);
}

pub fn new(sketch: &mut Sketch) -> Service {
    Service {
        word: sketch.names.word(),
        key: sketch.secret(),
    }
}

fn service(sketch: &mut Sketch, place: Place, count: usize) {
    let service = new(sketch);
    let proof = place.proof(sketch);
    let query = match (place, &proof) {
        (Place::ServiceUrl, Proof::Query(name)) => format!("?{name}={}", service.key),
        _ => String::new(),
    };
    let by_backend = matches!(
        place,
        Place::BackendHeader | Place::BackendQuery | Place::BackendBasic
    );
    let url = match place {
        Place::Detour => Some(open_service(sketch)),
        _ if by_backend => None,
        _ => Some(service.url() + &query),
    };
    let apis: Vec<Api> = (0..count)
        .map(|_| sketch.api(false, url.as_deref()))
        .collect();
    let each = if place == Place::Detour {
        2
    } else {
        sketch.chance.between(1, 2)
    };
    let subscription = plant(sketch, &service, place, &proof, &apis, each);
    for api in &apis {
        operations(sketch, api, each);
        traffic(sketch, api, each, subscription.as_deref());
        sketch.clean(&format!("api:{}", api.id));
    }
    let identity = access(sketch, &service, place, &apis, subscription.as_deref());
    let accepts = match proof {
        Proof::Header(name) => json!({ "header": name, "value": service.key }),
        Proof::Query(name) => json!({ "query": name, "value": service.key }),
        Proof::Basic(user) => json!({ "user": user, "password": service.key }),
    };
    sketch.services.push(json!({
        "host": service.host(),
        "accepts": [accepts, { "audience": service.audience() }],
        "principals": [identity],
    }));
    // A policy of the whole gateway is on the ways of all others too, which lead elsewhere.
    match place == Place::Gateway && !sketch.sql.is_empty() {
        true => sketch.expected.waiting.push(service.word),
        false => sketch.expected.hosts.push(service.host()),
    }
}

/// Operations of an API, in every revision of it.
pub fn operations(sketch: &mut Sketch, api: &Api, each: usize) {
    for revision in api.revisions() {
        for number in 0..each {
            let parameter = json!([{ "name": "id", "type": "string", "required": true }]);
            let properties = json!({
                "displayName": format!("Get {number}"), "method": "GET",
                "urlTemplate": format!("/part{number}/{{id}}"), "templateParameters": parameter,
            });
            sketch.apim(
                &format!("apis/{revision}/operations/get-{number}"),
                properties,
            );
        }
    }
}

pub fn traffic(sketch: &mut Sketch, api: &Api, each: usize, subscription: Option<&str>) {
    let mut called = vec![api.id.clone()];
    if !api.stale && sketch.chance.once_in(2) {
        called = api.revisions();
    }
    for id in called {
        for number in 0..each {
            let mut call = json!({ "api": id, "path": format!("/part{number}/7") });
            if let Some(subscription) = subscription.or(api.subscription.as_deref()) {
                call["subscription"] = json!(subscription);
            }
            sketch.traffic.push(call);
        }
    }
}

/// The Access; gives the name of the identity that comes.
fn access(
    sketch: &mut Sketch,
    service: &Service,
    place: Place,
    apis: &[Api],
    subscription: Option<&str>,
) -> String {
    let proven = apis.len() == 1 && place.can_be_tried() && sketch.chance.once_in(2);
    let chosen = match place {
        Place::Gateway => json!("*"),
        Place::Detour => json!([{ "name": apis[0].id, "operations": ["get-0"] }]),
        _ => sketch.choice(apis, !proven),
    };
    let mut spec = json!({
        "from": { "gateway": sketch.gateway, "apis": chosen },
        "to": { "url": service.url(), "audience": service.audience(), "accepts": ["key", "token"] },
    });
    if proven {
        let request = json!({ "method": "GET", "path": "/part0/7" });
        spec["prove"] = json!({ "canary": "revision", "request": request });
        if let Some(subscription) = subscription.or(apis[0].subscription.as_deref()) {
            spec["prove"]["auth"] = json!({ "subscription": subscription });
        }
    }
    let retire = sketch.retire(false);
    sketch.answered(retire.as_ref().filter(|_| place != Place::Gateway));
    match retire {
        Some(retire) => spec["retire"] = retire,
        None => sketch.expected.unretired.push(service.word.clone()),
    }
    let identity = identity(sketch, &mut spec);
    sketch.document("Access", &service.word, spec);
    identity
}

/// The gateway's own identity, or one of its own.
fn identity(sketch: &mut Sketch, spec: &mut Value) -> String {
    if !sketch.chance.once_in(4) {
        return sketch.service.clone();
    }
    let word = sketch.names.word();
    let name = format!("{}-mi", names::root(&mut sketch.chance, &word));
    let id = format!("Microsoft.ManagedIdentity/userAssignedIdentities/{name}");
    let properties =
        json!({ "principalId": sketch.chance.guid(), "clientId": sketch.chance.guid() });
    sketch.resource(&id, properties);
    let whole = format!("{}/providers/{id}", sketch.group);
    sketch.document("ManagedIdentity", &word, json!({ "id": whole }));
    spec["identity"] = json!({ "user": word });
    sketch.user_identities.push(word);
    name
}

//! Where calls end: backends that add a key of their own, and URLs that hold one. They lose it once
//! every call that ends there sends a token from its policies.

use std::collections::BTreeSet;

use keyless_model::Address;
use keyless_scan::{BackendCredential, BackendKind, UrlCredential, backend_credentials};
use serde_json::{Value, json};

use crate::compare::{managed_fingerprint, restricted};
use crate::draft::{Draft, Input, NewStep, id_of};
use crate::phase::Phase;
use crate::stages::http::access::{Http, Work};
use crate::stages::http::asks::asks_now;
use crate::stages::http::declared;
use crate::stages::http::lanes::{End, Lanes};
use crate::stages::http::literals::is_reference;
use crate::stages::http::switch::{finish, planned};
use crate::stages::show;
use crate::stages::switch::Planned;
use crate::step::{Op, Undo};

/// Switches backends and URLs, after what each of their Accesses has switched so far.
pub(crate) fn ends(input: Input, draft: &mut Draft, http: &mut Http) {
    let ends = http.documents(|a| !matches!(a.last().0, "policy" | "policyFragment"));
    let before: Vec<BTreeSet<String>> = http.moves.iter().map(|m| m.switched.clone()).collect();
    for gateway in ends.keys().map(Address::root).collect::<BTreeSet<_>>() {
        let lanes = Lanes::of(&draft.world, &gateway);
        for (address, owners) in ends.iter().filter(|(a, _)| a.root() == gateway) {
            let earlier = owners.iter().flat_map(|i| before[*i].clone()).collect();
            end(input, draft, http, &lanes, address, owners, earlier);
        }
    }
}

/// A backend or an API's URL loses its key, once every call that ends there sends a token from its
/// policies.
fn end(
    input: Input,
    draft: &mut Draft,
    http: &mut Http,
    lanes: &Lanes,
    address: &Address,
    owners: &[usize],
    earlier: BTreeSet<String>,
) {
    let mut planned = planned(draft, http, address, owners, earlier);
    let mut waiting = Vec::new();
    let may = |e: &End| *e == End::Unknown;
    for lane in &lanes.lanes {
        if !lane.ends_at(address) && !lane.ends.iter().any(may) {
            continue;
        }
        let one = &http.moves[owners[0]];
        if !asks_now(&draft.world, lanes, one, lane) {
            waiting.push(lane.address().to_string());
        }
        let documents = lane.links.iter().map(|l| id_of(Phase::Switch, &l.document));
        planned.needs.extend(draft.existing(documents));
        let gates = http.moves.iter().flat_map(|m| &m.switched);
        let here = format!("{}/{}/access:", Phase::Switch.word(), lane.api);
        planned
            .needs
            .extend(gates.filter(|id| id.starts_with(&here)).cloned());
    }
    if !waiting.is_empty() {
        let why = format!("{} would send neither key nor token", waiting.join(", "));
        let next = "see what holds those up, then plan again";
        http.moves[owners[0]].unclear(draft, address, &why, next);
        finish(http, owners, None);
        return;
    }
    let id = match &http.moves[owners[0]].works[address] {
        Work::Backend(fields) if declared::keeps(input, address, fields) => {
            let why = "a Backend document declares the credential that is to go";
            let next = "take the credential out of the document";
            http.moves[owners[0]].unclear(draft, address, why, next);
            None
        }
        Work::Backend(fields) => backend(input, draft, http.sole(owners), address, fields, planned),
        Work::Service(url) => service(input, draft, http.sole(owners), address, url, planned),
        Work::Policy(_) => None,
    };
    finish(http, owners, id);
}

fn backend(
    input: Input,
    draft: &mut Draft,
    access: Option<String>,
    address: &Address,
    fields: &[BackendCredential],
    planned: Planned,
) -> Option<String> {
    let live = draft.world.entities.get(address)?.body.clone();
    let mut body = json!({});
    for field in fields {
        match &field.kind {
            BackendKind::Url { clean } => body["properties"]["url"] = json!(clean),
            BackendKind::Header { name } => {
                body["properties"]["credentials"]["header"][name] = Value::Null;
            }
            BackendKind::Query { name } => {
                body["properties"]["credentials"]["query"][name] = Value::Null;
            }
            BackendKind::Authorization => {
                body["properties"]["credentials"]["authorization"] = Value::Null;
            }
            BackendKind::Proxy => {}
        }
    }
    let old = restricted(&live, &body);
    let literal = backend_credentials(&live)
        .iter()
        .any(|c| c.literal && goes(fields, &c.pointer));
    let undo = match literal || !all_references(&old) {
        true => Undo::Never {
            why: "a literal that goes cannot stand in a named value, so it cannot be put back"
                .into(),
        },
        false => Undo::Put { body: old },
    };
    put_fields(input, draft, access, address, &live, body, undo, planned)
}

/// Whether a credential is one of those that go.
fn goes(fields: &[BackendCredential], pointer: &str) -> bool {
    fields.iter().any(|f| f.pointer == pointer)
}

/// Whether every value of headers and parameters is a reference, and no other text may be secret.
fn all_references(old: &Value) -> bool {
    let lists = ["header", "query"].iter().filter_map(|word| {
        let list = old.pointer(&format!("/properties/credentials/{word}"))?;
        list.as_object()
    });
    let values = lists.flat_map(|list| list.values());
    let mut texts = values.flat_map(|v| v.as_array().into_iter().flatten());
    texts.all(|t| t.as_str().is_some_and(is_reference))
}

fn service(
    input: Input,
    draft: &mut Draft,
    access: Option<String>,
    address: &Address,
    url: &UrlCredential,
    planned: Planned,
) -> Option<String> {
    let live = draft.world.entities.get(address)?.body.clone();
    let body = json!({ "properties": { "serviceUrl": url.clean } });
    let undo = match url.secrets.is_empty() {
        true => Undo::Put {
            body: restricted(&live, &body),
        },
        false => Undo::Never {
            why: "the key in the URL is kept nowhere, so it cannot be put back".into(),
        },
    };
    put_fields(input, draft, access, address, &live, body, undo, planned)
}

#[expect(clippy::too_many_arguments, reason = "they are the parts of one step")]
fn put_fields(
    input: Input,
    draft: &mut Draft,
    access: Option<String>,
    address: &Address,
    live: &Value,
    body: Value,
    undo: Undo,
    planned: Planned,
) -> Option<String> {
    let shown = show::fields(input.key, address, Some(&hidden(input, live, &body)), &body);
    let expect = Some(managed_fingerprint(input.key, address, live, &body));
    draft.add(NewStep {
        phase: Phase::Switch,
        address: address.clone(),
        access,
        reason: planned.reason,
        shown,
        op: match address.last().0 {
            "api" => Op::Patch { body, expect },
            _ => Op::Put {
                body,
                value: None,
                expect,
            },
        },
        needs: planned.needs,
        undo,
        notes: planned.notes,
    })
}

/// The fields that go, every text of them as a fingerprint unless it is a reference.
fn hidden(input: Input, live: &Value, body: &Value) -> Value {
    fn walk(input: Input, value: &Value) -> Value {
        match value {
            Value::String(text) if !is_reference(text) => {
                json!(format!("‹{}›", input.key.of(text)))
            }
            Value::Array(items) => items.iter().map(|v| walk(input, v)).collect(),
            Value::Object(fields) => {
                let fields = fields.iter().map(|(k, v)| (k.clone(), walk(input, v)));
                Value::Object(fields.collect())
            }
            other => other.clone(),
        }
    }
    walk(input, &restricted(live, body))
}

//! Literals move into secret named values before what holds them goes.
//!
//! After it every text that an undo puts back is free of secrets. What no named value can stand for
//! stays where it is until the switch, which then cannot be undone.

use std::collections::BTreeSet;

use keyless_model::Address;
use keyless_policy::Document;
use keyless_scan::{BackendCredential, BackendKind, Place, unparkable};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::compare::managed_fingerprint;
use crate::draft::{Draft, Input, NewStep, id_of};
use crate::phase::Phase;
use crate::stages::http::access::{Http, HttpMove, Work};
use crate::stages::http::declared;
use crate::stages::http::literals::{Literal, literals};
use crate::stages::show;
use crate::stages::switch::{Planned, splice_step};
use crate::step::{Note, Op, Splice, Undo, ValueFrom};

/// Parks what the Accesses are to replace, one document after another.
pub(crate) fn park(input: Input, draft: &mut Draft, http: &mut Http) {
    for (address, owners) in http.documents(|_| true) {
        // What a document declares is not written with a reference that it does not say.
        match http.moves[owners[0]].works.get(&address) {
            Some(Work::Policy(_)) if declared::text(input, &address).is_none() => {
                policy(input, draft, http, &address, &owners);
            }
            Some(Work::Backend(fields)) if !declared::keeps(input, &address, fields) => {
                let fields = fields.clone();
                backend(input, draft, http, &address, &owners, &fields);
            }
            _ => {}
        }
    }
}

fn policy(input: Input, draft: &mut Draft, http: &mut Http, address: &Address, owners: &[usize]) {
    let Some(text) = draft.world.policy_text(address).map(str::to_owned) else {
        return;
    };
    let (Ok(document), Ok(edits)) = (Document::parse(&text), http.edits(address, owners, &text))
    else {
        return;
    };
    let first = &http.moves[owners[0]];
    let mut values = Vec::new();
    let mut splices = Vec::new();
    for literal in to_park(http, address, owners, &document, &edits) {
        let name = name(input, first, address, &literal.place, &literal.text);
        splices.push(refer(&literal.place, &name));
        let from = match literal.place {
            Place::Text { path } => ValueFrom::PolicyText {
                policy: address.clone(),
                path,
            },
            Place::Attribute { path, name } => ValueFrom::PolicyAttribute {
                policy: address.clone(),
                path,
                name,
            },
        };
        values.push((name, from));
    }
    let Some(needs) = park_values(input, draft, http, owners, values) else {
        return;
    };
    if splices.is_empty() {
        return;
    }
    let access = http.sole(owners);
    let planned = Planned {
        reason: "the policy refers to the parked value: nothing changes for a caller".into(),
        needs,
        undo: Undo::Nothing {
            why: "the parked policy means the same".into(),
        },
        notes: vec![],
    };
    let id = splice_step(
        input,
        draft,
        access.as_deref(),
        Phase::Park,
        address,
        splices,
        planned,
    );
    http.parked(owners, id);
}

fn refer(place: &Place, name: &str) -> Splice {
    let text = format!("{{{{{name}}}}}");
    match place.clone() {
        Place::Text { path } => Splice::Text { path, text },
        Place::Attribute { path, name } => Splice::Attribute {
            path,
            name,
            value: text,
        },
    }
}

fn backend(
    input: Input,
    draft: &mut Draft,
    http: &mut Http,
    address: &Address,
    owners: &[usize],
    fields: &[BackendCredential],
) {
    let Some(before) = draft.world.entities.get(address).map(|e| e.body.clone()) else {
        return;
    };
    let mut body = json!({});
    let mut values = Vec::new();
    for field in fields.iter().filter(|f| is_parkable(&before, f)) {
        let place = Place::Text {
            path: field.pointer.clone(),
        };
        let text = field.text.expose();
        let name = name(input, &http.moves[owners[0]], address, &place, text);
        put_reference(&mut body, field, &format!("{{{{{name}}}}}"));
        let from = ValueFrom::Field {
            address: address.clone(),
            pointer: field.pointer.clone(),
        };
        values.push((name, from));
    }
    let Some(needs) = park_values(input, draft, http, owners, values) else {
        return;
    };
    if needs.is_empty() {
        return;
    }
    let id = draft.add(NewStep {
        phase: Phase::Park,
        address: address.clone(),
        access: http.sole(owners),
        reason: "the backend refers to the parked value: nothing changes for a caller".into(),
        shown: vec![],
        op: Op::Put {
            expect: Some(managed_fingerprint(input.key, address, &before, &body)),
            body,
            value: None,
        },
        needs,
        undo: Undo::Nothing {
            why: "the parked backend means the same".into(),
        },
        notes: vec![],
    });
    http.parked(owners, id);
}

/// A field is written only where nothing else that may be secret is written with it.
fn is_parkable(body: &Value, field: &BackendCredential) -> bool {
    let alone = match list(body, field) {
        Some(values) => values.len() == 1,
        None => true,
    };
    let url = matches!(field.kind, BackendKind::Url { .. });
    field.literal && alone && !url && unparkable(field.text.expose()).is_none()
}

/// The values of a header or parameter.
fn list<'a>(body: &'a Value, field: &BackendCredential) -> Option<&'a Vec<Value>> {
    let (word, name) = match &field.kind {
        BackendKind::Header { name } => ("header", name),
        BackendKind::Query { name } => ("query", name),
        _ => return None,
    };
    body.pointer(&format!("/properties/credentials/{word}"))?
        .get(name)?
        .as_array()
}

fn put_reference(body: &mut Value, field: &BackendCredential, reference: &str) {
    let credentials = &mut body["properties"]["credentials"];
    match &field.kind {
        BackendKind::Header { name } => credentials["header"][name] = json!([reference]),
        BackendKind::Query { name } => credentials["query"][name] = json!([reference]),
        BackendKind::Authorization => credentials["authorization"]["parameter"] = json!(reference),
        BackendKind::Proxy | BackendKind::Url { .. } => {}
    }
}

/// One named value for each literal. None when one of them cannot be made.
fn park_values(
    input: Input,
    draft: &mut Draft,
    http: &mut Http,
    owners: &[usize],
    values: Vec<(String, ValueFrom)>,
) -> Option<BTreeSet<String>> {
    let gateway = http.moves[owners[0]].gateway.clone();
    let mut out = BTreeSet::new();
    for (name, from) in values {
        let address = gateway.child("namedValue", &name);
        let id = value_step(input, draft, http, owners, address, &name, from);
        http.parked(owners, id.clone());
        out.insert(id?);
    }
    Some(out)
}

/// The value is written even where a parked one is there already: that one may hold an earlier
/// literal, and it cannot be read.
fn value_step(
    input: Input,
    draft: &mut Draft,
    http: &Http,
    owners: &[usize],
    address: Address,
    name: &str,
    from: ValueFrom,
) -> Option<String> {
    let body =
        json!({ "properties": { "displayName": name, "secret": true, "tags": ["keyless"] } });
    let before = draft.world.entities.get(&address).map(|e| e.body.clone());
    let expect = before
        .as_ref()
        .map(|b| managed_fingerprint(input.key, &address, b, &body));
    let mut notes = vec![Note::Applied {
        address: address.clone(),
        made: before.is_none(),
        sent: None,
    }];
    for one in owners.iter().map(|i| &http.moves[*i]) {
        notes.extend(one.replacing());
        notes.push(Note::Parked {
            access: one.access.name.clone(),
            address: address.clone(),
        });
    }
    draft.add(NewStep {
        phase: Phase::Park,
        address: address.clone(),
        access: http.sole(owners),
        reason: "the literal moves here unchanged, so that the switch can be undone".into(),
        shown: show::fields(input.key, &address, before.as_ref(), &body),
        op: Op::Put {
            body,
            value: Some(from),
            expect,
        },
        needs: BTreeSet::new(),
        undo: Undo::Nothing {
            why: "the document may refer to it".into(),
        },
        notes,
    })
}

/// Named after the Access, the place and, by its keyed fingerprint, the literal: a plan made again
/// never takes another literal's value for it.
fn name(input: Input, one: &HttpMove, address: &Address, place: &Place, text: &str) -> String {
    let at = match place {
        Place::Text { path } => path.clone(),
        Place::Attribute { path, name } => format!("{path}/@{name}"),
    };
    let digest = Sha256::digest(format!("{address}\n{at}\n{}", input.key.of(text)).as_bytes());
    let hash: String = digest.iter().take(5).map(|b| format!("{b:02x}")).collect();
    format!("keyless-{}-{hash}", one.access.name)
}

/// What is to be parked of a policy: what the edits take away, and the credentials that stand where
/// nothing is taken away, such as in a variable that something else reads.
fn to_park(
    http: &Http,
    address: &Address,
    owners: &[usize],
    document: &Document,
    edits: &[Splice],
) -> Vec<Literal> {
    let mut out = literals(document, edits);
    for index in owners {
        let Some(Work::Policy(work)) = http.moves[*index].works.get(address) else {
            continue;
        };
        let credentials = work.call.iter().chain(work.requests.iter().map(|(_, c)| c));
        for value in credentials.flat_map(|c| &c.values) {
            let (place, text) = (value.place.clone(), value.text.expose().to_owned());
            let never = value.unparkable;
            if out.iter().all(|known| known.place != place) {
                out.push(Literal { place, text, never });
            }
        }
    }
    out.retain(Literal::is_parkable);
    out
}

/// The step that parks what is in a document, if there is one.
pub(crate) fn step_of(draft: &Draft, address: &Address) -> BTreeSet<String> {
    draft.existing([id_of(Phase::Park, address)])
}

//! The one way in which declared ARM resources are written: compared by the fields that their
//! document manages, put over what is there, and after everything in the plan that they refer to.

use std::collections::BTreeSet;

use keyless_model::{Address, Entity, Live};
use keyless_policy::references;
use serde_json::{Value, json};

use crate::compare::{covers, managed_fingerprint, restricted};
use crate::draft::{Draft, Input, NewStep, id_of};
use crate::phase::Phase;
use crate::stages::literals::nothing_foreign;
use crate::stages::show;
use crate::step::{Assignee, Note, Op, Shown, Step, Undo, ValueFrom};

/// What a document wants at an address.
pub(crate) struct Wanted<'a> {
    pub phase: Phase,
    pub address: Address,
    /// The managed fields.
    pub body: Value,
    /// Where apply finds a secret `properties.value`.
    pub value: Option<ValueFrom>,
    pub reason: &'a str,
    pub needs: BTreeSet<String>,
}

/// Plans the write, if live says otherwise. Returns its id; none when nothing is to do, or when it
/// waits, which leaves a row.
pub(crate) fn put(input: Input, draft: &mut Draft, wanted: Wanted) -> Option<String> {
    let address = &wanted.address;
    if let Some((why, next)) = no_place(draft, address) {
        draft.wait(address, None, wanted.reason, why, next);
        return None;
    }
    let covered = |e: &Entity| covers(address, &e.body, &wanted.body);
    if let Some(why) = draft.held.get(address).cloned() {
        if !draft.world.entities.get(address).is_some_and(covered) {
            let next = "see what the Access says of it; after its apply, plan again";
            draft.wait(address, None, wanted.reason, &why, next);
        }
        return None;
    }
    let before = match draft.world.get(address) {
        Live::Present(e) if covered(e) => return None,
        Live::Present(e) => Some(e.body.clone()),
        Live::Absent if is_adopted(address) => {
            let next = "make it in the service, or take the document out";
            draft.wait(address, None, wanted.reason, ADOPTED, next);
            return None;
        }
        Live::Absent => None,
        Live::Unreadable(why) => {
            let next = "give the identity that plans the Reader role, then plan again";
            draft.wait(address, None, wanted.reason, &why, next);
            return None;
        }
    };
    draft.add(step(input, draft, wanted, before))
}

fn step(input: Input, draft: &Draft, wanted: Wanted, before: Option<Value>) -> NewStep {
    let Wanted {
        phase,
        address,
        body,
        value,
        reason,
        mut needs,
    } = wanted;
    needs.extend(refers_to(draft, &address, &body));
    let expect = before
        .as_ref()
        .map(|b| managed_fingerprint(input.key, &address, b, &body));
    NewStep {
        phase,
        access: None,
        reason: reason.to_owned(),
        shown: shown(input, &address, before.as_ref(), &body),
        undo: undo(&address, before.as_ref(), &body, value.is_some()),
        needs,
        notes: vec![Note::Applied {
            address: address.clone(),
            made: before.is_none(),
            sent: Some(managed_fingerprint(input.key, &address, &body, &body)),
        }],
        op: Op::Put {
            body,
            value,
            expect,
        },
        address,
    }
}

/// Why nothing can be written there at all.
fn no_place(draft: &Draft, address: &Address) -> Option<(&'static str, &'static str)> {
    let root = address.root();
    if draft.world.get(&root) == Live::Absent {
        return Some(match root.is_gateway() {
            true => (
                "the gateway does not exist",
                "correct the id in its Gateway document",
            ),
            false => (
                "the server does not exist",
                "correct the id in its SqlServer document",
            ),
        });
    }
    let parent = address.parent().filter(|p| *p != root)?;
    let next = "correct its name in the document, or make it in the service";
    (draft.world.get(&parent) == Live::<&Entity>::Absent)
        .then_some(("what it belongs to is not there", next))
}

/// APIs and operations come from imports and definitions that are not keyless's: it manages fields
/// of those that are there.
fn is_adopted(address: &Address) -> bool {
    matches!(address.last().0, "api" | "operation")
}

const ADOPTED: &str = "keyless adopts APIs and operations and makes none";

/// Whether a policy document stands at the address.
pub(crate) fn is_policy(address: &Address) -> bool {
    matches!(address.last().0, "policy" | "policyFragment")
}

/// The text of a policy where there was none: it takes in everything further out, and does what stands
/// in `inbound`, of which `<base />` is a part.
pub(crate) fn new_policy(inbound: [&str; 2]) -> String {
    let [first, second] = inbound;
    format!(
        "<policies>\n    <inbound>\n        {first}\n        {second}\n    </inbound>\n    <backend>\n        \
         <base />\n    </backend>\n    <outbound>\n        <base />\n    </outbound>\n    \
         <on-error>\n        <base />\n    </on-error>\n</policies>"
    )
}

/// A value as an attribute in double quotes, or as a text.
pub(crate) fn escaped(value: &str) -> String {
    let value = value.replace('&', "&amp;").replace('<', "&lt;");
    value.replace('"', "&quot;")
}

fn text(body: &Value) -> &str {
    let value = body.pointer("/properties/value");
    value.and_then(Value::as_str).unwrap_or_default()
}

fn shown(input: Input, address: &Address, before: Option<&Value>, body: &Value) -> Vec<Shown> {
    if !is_policy(address) {
        return show::fields(input.key, address, before, body);
    }
    let old = before.map(text).unwrap_or_default();
    let mut out = show::document(input.key, address, old, text(body));
    if let Some(description) = body.pointer("/properties/description") {
        let wanted = json!({ "properties": { "description": description } });
        out.extend(show::fields(input.key, address, before, &wanted));
    }
    out
}

fn undo(address: &Address, before: Option<&Value>, body: &Value, secret: bool) -> Undo {
    match before {
        None => Undo::Delete,
        Some(old) if is_policy(address) => undo_of_text(text(old), text(body)),
        Some(old) => undo_of(address, old, body, secret),
    }
}

/// The fields as they were, unless they may hold a secret.
fn undo_of(address: &Address, before: &Value, body: &Value, secret: bool) -> Undo {
    let old = restricted(before, body);
    if secret || show::may_be_secret(address, &old) {
        return Undo::Never {
            why: "what was there may be secret, so no copy of it is kept".into(),
        };
    }
    Undo::Put { body: old }
}

/// The policy text as it was, if the new one holds every literal of it: whatever else stood there
/// may be a credential that does not look like one.
pub(crate) fn undo_of_text(old: &str, new: &str) -> Undo {
    if nothing_foreign(old, new) {
        let body = json!({ "properties": { "format": "rawxml", "value": old } });
        return Undo::Put { body };
    }
    Undo::Never {
        why: "the text that was there may hold credentials, so no copy of it is kept".into(),
    }
}

/// The writes of resource documents that this one must come after: the service refuses a reference
/// to what is not there (azure-facts B.4), and a named value must be readable before it is used.
fn refers_to(draft: &Draft, address: &Address, body: &Value) -> BTreeSet<String> {
    let whole = body.to_string();
    let names: BTreeSet<String> = references(&whole).into_iter().map(|r| r.name).collect();
    let root = address.root();
    let parent = address.parent();
    let mine = |step: &&Step| {
        step.phase == Phase::Switch
            && step.access.is_none()
            && step.address.root() == root
            && step.address != *address
            && (parent.as_ref() == Some(&step.address) || named(draft, step, &names, &whole))
    };
    let found = draft.steps.iter().filter(mine);
    found.map(|s| s.id.clone()).collect()
}

/// Whether a text with these references speaks of what the step writes. An id counts wherever it
/// stands, for it may be part of an expression.
fn named(draft: &Draft, step: &Step, names: &BTreeSet<String>, whole: &str) -> bool {
    let (word, id) = step.address.last();
    match word {
        "namedValue" => refers(draft, &step.address, names),
        "health" => step
            .address
            .parent()
            .is_some_and(|value| refers(draft, &value, names)),
        "backend" | "policyFragment" => whole.contains(id),
        _ => false,
    }
}

fn refers(draft: &Draft, value: &Address, names: &BTreeSet<String>) -> bool {
    let entity = draft.world.entities.get(value);
    let display = entity.and_then(|e| e.text("/properties/displayName"));
    names.contains(display.unwrap_or(value.last().1))
}

/// Declared backends, products, APIs and operations that `mine` says yes to. A pool of backends comes
/// after its members.
pub(crate) fn resources(input: Input, draft: &mut Draft, mine: impl Fn(&Address) -> bool) {
    let all = input.desired.resources.values();
    let mut all: Vec<_> = all
        .filter(|r| r.address.is_gateway() && mine(&r.address))
        .collect();
    all.sort_by_key(|r| (r.properties.contains_key("pool"), &r.address));
    for resource in all {
        let reason = format!(
            "the {} document {} declares it",
            resource.kind, resource.document
        );
        let wanted = Wanted {
            phase: Phase::Switch,
            address: resource.address.clone(),
            body: json!({ "properties": Value::Object(resource.properties.clone()) }),
            value: None,
            reason: &reason,
            needs: BTreeSet::new(),
        };
        put(input, draft, wanted);
    }
}

/// The steps that give the identities of a gateway what they need before a policy uses one: they are
/// the gateway's, and have their roles.
pub(crate) fn foundations(draft: &Draft, gateway: &Address) -> BTreeSet<String> {
    let theirs = |op: &Op| match op {
        Op::Assign {
            principal: Assignee::Identity { address },
            ..
        } => address == gateway || !address.is_gateway(),
        _ => false,
    };
    let assigns = draft.steps.iter().filter(|s| theirs(&s.op));
    let mut out: BTreeSet<String> = assigns.map(|s| s.id.clone()).collect();
    out.extend(draft.existing([id_of(Phase::Identify, gateway)]));
    out
}

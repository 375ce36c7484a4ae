//! Parking literals, and the switch itself: the policy of a resolver connects with the identity.

use std::collections::{BTreeMap, BTreeSet};

use keyless_model::{Address, Resolver};
use keyless_scan::ConnectionString;
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::compare::managed_fingerprint;
use crate::draft::{Draft, Input, NewStep, id_of};
use crate::phase::Phase;
use crate::simulate::{attribute_at, edited};
use crate::stages::access::Move;
use crate::stages::sources::{Connects, Source, in_revision};
use crate::stages::touched::of_any_revision;
use crate::stages::{arm, show};
use crate::step::{Note, Op, Splice, Step, Undo, ValueFrom};

/// A named value's value has at most this many characters (Azure's documentation of named values).
const LONGEST_VALUE: usize = 4096;

/// Moves each literal into a secret named value to which the policy then refers. The meaning stays
/// the same; from here on every earlier text is free of secrets, so the switch can be undone.
pub(crate) fn park(input: Input, draft: &mut Draft, one: &mut Move) {
    if one.blocked {
        return;
    }
    let mut literals: BTreeMap<Address, Vec<(String, String)>> = BTreeMap::new();
    for source in &one.sources {
        if let Connects::Literal { text, .. } = &source.connects
            && parkable(text)
        {
            let name = parked_name(input, one, source, text);
            let place = (source.path.clone(), name);
            literals
                .entry(source.policy.clone())
                .or_default()
                .push(place);
        }
    }
    for (policy, places) in literals {
        let ids = if draft.has(&id_of(Phase::Park, &policy)) {
            Some(parked_already(draft, one, &policy))
        } else {
            park_policy(input, draft, one, &policy, &places)
        };
        one.blocked |= ids.is_none();
        one.parked.extend(ids.into_iter().flatten());
    }
}

/// Another Access of the same resolver has parked its literals: they serve this one too.
fn parked_already(draft: &mut Draft, one: &Move, policy: &Address) -> Vec<String> {
    let holds = |s: &&Step| match &s.op {
        Op::Put {
            value: Some(ValueFrom::PolicyText { policy: from, .. }),
            ..
        } => from == policy,
        _ => false,
    };
    let values: Vec<(String, Address)> = draft
        .steps
        .iter()
        .filter(|s| s.phase == Phase::Park)
        .filter(holds)
        .map(|s| (s.id.clone(), s.address.clone()))
        .collect();
    let mut ids = vec![id_of(Phase::Park, policy)];
    for (id, address) in values {
        let mut notes = one.replacing();
        notes.push(Note::Parked {
            access: one.access.name.clone(),
            address,
        });
        draft.join(&id, BTreeSet::new(), notes);
        ids.push(id);
    }
    ids
}

/// Parks the literals at `paths`, and has the policy refer to them in one edit.
fn park_policy(
    input: Input,
    draft: &mut Draft,
    one: &Move,
    policy: &Address,
    places: &[(String, String)],
) -> Option<Vec<String>> {
    let mut ids = Vec::new();
    let mut edits = Vec::new();
    for (path, name) in places {
        ids.push(park_value(input, draft, one, name, policy, path)?);
        edits.push(text_edit(path, format!("{{{{{name}}}}}")));
    }
    let mut needs = one.granted.clone();
    needs.extend(ids.iter().cloned());
    let planned = Planned {
        reason: "the policy refers to the parked value: nothing changes for a caller".into(),
        needs,
        undo: Undo::Nothing {
            why: "the parked policy means the same".into(),
        },
        notes: vec![],
    };
    ids.push(splice_step(
        input,
        draft,
        Some(one.name()),
        Phase::Park,
        policy,
        edits,
        planned,
    )?);
    Some(ids)
}

/// The value is written even where a parked one is there already: that one may hold an earlier
/// literal, and it cannot be read.
fn park_value(
    input: Input,
    draft: &mut Draft,
    one: &Move,
    name: &str,
    policy: &Address,
    path: &str,
) -> Option<String> {
    let address = one.gateway.child("namedValue", name);
    let body =
        json!({ "properties": { "displayName": name, "secret": true, "tags": ["keyless"] } });
    let before = draft.world.entities.get(&address).map(|e| e.body.clone());
    let expect = before
        .as_ref()
        .map(|b| managed_fingerprint(input.key, &address, b, &body));
    let mut notes = one.replacing();
    notes.extend([
        Note::Applied {
            address: address.clone(),
            made: before.is_none(),
            sent: None,
        },
        Note::Parked {
            access: one.access.name.clone(),
            address: address.clone(),
        },
    ]);
    draft.add(NewStep {
        phase: Phase::Park,
        address: address.clone(),
        access: Some(one.access.name.clone()),
        reason: "the literal in the policy moves here unchanged, so that the switch can be undone"
            .into(),
        shown: show::fields(input.key, &address, before.as_ref(), &body),
        op: Op::Put {
            body,
            value: Some(ValueFrom::PolicyText {
                policy: policy.clone(),
                path: path.to_owned(),
            }),
            expect,
        },
        needs: one.granted.clone(),
        undo: Undo::Nothing {
            why: "the policy may refer to it".into(),
        },
        notes,
    })
}

/// Whether a named value can stand for the text: it must read back exactly as it was.
fn parkable(text: &str) -> bool {
    let plain = !text.contains(['"', '\'', '<', '&']) && !text.contains("{{");
    plain && !text.starts_with('@') && !text.is_empty() && text.chars().count() <= LONGEST_VALUE
}

/// Named after the database, the place and, by its keyed fingerprint, the literal: a plan made again
/// finds what was parked before, knows where it leads, and never takes another literal's value for
/// it.
fn parked_name(input: Input, one: &Move, source: &Source, text: &str) -> String {
    let literal = input.key.of(text);
    let tail = short_hash(&format!("{}{}{literal}", source.policy, source.path), 4);
    format!(
        "keyless-{}-{}{tail}",
        one.access.name,
        database_hash(&one.database)
    )
}

/// Whether this named value is one in which keyless parked a literal that leads to `database`.
pub(crate) fn is_parked_for(name: &str, database: &Address) -> bool {
    let hash = name
        .strip_prefix("keyless-")
        .and_then(|n| n.rsplit_once('-'));
    hash.is_some_and(|(_, h)| h.len() == 12 && h.starts_with(&database_hash(database)))
}

/// The database to which the literal leads that keyless parked under this name for an Access. None
/// where no Access of that name and database is desired any more.
pub(crate) fn parked_target(input: Input, name: &str) -> Option<Address> {
    let (access, _) = name.strip_prefix("keyless-")?.rsplit_once('-')?;
    let target = input.desired.accesses.get(access)?.target();
    is_parked_for(name, &target).then_some(target)
}

fn database_hash(database: &Address) -> String {
    short_hash(&database.as_str().to_lowercase(), 2)
}

fn short_hash(text: &str, bytes: usize) -> String {
    let digest = Sha256::digest(text.as_bytes());
    digest
        .iter()
        .take(bytes)
        .map(|b| format!("{b:02x}"))
        .collect()
}

/// Switches the sources of the current revisions, one policy after another.
pub(crate) fn switch(input: Input, draft: &mut Draft, one: &mut Move) {
    if one.blocked {
        return;
    }
    let mut current = planned(input, one);
    current.retain(|policy, _| !in_revision(policy));
    for (policy, edits) in current {
        let id = switch_policy(input, draft, one, &policy, edits, BTreeSet::new());
        one.blocked |= id.is_none();
        one.switched.extend(id);
    }
}

/// Switches the sources of other revisions, once the current one of the API is switched and answers:
/// they hold the old credential too, and callers may ask for them.
pub(crate) fn revisions(input: Input, draft: &mut Draft, one: &mut Move) {
    if one.blocked {
        return;
    }
    let mut others = planned(input, one);
    others.retain(|policy, _| in_revision(policy));
    let current = one.switched.clone();
    for (policy, edits) in others {
        let api = of_any_revision(policy.name_of("api").unwrap_or_default());
        let inside = format!(
            "{}/{}/",
            Phase::Switch.word(),
            one.gateway.child("api", api)
        );
        let first = current.iter().filter(|id| id.starts_with(&inside)).cloned();
        let id = switch_policy(input, draft, one, &policy, edits, first.collect());
        one.blocked |= id.is_none();
        one.switched.extend(id);
    }
}

/// The step that switches a policy, after `first`; none when it waits.
fn switch_policy(
    input: Input,
    draft: &mut Draft,
    one: &mut Move,
    policy: &Address,
    (edits, back, never): Edits,
    first: BTreeSet<String>,
) -> Option<String> {
    let mut needs = first;
    needs.extend(one.proven.iter().chain(&one.granted).cloned());
    needs.extend(draft.existing([id_of(Phase::Park, policy)]));
    let mut notes = vec![Note::Switched {
        access: one.access.name.clone(),
    }];
    notes.extend(one.replacing());
    let id = id_of(Phase::Switch, policy);
    if draft.has(&id) {
        // Another Access of the same resolver switches it: once both are proven.
        draft.join(&id, needs, notes);
        return Some(id);
    }
    notes.push(Note::Applied {
        address: policy.clone(),
        made: false,
        sent: None,
    });
    let undo = match never {
        Some(why) => Undo::Never { why },
        None => Undo::Splice { edits: back },
    };
    let hidden = |s: &Source| s.policy == *policy && matches!(s.connects, Connects::Hidden { .. });
    let unseen = match one.sources.iter().any(hidden) {
        true => {
            "; what else the hidden connection string says is not known and goes (plan \
             --inspect-secrets keeps it)"
        }
        false => "",
    };
    let reason = format!(
        "the resolver reaches {} as the gateway's identity{unseen}",
        one.database
    );
    let planned = Planned {
        reason,
        needs,
        undo,
        notes,
    };
    match document(input, policy).and_then(|d| d.policy.as_deref()) {
        Some(text) => declared(input, draft, one, policy, text, planned),
        None => splice_step(
            input,
            draft,
            Some(one.name()),
            Phase::Switch,
            policy,
            edits,
            planned,
        ),
    }
}

type Edits = (Vec<Splice>, Vec<Splice>, Option<String>);

/// For each policy: the edits that switch it, those that take it back, and why it cannot be.
pub(crate) fn planned(input: Input, one: &Move) -> BTreeMap<Address, Edits> {
    let mut out: BTreeMap<Address, Edits> = BTreeMap::new();
    for source in &one.sources {
        let (before, clean, never) = match &source.connects {
            Connects::Identity => continue,
            Connects::Literal { text, clean, .. } if parkable(text) => {
                let name = parked_name(input, one, source, text);
                (Some(format!("{{{{{name}}}}}")), clean.clone(), None)
            }
            Connects::Literal { clean, .. } => (None, clean.clone(), Some(UNPARKABLE.to_owned())),
            Connects::Reference { text, clean, .. } => (before(text), clean.clone(), None),
            Connects::Hidden { text, clean, .. } => (before(text), clean.clone(), None),
        };
        let never = never.or_else(|| before.is_none().then(|| UNPARKABLE.to_owned()));
        let entry = out.entry(source.policy.clone()).or_default();
        let path = &source.path;
        entry
            .0
            .extend([flag_edit(path, "true"), text_edit(path, clean)]);
        let back = before.map(|b| [flag_back(input, source), text_edit(path, b)]);
        entry.1.extend(back.into_iter().flatten());
        entry.2 = entry.2.take().or(never);
    }
    out
}

const UNPARKABLE: &str = "the literal cannot stand in a named value, so it cannot be put back";

/// The text that an undo may put back: one that is all references, or whose password is.
fn before(text: &str) -> Option<String> {
    let all_references = |text: &str| {
        let covered: usize = keyless_policy::references(text)
            .iter()
            .map(|r| r.range.len())
            .sum();
        covered == text.trim().len()
    };
    let password = ConnectionString::parse(text).and_then(|p| p.password());
    let free = all_references(text) || password.is_some_and(|p| all_references(p.expose()));
    free.then(|| text.to_owned())
}

fn text_edit(path: &str, text: String) -> Splice {
    Splice::Text {
        path: path.to_owned(),
        text,
    }
}

/// The flag as it was: one that was not there goes again.
fn flag_back(input: Input, source: &Source) -> Splice {
    let text = input.live.policy_text(&source.policy).unwrap_or_default();
    match attribute_at(text, &source.path, FLAG) {
        Some(value) => flag_edit(&source.path, &value),
        None => Splice::RemoveAttribute {
            path: source.path.clone(),
            name: FLAG.into(),
        },
    }
}

const FLAG: &str = "use-managed-identity";

fn flag_edit(path: &str, value: &str) -> Splice {
    Splice::Attribute {
        path: path.to_owned(),
        name: FLAG.into(),
        value: value.to_owned(),
    }
}

/// What is said of a step that edits a policy.
pub(crate) struct Planned {
    pub reason: String,
    pub needs: BTreeSet<String>,
    pub undo: Undo,
    pub notes: Vec<Note>,
}

/// A step that edits the policy as it is after the steps so far. None when the document cannot be
/// edited, which leaves a waiting row.
pub(crate) fn splice_step(
    input: Input,
    draft: &mut Draft,
    access: Option<&str>,
    phase: Phase,
    policy: &Address,
    edits: Vec<Splice>,
    planned: Planned,
) -> Option<String> {
    let text = draft.world.policy_text(policy)?.to_owned();
    let fingerprint = |text: &str| -> Option<keyless_model::Fingerprint> {
        keyless_policy::canonical(text)
            .ok()
            .map(|c| input.key.of(&c))
    };
    let after = edited(&text, &edits);
    let (Ok(after), Some(expect)) = (&after, fingerprint(&text)) else {
        let why = after
            .err()
            .unwrap_or_else(|| "the policy is malformed".into());
        let next = "mend the policy in the gateway, then plan again";
        draft.wait(policy, access, "edit the policy", &why, next);
        return None;
    };
    let leads_to = fingerprint(after)?;
    draft.add(NewStep {
        phase,
        address: policy.clone(),
        access: access.map(str::to_owned),
        reason: planned.reason,
        shown: show::edits(input.key, &text, &edits),
        op: Op::Splice {
            edits,
            expect,
            leads_to,
        },
        needs: planned.needs,
        undo: planned.undo,
        notes: planned.notes,
    })
}

/// The Resolver document that declares this policy's text.
pub(crate) fn document<'a>(input: Input<'a>, policy: &Address) -> Option<&'a Resolver> {
    let resolver = policy.parent()?;
    input
        .desired
        .resolvers
        .values()
        .find(|r| r.address() == resolver && r.policy.is_some())
}

/// A switch by the declared document: its text is the wanted one, and must itself use the identity.
fn declared(
    input: Input,
    draft: &mut Draft,
    one: &Move,
    policy: &Address,
    text: &str,
    planned: Planned,
) -> Option<String> {
    let ready = keyless_policy::Document::parse(text).is_ok_and(|document| {
        let sources = keyless_scan::sql_sources(&document);
        !sources.is_empty() && sources.iter().all(|s| s.managed_identity)
    });
    if !ready {
        let why = "the declared policy file does not use the identity";
        let next = "write use-managed-identity=\"true\" and a connection string without a user \
                    into the file, or leave the policy out of the Resolver document";
        draft.wait(
            policy,
            Some(one.name()),
            "switch the resolver to the identity",
            why,
            next,
        );
        return None;
    }
    let body = json!({ "properties": { "format": "rawxml", "value": text } });
    let live = draft
        .world
        .entities
        .get(policy)
        .map(|e| e.body.clone())
        .unwrap_or_default();
    let before = draft
        .world
        .policy_text(policy)
        .unwrap_or_default()
        .to_owned();
    // The edits that would take a splice back belong to another text than the declared one.
    let undo = match planned.undo {
        Undo::Splice { .. } => arm::undo_of_text(&before, text),
        other => other,
    };
    draft.add(NewStep {
        phase: Phase::Switch,
        address: policy.clone(),
        access: Some(one.access.name.clone()),
        reason: planned.reason,
        shown: show::document(input.key, policy, &before, text),
        op: Op::Put {
            expect: Some(managed_fingerprint(input.key, policy, &live, &body)),
            body,
            value: None,
        },
        needs: planned.needs,
        undo,
        notes: planned.notes,
    })
}

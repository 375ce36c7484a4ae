//! The switch itself: policies come to ask for a token, then backends and URLs lose their keys.
//!
//! First go the policies of each API's current revision; what others share, and other revisions,
//! only after that has been tried.

use std::collections::BTreeSet;

use keyless_model::{Address, Identity};
use keyless_policy::Document;
use serde_json::json;

use crate::compare::managed_fingerprint;
use crate::draft::{Draft, Input, NewStep, id_of};
use crate::phase::Phase;
use crate::simulate::edited;
use crate::stages::arm::{new_policy, undo_of_text};
use crate::stages::http::access::{Http, HttpMove, Work};
use crate::stages::http::caller;
use crate::stages::http::declared;
use crate::stages::http::ends;
use crate::stages::http::judge::PolicyWork;
use crate::stages::http::literals::literals;
use crate::stages::http::park::step_of;
use crate::stages::http::undo;
use crate::stages::show;
use crate::stages::switch::{Planned, splice_step};
use crate::step::{Assignee, Note, Op, Undo};

/// Whether a document is a policy of an API's current revision.
pub(crate) fn is_own(address: &Address) -> bool {
    let current = address.name_of("api").is_some_and(|n| !n.contains(";rev="));
    current && address.last().0 == "policy"
}

/// Switches the policies of current revisions.
pub(crate) fn own(input: Input, draft: &mut Draft, http: &mut Http) {
    for (address, owners) in http.documents(is_own) {
        policy(input, draft, http, &address, &owners, BTreeSet::new());
    }
}

/// Switches everything else, after what each of its Accesses has switched so far.
pub(crate) fn rest(input: Input, draft: &mut Draft, http: &mut Http) {
    let is_policy = |a: &Address| matches!(a.last().0, "policy" | "policyFragment");
    let before: Vec<BTreeSet<String>> = http.moves.iter().map(|m| m.switched.clone()).collect();
    let earlier = |owners: &[usize]| -> BTreeSet<String> {
        owners.iter().flat_map(|i| before[*i].clone()).collect()
    };
    let shared = http.documents(|a| is_policy(a) && !is_own(a));
    let mut shared: Vec<(Address, Vec<usize>)> = shared.into_iter().collect();
    shared.sort_by_key(|(address, _)| outwards(address));
    for (address, owners) in shared {
        policy(input, draft, http, &address, &owners, earlier(&owners));
    }
    ends::ends(input, draft, http);
}

/// From what is included to what surrounds everything.
fn outwards(address: &Address) -> u8 {
    let parent = address.parent().map(|p| p.last().0.to_owned());
    match (address.last().0, parent.as_deref()) {
        ("policyFragment", _) => 0,
        (_, Some("product")) => 2,
        (_, Some("apim")) => 3,
        _ => 1,
    }
}

/// The documents of these Accesses that set the `Authorization` of the same calls after the one at
/// `address`: they come to ask for the token first, or would overrule it.
fn later_acting(http: &Http, address: &Address, owners: &[usize]) -> BTreeSet<Address> {
    let anew = |place: &Address| {
        owners
            .iter()
            .any(|i| match http.moves[*i].works.get(place) {
                Some(Work::Policy(work)) => work.asks_anew(),
                _ => false,
            })
    };
    let lanes = http.lanes(&address.root());
    let after = lanes.lanes.iter().flat_map(|l| lanes.after(l, address));
    let mut others: Vec<_> = after.filter(|(l, _)| l.document != *address).collect();
    others.retain(|(l, sections)| {
        let document = lanes.document(&l.document).filter(|_| anew(&l.document));
        document.is_some_and(|d| caller::within(d, &PolicyWork::default(), sections))
    });
    others
        .into_iter()
        .map(|(l, _)| l.document.clone())
        .collect()
}

/// What must be over before anything of an Access is switched.
fn foundations(draft: &Draft, one: &HttpMove) -> BTreeSet<String> {
    let identity = match &one.access.identity {
        Identity::System => one.gateway.clone(),
        Identity::User(name) => Address::identity(name),
    };
    let given = |op: &Op| match op {
        Op::Assign {
            principal: Assignee::Identity { address },
            ..
        } => *address == identity,
        _ => false,
    };
    let rights = draft.steps.iter().filter(|s| given(&s.op));
    let mut out: BTreeSet<String> = rights.map(|s| s.id.clone()).collect();
    out.extend(draft.existing([id_of(Phase::Identify, &one.gateway)]));
    out.extend(one.proven.iter().cloned());
    out
}

pub(crate) fn planned(
    draft: &Draft,
    http: &Http,
    address: &Address,
    owners: &[usize],
    earlier: BTreeSet<String>,
) -> Planned {
    let mut needs = earlier;
    let mut notes = vec![Note::Applied {
        address: address.clone(),
        made: false,
        sent: None,
    }];
    let mut urls = BTreeSet::new();
    for one in owners.iter().map(|i| &http.moves[*i]) {
        needs.extend(foundations(draft, one));
        let access = one.access.name.clone();
        notes.push(Note::Switched { access });
        notes.extend(one.replacing());
        urls.insert(one.access.url.as_str());
    }
    needs.extend(step_of(draft, address));
    let urls: Vec<&str> = urls.into_iter().collect();
    let possible = possible(http, address, owners);
    Planned {
        reason: format!(
            "{} gets a token of the identity instead of a key{possible}",
            urls.join(", ")
        ),
        needs,
        undo: Undo::Nothing { why: String::new() },
        notes,
    }
}

/// What stays of a policy although it may be a credential.
fn possible(http: &Http, address: &Address, owners: &[usize]) -> String {
    let mut out = BTreeSet::new();
    for one in owners.iter().map(|i| &http.moves[*i]) {
        if let Some(Work::Policy(work)) = one.works.get(address) {
            out.extend(work.possible.iter().map(String::as_str));
        }
    }
    if out.is_empty() {
        return String::new();
    }
    let out: Vec<&str> = out.into_iter().collect();
    format!(
        "; {} stays, for only its name sounds like a credential's",
        out.join(", ")
    )
}

fn policy(
    input: Input,
    draft: &mut Draft,
    http: &mut Http,
    address: &Address,
    owners: &[usize],
    earlier: BTreeSet<String>,
) {
    let mut planned = planned(draft, http, address, owners, earlier);
    for other in later_acting(http, address, owners) {
        let id = id_of(Phase::Switch, &other);
        if !draft.has(&id) {
            let why = format!("{other} is to ask for the token first, and waits");
            let next = "see what holds that up, then plan again";
            http.moves[owners[0]].unclear(draft, address, &why, next);
            return finish(http, owners, None);
        }
        planned.needs.insert(id);
    }
    let id = match (
        declared::text(input, address),
        draft.world.policy_text(address),
    ) {
        (Some(text), _) => by_document(input, draft, http, address, owners, text, planned),
        (None, Some(_)) => by_edits(input, draft, http, address, owners, planned),
        (None, None) => {
            let text = new_policy(["<base />", &http.moves[owners[0]].token.xml()]);
            let access = http.sole(owners);
            put_text(input, draft, access, address, &text, planned)
        }
    };
    finish(http, owners, id);
}

pub(crate) fn finish(http: &mut Http, owners: &[usize], id: Option<String>) {
    for one in owners.iter().copied() {
        let one = &mut http.moves[one];
        // What could not be planned has its row, and keeps the old credential alive.
        one.all_known &= id.is_some();
        one.switched.extend(id.clone());
    }
}

fn by_edits(
    input: Input,
    draft: &mut Draft,
    http: &mut Http,
    address: &Address,
    owners: &[usize],
    mut planned: Planned,
) -> Option<String> {
    let text = draft.world.policy_text(address)?.to_owned();
    let edits = match http.edits(address, owners, &text) {
        Ok(edits) => edits,
        Err(why) => {
            let next = "mend what stands in the way, then plan again";
            http.moves[owners[0]].unclear(draft, address, &why, next);
            return None;
        }
    };
    if let Some(why) = edited(&text, &edits)
        .ok()
        .and_then(|after| too_long(draft, address, &after))
    {
        let next = "shorten the policy, then plan again";
        http.moves[owners[0]].unclear(draft, address, &why, next);
        return None;
    }
    planned.undo = undo_of(&text, &edits);
    let access = http.sole(owners);
    splice_step(
        input,
        draft,
        access.as_deref(),
        Phase::Switch,
        address,
        edits,
        planned,
    )
}

/// Edits that lead back, if nothing in what they put back may be a secret.
fn undo_of(text: &str, edits: &[crate::step::Splice]) -> Undo {
    let never = |why: String| Undo::Never { why };
    let Ok(before) = Document::parse(text) else {
        return never("the policy is malformed".into());
    };
    if let Some(literal) = literals(&before, edits).into_iter().next() {
        let why = literal.never.unwrap_or("it was not parked");
        return never(format!(
            "a literal that goes cannot stand in a named value ({why}), so it cannot be put back"
        ));
    }
    let after = edited(text, edits)
        .ok()
        .and_then(|a| Document::parse(&a).ok());
    match after.and_then(|after| undo::back(&before, &after, edits)) {
        Some(edits) => Undo::Splice { edits },
        None => never("the edits cannot be turned round".into()),
    }
}

/// Policies are bounded: 256 KiB, 512 KB for a fragment, 16 KiB in the Consumption tier
/// (azure-facts B.4).
fn too_long(draft: &Draft, address: &Address, text: &str) -> Option<String> {
    let gateway = draft.world.entities.get(&address.root());
    let tier = gateway
        .and_then(|e| e.text("/sku/name"))
        .unwrap_or_default();
    let limit = match address.last().0 {
        _ if tier.eq_ignore_ascii_case("Consumption") => 16 * 1024,
        "policyFragment" => 512_000,
        _ => 256 * 1024,
    };
    (text.len() > limit).then(|| format!("it would be longer than {limit} bytes"))
}

/// A switch by the declared document: its text is the wanted one.
fn by_document(
    input: Input,
    draft: &mut Draft,
    http: &mut Http,
    address: &Address,
    owners: &[usize],
    text: &str,
    planned: Planned,
) -> Option<String> {
    for index in owners {
        let one = &http.moves[*index];
        if !declared::is_ready(http.lanes(&one.gateway), one, address, text) {
            declared::not_ready(draft, &mut http.moves[*index], address);
            return None;
        }
    }
    let access = http.sole(owners);
    put_text(input, draft, access, address, text, planned)
}

/// Writes a whole policy.
fn put_text(
    input: Input,
    draft: &mut Draft,
    access: Option<String>,
    address: &Address,
    text: &str,
    mut planned: Planned,
) -> Option<String> {
    let live = draft.world.entities.get(address).map(|e| e.body.clone());
    let before = draft
        .world
        .policy_text(address)
        .unwrap_or_default()
        .to_owned();
    let body = json!({ "properties": { "format": "rawxml", "value": text } });
    if let Some(Note::Applied { made, .. }) = planned.notes.first_mut() {
        *made = live.is_none();
    }
    draft.add(NewStep {
        phase: Phase::Switch,
        address: address.clone(),
        access,
        reason: planned.reason,
        shown: show::document(input.key, address, &before, text),
        undo: match live {
            None => Undo::Delete,
            Some(_) => undo_of_text(&before, text),
        },
        op: Op::Put {
            expect: live
                .as_ref()
                .map(|live| managed_fingerprint(input.key, address, live, &body)),
            body,
            value: None,
        },
        needs: planned.needs,
        notes: planned.notes,
    })
}

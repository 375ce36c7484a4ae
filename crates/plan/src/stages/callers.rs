//! Who may call: an Access that demands callers gets a `validate-azure-ad-token` element in front of
//! everything else in the policies of its APIs, in every revision.
//!
//! Invariant: a caller without such a token is shut out, so a person is asked first; and no element
//! that somebody else wrote is changed or joined, for a call would have to pass both.

use std::collections::{BTreeMap, BTreeSet};

use keyless_model::{Address, Callers, Live};
use keyless_policy::{Document, ElementRef};
use serde_json::json;

use crate::draft::{Draft, Input, NewStep, id_of};
use crate::phase::Phase;
use crate::stages::demand::{Demand, ELEMENT};
use crate::stages::http::declared;
use crate::stages::show;
use crate::stages::shut::{NOBODY_SHUT_OUT, approved};
use crate::stages::switch::{Planned, splice_step};
use crate::step::{Note, Op, Splice, Undo};

const CHECK: &str = "check who calls";

/// Plans it, API by API.
pub(crate) fn apis(input: Input, draft: &mut Draft) {
    let mut wanted: BTreeMap<Address, (&str, Demand)> = BTreeMap::new();
    for (access, callers) in &input.desired.callers {
        let gateway = Address::gateway(&callers.gateway);
        if let Live::Unreadable(why) = input.live.get(&gateway.child("api", "")) {
            let next = "give the identity that plans the Reader role on the gateway";
            draft.wait(&gateway, Some(access), CHECK, &why, next);
            continue;
        }
        let demand = Demand::of(callers, &input.live.tenant);
        for api in chosen(input, callers, &gateway) {
            wanted.entry(api).or_insert((access, demand.clone()));
        }
    }
    for (api, (access, demand)) in wanted {
        check(input, draft, &api, access, &demand);
    }
}

/// The APIs, with their other revisions: a caller may ask for any.
fn chosen(input: Input, callers: &Callers, gateway: &Address) -> Vec<Address> {
    let all = input.live.children(gateway, "api");
    let named = |address: &Address| {
        let name = address.last().1.split(";rev=").next().unwrap_or_default();
        let names = callers.apis.as_ref();
        names.is_none_or(|names| names.iter().any(|n| n == name))
    };
    all.map(|(address, _)| address.clone())
        .filter(named)
        .collect()
}

fn check(input: Input, draft: &mut Draft, api: &Address, access: &str, demand: &Demand) {
    let policy = api.part("policy");
    let wait = |draft: &mut Draft, why: &str, next: &str| {
        draft.wait(&policy, Some(access), CHECK, why, next);
    };
    let live = draft.world.policy_text(&policy).map(str::to_owned);
    if let (Live::Unreadable(why), None) = (input.live.get(&policy), &live) {
        return wait(
            draft,
            &why,
            "give the identity that plans the right to read it",
        );
    }
    let Ok(document) = live.as_deref().map(Document::parse).transpose() else {
        return wait(
            draft,
            "the policy is malformed",
            "mend the policy in the gateway",
        );
    };
    let mine = input.state.applied.contains_key(&api.part("callers"));
    let edit = match document.as_ref().map(|d| found(d, demand)) {
        Some(Found::Same) => return,
        Some(Found::Other(path)) if mine => Some(Splice::Replace {
            path,
            xml: demand.xml(),
        }),
        Some(Found::Other(_)) => {
            let why = "its policy checks the callers in another way already";
            let next = "take that element out, or let the Access demand the same";
            return wait(draft, why, next);
        }
        Some(Found::None(edit)) => Some(edit),
        None => None,
    };
    if let Some(text) = declared::text(input, &policy) {
        let ready = Document::parse(text).is_ok_and(|d| matches!(found(&d, demand), Found::Same));
        if !ready {
            let next = format!("put {} first into its `inbound`", demand.xml());
            wait(
                draft,
                "the declared policy file does not check the callers",
                &next,
            );
        }
        return;
    }
    let question = format!(
        "{api} is to refuse every call without {}. Does every caller that is to stay send one?",
        demand.told()
    );
    let before = draft.existing([id_of(Phase::Switch, &policy)]);
    let place = api.part("callers");
    let Some(gate) = approved(draft, &place, question, NOBODY_SHUT_OUT, &before) else {
        return;
    };
    let mut needs = before;
    needs.insert(gate);
    match (edit, document) {
        (Some(edit), Some(document)) => {
            splice(
                input,
                draft,
                &policy,
                access,
                demand,
                (edit, &document),
                needs,
            );
        }
        _ => make(input, draft, &policy, access, demand, needs),
    }
}

/// What a policy does about its callers.
enum Found {
    /// It makes the demand, of every call.
    Same,
    /// The path of an element that demands something else.
    Other(String),
    /// The edit that makes the demand.
    None(Splice),
}

fn found(document: &Document, demand: &Demand) -> Found {
    let root = document.root();
    let mut sections = root.children().into_iter();
    let inbound = sections.find(|s| s.name() == "inbound");
    let inside = inbound.iter().flat_map(ElementRef::children);
    let own: Vec<ElementRef> = inside.filter(|e| e.name() == ELEMENT).collect();
    if own
        .iter()
        .any(|e| Demand::read(*e).as_ref() == Some(demand))
    {
        return Found::Same;
    }
    let all = document.elements();
    if let Some(other) = all.into_iter().find(|e| e.name() == ELEMENT) {
        return Found::Other(other.path().to_string());
    }
    Found::None(match inbound {
        Some(section) => Splice::InsertFirst {
            path: section.path().to_string(),
            xml: demand.xml(),
        },
        None => Splice::InsertFirst {
            path: root.path().to_string(),
            xml: format!("<inbound>{}</inbound>", demand.xml()),
        },
    })
}

fn splice(
    input: Input,
    draft: &mut Draft,
    policy: &Address,
    access: &str,
    demand: &Demand,
    (edit, document): (Splice, &Document),
    needs: BTreeSet<String>,
) {
    let undo = match &edit {
        Splice::Replace { path, .. } => match before(document, path) {
            Some(xml) => Undo::Splice {
                edits: vec![Splice::Replace {
                    path: path.clone(),
                    xml,
                }],
            },
            None => Undo::Nothing {
                why: "what was there may be secret".into(),
            },
        },
        insert => Undo::Splice {
            edits: vec![Splice::Remove {
                path: inserted(insert.path(), document),
            }],
        },
    };
    let planned = Planned {
        reason: reason(demand),
        needs,
        undo,
        notes: notes(input, policy, false),
    };
    splice_step(
        input,
        draft,
        Some(access),
        Phase::Lock,
        policy,
        vec![edit],
        planned,
    );
}

/// The element that is replaced, as far as it is one of ours: then nothing in it is secret.
fn before(document: &Document, path: &str) -> Option<String> {
    let element = document.find(&path.parse().ok()?)?;
    Demand::read(element).map(|demand| demand.xml())
}

/// Where the element, or the section with it, is found once it was put in.
fn inserted(parent: &str, document: &Document) -> String {
    match parent == document.root().path().to_string() {
        true => format!("{parent}/inbound"),
        false => format!("{parent}/{ELEMENT}"),
    }
}

/// An API that had no policy gets one that takes in everything else.
fn make(
    input: Input,
    draft: &mut Draft,
    policy: &Address,
    access: &str,
    demand: &Demand,
    needs: BTreeSet<String>,
) {
    let text = format!(
        "<policies>\n    <inbound>\n        {}\n        <base />\n    </inbound>\n    <backend>\n        \
         <base />\n    </backend>\n    <outbound>\n        <base />\n    </outbound>\n    \
         <on-error>\n        <base />\n    </on-error>\n</policies>",
        demand.xml()
    );
    draft.add(NewStep {
        phase: Phase::Lock,
        address: policy.clone(),
        access: Some(access.to_owned()),
        reason: reason(demand),
        shown: show::document(input.key, policy, "", &text),
        op: Op::Put {
            body: json!({ "properties": { "format": "rawxml", "value": text } }),
            value: None,
            expect: None,
        },
        needs,
        undo: Undo::Delete,
        notes: notes(input, policy, true),
    });
}

fn reason(demand: &Demand) -> String {
    format!("whoever calls must send {}", demand.told())
}

/// What the state learns; that callers are checked is a mark of its own.
fn notes(input: Input, policy: &Address, made: bool) -> Vec<Note> {
    let applied = |address, made| Note::Applied {
        address,
        made,
        sent: None,
    };
    let mark = policy.parent().map(|api| api.part("callers"));
    let mark = mark.map(|mark| {
        let new = !input.state.applied.contains_key(&mark);
        applied(mark, new)
    });
    std::iter::once(applied(policy.clone(), made))
        .chain(mark)
        .collect()
}

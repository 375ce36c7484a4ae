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
use crate::stages::arm::new_policy;
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
        let check = Check {
            policy: api.part("policy"),
            api,
            access,
            demand,
        };
        check.plan(input, draft);
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

/// One API whose callers are checked.
struct Check<'a> {
    api: Address,
    policy: Address,
    access: &'a str,
    demand: Demand,
}

impl Check<'_> {
    fn plan(&self, input: Input, draft: &mut Draft) {
        let live = draft.world.policy_text(&self.policy).map(str::to_owned);
        if let (Live::Unreadable(why), None) = (input.live.get(&self.policy), &live) {
            let next = "give the identity that plans the right to read it";
            return self.wait(draft, &why, next);
        }
        let Ok(document) = live.as_deref().map(Document::parse).transpose() else {
            let next = "mend the policy in the gateway";
            return self.wait(draft, "the policy is malformed", next);
        };
        let ours = input.state.applied.contains_key(&self.api.part("callers"));
        let edit = match document.as_ref().map(|d| found(d, &self.demand)) {
            Some(Found::Same) => return,
            Some(Found::Other(path)) if ours => Some(Splice::Replace {
                path,
                xml: self.demand.xml(),
            }),
            Some(Found::Other(_)) => {
                let why = "its policy checks the callers in another way already";
                let next = "take that element out, or let the Access demand the same";
                return self.wait(draft, why, next);
            }
            Some(Found::None(edit)) => Some(edit),
            None => None,
        };
        if let Some(text) = declared::text(input, &self.policy) {
            return self.declared(draft, text);
        }
        let Some(needs) = self.asked(draft) else {
            return;
        };
        match (edit, document) {
            (Some(edit), Some(document)) => self.splice(input, draft, edit, &document, needs),
            _ => self.make(input, draft, needs),
        }
    }

    fn wait(&self, draft: &mut Draft, why: &str, next: &str) {
        draft.wait(&self.policy, Some(self.access), CHECK, why, next);
    }

    /// A declared text is written as it is, so it must check the callers itself.
    fn declared(&self, draft: &mut Draft, text: &str) {
        let same = |d: &Document| matches!(found(d, &self.demand), Found::Same);
        if !Document::parse(text).is_ok_and(|d| same(&d)) {
            let why = "the declared policy file does not check the callers";
            let next = format!("put {} first into its `inbound`", self.demand.xml());
            self.wait(draft, why, &next);
        }
    }

    /// What the step stands behind: a person's word, and what else this plan writes there.
    fn asked(&self, draft: &mut Draft) -> Option<BTreeSet<String>> {
        let question = format!(
            "{} is to refuse every call without {}. Does every caller that is to stay send one?",
            self.api,
            self.demand.told()
        );
        let mut needs = draft.existing([id_of(Phase::Switch, &self.policy)]);
        let place = self.api.part("callers");
        needs.insert(approved(draft, &place, question, NOBODY_SHUT_OUT, &needs)?);
        Some(needs)
    }

    fn splice(
        &self,
        input: Input,
        draft: &mut Draft,
        edit: Splice,
        document: &Document,
        needs: BTreeSet<String>,
    ) {
        let planned = Planned {
            reason: self.reason(),
            needs,
            undo: undo(&edit, document),
            notes: self.notes(input, false),
        };
        let (phase, access) = (Phase::Lock, Some(self.access));
        splice_step(
            input,
            draft,
            access,
            phase,
            &self.policy,
            vec![edit],
            planned,
        );
    }

    /// An API that had no policy gets one that takes in everything else.
    fn make(&self, input: Input, draft: &mut Draft, needs: BTreeSet<String>) {
        let text = new_policy([&self.demand.xml(), "<base />"]);
        draft.add(NewStep {
            phase: Phase::Lock,
            address: self.policy.clone(),
            access: Some(self.access.to_owned()),
            reason: self.reason(),
            shown: show::document(input.key, &self.policy, "", &text),
            op: Op::Put {
                body: json!({ "properties": { "format": "rawxml", "value": text } }),
                value: None,
                expect: None,
            },
            needs,
            undo: Undo::Delete,
            notes: self.notes(input, true),
        });
    }

    fn reason(&self) -> String {
        format!("whoever calls must send {}", self.demand.told())
    }

    /// What the state learns; that callers are checked is a mark of its own.
    fn notes(&self, input: Input, made: bool) -> Vec<Note> {
        let applied = |address: Address, made| Note::Applied {
            address,
            made,
            sent: None,
        };
        let mark = self.api.part("callers");
        let new = !input.state.applied.contains_key(&mark);
        vec![applied(self.policy.clone(), made), applied(mark, new)]
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

fn undo(edit: &Splice, document: &Document) -> Undo {
    let back = match edit {
        Splice::Replace { path, .. } => match before(document, path) {
            Some(xml) => Splice::Replace {
                path: path.clone(),
                xml,
            },
            None => {
                let why = "what was there may be secret, so no copy of it is kept".into();
                return Undo::Never { why };
            }
        },
        insert => Splice::Remove {
            path: inserted(insert.path(), document),
        },
    };
    Undo::Splice { edits: vec![back] }
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

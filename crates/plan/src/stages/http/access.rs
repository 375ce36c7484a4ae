//! One Access to an HTTP service on its way.

use std::collections::{BTreeMap, BTreeSet};

use keyless_model::{Address, HttpAccess, Live, Replaced, Replaces};
use keyless_policy::Document;
use keyless_scan::{BackendCredential, UrlCredential};

use crate::draft::{Draft, Input};
use crate::stages::http::edit::edits;
use crate::stages::http::identity::Token;
use crate::stages::http::judge::PolicyWork;
use crate::stages::http::lanes::Lanes;
use crate::stages::http::{block, declared, find, identity, turned};
use crate::step::{Note, Splice};

/// An Access and what has been found out and planned for it so far.
pub(crate) struct HttpMove<'a> {
    pub access: &'a HttpAccess,
    pub gateway: Address,
    /// What its documents ask for.
    pub token: Token,
    /// The policies on its ways, and whether calls to the target run through them.
    pub ways: BTreeMap<Address, bool>,
    /// The policies of calls that may go there, or go there and elsewhere.
    pub perhaps: BTreeSet<Address>,
    /// Calls that carry its token elsewhere.
    pub strays: BTreeSet<Address>,
    /// What is to change, by document.
    pub works: BTreeMap<Address, Work>,
    /// Backends and URLs that keep their credential for now.
    pub left: BTreeMap<Address, Work>,
    /// What the identity makes needless.
    pub replaces: BTreeSet<Replaced>,
    /// Every credential on its ways is known and can be switched, so that retire may act.
    pub all_known: bool,
    /// Something stands in the way: nothing is planned for it.
    pub blocked: bool,
    /// Ids of planned steps, by what later stages wait for.
    pub parked: BTreeSet<String>,
    pub proven: BTreeSet<String>,
    pub switched: BTreeSet<String>,
    pub confirmed: BTreeSet<String>,
}

/// What is to change in one document.
pub(crate) enum Work {
    /// A policy or a fragment.
    Policy(PolicyWork),
    /// A backend that sends credentials of its own.
    Backend(Vec<BackendCredential>),
    /// An API whose URL holds a credential.
    Service(UrlCredential),
}

impl HttpMove<'_> {
    pub fn name(&self) -> &str {
        &self.access.name
    }

    /// The address of its gates.
    pub fn place(&self) -> Address {
        self.gateway.child("access", &self.access.name)
    }

    /// What the state must know before the switch: after it, live no longer tells.
    pub fn replacing(&self) -> Vec<Note> {
        let note = |item: &Replaced| Note::Replaces {
            access: self.access.name.clone(),
            item: item.clone(),
        };
        self.replaces.iter().map(note).collect()
    }

    /// Whether what is left of the old credential goes in the end.
    pub fn drops(&self) -> bool {
        let retire = self.access.retire.as_ref();
        !self.blocked && self.all_known && retire.is_some_and(|r| r.drop)
    }

    /// Everything that must be over before anything irreversible.
    pub fn all_before_retire(&self) -> impl Iterator<Item = String> + '_ {
        self.switched.iter().chain(&self.confirmed).cloned()
    }

    /// Tells of something that keeps a part of it from going on.
    pub fn unclear(&mut self, draft: &mut Draft, place: &Address, why: &str, next: &str) {
        draft.wait(place, Some(&self.access.name), MOVE, why, next);
        self.all_known = false;
    }

    /// Tells of something that keeps all of it from going on.
    pub fn hold_up(&mut self, draft: &mut Draft, place: &Address, why: &str, next: &str) {
        self.unclear(draft, place, why, next);
        self.blocked = true;
    }
}

const MOVE: &str = "send a token of the identity instead of a key";

/// All Accesses to HTTP services, and the lanes of their gateways as they are before the plan.
pub(crate) struct Http<'a> {
    pub moves: Vec<HttpMove<'a>>,
    lanes: BTreeMap<Address, Lanes>,
}

impl Http<'_> {
    /// The documents that Accesses are to change and `holds` says yes to, with the numbers of the
    /// Accesses. One that is held up changes none.
    pub fn documents(&self, holds: impl Fn(&Address) -> bool) -> BTreeMap<Address, Vec<usize>> {
        let mut out: BTreeMap<Address, Vec<usize>> = BTreeMap::new();
        for (index, one) in self.moves.iter().enumerate().filter(|(_, m)| !m.blocked) {
            for address in one.works.keys().filter(|a| holds(a)) {
                out.entry(address.clone()).or_default().push(index);
            }
        }
        out
    }

    /// The edits of all these Accesses to one policy, each once, in the coordinates of `text`.
    ///
    /// # Errors
    /// When the text is malformed, or two Accesses want different things in one place.
    pub fn edits(
        &self,
        address: &Address,
        owners: &[usize],
        text: &str,
    ) -> Result<Vec<Splice>, String> {
        let document = Document::parse(text).map_err(|e| e.to_string())?;
        let beside = self.lanes(&address.root()).beside(address);
        let mut out: Vec<Splice> = Vec::new();
        for one in owners.iter().map(|i| &self.moves[*i]) {
            let Some(Work::Policy(work)) = one.works.get(address) else {
                continue;
            };
            for edit in edits(&document, work, &one.token.xml(), &beside) {
                let differs = |e: &Splice| e.path() == edit.path() && !is_insert(e) && *e != edit;
                if !is_insert(&edit) && out.iter().any(differs) {
                    return Err("two Accesses ask for different tokens in one place".into());
                }
                if !out.contains(&edit) {
                    out.push(edit);
                }
            }
        }
        Ok(out)
    }

    /// The name of the only Access among these.
    pub fn sole(&self, owners: &[usize]) -> Option<String> {
        match owners {
            [one] => Some(self.moves[*one].access.name.clone()),
            _ => None,
        }
    }

    pub fn parked(&mut self, owners: &[usize], id: Option<String>) {
        for index in owners {
            self.moves[*index].parked.extend(id.clone());
        }
    }

    pub fn lanes(&self, gateway: &Address) -> &Lanes {
        &self.lanes[gateway]
    }
}

fn is_insert(edit: &Splice) -> bool {
    matches!(
        edit,
        Splice::InsertFirst { .. } | Splice::InsertLast { .. } | Splice::InsertAfter { .. }
    )
}

/// Looks at every Access to an HTTP service. What one of them is to change, no other document
/// writes meanwhile.
pub(crate) fn moves<'a>(input: Input<'a>, draft: &mut Draft) -> Http<'a> {
    let mut lanes: BTreeMap<Address, Lanes> = BTreeMap::new();
    let mut wanted: BTreeMap<Address, Option<turned::Wanted>> = BTreeMap::new();
    let mut out = Vec::new();
    for access in input.desired.http_accesses.values() {
        let gateway = Address::gateway(&access.gateway);
        let mut one = HttpMove {
            access,
            token: identity::token(input, access),
            gateway: gateway.clone(),
            ways: BTreeMap::new(),
            perhaps: BTreeSet::new(),
            strays: BTreeSet::new(),
            works: BTreeMap::new(),
            left: BTreeMap::new(),
            replaces: BTreeSet::new(),
            all_known: true,
            blocked: false,
            parked: BTreeSet::new(),
            proven: BTreeSet::new(),
            switched: BTreeSet::new(),
            confirmed: BTreeSet::new(),
        };
        if readable(input, draft, &mut one) {
            let here = lanes.entry(gateway.clone());
            let here = here.or_insert_with(|| Lanes::of(input.live, &gateway));
            block::whole(input, draft, here, &mut one);
            find::works(input, draft, here, &mut one);
            derive(input, here, &mut one);
            declared::hold_back(input, draft, here, &mut one);
            let wanted = wanted.entry(gateway.clone());
            if let Some(wanted) = wanted.or_insert_with(|| turned::wanted(input, &gateway)) {
                turned::hold(input, draft, here, wanted, &mut one);
            }
        }
        hold(input, draft, lanes.get(&gateway), &one);
        out.push(one);
    }
    Http { moves: out, lanes }
}

/// Nothing is planned on top of what could not be read.
fn readable(input: Input, draft: &mut Draft, one: &mut HttpMove) -> bool {
    let gateway = one.gateway.clone();
    match input.live.get(&gateway) {
        Live::Present(_) => true,
        Live::Absent => {
            let next = "correct the id in its Gateway document";
            one.hold_up(draft, &gateway, "the gateway does not exist", next);
            false
        }
        Live::Unreadable(why) => {
            let next = "give the identity that plans the Reader role on the gateway";
            one.hold_up(draft, &gateway, &why, next);
            false
        }
    }
}

/// Which credentials become needless: from what is live and what the state recorded, or as listed.
fn derive(input: Input, lanes: &Lanes, one: &mut HttpMove) {
    if let Replaces::Listed(items) = &one.access.replaces {
        one.replaces = items.clone();
        return;
    }
    let mut names: BTreeSet<&str> = BTreeSet::new();
    let mut items = BTreeSet::new();
    for (address, work) in &one.works {
        match work {
            Work::Policy(policy) => names.extend(policy.references()),
            Work::Service(url) => names.extend(url.references.iter().map(String::as_str)),
            Work::Backend(fields) => {
                items.insert(Replaced::Backend(address.last().1.to_owned()));
                let references = fields.iter().flat_map(|f| &f.references);
                names.extend(references.map(String::as_str));
            }
        }
    }
    let values = names.iter().filter_map(|name| lanes.value_address(name));
    items.extend(values.map(|a| Replaced::NamedValue(a.last().1.to_owned())));
    let recorded = input.state.accesses.get(one.name());
    items.extend(
        recorded
            .into_iter()
            .flat_map(|s| s.replaces.iter().cloned()),
    );
    one.replaces = items;
}

/// A declared text that goes on sending the key harms nothing while the Access is held up.
fn hold(input: Input, draft: &mut Draft, lanes: Option<&Lanes>, one: &HttpMove) {
    let why = match one.blocked {
        true => format!(
            "the Access {} is held up, and this is on its way",
            one.name()
        ),
        false => format!("the Access {} changes it in this plan", one.name()),
    };
    let harmless = |address: &Address, work: &Work| {
        let text = declared::text(input, address);
        let sends = |text| lanes.is_some_and(|l| declared::sends_keys(l, one, address, text));
        one.blocked
            && match work {
                Work::Policy(_) => text.is_some_and(sends),
                end => !declared::drops(input, address, end),
            }
    };
    let at_stake = one.works.iter().filter(|(a, work)| !harmless(a, work));
    for (address, _) in at_stake {
        draft.held.entry(address.clone()).or_insert(why.clone());
    }
}

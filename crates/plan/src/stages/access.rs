//! One Access on its way: what the later stages need to know of it.

use std::collections::BTreeSet;

use keyless_model::{Access, Address, Live, Replaced};

use crate::draft::{Draft, Input};
use crate::stages::claims::{claiming, names_it};
use crate::stages::sources::{Source, sources};
use crate::stages::{replaced, tier, unread};
use crate::step::Note;

/// An Access and what has been found out and planned for it so far.
pub(crate) struct Move<'a> {
    pub access: &'a Access,
    pub gateway: Address,
    pub database: Address,
    /// The database user of the gateway's identity.
    pub user: String,
    /// Where its APIs connect to SQL.
    pub sources: Vec<Source>,
    /// What the identity makes needless.
    pub replaces: BTreeSet<Replaced>,
    /// Named values that hold no more than a password: their login stands in clear beside them.
    pub told: BTreeSet<Address>,
    /// Every credential behind the sources is known, so that disable and retire may act.
    pub all_known: bool,
    /// Something stands in the way: no step after the grants is planned.
    pub blocked: bool,
    /// Policies with a source that stays as it is, for nothing tells where it leads.
    pub unclear: BTreeSet<Address>,
    /// Ids of planned steps, by what later stages wait for.
    pub granted: BTreeSet<String>,
    pub parked: BTreeSet<String>,
    pub proven: BTreeSet<String>,
    pub switched: BTreeSet<String>,
    pub confirmed: BTreeSet<String>,
    pub disabled: BTreeSet<String>,
    pub settled: BTreeSet<String>,
}

impl Move<'_> {
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
        let told = self.told.iter().map(|address| Note::Told {
            access: self.access.name.clone(),
            address: address.clone(),
        });
        self.replaces.iter().map(note).chain(told).collect()
    }

    /// Whether the old way in is closed once the soak is over.
    pub fn closes(&self) -> bool {
        !self.blocked && self.all_known && self.access.retire.is_some()
    }

    /// Whether what is left of the old credential goes in the end.
    pub fn drops(&self) -> bool {
        self.closes() && self.access.retire.as_ref().is_some_and(|r| r.drop)
    }

    /// The switch and its soak: what must be over before the old way in is closed.
    pub fn off_the_old_path(&self) -> impl Iterator<Item = String> + '_ {
        self.switched.iter().chain(&self.confirmed).cloned()
    }

    /// Everything that must be over before anything irreversible.
    pub fn all_before_retire(&self) -> impl Iterator<Item = String> + '_ {
        self.off_the_old_path()
            .chain(self.disabled.iter().chain(&self.settled).cloned())
    }
}

/// Looks at every Access; those that cannot go on leave a waiting row.
pub(crate) fn moves<'a>(input: Input<'a>, draft: &mut Draft) -> Vec<Move<'a>> {
    let mut out = Vec::new();
    for access in input.desired.accesses.values() {
        let mut one = Move {
            access,
            gateway: Address::gateway(&access.gateway),
            database: access.target(),
            user: String::new(),
            sources: Vec::new(),
            replaces: BTreeSet::new(),
            told: BTreeSet::new(),
            all_known: true,
            blocked: false,
            unclear: BTreeSet::new(),
            granted: BTreeSet::new(),
            parked: BTreeSet::new(),
            proven: BTreeSet::new(),
            switched: BTreeSet::new(),
            confirmed: BTreeSet::new(),
            disabled: BTreeSet::new(),
            settled: BTreeSet::new(),
        };
        if readable(input, draft, &one) && tier::has_sql(input, draft, &one) {
            one.sources = sources(input, draft, &mut one);
            tier::self_hosted(input, draft, &mut one);
            out.push(one);
        }
    }
    leave_unclear(input, draft, &mut out);
    for one in &mut out {
        replaced::derive(input, draft, one);
    }
    out
}

/// A hidden connection string does not tell where it leads. It is switched only where one Access
/// alone, of all that are desired, chooses its resolver, and says so by name.
fn leave_unclear(input: Input, draft: &mut Draft, moves: &mut [Move]) {
    for one in moves {
        let access = one.access;
        let guessed = one.sources.extract_if(.., |source| {
            source.is_guessed() && why_unclear(input, access, &source.policy).is_some()
        });
        for source in guessed {
            let why = why_unclear(input, access, &source.policy).unwrap_or_default();
            let what = "move this resolver to the identity";
            let next = "run plan --inspect-secrets, or name its resolver in one Access only";
            draft.wait(&source.policy, Some(&access.name), what, &why, next);
            one.all_known = false;
            one.unclear.insert(source.policy);
        }
    }
}

/// Why the Access does not tell where a hidden connection string leads; none when it does.
fn why_unclear(input: Input, access: &Access, policy: &Address) -> Option<String> {
    let claims = claiming(input, policy);
    if claims.len() > 1 {
        let names: Vec<&str> = claims.iter().map(|a| a.name.as_str()).collect();
        let names = names.join(", ");
        return Some(format!(
            "its connection string is hidden, and several Accesses choose it ({names})"
        ));
    }
    (!names_it(input, access, policy))
        .then(|| "its connection string is hidden, and no Access names its API".to_owned())
}

/// Nothing is planned on top of what could not be read.
fn readable(input: Input, draft: &mut Draft, one: &Move) -> bool {
    let what = format!("move {} to the identity of {}", one.name(), one.gateway);
    let name = Some(one.name());
    match input.live.get(&one.gateway) {
        Live::Present(_) => {}
        Live::Absent => {
            let why = "the gateway does not exist";
            draft.wait(
                &one.gateway,
                name,
                &what,
                why,
                "correct the id in its Gateway document",
            );
            return false;
        }
        Live::Unreadable(why) => {
            let next = "give the identity that plans the Reader role on the gateway";
            draft.wait(&one.gateway, name, &what, &why, next);
            return false;
        }
    }
    match input.live.catalogue(&one.database) {
        Live::Present(_) => true,
        Live::Absent => {
            let why = "the database does not exist";
            draft.wait(
                &one.database,
                name,
                &what,
                why,
                "correct `to.database` in the Access",
            );
            false
        }
        Live::Unreadable(why) => {
            let (why, next) = unread::database(input, draft, &one.database, why);
            draft.wait(&one.database, name, &what, &why, &next);
            false
        }
    }
}

//! The network of servers, in order: what lets somebody in comes before anything needs it; what
//! shuts somebody out comes last, once nothing of the old path is left.

use std::collections::BTreeSet;

use keyless_model::sql::{FirewallRule, Statement, same_name};
use keyless_model::{Address, DatabaseRule, Entity, Live, Resource, Snapshot};
use serde_json::{Map, Value, json};

use crate::compare::covers;
use crate::draft::{Draft, Input, NewStep, id_of};
use crate::phase::Phase;
use crate::stages::arm::{Wanted, put};
use crate::stages::show;
use crate::step::{Note, Op, Undo};

/// IPv4 addresses from the first to the second, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Range(u32, u32);

impl Range {
    pub fn of(start: &str, end: &str) -> Option<Self> {
        let number = |text: &str| text.parse::<core::net::Ipv4Addr>().ok().map(u32::from);
        Some(Self(number(start)?, number(end)?))
    }

    fn of_entity(entity: &Entity) -> Option<Self> {
        let text = |name| entity.text(name).unwrap_or_default();
        Self::of(
            text("/properties/startIpAddress"),
            text("/properties/endIpAddress"),
        )
    }

    /// Whether it lets all of Azure in, other customers included (azure-facts C.2): told by its
    /// value, for the name is anybody's choice.
    pub fn is_all_of_azure(self) -> bool {
        self == Self(0, 0)
    }

    /// Whether everybody whom `other` lets in comes in by this one too.
    fn covers(self, other: Self) -> bool {
        self == other
            || (!self.is_all_of_azure()
                && !other.is_all_of_azure()
                && self.0 <= other.0
                && other.1 <= self.1)
    }

    /// Whether a gateway with this outbound address comes in by it: that is an address of Azure.
    pub fn admits(self, address: u32) -> bool {
        self.is_all_of_azure() || (self.0 <= address && address <= self.1)
    }
}

/// Declared firewall rules that let in more than before, and those that are not there yet.
pub(crate) fn open(input: Input, draft: &mut Draft) {
    for rule in rules(input) {
        if narrowed(draft, rule).is_none() {
            put(input, draft, wanted(rule, Phase::Identify, BTreeSet::new()));
        }
    }
    for (name, rule) in &input.desired.database_rules {
        if let Some(before) = differs(draft, name, rule)
            && before.as_ref().is_none_or(|old| widens(old, &rule.rule))
        {
            let admin = id_of(Phase::Identify, &rule.database.root().part("entraAdmin"));
            let needs = draft.existing([admin]);
            draft.add(set(rule, before, Phase::Identify, needs));
        }
    }
}

/// The rules of servers that documents declare.
pub(crate) fn rules(input: Input<'_>) -> impl Iterator<Item = &Resource> {
    let all = input.desired.resources.values();
    all.filter(|r| r.address.last().0 == "firewallRule")
}

pub(crate) fn wanted(rule: &Resource, phase: Phase, needs: BTreeSet<String>) -> Wanted<'static> {
    Wanted {
        phase,
        address: rule.address.clone(),
        body: json!({ "properties": Value::Object(rule.properties.clone()) }),
        value: None,
        reason: "a FirewallRule document declares it",
        needs,
    }
}

/// The ranges before and after of a declared rule that is to let in less than it does, or of which
/// that is not known.
pub(crate) fn narrowed(draft: &Draft, rule: &Resource) -> Option<(Option<Range>, Option<Range>)> {
    let entity = draft.world.entities.get(&rule.address)?;
    let body = json!({ "properties": Value::Object(rule.properties.clone()) });
    let ranges = (Range::of_entity(entity), after(entity, &rule.properties));
    let widens = matches!(ranges, (Some(before), Some(after)) if after.covers(before));
    (!widens && !covers(&rule.address, &entity.body, &body)).then_some(ranges)
}

fn after(entity: &Entity, wanted: &Map<String, Value>) -> Option<Range> {
    let text = |name: &str| {
        let own = wanted.get(name).and_then(Value::as_str);
        own.or_else(|| entity.body["properties"].get(name)?.as_str())
    };
    Range::of(text("startIpAddress")?, text("endIpAddress")?)
}

/// The rule of the same name as it is in the database, if that is not the declared one. None when
/// there is nothing to do, or when it waits, which leaves a row.
pub(crate) fn differs(
    draft: &mut Draft,
    name: &str,
    rule: &DatabaseRule,
) -> Option<Option<FirewallRule>> {
    let why = match draft.world.catalogue(&rule.database) {
        Live::Present(catalogue) => {
            let mut all = catalogue.firewall_rules.iter();
            let old = all.find(|r| same_name(&r.name, &rule.rule.name)).cloned();
            return (old.as_ref() != Some(&rule.rule)).then_some(old);
        }
        Live::Absent => "the database does not exist".to_owned(),
        Live::Unreadable(why) => why,
    };
    let what = format!("set the firewall rule of the document {name}");
    let next = "make the database readable, then plan again";
    draft.wait(&place(rule), None, &what, &why, next);
    None
}

pub(crate) fn place(rule: &DatabaseRule) -> Address {
    rule.database.child("firewallRule", &rule.rule.name)
}

pub(crate) fn range_of(rule: &FirewallRule) -> Option<Range> {
    Range::of(&rule.start, &rule.end)
}

/// Whether nobody whom `old` let in is shut out by `new`.
pub(crate) fn widens(old: &FirewallRule, new: &FirewallRule) -> bool {
    match (range_of(old), range_of(new)) {
        (Some(old), Some(new)) => new.covers(old),
        _ => false,
    }
}

/// The step that sets a rule of a database, which only T-SQL knows (azure-facts C.2).
pub(crate) fn set(
    rule: &DatabaseRule,
    before: Option<FirewallRule>,
    phase: Phase,
    needs: BTreeSet<String>,
) -> NewStep {
    let statements = vec![Statement::SetFirewallRule {
        rule: rule.rule.clone(),
    }];
    let made = before.is_none();
    NewStep {
        phase,
        address: place(rule),
        access: None,
        reason: "a FirewallRule document declares it".into(),
        shown: show::statements(&statements),
        undo: match before {
            None => Undo::of(&statements),
            Some(rule) => Undo::Sql {
                statements: vec![Statement::SetFirewallRule { rule }],
            },
        },
        op: Op::Sql {
            database: rule.database.clone(),
            statements,
            users: BTreeSet::new(),
        },
        needs,
        notes: vec![Note::Applied {
            address: place(rule),
            made,
            sent: None,
        }],
    }
}

/// A rule that no document declares, in a server that owns its rules.
pub(crate) struct Undeclared {
    pub address: Address,
    pub range: Option<Range>,
    /// The database and the rule, for one that only T-SQL knows.
    pub inside: Option<(Address, FirewallRule)>,
}

/// The undeclared rules of a server and of its databases.
pub(crate) fn undeclared(input: Input, world: &Snapshot, root: &Address) -> Vec<Undeclared> {
    let same = |a: &Address, b: &Address| a.as_str().eq_ignore_ascii_case(b.as_str());
    let mut out = Vec::new();
    for (address, entity) in world.children(root, "firewallRule") {
        if !rules(input).any(|r| same(&r.address, address)) {
            out.push(Undeclared {
                address: address.clone(),
                range: Range::of_entity(entity),
                inside: None,
            });
        }
    }
    for (database, live) in world.databases.iter().filter(|(d, _)| d.root() == *root) {
        let Live::Present(catalogue) = live else {
            continue;
        };
        for rule in &catalogue.firewall_rules {
            let address = database.child("firewallRule", &rule.name);
            let mut declared = input.desired.database_rules.values();
            if !declared.any(|r| same_name(place(r).as_str(), address.as_str())) {
                out.push(Undeclared {
                    address,
                    range: range_of(rule),
                    inside: Some((database.clone(), rule.clone())),
                });
            }
        }
    }
    out
}

/// The ranges through which clients come into the server as a whole, and those of one database,
/// which the service looks at first (azure-facts C.2).
pub(crate) fn admitted(draft: &Draft, root: &Address, database: &Address) -> Vec<(Address, Range)> {
    let of_server = draft.world.children(root, "firewallRule");
    let mut out: Vec<(Address, Range)> = of_server
        .filter_map(|(a, e)| Some((a.clone(), Range::of_entity(e)?)))
        .collect();
    if let Live::Present(catalogue) = draft.world.catalogue(database) {
        let own = catalogue.firewall_rules.iter();
        out.extend(
            own.filter_map(|r| Some((database.child("firewallRule", &r.name), range_of(r)?))),
        );
    }
    out
}

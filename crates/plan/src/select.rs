//! A part of a plan: the steps at some addresses, or of some phases, with all that they need.
//!
//! Invariant: what is left is closed under `needs`, so that it is as safe as the whole plan with
//! the other branches held up; a step that would need one that is left out becomes a waiting row.

use std::collections::{BTreeMap, BTreeSet};

use keyless_model::Address;

use crate::file::{Plan, Waiting};
use crate::phase::Phase;
use crate::step::Step;

/// Which part of a plan is wanted. Empty lists choose everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// Steps at or inside these addresses, with whatever they need.
    pub targets: Vec<Address>,
    /// Steps of these phases only.
    pub phases: Vec<Phase>,
}

/// A target that nothing in the plan or in the manifests lies in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("nothing in the plan is at or inside {target}")]
pub struct NoSuchTarget {
    pub target: Address,
    /// Addresses that look like it, nearest first.
    pub near: Vec<Address>,
}

/// The part of `plan` that `selection` chooses, as a plan of its own. `declared` are the addresses
/// that documents have: a part of the plan there may be empty, for nothing needs to be done.
///
/// # Errors
/// When a target matches neither a step, nor a waiting row, nor what is declared.
pub fn select(
    plan: &Plan,
    selection: &Selection,
    declared: &[Address],
) -> Result<Plan, NoSuchTarget> {
    for target in &selection.targets {
        let steps = plan.steps.iter().any(|s| concerns(s, target));
        let rows = plan.waiting.iter().any(|w| row_concerns(w, target));
        let found = (steps || rows) && !misplaced(plan, target);
        if !found && !declared.iter().any(|a| a.within(target)) {
            return Err(NoSuchTarget {
                target: target.clone(),
                near: near(plan, target, declared),
            });
        }
    }
    let mut kept = targeted(plan, &selection.targets);
    let mut waiting: Vec<Waiting> = plan
        .waiting
        .iter()
        .filter(|w| {
            selection.targets.is_empty() || selection.targets.iter().any(|t| row_concerns(w, t))
        })
        .cloned()
        .collect();
    if !selection.phases.is_empty() {
        kept = of_phases(plan, &kept, &selection.phases);
        let hanging = left_hanging(plan, &mut kept);
        let asked_for = |step: &&Step| selection.phases.contains(&step.phase);
        let rows = hanging.into_iter().filter(|(step, _)| asked_for(step));
        waiting.extend(rows.map(|(_, row)| row));
        // A gate opens for nothing once what stood behind it is left out.
        kept = of_phases(plan, &kept, &selection.phases);
        waiting.sort();
    }
    let steps = plan
        .steps
        .iter()
        .filter(|s| kept.contains_key(s.id.as_str()))
        .cloned()
        .collect();
    let (inputs, roots) = (plan.inputs.clone(), plan.roots.clone());
    Ok(Plan::sealed(&plan.tool, inputs, roots, steps, waiting))
}

/// Whether a step lies at or inside the target, or belongs to the Access that the target names.
fn concerns(step: &Step, target: &Address) -> bool {
    step.address.within(target) || belongs(step.access.as_deref(), target)
}

fn row_concerns(row: &Waiting, target: &Address) -> bool {
    row.address.within(target) || belongs(row.access.as_deref(), target)
}

/// `apim:contoso/access:orders-read` names an Access.
fn belongs(access: Option<&str>, target: &Address) -> bool {
    names_an_access(target) && access == Some(target.last().1)
}

fn names_an_access(target: &Address) -> bool {
    let gateway = target.root();
    target.last().0 == "access" && gateway.is_gateway() && target.parent() == Some(gateway)
}

/// Whether the target names an Access of another gateway: its name alone says nothing of that.
fn misplaced(plan: &Plan, target: &Address) -> bool {
    let gateway = target.root();
    let elsewhere = |places: &BTreeSet<Address>| !places.contains(&gateway);
    names_an_access(target)
        && (!plan.roots.contains_key(&gateway)
            || gateways(plan).get(target.last().1).is_some_and(elsewhere))
}

/// The gateways that the steps and rows of each Access lie in. One that has work in databases alone
/// has none.
fn gateways(plan: &Plan) -> BTreeMap<&str, BTreeSet<Address>> {
    let steps = plan.steps.iter().map(|s| (s.access.as_deref(), &s.address));
    let rows = plan
        .waiting
        .iter()
        .map(|w| (w.access.as_deref(), &w.address));
    let mut out: BTreeMap<&str, BTreeSet<Address>> = BTreeMap::new();
    for (access, address) in steps.chain(rows) {
        let root = address.root();
        if let (Some(access), true) = (access, root.is_gateway()) {
            out.entry(access).or_default().insert(root);
        }
    }
    out
}

/// The steps of the targets and everything that they need, by id.
fn targeted<'a>(plan: &'a Plan, targets: &[Address]) -> BTreeMap<&'a str, &'a Step> {
    let by_id: BTreeMap<&str, &Step> = plan.steps.iter().map(|s| (s.id.as_str(), s)).collect();
    if targets.is_empty() {
        return by_id;
    }
    let wanted = |s: &&Step| targets.iter().any(|t| concerns(s, t));
    let mut open: Vec<&Step> = plan.steps.iter().filter(wanted).collect();
    let mut kept = BTreeMap::new();
    while let Some(step) = open.pop() {
        if kept.insert(step.id.as_str(), step).is_none() {
            open.extend(step.needs.iter().filter_map(|n| by_id.get(n.as_str())));
            open.extend(watchers(plan, step));
        }
    }
    kept
}

/// The gates that take a switch back when it does not answer: no switch is made without them.
fn watchers<'a>(plan: &'a Plan, step: &'a Step) -> impl Iterator<Item = &'a Step> {
    let is_switch = step.phase == Phase::Switch && !step.is_gate();
    let watches = move |s: &&Step| {
        is_switch && s.phase == Phase::Switch && s.is_gate() && s.needs.contains(&step.id)
    };
    plan.steps.iter().filter(watches)
}

/// Those of `kept` that are of these phases, and the gates that they stand behind: a gate changes
/// nothing, and holds only for the plan that it opened in, so each part asks it anew.
fn of_phases<'a>(
    plan: &'a Plan,
    kept: &BTreeMap<&str, &Step>,
    phases: &[Phase],
) -> BTreeMap<&'a str, &'a Step> {
    let mut needed = BTreeSet::new();
    let mut out = BTreeMap::new();
    // No step stands before one that it needs, so one pass from the end finds all.
    for step in plan.steps.iter().rev() {
        let id = step.id.as_str();
        let guards = step.is_gate() && needed.contains(id);
        if kept.contains_key(id) && (guards || phases.contains(&step.phase)) {
            needed.extend(step.needs.iter().map(String::as_str));
            out.insert(id, step);
        }
    }
    out
}

/// Takes out, in the plan's order, every kept step that needs a step of the plan that is not kept;
/// each leaves a row.
fn left_hanging<'a>(plan: &'a Plan, kept: &mut BTreeMap<&str, &Step>) -> Vec<(&'a Step, Waiting)> {
    let all: BTreeSet<&str> = plan.steps.iter().map(|s| s.id.as_str()).collect();
    let mut rows = Vec::new();
    for step in &plan.steps {
        if !kept.contains_key(step.id.as_str()) {
            continue;
        }
        let missing = step
            .needs
            .iter()
            .find(|n| all.contains(n.as_str()) && !kept.contains_key(n.as_str()));
        let Some(missing) = missing else { continue };
        let row = Waiting {
            address: step.address.clone(),
            access: step.access.clone(),
            what: step.reason.clone(),
            why: format!("it needs {missing}, which --only-phase leaves out"),
            next: "apply the earlier phases first, or name them too".to_owned(),
        };
        rows.push((step, row));
        kept.remove(step.id.as_str());
    }
    rows
}

/// Up to three addresses that share the most with the target: the same thing elsewhere, then the
/// same name of something else, before the same beginning.
fn near(plan: &Plan, target: &Address, declared: &[Address]) -> Vec<Address> {
    let (word, name) = target.last();
    let shared = |a: &Address| {
        let pairs = a.as_str().chars().zip(target.as_str().chars());
        let beginning = pairs.take_while(|(x, y)| x.eq_ignore_ascii_case(y)).count();
        let same_name = !name.is_empty() && a.last().1.eq_ignore_ascii_case(name);
        (a.last() == (word, name), same_name, beginning)
    };
    let steps = plan.steps.iter().map(|s| s.address.clone());
    let rows = plan.waiting.iter().map(|w| w.address.clone());
    let accesses = gateways(plan).into_iter().flat_map(|(access, places)| {
        let name = move |gateway: &Address| gateway.child("access", access);
        places.iter().map(name).collect::<Vec<_>>()
    });
    let all = steps.chain(rows).chain(accesses);
    let all: BTreeSet<Address> = all.chain(declared.iter().cloned()).collect();
    let mut found: Vec<Address> = all.into_iter().collect();
    found.sort_by_key(|a| std::cmp::Reverse(shared(a)));
    found.truncate(3);
    found
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::file::Inputs;
    use crate::step::{Op, Undo};

    fn step(phase: Phase, address: &str, access: Option<&str>, needs: &[&str]) -> Step {
        Step {
            id: format!("{}/{address}", phase.word()),
            phase,
            address: address.parse().unwrap(),
            access: access.map(str::to_owned),
            reason: "r".into(),
            op: Op::Delete {},
            needs: needs.iter().map(|n| (*n).to_owned()).collect(),
            undo: Undo::Delete,
            notes: vec![],
            shown: vec![],
        }
    }

    fn plan() -> Plan {
        let steps = vec![
            step(Phase::Identify, "apim:g", None, &[]),
            step(
                Phase::Grant,
                "sql:s/db:a/user:g",
                Some("one"),
                &["identify/apim:g"],
            ),
            step(Phase::Grant, "sql:s/db:b/user:g", Some("two"), &[]),
            step(
                Phase::Switch,
                "apim:g/api:a/policy",
                Some("one"),
                &["grant/sql:s/db:a/user:g"],
            ),
        ];
        let id = keyless_model::ArmId {
            subscription: "s".into(),
            resource_group: "r".into(),
            kind: "k".into(),
            name: "g".into(),
        };
        let root = crate::file::Root { id, host: None };
        let roots = BTreeMap::from([(Address::gateway("g"), root)]);
        Plan::sealed("t", Inputs::default(), roots, steps, vec![])
    }

    fn ids(plan: &Plan) -> Vec<&str> {
        plan.steps.iter().map(|s| s.id.as_str()).collect()
    }

    fn chosen(targets: &[&str], phases: &[Phase]) -> Result<Plan, NoSuchTarget> {
        let selection = Selection {
            targets: targets.iter().map(|t| t.parse().unwrap()).collect(),
            phases: phases.to_vec(),
        };
        select(&plan(), &selection, &[])
    }

    #[test]
    fn a_target_brings_what_it_needs_and_nothing_else() {
        let all = [
            "identify/apim:g",
            "grant/sql:s/db:a/user:g",
            "switch/apim:g/api:a/policy",
        ];
        assert_eq!(ids(&chosen(&["apim:g/api:a"], &[]).unwrap()), all);
        assert_eq!(ids(&chosen(&["apim:g/access:one"], &[]).unwrap()), all);
        let other = chosen(&["sql:s/db:b"], &[]).unwrap();
        assert_eq!(ids(&other), ["grant/sql:s/db:b/user:g"]);
        assert_ne!(other.id, plan().id);
    }

    #[test]
    fn a_switch_is_never_chosen_without_the_gate_that_takes_it_back() {
        let mut plan = plan();
        let switch = "switch/apim:g/api:a/policy";
        let mut gate = step(
            Phase::Switch,
            "apim:g/api:a/access:one/answers",
            Some("one"),
            &[switch],
        );
        gate.op = Op::Gate {
            gate: crate::step::Gate::Approve {
                question: "?".into(),
            },
        };
        plan.steps.push(gate);
        let selection = Selection {
            targets: vec!["apim:g/api:a/policy".parse().unwrap()],
            phases: vec![],
        };
        let part = select(&plan, &selection, &[]).unwrap();
        assert!(ids(&part).contains(&"switch/apim:g/api:a/access:one/answers"));
    }

    #[test]
    fn a_target_without_a_match_is_named_with_what_is_near() {
        let error = chosen(&["sql:s/db:c"], &[]).unwrap_err();
        assert_eq!(error.target.as_str(), "sql:s/db:c");
        assert_eq!(error.near[0].as_str(), "sql:s/db:a/user:g");
        assert!(chosen(&["apim:g/access:three"], &[]).is_err());
    }

    #[test]
    fn what_is_declared_and_in_order_is_an_empty_part() {
        let declared: Vec<Address> = ["apim:g/access:three", "sql:s/db:c/user:u"]
            .map(|a| a.parse().unwrap())
            .into();
        let part = |target: &str| {
            let targets = vec![target.parse().unwrap()];
            let phases = vec![];
            select(&plan(), &Selection { targets, phases }, &declared)
        };
        for target in ["apim:g/access:three", "sql:s/db:c"] {
            assert!(part(target).unwrap().is_empty(), "{target}");
        }
        let slips = [
            ("apim:g/acess:three", "apim:g/access:three"),
            ("apim:g/acess:one", "apim:g/access:one"),
            ("apim:x/access:three", "apim:g/access:three"),
        ];
        for (slip, meant) in slips {
            assert_eq!(part(slip).unwrap_err().near[0].as_str(), meant);
        }
    }

    #[test]
    fn an_access_is_found_at_its_own_gateway_alone() {
        let mut plan = plan();
        let root = plan.roots[&Address::gateway("g")].clone();
        plan.roots.insert(Address::gateway("other"), root);
        // The last stands for an Access at an API, which is no Access.
        for wrong in [
            "apim:x/access:one",
            "apim:other/access:one",
            "sql:s/access:one",
            "apim:g/api:b/access:one",
        ] {
            let selection = Selection {
                targets: vec![wrong.parse().unwrap()],
                phases: vec![],
            };
            let error = select(&plan, &selection, &[]).unwrap_err();
            assert_eq!(error.near[0].as_str(), "apim:g/access:one", "{wrong}");
        }
        // Of one that has work in databases alone, the plan does not say whose it is.
        assert!(chosen(&["apim:g/access:two"], &[]).is_ok());
    }

    #[test]
    fn a_phase_alone_leaves_out_what_needs_an_earlier_one() {
        let grants = chosen(&[], &[Phase::Grant]).unwrap();
        assert_eq!(ids(&grants), ["grant/sql:s/db:b/user:g"]);
        assert_eq!(grants.waiting.len(), 1);
        assert!(grants.waiting[0].why.contains("identify/apim:g"));
        let both = chosen(&[], &[Phase::Identify, Phase::Grant]).unwrap();
        assert_eq!(both.steps.len(), 3);
        assert!(both.waiting.is_empty());
    }

    fn gate(phase: Phase, address: &str, needs: &[&str]) -> Step {
        let gate = crate::step::Gate::Approve {
            question: "?".into(),
        };
        Step {
            op: Op::Gate { gate },
            ..step(phase, address, Some("one"), needs)
        }
    }

    /// The switch stands behind a gate in *prove*, which stands behind one in *grant*.
    fn gated(grant: Option<Step>) -> Plan {
        let needs: Vec<&str> = grant.iter().map(|s| s.id.as_str()).collect();
        let rights = gate(Phase::Grant, "sql:s/db:a/user:g/rights", &needs);
        let proof = gate(Phase::Prove, "apim:g/access:one", &[&rights.id]);
        let switch = step(
            Phase::Switch,
            "apim:g/api:a/policy",
            Some("one"),
            &[&proof.id],
        );
        let steps = grant.into_iter().chain([rights, proof, switch]).collect();
        let plan = plan();
        Plan::sealed("t", plan.inputs, plan.roots, steps, vec![])
    }

    fn only(plan: &Plan, phase: Phase) -> Plan {
        let selection = Selection {
            targets: vec![],
            phases: vec![phase],
        };
        select(plan, &selection, &[]).unwrap()
    }

    #[test]
    fn a_phase_brings_the_gates_that_it_stands_behind() {
        let part = only(&gated(None), Phase::Switch);
        let all = [
            "grant/sql:s/db:a/user:g/rights",
            "prove/apim:g/access:one",
            "switch/apim:g/api:a/policy",
        ];
        assert_eq!(ids(&part), all);
        assert!(part.waiting.is_empty());
    }

    #[test]
    fn a_gate_before_which_something_is_left_out_is_not_asked() {
        let grant = step(Phase::Grant, "sql:s/db:a/user:g", Some("one"), &[]);
        let part = only(&gated(Some(grant)), Phase::Switch);
        assert!(part.steps.is_empty());
        // One row, for what was asked for.
        assert_eq!(part.waiting.len(), 1);
        assert_eq!(part.waiting[0].address.as_str(), "apim:g/api:a/policy");
    }

    #[test]
    fn every_part_is_closed_under_its_needs() {
        let whole: BTreeSet<String> = plan().steps.into_iter().map(|s| s.id).collect();
        for phase in Phase::ALL {
            let part = chosen(&[], &[phase]).unwrap();
            let here: BTreeSet<&String> = part.steps.iter().map(|s| &s.id).collect();
            for need in part.steps.iter().flat_map(|s| &s.needs) {
                assert!(here.contains(need) || !whole.contains(need));
            }
        }
    }
}

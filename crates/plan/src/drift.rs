//! Drift: the plan that would be needed now, read as findings.
//!
//! What keyless once applied and would have to apply again has drifted or is missing; what it has
//! not come to yet is pending; what could not be read is unreadable, never clean.

mod looks;

use keyless_model::sql::{Statement, effective};
use keyless_model::{
    AccessState, Address, Desired, FingerprintKey, Live, Severity, Snapshot, State,
};
use sha2::{Digest, Sha256};

use crate::compare;
use crate::draft::{Draft, Input, id_of};
use crate::file::Waiting;
use crate::finding::{Class, Finding};
use crate::phase::Phase;
use crate::planner::drafted;
use crate::stages::disable;
use crate::stages::http::retire;
use crate::step::{Note, Op, Shown, Step};

/// Compares live with the manifests and with what was last applied. Sorted by severity, worst
/// first.
pub fn drift(
    desired: &Desired,
    live: &Snapshot,
    state: &State,
    key: &FingerprintKey,
) -> Vec<Finding> {
    let input = Input {
        desired,
        live,
        state,
        key,
    };
    let (draft, moves, http) = drafted(input);
    let mut out: Vec<Finding> = draft
        .steps
        .iter()
        .filter_map(|step| of_step(input, &draft, step))
        .collect();
    out.extend(draft.waiting.iter().map(|row| of_waiting(input, row)));
    out.extend(looks::unreadable(input));
    out.extend(looks::undeclared(input, &moves, &http));
    out.extend(looks::rules(input));
    out.extend(looks::orphans(input));
    out.extend(looks::unhealthy(live));
    out.extend(lost_parking(input));
    for one in &moves {
        let kept = one.access.retire.is_none() && disable::left_over(input, &draft, one);
        out.extend(kept.then(|| kept_credential(&one.place(), one.name())));
    }
    for one in &http.moves {
        out.extend(
            one.strays
                .iter()
                .map(|place| stray_token(place, one.name())),
        );
        let kept = one.access.retire.is_none() && retire::left_over(input, &draft, one);
        out.extend(kept.then(|| kept_credential(&one.place(), one.name())));
    }
    out.sort_by(|a, b| (b.severity, &a.address, &a.id).cmp(&(a.severity, &b.address, &b.id)));
    out.dedup_by(|a, b| a.id == b.id);
    out
}

/// A step that would be needed is a difference. Gates and what follows from another step are not.
fn of_step(input: Input, draft: &Draft, step: &Step) -> Option<Finding> {
    let (code, severity, was_ours, what) = verdict(input, draft, step)?;
    let class = match (was_ours, code) {
        (false, _) => Class::Pending,
        (true, "KL0502") => Class::Missing,
        (true, _) => Class::Drifted,
    };
    let pending = class == Class::Pending;
    Some(Finding {
        id: id(code, &step.address, ""),
        class,
        severity: if pending { Severity::Info } else { severity },
        code,
        address: step.address.clone(),
        access: step.access.clone(),
        what: if pending {
            step.reason.clone()
        } else {
            what.to_owned()
        },
        next: next(class).into(),
        shown: step.shown.clone(),
    })
}

/// The code, how bad it is, whether it was as declared before, and what it is.
type Verdict = (&'static str, Severity, bool, &'static str);

/// What it means that a step is needed, by its phase. None for what another finding tells.
fn verdict(input: Input, draft: &Draft, step: &Step) -> Option<Verdict> {
    let applied = input.state.applied.contains_key(&step.address);
    let ours = applied || serves_switched(input, step);
    let word = step.address.last().0;
    let changed = |severity, what| Some(("KL0501", severity, applied, what));
    match (step.phase, &step.op) {
        (_, Op::Gate { .. }) | (Phase::Park, _) => None,
        // What no document declares is told of by itself.
        (_, Op::Unassign { .. }) => None,
        (Phase::Lock | Phase::Retire, _) if takes_undeclared(step) => None,
        (Phase::Disable, _) if word == "principal" => None,
        (Phase::Observe, _) => changed(Severity::High, "auditing is not as declared"),
        (Phase::Identify | Phase::Lock, _) if word == "firewallRule" => {
            Some(firewall(step, applied))
        }
        (Phase::Identify, Op::Patch { .. }) => {
            let what = "the gateway has not every identity that it must have";
            Some(("KL0502", Severity::Critical, ours, what))
        }
        (Phase::Identify, _) => {
            let what = "the Entra administrator is not the declared one";
            changed(Severity::Critical, what)
        }
        (Phase::Grant, Op::Assign { .. }) => {
            let what = "the declared role assignment is not there";
            Some(("KL0502", Severity::High, applied, what))
        }
        (Phase::Grant, Op::Sql { statements, .. }) => Some(grant(statements, ours)),
        (Phase::Switch, _) => Some(switch(input, step, applied)),
        (Phase::Disable, _) => {
            let closed = any_noted(input, step, |a| a.disabled_at.is_some());
            Some((
                "KL0508",
                Severity::Critical,
                closed,
                "the old way in is open",
            ))
        }
        (Phase::Lock, Op::Patch { .. }) => {
            changed(Severity::High, "the server is open to the public network")
        }
        (Phase::Lock, _) if word == "policy" => {
            let mark = step.address.parent().map(|api| api.part("callers"));
            let ours = mark.is_some_and(|mark| input.state.applied.contains_key(&mark));
            let what = "nobody checks any more who calls, or not as the Access demands";
            Some(("KL0511", Severity::Critical, ours, what))
        }
        (Phase::Lock, _) => {
            let what = "the server takes passwords";
            Some(("KL0507", Severity::Critical, applied, what))
        }
        (Phase::Retire, _) => retire_of(input, draft, step),
        _ => None,
    }
}

/// A document that is not as it is wanted: a credential that came back, where an Access switches it.
fn switch(input: Input, step: &Step, applied: bool) -> Verdict {
    if step.access.is_some() || is_switch(step) {
        // In the middle of a switch what it has not come to yet is no credential come back.
        // What a rollback took back is wanted again, and nobody changed it.
        let confirmed = any_noted(input, step, |a| a.confirmed_at.is_some());
        let switched = any_noted(input, step, |a| a.switched_at.is_some());
        let was_ours = (applied && switched) || confirmed || done_for_good(input, step);
        let what = came_back(&step.address);
        return ("KL0505", Severity::Critical, was_ours, what);
    }
    if matches!(step.op, Op::Put { expect: None, .. }) {
        let what = "it is declared and not there";
        return ("KL0502", Severity::Warning, applied, what);
    }
    let what = "it is not as declared";
    ("KL0501", severity_of(step), applied, what)
}

fn retire_of(input: Input, draft: &Draft, step: &Step) -> Option<Verdict> {
    // A closed login that comes back is told of once, as open again.
    if draft.has(&id_of(Phase::Disable, &step.address)) {
        return None;
    }
    let back = any_noted(input, step, |a| a.retired_at.is_some());
    let what = "what is left of the old credential is still there";
    Some(("KL0508", Severity::High, back, what))
}

fn grant(statements: &[Statement], ours: bool) -> Verdict {
    match statements.first() {
        Some(Statement::DropUser { .. }) => {
            let what = "the user has the SID of an identity that is gone";
            ("KL0506", Severity::Critical, ours, what)
        }
        Some(Statement::CreateUser { .. }) => (
            "KL0502",
            Severity::Critical,
            ours,
            "the user of the identity is not there",
        ),
        Some(Statement::CreateRole { .. }) => (
            "KL0502",
            Severity::High,
            ours,
            "the declared role is not there",
        ),
        _ => (
            "KL0509",
            Severity::High,
            ours,
            "rights differ from what is declared",
        ),
    }
}

/// Whether an Access that the step serves was switched before. A step of no single Access serves
/// all that use its gateway or database.
fn serves_switched(input: Input, step: &Step) -> bool {
    let served = |name: &String| match (&step.access, input.desired.accesses.get(name)) {
        (Some(own), _) => own == name,
        (None, Some(access)) => {
            step.address == Address::gateway(&access.gateway)
                || step.address.within(&access.target())
        }
        (None, None) => false,
    };
    let switched =
        |(name, state): (&String, &AccessState)| served(name) && state.switched_at.is_some();
    input.state.accesses.iter().any(switched)
}

/// Whether the step switches something for an Access, or several.
fn is_switch(step: &Step) -> bool {
    let switched = |note: &Note| matches!(note, Note::Switched { .. });
    step.notes.iter().any(switched)
}

fn came_back(address: &Address) -> &'static str {
    match address.name_of("resolver") {
        Some(_) => "the resolver connects with a credential again",
        None => "it sends a key again, or no token, where a token of the identity is to be sent",
    }
}

/// Whether any Access that the step's notes speak of has come as far as `mark` says.
fn any_noted(input: Input, step: &Step, mark: impl Fn(&AccessState) -> bool) -> bool {
    step.notes.iter().any(|note| match note {
        Note::Switched { access } | Note::Disabled { access } | Note::Retired { access } => {
            input.state.accesses.get(access).is_some_and(&mark)
        }
        _ => false,
    })
}

/// Whether the step serves an Access that is switched and soaks for nothing: without `retire` no
/// soak tells when the switch was over.
fn done_for_good(input: Input, step: &Step) -> bool {
    let desired = input.desired;
    let unretired = |name: &String| {
        let sql = desired.accesses.get(name).map(|a| a.retire.is_none());
        let http = desired.http_accesses.get(name).map(|a| a.retire.is_none());
        sql.or(http).unwrap_or(false)
    };
    step.notes.iter().any(|note| match note {
        Note::Switched { access } => {
            let state = input.state.accesses.get(access);
            unretired(access) && state.is_some_and(|s| s.switched_at.is_some())
        }
        _ => false,
    })
}

/// How much it matters, by the worst field that differs.
fn severity_of(step: &Step) -> Severity {
    if matches!(step.address.last().0, "policy" | "policyFragment") {
        return Severity::High;
    }
    let fields = step.shown.iter().filter_map(|shown| match shown {
        Shown::Field { path, .. } => Some(format!("/{}", path.replace('.', "/"))),
        _ => None,
    });
    let worst = fields.map(|pointer| compare::severity(&step.address, &pointer));
    worst.max().unwrap_or(Severity::Warning)
}

/// Whether the step deletes a thing for no other reason than that no document declares it.
fn takes_undeclared(step: &Step) -> bool {
    let retires = |note: &Note| matches!(note, Note::Retired { .. });
    match &step.op {
        Op::Delete {} => !step.notes.iter().any(retires),
        Op::Sql { statements, .. } => statements
            .iter()
            .all(|s| matches!(s, Statement::DropFirewallRule { .. })),
        _ => false,
    }
}

fn firewall(step: &Step, ours: bool) -> Verdict {
    let made = |note: &Note| matches!(note, Note::Applied { made: true, .. });
    let (code, what) = match step.phase {
        Phase::Lock => ("KL0501", "the firewall rule lets in more than is declared"),
        _ if step.notes.iter().any(made) => ("KL0502", "the declared firewall rule is not there"),
        _ => ("KL0501", "the firewall rule lets in less than is declared"),
    };
    (code, Severity::High, ours, what)
}

/// Whether the row is of an Access to an HTTP service whose switch is over: what it once wrote and
/// now cannot put in order has changed since.
fn over(input: Input, row: &Waiting) -> bool {
    let known = |name: &String| input.desired.http_accesses.get(name);
    let Some(access) = row.access.as_ref().and_then(known) else {
        return false;
    };
    let unread = matches!(input.live.get(&row.address), Live::Unreadable(_));
    let state = input.state.accesses.get(&access.name);
    !unread
        && state.is_some_and(|s| match access.retire {
            Some(_) => s.confirmed_at.is_some(),
            None => s.switched_at.is_some(),
        })
}

/// What is held up is pending, unless it was in order before.
fn of_waiting(input: Input, row: &Waiting) -> Finding {
    let access = row
        .access
        .as_deref()
        .and_then(|name| input.state.accesses.get(name));
    let switched = access.is_some_and(|a| a.switched_at.is_some());
    let locked = input.state.applied.contains_key(&row.address);
    let (code, class, severity) = match row.address.last().0 {
        "rights" if switched => ("KL0509", Class::Drifted, of_rights(input, &row.address)),
        "rights" => ("KL0509", Class::Pending, Severity::Info),
        "apim" | "sql" | "identity" if input.live.get(&row.address) == Live::Absent => {
            ("KL0502", Class::Missing, Severity::Critical)
        }
        "entraOnly" if locked => ("KL0507", Class::Drifted, Severity::Critical),
        "firewallRule" if locked => ("KL0501", Class::Drifted, Severity::High),
        "policy" | "policyFragment" | "backend" | "api" if locked && over(input, row) => {
            ("KL0505", Class::Drifted, Severity::Critical)
        }
        _ => ("KL0502", Class::Pending, Severity::Info),
    };
    Finding {
        id: id(code, &row.address, &row.what),
        class,
        severity,
        code,
        address: row.address.clone(),
        access: row.access.clone(),
        what: match class {
            Class::Drifted => row.why.clone(),
            _ => format!("{}: {}", row.what, row.why),
        },
        next: row.next.clone(),
        shown: vec![],
    }
}

/// Membership of a fixed role, such as `db_owner`, opens the whole database.
fn of_rights(input: Input, rights: &Address) -> Severity {
    let user = rights.parent();
    let held = user.as_ref().and_then(|user| {
        let database = user.parent()?;
        let catalogue = input.live.databases.get(&database)?.present()?;
        Some(effective(catalogue, user.last().1).fixed_roles)
    });
    match held {
        Some(roles) if !roles.is_empty() => Severity::Critical,
        _ => Severity::High,
    }
}

/// Without `retire` the old credential stays, and is told of as long as it does.
fn kept_credential(place: &Address, access: &str) -> Finding {
    Finding {
        id: id("KL0508", place, ""),
        class: Class::Pending,
        severity: Severity::Info,
        code: "KL0508",
        address: place.clone(),
        access: Some(access.to_owned()),
        what: "the old credential stays: the Access has no `retire`".into(),
        next: "add `retire` to the Access when the old credential may go".into(),
        shown: vec![],
    }
}

fn stray_token(place: &Address, access: &str) -> Finding {
    Finding {
        id: id("KL0510", place, access),
        class: Class::Drifted,
        severity: Severity::Critical,
        code: "KL0510",
        address: place.clone(),
        access: Some(access.to_owned()),
        what: format!("its calls carry the token of {access} elsewhere"),
        next: "turn it back at once, and give it a policy of its own without `<base />` if it is \
               to lead elsewhere"
            .into(),
        shown: vec![],
    }
}

/// A parked value that vanished: until the Access is retired, its switch can be undone only with it.
fn lost_parking(input: Input) -> Vec<Finding> {
    let mut out = Vec::new();
    for (name, access) in &input.state.accesses {
        for address in &access.parked {
            let gone = matches!(input.live.get(address), Live::Absent);
            if gone && access.retired_at.is_none() && input.state.applied.contains_key(address) {
                out.push(Finding {
                    id: id("KL0502", address, ""),
                    class: Class::Missing,
                    severity: Severity::Warning,
                    code: "KL0502",
                    address: address.clone(),
                    access: Some(name.clone()),
                    what: "the parked value is gone: the switch can no longer be undone".into(),
                    next: "nothing, if the switch is to stay; the next apply goes on without it"
                        .into(),
                    shown: vec![],
                });
            }
        }
    }
    out
}

fn next(class: Class) -> &'static str {
    match class {
        Class::Pending => "run keyless plan, then apply",
        _ => "find out who changed it; keyless plan shows how to put it right",
    }
}

/// Stable from run to run: it holds no value and no time.
fn id(code: &str, address: &Address, more: &str) -> String {
    let digest = Sha256::digest(format!("{code}\n{address}\n{more}").as_bytes());
    digest.iter().take(6).map(|b| format!("{b:02x}")).collect()
}

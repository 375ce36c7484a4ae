//! Drift: the plan that would be needed now, read as findings.
//!
//! What keyless once applied and would have to apply again has drifted or is missing; what it has
//! not come to yet is pending; what could not be read is unreadable, never clean.

use keyless_model::sql::{PrincipalKind, Statement, effective};
use keyless_model::{
    AccessState, Address, Desired, FingerprintKey, Live, Severity, Snapshot, State,
};
use sha2::{Digest, Sha256};

use crate::draft::{Draft, Input, id_of};
use crate::file::Waiting;
use crate::finding::{Class, Finding};
use crate::phase::Phase;
use crate::planner::drafted;
use crate::stages::access::Move;
use crate::stages::exclusive::Undeclared;
use crate::stages::{disable, exclusive, show};
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
    let (draft, moves) = drafted(input);
    let mut out: Vec<Finding> = draft
        .steps
        .iter()
        .filter_map(|step| of_step(input, &draft, step))
        .collect();
    out.extend(draft.waiting.iter().map(|row| of_waiting(input, row)));
    out.extend(unreadable(live));
    out.extend(undeclared(input, &moves));
    out.extend(lost_parking(input));
    out.extend(
        moves
            .iter()
            .filter_map(|one| kept_credential(input, &draft, one)),
    );
    out.sort_by(|a, b| (b.severity, &a.address, &a.id).cmp(&(a.severity, &b.address, &b.id)));
    out.dedup_by(|a, b| a.id == b.id);
    out
}

/// A step that would be needed is a difference. Gates and what follows from another step are not.
fn of_step(input: Input, draft: &Draft, step: &Step) -> Option<Finding> {
    let applied = input.state.applied.contains_key(&step.address);
    let switched = serves_switched(input, step);
    let word = step.address.last().0;
    let (code, severity, was_ours, what) = match (step.phase, &step.op) {
        (_, Op::Gate { .. }) | (Phase::Park, _) => return None,
        (Phase::Disable, _) if word == "principal" => return None,
        (Phase::Identify, Op::Patch { .. }) => {
            let what = "the gateway has no identity of its own any more";
            ("KL0502", Severity::Critical, applied || switched, what)
        }
        (Phase::Identify, _) => (
            "KL0501",
            Severity::Critical,
            applied,
            "the Entra administrator is not the declared one",
        ),
        (Phase::Grant, Op::Sql { statements, .. }) => grant(statements, applied || switched),
        (Phase::Switch, Op::Splice { .. } | Op::Put { .. }) if step.access.is_some() => (
            "KL0505",
            Severity::Critical,
            switched,
            "the resolver connects with a credential again",
        ),
        (Phase::Switch, Op::Put { expect: None, .. }) => (
            "KL0502",
            Severity::Warning,
            applied,
            "it is declared and not there",
        ),
        (Phase::Switch, _) => (
            "KL0501",
            severity_of(&step.address),
            applied,
            "it is not as declared",
        ),
        (Phase::Disable, _) => {
            let closed = any_noted(input, step, |a| a.disabled_at.is_some());
            (
                "KL0508",
                Severity::Critical,
                closed,
                "the old way in is open",
            )
        }
        (Phase::Lock, _) => (
            "KL0507",
            Severity::Critical,
            applied,
            "the server takes passwords",
        ),
        (Phase::Retire, _) => {
            // A closed login that comes back is told of once, as open again.
            if draft.has(&id_of(Phase::Disable, &step.address)) {
                return None;
            }
            let back = any_noted(input, step, |a| a.retired_at.is_some());
            (
                "KL0508",
                Severity::High,
                back,
                "what is left of the old credential is still there",
            )
        }
        _ => return None,
    };
    let class = match (was_ours, code) {
        (false, _) => Class::Pending,
        (true, "KL0502") => Class::Missing,
        (true, _) => Class::Drifted,
    };
    let severity = if class == Class::Pending {
        Severity::Info
    } else {
        severity
    };
    Some(Finding {
        id: id(code, &step.address, ""),
        class,
        severity,
        code,
        address: step.address.clone(),
        access: step.access.clone(),
        what: if class == Class::Pending {
            step.reason.clone()
        } else {
            what.to_owned()
        },
        next: next(class).into(),
        shown: step.shown.clone(),
    })
}

fn grant(statements: &[Statement], ours: bool) -> (&'static str, Severity, bool, &'static str) {
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

/// Whether any Access that the step's notes speak of has come as far as `mark` says.
fn any_noted(input: Input, step: &Step, mark: impl Fn(&AccessState) -> bool) -> bool {
    step.notes.iter().any(|note| match note {
        Note::Disabled { access } | Note::Retired { access } => {
            input.state.accesses.get(access).is_some_and(&mark)
        }
        _ => false,
    })
}

fn severity_of(address: &Address) -> Severity {
    match address.last().0 {
        "policy" => Severity::High,
        _ => Severity::Warning,
    }
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
        "entraOnly" if locked => ("KL0507", Class::Drifted, Severity::Critical),
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
fn kept_credential(input: Input, draft: &Draft, one: &Move) -> Option<Finding> {
    let kept = one.access.retire.is_none() && disable::left_over(input, draft, one);
    kept.then(|| Finding {
        id: id("KL0508", &one.place(), ""),
        class: Class::Pending,
        severity: Severity::Info,
        code: "KL0508",
        address: one.place(),
        access: Some(one.access.name.clone()),
        what: "the old credential stays: the Access has no `retire`".into(),
        next: "add `retire` to the Access when the old credential may go".into(),
        shown: vec![],
    })
}

fn unreadable(live: &Snapshot) -> Vec<Finding> {
    let mut out = Vec::new();
    let mut add = |address: Address, why: &str| {
        out.push(Finding {
            id: id("KL0504", &address, ""),
            class: Class::Unreadable,
            severity: Severity::Warning,
            code: "KL0504",
            address,
            access: None,
            what: format!("it could not be read: {why}"),
            next: "give the identity that runs drift the right to read it (`keyless explain \
                   KL0504`)"
                .into(),
            shown: vec![],
        });
    };
    for (prefix, why) in &live.unreadable {
        let whole = prefix.trim_end_matches([':', '/']);
        let address = whole.parse().or_else(|_| {
            whole
                .rsplit_once('/')
                .map_or(whole, |(head, _)| head)
                .parse()
        });
        if let Ok(address) = address {
            add(address, why);
        }
    }
    for (address, database) in &live.databases {
        if let Live::Unreadable(why) = database {
            add(address.clone(), why);
        }
    }
    for (address, logins) in &live.logins {
        if let Live::Unreadable(why) = logins {
            add(address.part("logins"), why);
        }
    }
    out
}

/// What owned scopes hold and no document declares.
fn undeclared(input: Input, moves: &[Move]) -> Vec<Finding> {
    let mut out = Vec::new();
    for document in input
        .desired
        .databases
        .values()
        .filter(|d| d.owns || d.exclusive)
    {
        let database = Address::database(&document.server, &document.name);
        let Live::Present(catalogue) = input.live.catalogue(&database) else {
            continue;
        };
        let unclear = may_be_replaced(input, moves, &database);
        for found in exclusive::undeclared(input, moves, &database, catalogue) {
            let Undeclared {
                name,
                statements,
                beyond,
            } = found;
            let kind = catalogue.principal(&name).map(|p| p.kind);
            if unclear && kind == Some(PrincipalKind::SqlUser) {
                continue;
            }
            let owner = statements.iter().any(|s| {
                matches!(s, Statement::DropMember { role, .. } if role.eq_ignore_ascii_case("db_owner"))
            });
            let severity = if owner {
                Severity::Critical
            } else {
                Severity::High
            };
            let mut shown = show::statements(&statements);
            shown.extend(beyond.into_iter().map(|text| Shown::Remark { text }));
            out.push(unmanaged(
                database.child("principal", &name),
                severity,
                "no document declares this principal or what it holds",
                shown,
            ));
        }
    }
    for (name, gateway) in &input.desired.gateways {
        for address in exclusive::unmanaged(input, moves, &Address::gateway(name), &gateway.owns) {
            let what = "no document declares it, and its scope is owned";
            out.push(unmanaged(address, Severity::Warning, what, vec![]));
        }
    }
    out
}

/// Whether an Access that is not switched yet may turn out to replace users of the database: what
/// it connects with is not known.
fn may_be_replaced(input: Input, moves: &[Move], database: &Address) -> bool {
    let known = |name: &str| moves.iter().any(|m| m.name() == name && m.all_known);
    let switched = |name: &str| {
        input
            .state
            .accesses
            .get(name)
            .is_some_and(|a| a.switched_at.is_some())
    };
    let mut here = input
        .desired
        .accesses
        .values()
        .filter(|a| a.target() == *database);
    here.any(|a| !known(&a.name) && !switched(&a.name))
}

fn unmanaged(address: Address, severity: Severity, what: &str, shown: Vec<Shown>) -> Finding {
    Finding {
        id: id("KL0503", &address, ""),
        class: Class::Unmanaged,
        severity,
        code: "KL0503",
        address,
        access: None,
        what: what.into(),
        next: "declare it, take it away by hand, or let keyless do so with `exclusive` or `prune`"
            .into(),
        shown,
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

//! The identity's user in the database, the role of each Access, and the proof that the user can
//! do exactly what is asked for.

use std::collections::{BTreeMap, BTreeSet};

use keyless_model::sql::{
    Catalogue, Permission, PermissionState, PrincipalKind, SidSource, Statement, effective, right,
    same_name,
};
use keyless_model::{Address, Live, UserSid};

use crate::draft::{Draft, Input, NewStep, id_of, waits_for};
use crate::phase::Phase;
use crate::simulate::client_sid;
use crate::stages::access::Move;
use crate::stages::rights::{Rights, allowed, rules, spelled, word};
use crate::stages::show;
use crate::step::{Gate, Note, Op, Undo};

/// Plans the user of the identity.
pub(crate) fn users(input: Input, draft: &mut Draft, moves: &mut [Move]) {
    for one in moves {
        one.blocked |= !user(input, draft, one);
    }
}

/// Plans the role of each Access that has a user.
pub(crate) fn roles(draft: &mut Draft, moves: &mut [Move]) {
    for one in moves.iter_mut().filter(|m| !m.user.is_empty()) {
        one.blocked |= !role(draft, one);
    }
}

/// The user, by SID. False when it cannot be planned.
fn user(input: Input, draft: &mut Draft, one: &mut Move) -> bool {
    let Some(sid) = client_sid(&draft.world, &one.gateway) else {
        let why = match input.live.get(&one.gateway.part("identity")) {
            Live::Unreadable(why) => why,
            _ => "the client id of the gateway's identity is not readable".into(),
        };
        let what = "make a database user for the gateway's identity";
        let next = "give the identity that plans Microsoft.ManagedIdentity/identities/read";
        draft.wait(&one.gateway, Some(one.name()), what, &why, next);
        return false;
    };
    let source = sid_of(input, &one.gateway);
    let Live::Present(catalogue) = draft.world.catalogue(&one.database) else {
        return false;
    };
    if let Some(found) = catalogue.external(&sid) {
        one.user = found.name.clone();
        one.granted.extend(draft.existing([user_id(one)]));
        if !catalogue.may_connect(&one.user) && !draft.has(&user_id(one)) {
            let rule = connect(&one.user);
            let statements = vec![Statement::Permit { rule }];
            return add_user(
                draft,
                one,
                "the user of the identity may not connect",
                statements,
            );
        }
        return true;
    }
    let service = &input.desired.gateways[&one.access.gateway].id.name;
    let second = format!("keyless_{}", one.access.gateway);
    let names = [service.as_str(), &second];
    // Only of a user that keyless made is it known that it stood for this gateway's identity.
    let ours = |name: &&&str| {
        let principal = catalogue.principal(name);
        principal.is_some_and(|p| p.kind == PrincipalKind::ExternalUser)
            && input.state.made(&one.database.child("user", name))
    };
    let free = |name: &&&str| catalogue.principal(name).is_none();
    let (name, statements, reason) = if let Some(name) = names.iter().find(ours) {
        if let Some((why, next)) = cannot_recreate(catalogue, name) {
            let what = "make the user of the identity anew: its SID is that of an old identity";
            draft.wait(&one.database, Some(&one.access.name), what, &why, next);
            return false;
        }
        (
            (*name).to_owned(),
            recreate(catalogue, name, &source),
            STALE,
        )
    } else if let Some(name) = names.iter().find(free) {
        ((*name).to_owned(), vec![create(name, &source)], FIRST)
    } else {
        let why = format!("the names {service} and {second} are both taken");
        let what = "make a database user for the gateway's identity";
        let next = "rename one of them";
        draft.wait(&one.database, Some(&one.access.name), what, &why, next);
        return false;
    };
    one.user = name;
    let planned = add_user(draft, one, reason, statements);
    if !planned {
        one.user.clear();
    }
    planned
}

const FIRST: &str = "the database knows the gateway's identity by its client id, as a user without \
                     a password";
const STALE: &str = "the user's SID is that of an identity that is gone, so nobody can log in as \
                     it: it is made anew with the same roles and permissions";

fn user_id(one: &Move) -> String {
    id_of(Phase::Grant, &one.database.child("user", &one.user))
}

fn connect(user: &str) -> Permission {
    Permission {
        permission: "CONNECT".into(),
        on: keyless_model::sql::Securable::Database,
        column: None,
        to: user.to_owned(),
        state: PermissionState::Grant,
    }
}

fn create(name: &str, sid: &SidSource) -> Statement {
    Statement::CreateUser {
        name: name.to_owned(),
        sid: sid.clone(),
        group: false,
    }
}

/// Why a user cannot be made anew with all that it has, and what to do.
fn cannot_recreate(catalogue: &Catalogue, name: &str) -> Option<(String, &'static str)> {
    let owned = catalogue.schemas_owned_by(name).join(", ");
    if !owned.is_empty() {
        let next = "give the schema to another owner (ALTER AUTHORIZATION), then plan again";
        return Some((format!("the user {name} owns the schema {owned}"), next));
    }
    let rules = catalogue.permissions.iter();
    let beyond: Vec<String> = rules
        .filter(|p| same_name(&p.to, name) && p.on.is_beyond())
        .map(|p| format!("{} on {}", p.permission, p.on))
        .collect();
    (!beyond.is_empty()).then(|| {
        let why = format!(
            "keyless cannot give back what {name} holds: {}",
            beyond.join(", ")
        );
        (why, "revoke that by hand, then plan again")
    })
}

/// Drops the user, makes it with the new SID, and gives it back what it had.
fn recreate(catalogue: &Catalogue, name: &str, sid: &SidSource) -> Vec<Statement> {
    let mut out = vec![
        Statement::DropUser {
            name: name.to_owned(),
        },
        create(name, sid),
    ];
    for (role, member) in &catalogue.memberships {
        if same_name(member, name) {
            out.push(Statement::AddMember {
                role: role.clone(),
                member: name.to_owned(),
            });
        }
    }
    for rule in &catalogue.permissions {
        if same_name(&rule.to, name) && rule.permission != "CONNECT" {
            out.push(Statement::Permit { rule: rule.clone() });
        }
    }
    out
}

fn add_user(draft: &mut Draft, one: &mut Move, reason: &str, statements: Vec<Statement>) -> bool {
    let address = one.database.child("user", &one.user);
    let made = matches!(statements.first(), Some(Statement::CreateUser { .. }));
    let undo = match statements.first() {
        Some(Statement::DropUser { .. }) => Undo::Nothing {
            why: "a user of a dead identity helps nobody".into(),
        },
        _ => Undo::of(&statements),
    };
    let id = draft.add(NewStep {
        phase: Phase::Grant,
        address: address.clone(),
        access: Some(one.access.name.clone()),
        reason: reason.to_owned(),
        shown: show::statements(&statements),
        op: Op::Sql {
            database: one.database.clone(),
            statements,
            users: BTreeSet::new(),
        },
        needs: foundations(one),
        undo,
        notes: vec![Note::Applied {
            address,
            made,
            sent: None,
        }],
    });
    one.granted.extend(id.clone());
    id.is_some()
}

/// What must be there before anything in the database: the identity and the Entra administrator.
fn foundations(one: &Move) -> BTreeSet<String> {
    BTreeSet::from([
        id_of(Phase::Identify, &one.gateway),
        id_of(Phase::Identify, &one.database.root().part("entraAdmin")),
    ])
}

/// The Access's own role: exactly its rules, and the user as its member. False when it cannot be
/// planned.
fn role(draft: &mut Draft, one: &mut Move) -> bool {
    let name = one.access.role_name();
    let Live::Present(catalogue) = draft.world.catalogue(&one.database) else {
        return false;
    };
    let found = catalogue.principal(&name).map(|p| p.kind);
    if found.is_some_and(|kind| kind != PrincipalKind::Role) {
        let why = format!("the name {name} belongs to a user");
        let what = "make the role of the Access";
        let next = "rename that user";
        draft.wait(&one.database, Some(one.name()), what, &why, next);
        return false;
    }
    let create = Statement::CreateRole { name: name.clone() };
    let mut statements: Vec<Statement> = found.is_none().then_some(create).into_iter().collect();
    statements.extend(exactly(one, catalogue, &name));
    statements.extend(alone(one, catalogue, &name));
    statements.is_empty() || add_role(draft, one, &name, statements)
}

/// What gives the role the rules of its Access, and takes every other from it.
fn exactly(one: &Move, catalogue: &Catalogue, role: &str) -> Vec<Statement> {
    let wanted = rules(one.access, catalogue);
    let asked = |p: &Permission| wanted.iter().any(|w| right(w) == right(p));
    let held = catalogue.permissions.iter();
    let held = held.filter(|p| same_name(&p.to, role));
    // What no statement of ours can take away holds up the proof.
    let extra = held.filter(|p| !asked(p) && !p.on.is_beyond());
    let revoked = extra.map(|rule| Statement::Revoke { rule: rule.clone() });
    let missing = wanted.iter().flat_map(|rule| permit(catalogue, rule));
    let missing = missing.filter(|s| !s.done(catalogue));
    revoked.chain(missing).collect()
}

/// What makes the user the only member of the role.
fn alone(one: &Move, catalogue: &Catalogue, role: &str) -> Vec<Statement> {
    let member = Statement::AddMember {
        role: role.to_owned(),
        member: one.user.clone(),
    };
    let others = catalogue.memberships.iter();
    let others = others.filter(|(r, member)| same_name(r, role) && !same_name(member, &one.user));
    let out = others.map(|(role, member)| Statement::DropMember {
        role: role.clone(),
        member: member.clone(),
    });
    let member = Some(member).filter(|s| !s.done(catalogue));
    member.into_iter().chain(out).collect()
}

fn add_role(draft: &mut Draft, one: &mut Move, name: &str, statements: Vec<Statement>) -> bool {
    let address = one.database.child("role", name);
    let made = matches!(statements.first(), Some(Statement::CreateRole { .. }));
    let mut needs = foundations(one);
    needs.extend(one.granted.iter().cloned());
    let mut notes = one.replacing();
    notes.push(Note::Applied {
        address: address.clone(),
        made,
        sent: None,
    });
    let id = draft.add(NewStep {
        phase: Phase::Grant,
        address,
        access: Some(one.access.name.clone()),
        reason: format!(
            "{} may do this in {} and nothing more",
            one.access.name, one.database
        ),
        shown: show::statements(&statements),
        undo: Undo::of(&statements),
        op: Op::Sql {
            database: one.database.clone(),
            statements,
            users: BTreeSet::new(),
        },
        needs,
        notes,
    });
    one.granted.extend(id.clone());
    id.is_some()
}

/// What brings a permission about. The server refuses a `DENY` over a grant option without CASCADE
/// (4611), so the option is revoked first, with what was passed on; an undo gives it back.
pub(crate) fn permit(catalogue: &Catalogue, rule: &Permission) -> Vec<Statement> {
    let same_place = |live: &&Permission| {
        let column = |p: &Permission| p.column.as_deref().map(str::to_lowercase);
        live.permission.eq_ignore_ascii_case(&rule.permission)
            && live.on.same(&rule.on)
            && column(live) == column(rule)
            && same_name(&live.to, &rule.to)
    };
    // The server puts one in the place of the other: said out loud, the undo gives it back.
    let displaced = |live: &&Permission| {
        let denied = |p: &Permission| p.state == PermissionState::Deny;
        denied(live) != denied(rule)
    };
    let mut live = catalogue.permissions.iter().filter(same_place);
    let revoke = live.find(displaced);
    let revoke = revoke.map(|rule| Statement::Revoke { rule: rule.clone() });
    let rule = rule.clone();
    revoke
        .into_iter()
        .chain([Statement::Permit { rule }])
        .collect()
}

/// One proof for each identity and database: several Accesses that share them add up.
pub(crate) fn proofs(input: Input, draft: &mut Draft, moves: &mut [Move]) {
    let mut places: BTreeMap<(Address, String), (Address, Rights)> = BTreeMap::new();
    for one in moves.iter().filter(|m| !m.user.is_empty()) {
        let Live::Present(catalogue) = draft.world.catalogue(&one.database) else {
            continue;
        };
        let (_, rights) = places
            .entry((one.database.clone(), one.user.clone()))
            .or_insert_with(|| (one.gateway.clone(), Rights::new()));
        rights.extend(allowed(&rules(one.access, catalogue)));
    }
    for ((database, user), (gateway, mut asked)) in places {
        let Live::Present(catalogue) = draft.world.catalogue(&database) else {
            continue;
        };
        asked.extend(declared(input, catalogue, &database, &user));
        if exclusive(input, &database) {
            revoke_extra(input, draft, moves, &database, &user, &asked);
        }
        let Live::Present(catalogue) = draft.world.catalogue(&database) else {
            continue;
        };
        let what_differs = difference(catalogue, &user, &asked);
        let mut mine: Vec<&mut Move> = moves
            .iter_mut()
            .filter(|m| m.database == database && m.user == user)
            .collect();
        let address = database.child("user", &user).part("rights");
        if let Some((why, next)) = what_differs {
            for one in mine {
                let what = "prove that the identity can do exactly what is asked for";
                draft.wait(&address, Some(one.name()), what, &why, next);
                one.blocked = true;
            }
            continue;
        }
        let switches = |m: &Move| m.sources.iter().any(|s| s.needs_switch());
        if !mine.iter().any(|m| !m.granted.is_empty() || switches(m)) {
            continue;
        }
        let needs = mine
            .iter()
            .flat_map(|m| m.granted.iter().cloned())
            .collect();
        let reason = format!("{user} must be able to do what its Accesses ask for, and no more");
        let gate = Gate::Effective {
            gateway,
            database,
            user,
            rights: asked,
        };
        let id = draft.add(waits_for(
            gate,
            Phase::Grant,
            address,
            None,
            &reason,
            needs,
            vec![],
        ));
        for one in &mut mine {
            one.granted.extend(id.clone());
        }
    }
}

/// What the user can do and was not asked for, or the other way round; and what to do about it.
fn difference(catalogue: &Catalogue, user: &str, asked: &Rights) -> Option<(String, &'static str)> {
    let found = effective(catalogue, user);
    let fixed = found
        .fixed_roles
        .iter()
        .map(|r| format!("membership of {r}"));
    let extra: Vec<String> = fixed
        .chain(found.allowed.difference(asked).map(word))
        .collect();
    let lacking: Vec<String> = asked.difference(&found.allowed).map(word).collect();
    if !extra.is_empty() {
        let next = "revoke it, declare it with SqlGrant or SqlRole, or set `exclusive: true` on \
                    the database";
        return Some((format!("{user} can also do: {}", extra.join(", ")), next));
    }
    (!lacking.is_empty()).then(|| {
        let next = "revoke the DENY, or ask for less in the Access";
        (
            format!("a DENY takes from {user}: {}", lacking.join(", ")),
            next,
        )
    })
}

fn exclusive(input: Input, database: &Address) -> bool {
    let (_, name) = database.last();
    input
        .desired
        .database(database.root_name(), name)
        .is_some_and(|d| d.exclusive)
}

/// In an exclusive database the identity loses, before the proof, what nobody asked for.
fn revoke_extra(
    input: Input,
    draft: &mut Draft,
    moves: &mut [Move],
    database: &Address,
    user: &str,
    asked: &Rights,
) {
    let Live::Present(catalogue) = draft.world.catalogue(database) else {
        return;
    };
    let keyless = moves
        .iter()
        .filter(|m| m.database == *database)
        .map(|m| m.access.role_name());
    let stays: Vec<String> = keyless
        .chain(declared_roles(input, database, user))
        .collect();
    let mut statements = Vec::new();
    for (role, member) in &catalogue.memberships {
        if same_name(member, user) && !stays.iter().any(|own| same_name(own, role)) {
            statements.push(Statement::DropMember {
                role: role.clone(),
                member: member.clone(),
            });
        }
    }
    for rule in catalogue
        .permissions
        .iter()
        .filter(|p| same_name(&p.to, user))
    {
        let extra = rule.state != PermissionState::Deny && !asked.contains(&right(rule));
        if rule.permission != "CONNECT" && extra && !rule.on.is_beyond() {
            statements.push(Statement::Revoke { rule: rule.clone() });
        }
    }
    if statements.is_empty() {
        return;
    }
    let id = draft.add(NewStep {
        phase: Phase::Grant,
        address: database.child("user", user).part("extra"),
        access: None,
        reason: format!("the database is exclusive, and no document gives this to {user}"),
        shown: show::statements(&statements),
        undo: Undo::of(&statements),
        op: Op::Sql {
            database: database.clone(),
            statements,
            users: BTreeSet::new(),
        },
        needs: moves
            .iter()
            .filter(|m| m.database == *database && m.user == user)
            .flat_map(|m| m.granted.iter().cloned())
            .collect(),
        notes: vec![],
    });
    for one in moves
        .iter_mut()
        .filter(|m| m.database == *database && m.user == user)
    {
        one.granted.extend(id.clone());
    }
}

/// Declared roles that the user is a member of.
fn declared_roles(input: Input, database: &Address, user: &str) -> Vec<String> {
    let mine = input.desired.roles.values().filter(|r| {
        r.database == *database && r.members.iter().flatten().any(|m| same_name(m, user))
    });
    mine.map(|r| r.name.clone()).collect()
}

/// What resource documents give to the user, directly or through a declared role.
fn declared(input: Input, catalogue: &Catalogue, database: &Address, user: &str) -> Rights {
    let mut names = declared_roles(input, database, user);
    names.extend(["public".to_owned(), user.to_owned()]);
    let grants = input
        .desired
        .grants
        .values()
        .filter(|g| g.database == *database && names.iter().any(|n| same_name(n, &g.rule.to)));
    let rules: Vec<Permission> = grants.map(|g| spelled(&g.rule, catalogue)).collect();
    allowed(&rules)
}

/// The SID that a declared user must have.
pub(crate) fn declared_sid(input: Input, sid: &UserSid) -> SidSource {
    match sid {
        UserSid::Known(sid) => SidSource::Known(sid.clone()),
        UserSid::Gateway(name) => sid_of(input, &Address::gateway(name)),
        UserSid::Identity(name) => sid_of(input, &Address::identity(name)),
    }
}

/// The SID of a gateway's identity, or where it will come from.
fn sid_of(input: Input, gateway: &Address) -> SidSource {
    client_sid(input.live, gateway)
        .map_or_else(|| SidSource::ClientIdOf(gateway.clone()), SidSource::Known)
}

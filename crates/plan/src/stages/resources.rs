//! What resource documents declare by themselves: users, roles, grants, properties of servers,
//! resolvers and policies.

use std::collections::BTreeSet;

use keyless_model::sql::{PrincipalKind, SidSource, Statement, same_name};
use keyless_model::{Address, Live, Policy, PolicyScope};
use serde_json::{Value, json};

use crate::compare::{covers, managed_fingerprint};
use crate::draft::{Draft, Input, NewStep, id_of};
use crate::phase::Phase;
use crate::stages::access::Move;
use crate::stages::arm::{Wanted, foundations, put};
use crate::stages::claims::{claiming, held_up};
use crate::stages::grant::{declared_sid, permit};
use crate::stages::{show, shut};
use crate::step::{Note, Op, Undo};

/// Everything in a gateway that a resource document declares.
pub(crate) fn declared_addresses(input: Input) -> BTreeSet<Address> {
    let desired = input.desired;
    let values = desired
        .named_values
        .values()
        .map(|n| Address::gateway(&n.gateway).child("namedValue", &n.name));
    let policies = desired
        .policies
        .values()
        .map(|p| p.scope.address(&p.gateway));
    let resolvers = desired
        .resolvers
        .values()
        .filter(|r| r.policy.is_some())
        .map(|r| r.address().part("policy"));
    let resources = desired.resources.keys().cloned();
    let all = values.chain(policies).chain(resolvers);
    all.chain(resources).collect()
}

/// Declared users.
pub(crate) fn users(input: Input, draft: &mut Draft) {
    for user in input.desired.users.values() {
        let address = user.database.child("user", &user.name);
        let sid = declared_sid(input, &user.sid);
        if let SidSource::ClientIdOf(identity) = &sid
            && !identity.is_gateway()
        {
            unknown_identity(input, draft, &address, identity);
            continue;
        }
        let statement = Statement::CreateUser {
            name: user.name.clone(),
            sid,
            group: user.group,
        };
        let taken = match draft.world.catalogue(&user.database) {
            Live::Present(c) => c.principal(&user.name).map(|p| p.kind),
            _ => None,
        };
        let stale = matches!(
            taken,
            Some(PrincipalKind::ExternalUser | PrincipalKind::ExternalGroup)
        );
        let same = match draft.world.catalogue(&user.database) {
            Live::Present(c) => statement.done(c),
            _ => false,
        };
        if taken.is_some() && !same {
            let why = if stale {
                "a user of this name has another SID"
            } else {
                "the name belongs to another kind of principal"
            };
            let next = "drop or rename that user, then plan again";
            draft.wait(&address, None, "make the declared user", why, next);
            continue;
        }
        statements(
            draft,
            address,
            &user.database,
            vec![statement],
            "a document declares this user",
        );
    }
}

/// keyless makes no managed identity: without its client id there is no user for it.
fn unknown_identity(input: Input, draft: &mut Draft, address: &Address, identity: &Address) {
    let why = match input.live.get(identity) {
        Live::Absent => format!("{identity} does not exist"),
        Live::Unreadable(why) => why,
        Live::Present(_) => format!("the client id of {identity} is not readable"),
    };
    let next = "correct the ManagedIdentity document, or give the identity that plans the Reader \
                role on it";
    draft.wait(address, None, "make the declared user", &why, next);
}

/// Declared roles and grants, once every user is there.
pub(crate) fn roles(input: Input, draft: &mut Draft) {
    for role in input.desired.roles.values() {
        let mut list = vec![Statement::CreateRole {
            name: role.name.clone(),
        }];
        if let Some(members) = &role.members {
            let add = members.iter().map(|m| Statement::AddMember {
                role: role.name.clone(),
                member: m.clone(),
            });
            list.extend(add);
            if let Live::Present(catalogue) = draft.world.catalogue(&role.database) {
                let extra = catalogue.memberships.iter().filter(|(r, m)| {
                    same_name(r, &role.name) && !members.iter().any(|w| same_name(w, m))
                });
                list.extend(extra.map(|(r, m)| Statement::DropMember {
                    role: r.clone(),
                    member: m.clone(),
                }));
            }
        }
        let address = role.database.child("role", &role.name);
        statements(
            draft,
            address,
            &role.database,
            list,
            "a document declares this role",
        );
    }
    for (name, grant) in &input.desired.grants {
        let address = grant.database.child("grant", name);
        let list = match draft.world.catalogue(&grant.database) {
            Live::Present(catalogue) => permit(catalogue, &grant.rule),
            // It waits, with the reason.
            _ => vec![Statement::Permit {
                rule: grant.rule.clone(),
            }],
        };
        statements(
            draft,
            address,
            &grant.database,
            list,
            "a document declares this permission",
        );
    }
}

/// One step with those statements that are not done yet.
fn statements(
    draft: &mut Draft,
    address: Address,
    database: &Address,
    list: Vec<Statement>,
    reason: &str,
) {
    let list: Vec<Statement> = match draft.world.catalogue(database) {
        Live::Present(catalogue) => list.into_iter().filter(|s| !s.done(catalogue)).collect(),
        Live::Absent => return,
        Live::Unreadable(why) => {
            let next = "make the database readable, then plan again";
            draft.wait(&address, None, reason, &why, next);
            return;
        }
    };
    if list.is_empty() {
        return;
    }
    let made = matches!(
        list[0],
        Statement::CreateUser { .. } | Statement::CreateRole { .. }
    );
    let needs = earlier(draft, database, &list);
    draft.add(NewStep {
        phase: Phase::Grant,
        address: address.clone(),
        access: None,
        reason: reason.to_owned(),
        shown: show::statements(&list),
        undo: Undo::of(&list),
        op: Op::Sql {
            database: database.clone(),
            statements: list,
            users: BTreeSet::new(),
        },
        needs,
        notes: vec![Note::Applied {
            address,
            made,
            sent: None,
        }],
    });
}

/// Steps that make a principal which these statements name, and the foundations of the database.
fn earlier(draft: &Draft, database: &Address, list: &[Statement]) -> BTreeSet<String> {
    let mut names: Vec<&str> = Vec::new();
    for statement in list {
        match statement {
            Statement::AddMember { role, member } => names.extend([role.as_str(), member.as_str()]),
            Statement::Permit { rule } => names.push(&rule.to),
            _ => {}
        }
    }
    let here = names
        .iter()
        .flat_map(|n| ["user", "role"].map(|word| id_of(Phase::Grant, &database.child(word, n))));
    let admin = id_of(Phase::Identify, &database.root().part("entraAdmin"));
    let mut needs = draft.existing(here);
    needs.extend(draft.existing([admin]));
    for statement in list {
        if let Statement::CreateUser {
            sid: SidSource::ClientIdOf(gateway),
            ..
        } = statement
        {
            needs.extend(draft.existing([id_of(Phase::Identify, gateway)]));
        }
    }
    needs
}

/// Declared properties of servers.
pub(crate) fn servers(input: Input, draft: &mut Draft) {
    for (name, server) in &input.desired.servers {
        let address = Address::server(name);
        let mut properties = server.properties.clone();
        if shut::wants_private(server) {
            // That comes last of all.
            properties.remove(shut::ACCESS);
        }
        let none = properties.is_empty();
        let body = json!({ "properties": Value::Object(properties) });
        // A server that is absent or unreadable has its row already.
        let Live::Present(live) = draft.world.get(&address) else {
            continue;
        };
        if none || covers(&address, &live.body, &body) {
            continue;
        }
        let expect = managed_fingerprint(input.key, &address, &live.body, &body);
        let shown = show::fields(input.key, &address, Some(&live.body), &body);
        let before = crate::compare::restricted(&live.body, &body);
        draft.add(NewStep {
            phase: Phase::Switch,
            address: address.clone(),
            access: None,
            reason: "its SqlServer document declares these properties".to_owned(),
            shown,
            op: Op::Patch {
                body,
                expect: Some(expect),
            },
            needs: BTreeSet::new(),
            undo: Undo::Put { body: before },
            notes: vec![Note::Applied {
                address,
                made: false,
                sent: None,
            }],
        });
    }
}

/// Declared fragments, then what may include them: resolvers, and policies that no Access switches.
pub(crate) fn policies(input: Input, draft: &mut Draft, moves: &[Move]) {
    let is_fragment = |p: &&Policy| matches!(p.scope, PolicyScope::Fragment(_));
    for document in input.desired.policies.values().filter(is_fragment) {
        declared_policy(input, draft, moves, document);
    }
    for document in input.desired.resolvers.values() {
        let address = document.address();
        let wanted = Wanted {
            phase: Phase::Switch,
            address: address.clone(),
            body: json!({ "properties": Value::Object(document.properties.clone()) }),
            value: None,
            reason: "a document declares this resolver",
            needs: BTreeSet::new(),
        };
        put(input, draft, wanted);
        if let Some(text) = &document.policy {
            let body = json!({ "properties": { "format": "rawxml", "value": text } });
            policy(input, draft, moves, address.part("policy"), text, body);
        }
    }
    let others = input.desired.policies.values();
    for document in others.filter(|p| !is_fragment(p)) {
        declared_policy(input, draft, moves, document);
    }
}

fn declared_policy(input: Input, draft: &mut Draft, moves: &[Move], document: &Policy) {
    let address = document.scope.address(&document.gateway);
    let mut body = json!({ "properties": { "format": "rawxml", "value": document.text } });
    if let Some(description) = &document.description {
        body["properties"]["description"] = description.as_str().into();
    }
    policy(input, draft, moves, address, &document.text, body);
}

/// A policy that uses an identity stands and falls with the Accesses of its API: it is not written
/// while one of them is held up, and not before their grants and proof.
fn policy(
    input: Input,
    draft: &mut Draft,
    moves: &[Move],
    address: Address,
    text: &str,
    body: Value,
) {
    let reason = "a document declares this policy";
    let id = id_of(Phase::Switch, &address);
    let there = matches!(draft.world.get(&address),
        Live::Present(e) if covers(&address, &e.body, &body));
    if draft.has(&id) || there {
        return;
    }
    let mut needs = BTreeSet::new();
    if uses_identity(text) {
        let claims = claiming(input, &address);
        let held: Vec<&str> = claims
            .iter()
            .filter(|access| held_up(moves, access, &address))
            .map(|access| access.name.as_str())
            .collect();
        if !held.is_empty() {
            let why = format!(
                "it uses the identity, and the Access {} of its API is held up",
                held.join(", ")
            );
            let next = "see what holds the Access up, then plan again";
            draft.wait(&address, None, reason, &why, next);
            return;
        }
        for one in moves
            .iter()
            .filter(|m| claims.iter().any(|a| a.name == m.access.name))
        {
            needs.extend(one.granted.iter().chain(&one.proven).cloned());
        }
    }
    let sources = moves.iter().flat_map(|m| &m.sources);
    if sources
        .into_iter()
        .any(|s| s.policy == address && s.needs_switch())
    {
        return;
    }
    if text.contains("authentication-managed-identity") {
        needs.extend(foundations(draft, &address.root()));
    }
    let wanted = Wanted {
        phase: Phase::Switch,
        address,
        body,
        value: None,
        reason,
        needs,
    };
    put(input, draft, wanted);
}

fn uses_identity(text: &str) -> bool {
    keyless_policy::Document::parse(text).is_ok_and(|document| {
        keyless_scan::sql_sources(&document)
            .iter()
            .any(|s| s.managed_identity)
    })
}

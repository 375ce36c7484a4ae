//! What resource documents declare by themselves: users, roles, grants, named values, resolvers
//! and policies.

use std::collections::BTreeSet;

use keyless_model::sql::{PrincipalKind, SidSource, Statement, same_name};
use keyless_model::{Address, Live, NamedValue, PolicyScope, ValueSource};
use serde_json::{Map, Value, json};

use crate::compare::{covers, managed_fingerprint};
use crate::draft::{Draft, Input, NewStep, id_of};
use crate::phase::Phase;
use crate::stages::access::Move;
use crate::stages::claims::{claiming, held_up};
use crate::stages::grant::declared_sid;
use crate::stages::literals::nothing_foreign;
use crate::stages::show;
use crate::step::{Note, Op, Undo, ValueFrom};

/// The address of a policy document's policy.
pub(crate) fn policy_address(gateway: &str, scope: &PolicyScope) -> Address {
    let root = Address::gateway(gateway);
    match scope {
        PolicyScope::Service => root.part("policy"),
        PolicyScope::Api(api) => root.child("api", api).part("policy"),
        PolicyScope::Operation { api, operation } => root
            .child("api", api)
            .child("operation", operation)
            .part("policy"),
    }
}

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
        .map(|p| policy_address(&p.gateway, &p.scope));
    let resolvers = desired
        .resolvers
        .values()
        .filter(|r| r.policy.is_some())
        .map(|r| {
            Address::gateway(&r.gateway)
                .child("api", &r.api)
                .child("resolver", &r.name)
                .part("policy")
        });
    values.chain(policies).chain(resolvers).collect()
}

/// Declared users.
pub(crate) fn users(input: Input, draft: &mut Draft) {
    for user in input.desired.users.values() {
        let address = user.database.child("user", &user.name);
        let sid = declared_sid(input, &user.sid);
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
        let list = vec![Statement::Permit {
            rule: grant.rule.clone(),
        }];
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
        let body = json!({ "properties": Value::Object(server.properties.clone()) });
        // A server that is absent or unreadable has its row already.
        let Live::Present(live) = draft.world.get(&address) else {
            continue;
        };
        if server.properties.is_empty() || covers(&address, &live.body, &body) {
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

/// Declared named values. A secret's value cannot be compared: it is sent when the named value is
/// missing or another field of it differs.
pub(crate) fn named_values(input: Input, draft: &mut Draft) {
    for document in input.desired.named_values.values() {
        let address = Address::gateway(&document.gateway).child("namedValue", &document.name);
        let body = json!({ "properties": body_of(document) });
        let value = document.value_from.as_ref().map(|from| match from {
            ValueSource::Environment(name) => ValueFrom::Environment { name: name.clone() },
        });
        put(
            input,
            draft,
            address,
            body,
            value,
            "a document declares this named value",
            BTreeSet::new(),
        );
    }
}

fn body_of(document: &NamedValue) -> Map<String, Value> {
    let mut properties = document.properties.clone();
    if document.value_from.is_some() {
        properties.entry("secret").or_insert(Value::Bool(true));
    }
    properties
        .entry("displayName")
        .or_insert_with(|| document.name.clone().into());
    properties
}

/// Declared resolvers, and declared policies that no Access switches.
pub(crate) fn policies(input: Input, draft: &mut Draft, moves: &[Move]) {
    for document in input.desired.resolvers.values() {
        let address = Address::gateway(&document.gateway)
            .child("api", &document.api)
            .child("resolver", &document.name);
        let body = json!({ "properties": Value::Object(document.properties.clone()) });
        let reason = "a document declares this resolver";
        put(
            input,
            draft,
            address.clone(),
            body,
            None,
            reason,
            BTreeSet::new(),
        );
        if let Some(text) = &document.policy {
            policy(input, draft, moves, address.part("policy"), text);
        }
    }
    for document in input.desired.policies.values() {
        let address = policy_address(&document.gateway, &document.scope);
        policy(input, draft, moves, address, &document.text);
    }
}

/// A policy that uses an identity stands and falls with the Accesses of its API: it is not written
/// while one of them is held up, and not before their grants and proof.
fn policy(input: Input, draft: &mut Draft, moves: &[Move], address: Address, text: &str) {
    let reason = "a document declares this policy";
    let id = id_of(Phase::Switch, &address);
    let body = json!({ "properties": { "format": "rawxml", "value": text } });
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
    put(input, draft, address, body, None, reason, needs);
}

fn uses_identity(text: &str) -> bool {
    keyless_policy::Document::parse(text).is_ok_and(|document| {
        keyless_scan::sql_sources(&document)
            .iter()
            .any(|s| s.managed_identity)
    })
}

fn put(
    input: Input,
    draft: &mut Draft,
    address: Address,
    body: Value,
    value: Option<ValueFrom>,
    reason: &str,
    mut needs: BTreeSet<String>,
) {
    if draft.world.get(&address.root()) == Live::Absent {
        let next = "correct the id in its Gateway document";
        draft.wait(&address, None, reason, "the gateway does not exist", next);
        return;
    }
    let (expect, before) = match draft.world.get(&address) {
        Live::Present(e) if covers(&address, &e.body, &body) => return,
        Live::Present(e) => {
            let expect = managed_fingerprint(input.key, &address, &e.body, &body);
            (Some(expect), Some(e.body.clone()))
        }
        Live::Absent => (None, None),
        Live::Unreadable(why) => {
            let next = "give the identity that plans the Reader role, then plan again";
            draft.wait(&address, None, reason, &why, next);
            return;
        }
    };
    let sent = Some(managed_fingerprint(input.key, &address, &body, &body));
    let is_policy = address.last().0 == "policy";
    let text = |b: &Value| {
        b.pointer("/properties/value")
            .and_then(Value::as_str)
            .map(str::to_owned)
    };
    let shown = if is_policy {
        let old = before.as_ref().and_then(text).unwrap_or_default();
        show::document(input.key, &address, &old, &text(&body).unwrap_or_default())
    } else {
        show::fields(input.key, &address, before.as_ref(), &body)
    };
    let undo = match &before {
        None => Undo::Delete,
        Some(old) if is_policy => undo_of_text(
            &text(old).unwrap_or_default(),
            &text(&body).unwrap_or_default(),
        ),
        Some(old) => undo_of(&address, old, &body, value.is_some()),
    };
    if is_policy {
        // A policy may refer to a named value or a resolver of this plan.
        let parents = draft.steps.iter().filter(|s| {
            s.phase == Phase::Switch && matches!(s.address.last().0, "namedValue" | "resolver")
        });
        needs.extend(parents.map(|s| s.id.clone()));
    }
    draft.add(NewStep {
        phase: Phase::Switch,
        address: address.clone(),
        access: None,
        reason: reason.to_owned(),
        shown,
        op: Op::Put {
            body,
            value,
            expect,
        },
        needs,
        undo,
        notes: vec![Note::Applied {
            address,
            made: before.is_none(),
            sent,
        }],
    });
}

/// The fields as they were, unless they may hold a secret.
fn undo_of(address: &Address, before: &Value, body: &Value, secret: bool) -> Undo {
    let old = crate::compare::restricted(before, body);
    if secret || show::may_be_secret(address, &old) {
        return Undo::Never {
            why: "what was there may be secret, so no copy of it is kept".into(),
        };
    }
    Undo::Put { body: old }
}

/// The policy text as it was, if the new one holds every literal of it: whatever else stood there
/// may be a credential that does not look like one.
pub(crate) fn undo_of_text(old: &str, new: &str) -> Undo {
    if nothing_foreign(old, new) {
        let body = json!({ "properties": { "format": "rawxml", "value": old } });
        return Undo::Put { body };
    }
    Undo::Never {
        why: "the text that was there may hold credentials, so no copy of it is kept".into(),
    }
}

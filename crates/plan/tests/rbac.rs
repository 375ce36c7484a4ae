//! Role assignments and the identities that they are for, one idea a test.

#![allow(clippy::unwrap_used, reason = "tests")]

mod estate;

use std::collections::BTreeSet;

use estate::http::inbound;
use estate::look::{ids, in_phase, needs, step, told, waits};
use estate::whole::{SECRETS_USER, vault};
use estate::{Estate, guid};
use keyless_model::sql::{SidSource, Statement};
use keyless_model::{
    Address, ArmId, Live, ManagedIdentity, PolicyScope, Principal, Severity, Span, SqlUser, UserSid,
};
use keyless_plan::{Assignee, Class, Op, Phase};
use serde_json::json;

fn root() -> Address {
    Address::gateway("contoso")
}

fn with_reference() -> Estate {
    let mut e = Estate::small();
    e.declare_reference("contoso", "partner", "kv");
    e.declare_role("reader", &vault("kv"), Principal::Gateway("contoso".into()));
    e
}

#[test]
fn a_role_is_looked_for_by_scope_role_and_principal() {
    let scope = vault("kv");
    let group = scope.split("/providers").next().unwrap().to_owned();
    let mine = Estate::object_id(1).to_uppercase();
    for made in [
        &scope.to_uppercase(),
        &group,
        "/",
        "/subscriptions/00000000-0000-0000-0000-000000000001",
    ] {
        let mut e = with_reference();
        e.assigned(&scope, made, &mine, "somebody else's");
        assert_eq!(in_phase(&e.plan(), Phase::Grant), [""; 0], "{made}");
    }
    let below = format!("{scope}/secrets/partner");
    for (made, who) in [
        (&below, &mine),
        (&scope, &Estate::object_id(2)),
        (&format!("{scope}2"), &mine),
    ] {
        let mut e = with_reference();
        e.assigned(&scope, made, who, "");
        assert_eq!(
            in_phase(&e.plan(), Phase::Grant),
            ["grant/rbac:reader"],
            "{made}"
        );
    }
}

#[test]
fn an_assignment_carries_its_document_and_follows_a_new_identity() {
    let mut e = Estate::new();
    e.gateway("contoso", None);
    e.desired
        .gateways
        .get_mut("contoso")
        .unwrap()
        .system_identity = true;
    e.declare_role("reader", &vault("kv"), Principal::Gateway("contoso".into()));
    let plan = e.plan();
    needs(&plan, "grant/rbac:reader", &["identify/apim:contoso"]);
    let assign = Op::Assign {
        scope: vault("kv"),
        role: SECRETS_USER.into(),
        principal: Assignee::Identity { address: root() },
        description: "keyless: reader".into(),
    };
    assert_eq!(step(&plan, "grant/rbac:reader").op, assign);
    e.run_all(&plan);
    assert!(e.plan().is_empty());
    e.truth
        .assignments
        .values_mut()
        .for_each(|l| *l = Live::Present(vec![]));
    assert_eq!(
        told(&e.drift(), "rbac:reader"),
        (Class::Missing, Severity::High)
    );
}

#[test]
fn an_old_identity_keeps_its_role_until_every_call_asks_as_the_new_one() {
    use estate::http::{key_header, url};
    let mut e = Estate::web();
    e.declare_role("reader", &vault("kv"), Principal::Gateway("g".into()));
    e.run_all(&e.plan());
    e.identity("g", 9);
    let policy = inbound(&key_header("Zq8kLm2fPvr9Xn4tYb7WcJd1mHs6Ge5U"));
    e.http_api("orders", &url("orders"), Some(&policy));
    e.http_access("orders", &["orders"], &url("orders"));
    let plan = e.plan();
    let gone = plan
        .steps
        .iter()
        .find(|s| matches!(s.op, Op::Unassign { .. }));
    let needs = &gone.unwrap().needs;
    assert!(
        needs.contains("switch/apim:g/api:orders/policy"),
        "{needs:?}"
    );

    e.desired
        .http_accesses
        .get_mut("orders")
        .unwrap()
        .accepts_token = false;
    let plan = e.plan();
    let gone = |s: &keyless_plan::Step| matches!(s.op, Op::Unassign { .. });
    assert!(!plan.steps.iter().any(gone), "{:?}", ids(&plan));
}

#[test]
fn what_is_left_to_an_old_identity_is_found_and_goes_in_the_end_if_keyless_gave_it() {
    let mut e = Estate::small();
    let scope = vault("kv");
    e.declare_role("reader", &scope, Principal::Gateway("contoso".into()));
    e.declare_reference("contoso", "partner", "kv");
    e.run_all(&e.plan());
    assert!(e.plan().is_empty());
    // The same identity made anew, and an assignment of another project with the same mark.
    e.identity("contoso", 9);
    let plan = e.plan();
    let gone = plan
        .steps
        .iter()
        .find(|s| s.phase == Phase::Retire)
        .unwrap();
    assert!(matches!(gone.op, Op::Unassign { .. }), "{gone:?}");
    assert!(gone.needs.contains("grant/rbac:reader"), "{:?}", gone.needs);
    let told = e.drift().iter().any(|f| {
        f.class == Class::Unmanaged
            && f.severity == Severity::High
            && f.address.as_str() == "rbac:reader"
    });
    assert!(told);
    let mut lost = Estate {
        state: keyless_model::State::empty(),
        ..e
    };
    assert_eq!(
        in_phase(&lost.plan(), Phase::Retire),
        [""; 0],
        "without the state nothing is deleted"
    );
    lost.state
        .applied
        .entry(Address::role_assignment("reader"))
        .or_default()
        .made = true;
    lost.run_all(&lost.plan());
    assert!(lost.plan().is_empty());
    assert_eq!(lost.drift(), []);
}

#[test]
fn a_declared_policy_uses_an_identity_only_once_it_has_its_roles() {
    let mut e = Estate::new();
    e.gateway("contoso", None);
    e.gateway("other", Some(2));
    e.desired
        .gateways
        .get_mut("contoso")
        .unwrap()
        .system_identity = true;
    for gateway in ["contoso", "other"] {
        e.declare_role(gateway, &vault("kv"), Principal::Gateway(gateway.into()));
    }
    let token = inbound("<authentication-managed-identity resource=\"api://orders\" />");
    e.declare_policy("contoso", PolicyScope::Service, &token);
    let plan = e.plan();
    let policy = "switch/apim:contoso/policy";
    needs(
        &plan,
        policy,
        &["identify/apim:contoso", "grant/rbac:contoso"],
    );
    assert!(!step(&plan, policy).needs.contains("grant/rbac:other"));
}

fn identity(e: &mut Estate, name: &str) -> String {
    let id = format!(
        "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/rg/providers/\
         Microsoft.ManagedIdentity/userAssignedIdentities/{name}"
    );
    let document = ManagedIdentity {
        span: Span::default(),
        id: ArmId::parse(&id).unwrap(),
    };
    e.desired.identities.insert(name.into(), document);
    let body = json!({ "clientId": guid(50), "principalId": guid(51) });
    e.put(&Address::identity(name), body);
    id
}

#[test]
fn identities_are_joined_to_those_that_are_there_in_one_patch() {
    let mut e = Estate::new();
    e.gateway("contoso", None);
    let old = "/subscriptions/1/resourcegroups/rg/old";
    let gateway = e.truth.entities.get_mut(&root()).unwrap();
    gateway.body["identity"] = json!({
        "type": "UserAssigned", "userAssignedIdentities": { old: { "clientId": "c" } },
    });
    let id = identity(&mut e, "ops");
    let document = e.desired.gateways.get_mut("contoso").unwrap();
    document.system_identity = true;
    document.user_identities = BTreeSet::from(["ops".to_owned()]);
    let plan = e.plan();
    assert_eq!(ids(&plan), ["identify/apim:contoso"]);
    let Op::Patch { body, .. } = &step(&plan, "identify/apim:contoso").op else {
        panic!("no patch")
    };
    let wanted = json!({ "identity": {
        "type": "SystemAssigned, UserAssigned",
        "userAssignedIdentities": { old: {}, &id: {} },
    }});
    assert_eq!(*body, wanted);
    e.run_all(&plan);
    assert!(e.plan().is_empty());
    e.truth.entities.get_mut(&root()).unwrap().body["identity"] =
        json!({ "type": "SystemAssigned" });
    assert_eq!(
        told(&e.drift(), "apim:contoso"),
        (Class::Missing, Severity::Critical)
    );
}

#[test]
fn a_gateway_that_cannot_be_read_is_given_no_identity_and_said_so() {
    let mut e = Estate::small();
    e.desired
        .gateways
        .get_mut("contoso")
        .unwrap()
        .system_identity = true;
    e.truth.entities.remove(&root());
    waits(&e.plan(), &["apim:contoso", "does not exist"]);
    e.truth
        .unreadable
        .insert("apim:contoso".into(), "forbidden".into());
    waits(&e.plan(), &["apim:contoso", "forbidden"]);
    assert_eq!(ids(&e.plan()), [""; 0]);
}

#[test]
fn an_identity_that_is_not_there_holds_up_what_is_its_own() {
    let mut e = Estate::small();
    identity(&mut e, "ops");
    let user = SqlUser {
        span: Span::default(),
        database: Address::database("sql", "orders"),
        name: "ops".into(),
        sid: UserSid::Identity("ops".into()),
        group: false,
    };
    e.desired.users.insert("ops".into(), user);
    e.desired
        .gateways
        .get_mut("contoso")
        .unwrap()
        .user_identities = BTreeSet::from(["ops".into()]);
    e.declare_role("reader", &vault("kv"), Principal::Identity("ops".into()));
    let plan = e.plan();
    let Op::Sql { statements, .. } = &step(&plan, "grant/sql:sql/db:orders/user:ops").op else {
        panic!("no statements")
    };
    let Statement::CreateUser {
        sid: SidSource::Known(sid),
        ..
    } = &statements[0]
    else {
        panic!("{statements:?}")
    };
    assert_eq!(*sid, keyless_model::Sid::from_guid(&guid(50)).unwrap());
    step(&plan, "grant/rbac:reader");
    e.truth.entities.remove(&Address::identity("ops"));
    let plan = e.plan();
    assert_eq!(ids(&plan), [""; 0]);
    waits(&plan, &["identity:ops", "does not exist"]);
    waits(
        &plan,
        &["sql:sql/db:orders/user:ops", "identity:ops does not exist"],
    );
    waits(&plan, &["rbac:reader", "identity:ops does not exist"]);
}

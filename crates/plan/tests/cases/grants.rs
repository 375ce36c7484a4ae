//! Identities, their users, roles and rights.

use super::*;

/// As if keyless had made this user of the database.
fn made_by_keyless(e: &mut Estate, user: &str) {
    let address = Address::database("sql", "orders").child("user", user);
    let made = Applied {
        made: true,
        ..Applied::default()
    };
    e.state.applied.insert(address, made);
}

#[test]
fn an_identity_that_was_made_anew_gets_its_user_anew_in_one_transaction() {
    let mut e = with_literal();
    e.external("sql", "orders", "contoso", 7);
    made_by_keyless(&mut e, "contoso");
    let select = rule("VIEW DEFINITION", Securable::Database, "contoso");
    e.catalogue("sql", "orders").permissions.insert(select);
    e.catalogue("sql", "orders")
        .memberships
        .insert(("public".into(), "contoso".into()));
    let plan = e.plan();
    let texts = statements(step(&plan, "grant/sql:sql/db:orders/user:contoso"));
    assert_eq!(texts[0], "DROP USER [contoso]");
    assert!(
        texts[1].starts_with("CREATE USER [contoso] WITH SID = 0x"),
        "{texts:?}"
    );
    assert_eq!(
        texts[2..],
        [
            "ALTER ROLE [public] ADD MEMBER [contoso]",
            "GRANT VIEW DEFINITION TO [contoso]"
        ]
    );
}

#[test]
fn an_identity_is_enabled_first_and_its_client_id_flows_on() {
    let mut e = with_literal();
    e.truth
        .entities
        .remove(&Address::gateway("contoso").part("identity"));
    e.truth
        .entities
        .get_mut(&Address::gateway("contoso"))
        .unwrap()
        .body["identity"] =
        json!({ "type": "UserAssigned", "userAssignedIdentities": { "/x": { "clientId": "c" } } });
    let plan = e.plan();
    let Op::Patch { body, .. } = &step(&plan, "identify/apim:contoso").op else {
        panic!()
    };
    assert_eq!(body["identity"]["type"], "SystemAssigned, UserAssigned");
    assert_eq!(
        body["identity"]["userAssignedIdentities"],
        json!({ "/x": {} })
    );
    let user = step(&plan, "grant/sql:sql/db:orders/user:contoso");
    assert!(user.needs.contains("identify/apim:contoso"));
    assert!(plan.to_json().contains("clientIdOf"));
    e.run_all(&plan);
    assert!(e.plan().is_empty());
}

#[test]
fn rights_that_nobody_asked_for_block_the_switch() {
    let mut e = with_literal();
    e.external("sql", "orders", "contoso", 1);
    e.catalogue("sql", "orders")
        .memberships
        .insert(("db_owner".into(), "contoso".into()));
    let plan = e.plan();
    assert!(
        has_row(&plan, &["user:contoso/rights", "membership of db_owner"]),
        "{:?}",
        rows(&plan)
    );
    let late = plan.steps.iter().find(|s| s.phase > Phase::Grant);
    assert_eq!(late.map(|s| &s.id), None);
    e.declare_database("sql", "orders", true);
    let plan = e.plan();
    let revoke = step(&plan, "grant/sql:sql/db:orders/user:contoso/extra");
    assert_eq!(
        statements(revoke),
        ["ALTER ROLE [db_owner] DROP MEMBER [contoso]"]
    );
    step(&plan, "switch/apim:contoso/api:orders/resolver:q/policy");
    e.run_all(&plan);
    assert!(
        e.plan().is_empty(),
        "{:?} {:?}",
        ids(&e.plan()),
        rows(&e.plan())
    );
}

#[test]
fn a_declared_membership_is_not_revoked_as_extra() {
    let mut e = with_literal();
    e.declare_database("sql", "orders", true);
    e.external("sql", "orders", "contoso", 1);
    e.catalogue("sql", "orders")
        .memberships
        .insert(("db_owner".into(), "contoso".into()));
    let role = SqlRole {
        span: Span::default(),
        database: Address::database("sql", "orders"),
        name: "auditors".into(),
        members: Some(BTreeSet::from(["contoso".to_owned()])),
    };
    e.desired.roles.insert("auditors".into(), role);
    let plan = e.plan();
    let extra = statements(step(&plan, "grant/sql:sql/db:orders/user:contoso/extra"));
    assert_eq!(extra, ["ALTER ROLE [db_owner] DROP MEMBER [contoso]"]);
    e.run_all(&plan);
    assert!(e.plan().is_empty(), "{:?}", ids(&e.plan()));
}

#[test]
fn a_role_may_name_the_user_that_the_same_plan_makes() {
    let mut e = with_literal();
    let role = SqlRole {
        span: Span::default(),
        database: Address::database("sql", "orders"),
        name: "auditors".into(),
        members: Some(BTreeSet::from(["contoso".to_owned()])),
    };
    e.desired.roles.insert("auditors".into(), role);
    let plan = e.plan();
    assert_eq!(plan.waiting, []);
    let needs = &step(&plan, "grant/sql:sql/db:orders/role:auditors").needs;
    assert!(
        needs.contains("grant/sql:sql/db:orders/user:contoso"),
        "{needs:?}"
    );
}

#[test]
fn two_accesses_of_one_identity_add_up() {
    let mut e = with_literal();
    e.access("write", "contoso", &["orders"], "sql", "orders");
    e.wanted("write").role = Role::Executor;
    let plan = e.plan();
    let gates: Vec<&Step> = plan
        .steps
        .iter()
        .filter(|s| {
            matches!(
                &s.op,
                Op::Gate {
                    gate: Gate::Effective { .. }
                }
            )
        })
        .collect();
    let Op::Gate {
        gate: Gate::Effective { rights, .. },
    } = &gates[0].op
    else {
        panic!()
    };
    let words: Vec<&str> = rights.iter().map(|(p, _, _)| p.as_str()).collect();
    assert_eq!((gates.len(), words), (1, vec!["EXECUTE", "SELECT"]));
    // They share the resolver: one switch, for which both must be proven.
    let switch = step(&plan, "switch/apim:contoso/api:orders/resolver:q/policy");
    for access in ["read", "write"] {
        assert!(
            switch
                .needs
                .contains(&format!("prove/apim:contoso/access:{access}"))
        );
        assert!(switch.notes.contains(&Note::Switched {
            access: access.into()
        }));
    }
    assert_eq!(plan.waiting, []);
    e.run_all(&plan);
    assert!(e.plan().is_empty(), "{:?}", ids(&e.plan()));
}

#[test]
fn schemas_are_spelled_as_the_database_spells_them() {
    let mut e = with_literal();
    e.wanted("read").schemas = vec!["DBO".into()];
    e.external("sql", "orders", "contoso", 1);
    let plan = e.plan();
    let role = statements(step(&plan, "grant/sql:sql/db:orders/role:keyless_read"));
    assert!(
        role.contains(&"GRANT SELECT ON SCHEMA::[dbo] TO [keyless_read]".to_owned()),
        "{role:?}"
    );
}

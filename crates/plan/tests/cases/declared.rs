//! What documents declare, own and prune.

use super::*;

/// Declares a resolver of contoso with this policy.
fn declare(e: &mut Estate, api: &str, resolver: &str, text: &str) {
    let document = Resolver {
        span: Span::default(),
        gateway: "contoso".into(),
        api: api.into(),
        name: resolver.into(),
        properties: serde_json::Map::new(),
        policy: Some(text.to_owned()),
    };
    e.desired.resolvers.insert(resolver.into(), document);
}

#[test]
fn a_declared_policy_text_is_the_wanted_one() {
    let mut e = with_literal();
    let text = policy(&without("sql", "orders"), true);
    declare(&mut e, "orders", "q", &text);
    let plan = e.plan();
    let switch = step(&plan, "switch/apim:contoso/api:orders/resolver:q/policy");
    let Op::Put { body, .. } = &switch.op else {
        panic!("{:?}", switch.op)
    };
    assert_eq!(body["properties"]["value"], text);
    let Undo::Put { body } = &switch.undo else {
        panic!("{:?}", switch.undo)
    };
    let before = body["properties"]["value"].as_str().unwrap();
    assert!(
        before.contains("{{keyless-read-") && before.contains("SELECT 1"),
        "{before}"
    );
    assert!(!plan.to_json().contains(SECRET));
    e.run_all(&plan);
    assert!(e.plan().is_empty());
}

#[test]
fn an_old_user_is_not_cut_off_by_exclusive_before_its_soak_is_over() {
    let mut e = with_literal();
    e.declare_database("sql", "orders", true);
    e.external("sql", "orders", "stranger", 77);
    let plan = e.plan();
    let stranger = step(&plan, "disable/sql:sql/db:orders/principal:stranger");
    assert!(stranger.needs.contains("confirm/apim:contoso/access:read"));
    run_some(&mut e, &plan, |s| s.phase > Phase::Switch, |_, _| {});
    let next = e.plan();
    assert!(
        !ids(&next)
            .iter()
            .any(|id| id.contains("principal:app user")),
        "{:?}",
        ids(&next)
    );
    e.converge();
    assert!(e.plan().is_empty());
}

#[test]
fn an_exclusive_database_is_left_alone_while_an_access_is_held_up() {
    let mut e = with_literal();
    e.declare_database("sql", "orders", true);
    e.external("sql", "orders", "stranger", 77);
    e.access("read", "contoso", &["orders", "gone"], "sql", "orders");
    let plan = e.plan();
    assert!(
        !ids(&plan).iter().any(|id| id.contains("/principal:")),
        "{:?}",
        ids(&plan)
    );
    assert!(has_row(
        &plan,
        &["revoke what no document declares", "held up"]
    ));
}

#[test]
fn pruning_spares_what_an_access_looks_after() {
    use keyless_model::Owned;
    let mut e = with_text("{{orders-db}}");
    e.named_value("contoso", "orders-db", &literal());
    let stray = e.named_value("contoso", "stray", "x");
    let gateway = e.desired.gateways.get_mut("contoso").unwrap();
    gateway.owns = BTreeSet::from([Owned::NamedValues, Owned::Policies]);
    gateway.prune = true;
    e.resolver(
        "contoso",
        "orders",
        "new",
        &policy(&without("sql", "orders"), true),
    );
    let plan = e.plan();
    let deleted: Vec<&Address> = plan
        .steps
        .iter()
        .filter(|s| matches!(s.op, Op::Delete {}))
        .map(|s| &s.address)
        .collect();
    assert!(deleted.contains(&&stray));
    assert!(
        !deleted.iter().any(|a| a.last().0 == "policy"),
        "{deleted:?}"
    );
    e.run_all(&plan);
    assert!(e.plan().is_empty(), "{:?}", ids(&e.plan()));
}

#[test]
fn a_deny_in_the_role_of_the_access_is_mended() {
    let mut e = with_literal();
    e.converge();
    let mut deny = rule("SELECT", schema("dbo"), "keyless_read");
    deny.state = PermissionState::Deny;
    let catalogue = e.catalogue("sql", "orders");
    catalogue.permissions.retain(|p| p.to != "keyless_read");
    catalogue.permissions.insert(deny);
    let plan = e.plan();
    assert_eq!(
        statements(step(&plan, "grant/sql:sql/db:orders/role:keyless_read")),
        [
            "REVOKE SELECT ON SCHEMA::[dbo] FROM [keyless_read]",
            "GRANT SELECT ON SCHEMA::[dbo] TO [keyless_read]"
        ]
    );
}

#[test]
fn a_user_named_like_the_gateway_that_is_no_identity_keeps_its_name() {
    let mut e = with_literal();
    e.contained("sql", "orders", "contoso", "Other-canary-0002");
    let plan = e.plan();
    step(&plan, "grant/sql:sql/db:orders/user:keyless_contoso");
    assert!(!plan.to_json().contains("DROP USER [contoso]"));
}

#[test]
fn logins_that_could_not_be_read_are_recorded_and_left_open() {
    let mut e = with_literal();
    let server = Address::server("sql");
    let logins = e
        .truth
        .logins
        .insert(server.clone(), Live::Unreadable("forbidden".into()));
    let plan = e.plan();
    let row = ["close and drop the old login orders_app", "forbidden"];
    assert!(has_row(&plan, &row), "{:?}", rows(&plan));
    e.run_all(&plan);
    // Once they can be read the login is still known, although the policy no longer names it.
    e.truth.logins.insert(server, logins.unwrap());
    step(&e.plan(), "disable/sql:sql/login:orders_app");
}

#[test]
fn a_user_that_an_unread_access_may_replace_is_no_finding_until_the_switch() {
    let mut e = with_text("{{orders-db}}");
    e.secret_value("contoso", "orders-db", &literal());
    e.declare_database("sql", "orders", false);
    assert!(
        e.drift().iter().all(|f| f.class == Class::Pending),
        "{:#?}",
        e.drift()
    );
    e.converge();
    let unmanaged = |f: &Finding| f.class == Class::Unmanaged && f.address.last().1 == "app user";
    assert!(e.drift().iter().any(unmanaged), "{:#?}", e.drift());
}

#[test]
fn a_service_that_is_not_there_is_no_empty_estate() {
    let mut e = Estate::small();
    e.truth.entities.remove(&Address::server("sql"));
    let plan = e.plan();
    assert!(
        has_row(&plan, &["sql:sql", "it does not exist"]),
        "{:?}",
        rows(&plan)
    );
    let found = e.drift();
    let missing = found
        .iter()
        .any(|f| f.class == Class::Missing && f.address == Address::server("sql"));
    assert!(missing, "{found:#?}");
}

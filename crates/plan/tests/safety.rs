//! What the planner must never do, however little it knows: guess where a secret leads, cut off a
//! caller, or carry a credential out of the gateway.

#![allow(clippy::unwrap_used, reason = "tests")]

mod estate;

use std::collections::BTreeSet;

use estate::look::step;
use estate::world::run_some;
use estate::{Estate, at, policy, rule, schema, with_password, without};
use keyless_model::sql::{PermissionState, Securable, Statement};
use keyless_model::{
    Address, GrantSpec, Live, Owned, Replaced, Replaces, Resolver, Role, Selection, Span, SqlGrant,
};
use keyless_plan::{Gate, Op, Phase, Plan, Step, Undo};

const SECRET: &str = "Wq7-canary-0001";
const SWITCH: &str = "switch/apim:contoso/api:orders/resolver:q/policy";

fn has(plan: &Plan, id: &str) -> bool {
    plan.step(id).is_some()
}

#[track_caller]
fn waits(plan: &Plan, parts: &[&str]) {
    let rows = plan.waiting.iter();
    let rows: Vec<String> = rows
        .map(|w| format!("{}: {}: {} [{}]", w.address, w.what, w.why, w.next))
        .collect();
    let found = rows.iter().any(|row| parts.iter().all(|p| row.contains(p)));
    assert!(found, "no row with {parts:?} in {rows:#?}");
}

fn closes_nothing(plan: &Plan) -> bool {
    let json = plan.to_json();
    let words = ["ALTER LOGIN", "REVOKE CONNECT", "DROP LOGIN", "DROP USER"];
    !words.iter().any(|word| json.contains(word))
}

fn literal() -> String {
    with_password("sql", "orders", "orders_app", SECRET)
}

/// One resolver that connects with the login `orders_app`, and an Access for it.
fn with_text(connection: &str) -> Estate {
    let mut e = Estate::small();
    e.login("sql", "orders_app", SECRET);
    e.user_of("sql", "orders", "orders_app", "app user");
    e.resolver("contoso", "orders", "q", &policy(connection, false));
    e.access("read", "contoso", &["orders"], "sql", "orders");
    e
}

fn with_hidden() -> Estate {
    let mut e = with_text("{{orders-db}}");
    e.secret_value("contoso", "orders-db", &literal());
    e
}

fn unreadable_database(e: &mut Estate, name: &str) {
    let address = Address::database("sql", name);
    let why = Live::Unreadable("login failed".into());
    e.truth.databases.insert(address, why);
}

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
fn a_hidden_string_is_not_taken_by_the_access_whose_rival_is_held_up() {
    let mut e = with_hidden();
    assert!(has(&e.plan(), SWITCH));
    unreadable_database(&mut e, "people");
    e.access("people", "contoso", &["orders"], "sql", "people");
    let plan = e.plan();
    assert!(!has(&plan, SWITCH));
    waits(
        &plan,
        &["/resolver:q/policy", "(people, read)", "--inspect-secrets"],
    );
}

#[test]
fn a_hidden_string_is_not_switched_by_an_access_to_all_apis() {
    let mut e = with_hidden();
    e.wanted("read").apis = None;
    let plan = e.plan();
    assert!(!has(&plan, SWITCH));
    waits(
        &plan,
        &[
            "/resolver:q/policy",
            "no Access names its API",
            "--inspect-secrets",
        ],
    );
    // One whose server and database stand in clear is no guess.
    let text = literal().replace(SECRET, "{{pw}}");
    e.resolver("contoso", "orders", "q", &policy(&text, false));
    e.secret_value("contoso", "pw", SECRET);
    assert!(has(&e.plan(), SWITCH));
}

#[test]
fn all_resolvers_of_an_api_are_named_only_by_the_one_access_that_names_it() {
    let mut e = with_hidden();
    e.database("sql", "people");
    e.access("people", "contoso", &["orders"], "sql", "people");
    let choose = |e: &mut Estate, access: &str, resolver: &str| {
        let choice = &mut e.wanted(access).apis.as_mut().unwrap()[0];
        choice.resolvers = Selection::Named(BTreeSet::from([resolver.to_owned()]));
    };
    e.resolver(
        "contoso",
        "orders",
        "other",
        &policy(&without("sql", "people"), true),
    );
    choose(&mut e, "people", "other");
    let plan = e.plan();
    assert!(!has(&plan, SWITCH));
    waits(&plan, &["/resolver:q/policy", "hidden"]);
    choose(&mut e, "read", "q");
    assert!(has(&e.plan(), SWITCH));
}

#[test]
fn a_parked_literal_is_no_guess_when_it_is_planned_again() {
    let mut e = with_text(&literal());
    e.wanted("read").apis = None;
    let plan = e.plan();
    run_some(&mut e, &plan, |s| s.phase > Phase::Park, |_, _| {});
    let plan = e.plan();
    assert_eq!(plan.waiting, []);
    step(&plan, SWITCH);
    step(&plan, "retire/sql:sql/login:orders_app");
    // It leads to the database that it was parked for, and to no other.
    e.database("sql", "people");
    e.wanted("read").database = "people".into();
    assert!(!has(&e.plan(), SWITCH));
}

#[test]
fn a_declared_policy_is_not_written_while_its_access_is_held_up() {
    let mut e = with_text(&literal());
    declare(
        &mut e,
        "orders",
        "q",
        &policy(&without("sql", "orders"), true),
    );
    assert!(has(&e.plan(), SWITCH));
    unreadable_database(&mut e, "orders");
    let plan = e.plan();
    assert!(!has(&plan, SWITCH));
    waits(
        &plan,
        &[
            "/resolver:q/policy",
            "the Access read of its API is held up",
        ],
    );
    // The same where the Access left the source, for it does not know where it leads.
    let mut e = with_hidden();
    e.wanted("read").apis = None;
    declare(
        &mut e,
        "orders",
        "q",
        &policy(&without("sql", "orders"), true),
    );
    let plan = e.plan();
    assert!(!has(&plan, SWITCH));
    waits(
        &plan,
        &[
            "/resolver:q/policy",
            "the Access read of its API is held up",
        ],
    );
}

#[test]
fn a_declared_new_resolver_waits_for_the_grants_of_its_api() {
    let mut e = with_text(&literal());
    declare(
        &mut e,
        "orders",
        "new",
        &policy(&without("sql", "orders"), true),
    );
    let plan = e.plan();
    let put = step(&plan, "switch/apim:contoso/api:orders/resolver:new/policy");
    for need in [
        "grant/sql:sql/db:orders/user:contoso/rights",
        "prove/apim:contoso/access:read",
    ] {
        assert!(put.needs.contains(need), "{:?}", put.needs);
    }
}

#[test]
fn nothing_is_closed_while_a_resolver_of_no_access_still_comes_in_that_way() {
    let mut e = with_text(&literal());
    e.resolver("contoso", "legacy", "q", &policy("{{legacy-db}}", false));
    e.named_value("contoso", "legacy-db", &literal());
    let plan = e.plan();
    step(&plan, SWITCH);
    assert!(closes_nothing(&plan), "{}", plan.to_json());
    for what in ["disable the login", "close the user app user"] {
        waits(
            &plan,
            &[what, "api:legacy/resolver:q/policy, which connects with it"],
        );
    }
    // One that uses the login in another database keeps only the login.
    e.database("sql", "people");
    e.named_value(
        "contoso",
        "legacy-db",
        &with_password("sql", "people", "ORDERS_APP", SECRET),
    );
    let plan = e.plan();
    step(&plan, "disable/sql:sql/db:orders/user:app user");
    assert!(!plan.to_json().contains("ALTER LOGIN"));
    // One on another server keeps nothing.
    e.server("other");
    e.named_value(
        "contoso",
        "legacy-db",
        &with_password("other", "orders", "orders_app", SECRET),
    );
    step(&e.plan(), "disable/sql:sql/login:orders_app");
}

#[test]
fn a_hidden_string_of_no_access_may_use_any_login() {
    let mut e = with_text(&literal());
    e.resolver("contoso", "legacy", "q", &policy("{{legacy-db}}", false));
    e.secret_value("contoso", "legacy-db", &literal());
    let plan = e.plan();
    assert!(closes_nothing(&plan), "{}", plan.to_json());
    waits(
        &plan,
        &["disable the login", "api:legacy/resolver:q/policy, perhaps"],
    );
    // With the identity it uses none.
    e.resolver("contoso", "legacy", "q", &policy("{{legacy-db}}", true));
    step(&e.plan(), "disable/sql:sql/login:orders_app");
}

#[test]
fn a_contained_user_stays_open_for_a_resolver_of_no_access() {
    let mut e = Estate::small();
    e.contained("sql", "orders", "report", SECRET);
    let text = policy(&with_password("sql", "orders", "report", SECRET), false);
    e.resolver("contoso", "orders", "q", &text);
    e.resolver("contoso", "legacy", "q", &text);
    e.access("read", "contoso", &["orders"], "sql", "orders");
    let plan = e.plan();
    assert!(closes_nothing(&plan), "{}", plan.to_json());
    waits(
        &plan,
        &["close the user report", "api:legacy/resolver:q/policy"],
    );
}

#[test]
fn a_login_is_closed_only_after_every_switch_away_from_it() {
    let mut e = with_text(&literal());
    e.resolver("contoso", "listed", "q", &policy(&literal(), false));
    e.access("listed", "contoso", &["listed"], "sql", "orders");
    e.wanted("listed").replaces = Replaces::Listed(BTreeSet::<Replaced>::new());
    e.wanted("listed").retire = None;
    let plan = e.plan();
    let needs = &step(&plan, "disable/sql:sql/login:orders_app").needs;
    let other = "switch/apim:contoso/api:listed/resolver:q/policy";
    assert!(needs.contains(other), "{needs:?}");
}

#[test]
fn the_lock_waits_for_a_resolver_that_uses_the_administrators_password() {
    let mut e = with_text(&literal());
    e.entra_only("sql");
    step(&e.plan(), "lock/sql:sql/entraOnly");
    let admin = with_password("sql", "orders", "sqladmin", "Admin-Passw0rd-of-the-server");
    e.resolver("contoso", "legacy", "q", &policy(&admin, false));
    let plan = e.plan();
    assert!(!has(&plan, "lock/sql:sql/entraOnly"));
    waits(&plan, &["entraOnly", "api:legacy/resolver:q/policy"]);
}

fn prune(e: &mut Estate) {
    let gateway = e.desired.gateways.get_mut("contoso").unwrap();
    gateway.owns = BTreeSet::from([Owned::NamedValues, Owned::Policies]);
    gateway.prune = true;
}

fn deleted(plan: &Plan) -> Vec<String> {
    let deletes = plan.steps.iter().filter(|s| matches!(s.op, Op::Delete {}));
    deletes.map(|s| s.address.to_string()).collect()
}

#[test]
fn nothing_is_pruned_while_an_access_of_the_gateway_is_held_up() {
    let mut e = with_text(&literal());
    prune(&mut e);
    let stray = e.named_value("contoso", "stray", "x");
    e.resolver(
        "contoso",
        "people",
        "q",
        &policy(&without("sql", "people"), true),
    );
    assert!(deleted(&e.plan()).contains(&stray.to_string()));
    unreadable_database(&mut e, "people");
    e.access("people", "contoso", &["people"], "sql", "people");
    let plan = e.plan();
    let gone = deleted(&plan);
    assert!(
        !gone
            .iter()
            .any(|a| a.contains("stray") || a.contains("people")),
        "{gone:?}"
    );
    waits(&plan, &[stray.as_str(), "the Access people is held up"]);
}

#[test]
fn no_policy_of_an_api_that_an_access_names_is_pruned() {
    let mut e = with_text(&literal());
    prune(&mut e);
    let leads_elsewhere = policy(&with_password("sql", "people", "p", SECRET), false);
    e.resolver("contoso", "orders", "elsewhere", &leads_elsewhere);
    e.resolver(
        "contoso",
        "legacy",
        "q",
        &policy(&without("sql", "x"), true),
    );
    let plan = e.plan();
    let gone = deleted(&plan);
    assert!(
        gone.contains(&at("contoso", "legacy", "q").to_string()),
        "{gone:?}"
    );
    assert!(!gone.iter().any(|a| a.contains("elsewhere")), "{gone:?}");
    waits(
        &plan,
        &[
            "resolver:elsewhere/policy",
            "its API is one of the Access read",
        ],
    );
}

#[test]
fn a_plan_made_after_something_ran_is_another_plan() {
    let mut e = with_text(&literal());
    let first = e.plan();
    e.state.journal += 7;
    let later = e.plan();
    assert_eq!(later.steps, first.steps);
    assert_ne!(later.id, first.id);
    assert_eq!(later.inputs.state, 7);
}

/// A resolver's policy with things in it that no scanner takes for credentials.
fn with_odd_literals(connection: &str, identity: bool) -> String {
    policy(connection, identity).replace(
        "<request>",
        "<!-- ask Canary-comment --><request note=\"Canary-attribute\"><variable>Canary-text\
         </variable>",
    )
}

#[test]
fn no_literal_of_an_overwritten_text_reaches_the_plan() {
    // By the switch of an Access, and by a document alone.
    for api in ["orders", "alone"] {
        let mut e = with_text(&literal());
        e.resolver("contoso", api, "q", &with_odd_literals(&literal(), false));
        let new = policy(&without("sql", "orders"), true).replace("SELECT 1", "SELECT 2");
        declare(&mut e, api, "q", &new);
        let plan = e.plan();
        let id = format!("switch/apim:contoso/api:{api}/resolver:q/policy");
        let switch = step(&plan, &id);
        let Undo::Never { why } = &switch.undo else {
            panic!("{:?}", switch.undo)
        };
        assert!(why.contains("no copy of it is kept"), "{why}");
        let json = plan.to_json();
        assert!(!json.contains("Canary") && !json.contains(SECRET), "{json}");
        assert!(
            !json.contains("SELECT 1") && json.contains("SELECT 2"),
            "{json}"
        );
        // Where the new text says all that the old one did, the old one can come back.
        declare(
            &mut e,
            api,
            "q",
            &with_odd_literals(&without("sql", "orders"), true),
        );
        let expected = api == "orders";
        let plan = e.plan();
        assert_eq!(
            matches!(step(&plan, &id).undo, Undo::Put { .. }),
            expected,
            "{api}"
        );
    }
}

#[test]
fn a_user_of_another_identity_is_not_dropped_for_its_name() {
    let mut e = with_text(&literal());
    e.external("sql", "orders", "contoso", 7);
    let plan = e.plan();
    step(&plan, "grant/sql:sql/db:orders/user:keyless_contoso");
    assert!(!plan.to_json().contains("DROP USER [contoso]"));
    // The one that keyless made is made anew, under the name it has.
    e.run_all(&plan);
    e.identity("contoso", 8);
    let plan = e.plan();
    let user = step(&plan, "grant/sql:sql/db:orders/user:keyless_contoso");
    let Op::Sql { statements, .. } = &user.op else {
        panic!()
    };
    assert_eq!(statements[0].text(), "DROP USER [keyless_contoso]");
}

#[test]
fn a_kill_between_the_switch_and_its_record_loses_no_login() {
    for role_is_there in [false, true] {
        let mut e = with_text("{{orders-db}}");
        let value = e.named_value("contoso", "orders-db", &literal());
        if role_is_there {
            let plan = e.plan();
            let late = |s: &Step| s.phase > Phase::Grant || !s.id.contains("/db:");
            run_some(&mut e, &plan, late, |_, _| {});
            e.state = keyless_model::State::empty();
        }
        let plan = e.plan();
        run_some(&mut e, &plan, |s| s.phase >= Phase::Switch, |_, _| {});
        let recorded = e.state.clone();
        e.run(step(&plan, SWITCH));
        e.state = recorded;
        let again = e.plan();
        step(&again, "disable/sql:sql/login:orders_app");
        step(&again, &format!("retire/{value}"));
    }
}

#[test]
fn the_proof_names_the_gateway_whose_identity_it_is_about() {
    let plan = with_text(&literal()).plan();
    let Op::Gate { gate } = &step(&plan, "grant/sql:sql/db:orders/user:contoso/rights").op else {
        panic!()
    };
    let Gate::Effective { gateway, .. } = gate else {
        panic!("{gate:?}")
    };
    assert_eq!(*gateway, Address::gateway("contoso"));
}

fn object(name: &str) -> Securable {
    Securable::Object {
        schema: "dbo".into(),
        name: name.into(),
    }
}

#[test]
fn a_grant_is_proven_however_its_object_is_spelled() {
    let mut e = with_text(&literal());
    e.wanted("read").role = Role::Custom;
    e.wanted("read").grants = vec![GrantSpec {
        permission: "SELECT".into(),
        on: object("orders"),
        columns: vec!["Id".into()],
        deny: false,
    }];
    e.external("sql", "orders", "contoso", 1);
    // As the database gives it back.
    let mut found = rule("SELECT", object("Orders"), "keyless_read");
    found.column = Some("ID".into());
    let catalogue = e.catalogue("sql", "orders");
    let role = "keyless_read".to_owned();
    Statement::CreateRole { name: role.clone() }
        .run(catalogue)
        .unwrap();
    catalogue.permissions.insert(found);
    let member = "contoso".to_owned();
    Statement::AddMember { role, member }
        .run(catalogue)
        .unwrap();
    let plan = e.plan();
    assert_eq!(plan.waiting, []);
    assert!(!has(&plan, "grant/sql:sql/db:orders/role:keyless_read"));
    let Op::Gate {
        gate: Gate::Effective { rights, .. },
    } = &step(&plan, "grant/sql:sql/db:orders/user:contoso/rights").op
    else {
        panic!()
    };
    let catalogue = e.catalogue("sql", "orders");
    assert_eq!(
        *rights,
        keyless_model::sql::effective(catalogue, "contoso").allowed
    );
}

#[test]
fn a_grant_option_is_not_granted_again_and_is_revoked_with_cascade() {
    let mut e = with_text(&literal());
    e.converge();
    let catalogue = e.catalogue("sql", "orders");
    catalogue.permissions.retain(|p| p.to != "keyless_read");
    let mut more = rule("SELECT", schema("dbo"), "keyless_read");
    more.state = PermissionState::GrantWithGrantOption;
    catalogue.permissions.insert(more.clone());
    assert_eq!(e.plan().steps, []);
    more.permission = "DELETE".into();
    e.catalogue("sql", "orders").permissions.insert(more);
    let json = e.plan().to_json();
    assert!(
        json.contains("REVOKE DELETE ON SCHEMA::[dbo] FROM [keyless_read] CASCADE"),
        "{json}"
    );
}

#[test]
fn a_deny_over_a_grant_option_takes_the_option_back_first_and_its_undo_gives_it_back() {
    let mut e = with_text(&literal());
    e.external("sql", "orders", "dba team", 77);
    let mut option = rule("DELETE", schema("dbo"), "dba team");
    option.state = PermissionState::GrantWithGrantOption;
    e.catalogue("sql", "orders")
        .permissions
        .insert(option.clone());
    let mut denied = rule("delete", schema("DBO"), "DBA Team");
    denied.state = PermissionState::Deny;
    let document = SqlGrant {
        span: Span::default(),
        database: Address::database("sql", "orders"),
        rule: denied.clone(),
    };
    e.desired.grants.insert("deny".into(), document);
    let plan = e.plan();
    let deny = step(&plan, "grant/sql:sql/db:orders/grant:deny");
    let Op::Sql { statements, .. } = &deny.op else {
        panic!("{deny:?}")
    };
    let texts: Vec<String> = statements.iter().map(Statement::text).collect();
    assert_eq!(
        texts,
        [
            "REVOKE DELETE ON SCHEMA::[dbo] FROM [dba team] CASCADE",
            "DENY delete ON SCHEMA::[DBO] TO [DBA Team]",
        ]
    );
    let Undo::Sql { statements } = &deny.undo else {
        panic!("{:?}", deny.undo)
    };
    let back = [
        Statement::Revoke { rule: denied },
        Statement::Permit { rule: option },
    ];
    assert_eq!(*statements, back);
    e.run_all(&plan);
    assert!(e.plan().is_empty());
    // The role of an Access comes to its DENY the same way.
    let mut e = with_text(&literal());
    e.wanted("read").role = Role::Custom;
    let grant = |permission: &str, deny: bool| GrantSpec {
        permission: permission.into(),
        on: schema("dbo"),
        columns: vec![],
        deny,
    };
    e.wanted("read").grants = vec![grant("SELECT", false), grant("DELETE", true)];
    e.converge();
    let catalogue = e.catalogue("sql", "orders");
    catalogue
        .permissions
        .retain(|p| p.state != PermissionState::Deny);
    let mut option = rule("DELETE", schema("dbo"), "keyless_read");
    option.state = PermissionState::GrantWithGrantOption;
    catalogue.permissions.insert(option);
    let json = e.plan().to_json();
    assert!(
        json.contains("REVOKE DELETE ON SCHEMA::[dbo] FROM [keyless_read] CASCADE"),
        "{json}"
    );
    e.converge();
}

#[test]
fn a_permission_that_no_statement_reaches_is_said_and_not_sent() {
    let beyond = |to: &str| rule("CONTROL", Securable::Other("CERTIFICATE:7".into()), to);
    // In an exclusive database.
    let mut e = with_text(&literal());
    e.declare_database("sql", "orders", true);
    e.external("sql", "orders", "stranger", 77);
    e.catalogue("sql", "orders")
        .permissions
        .insert(beyond("stranger"));
    let plan = e.plan();
    let close = step(&plan, "disable/sql:sql/db:orders/principal:stranger");
    assert!(
        !format!("{:?}", close.op).contains("CONTROL"),
        "{:?}",
        close.op
    );
    waits(
        &plan,
        &["principal:stranger", "CONTROL on OTHER::CERTIFICATE:7"],
    );
    // On the user of a dead identity.
    let mut e = with_text(&literal());
    e.converge();
    e.identity("contoso", 8);
    e.catalogue("sql", "orders")
        .permissions
        .insert(beyond("contoso"));
    let plan = e.plan();
    assert!(!has(&plan, "grant/sql:sql/db:orders/user:contoso"));
    waits(
        &plan,
        &[
            "make the user of the identity anew",
            "CONTROL on OTHER::CERTIFICATE:7",
        ],
    );
    // On the identity's own user, in an exclusive database.
    let mut e = with_text(&literal());
    e.converge();
    e.declare_database("sql", "orders", true);
    let rules = [beyond("contoso"), beyond("keyless_read")];
    e.catalogue("sql", "orders").permissions.extend(rules);
    let plan = e.plan();
    assert_eq!(plan.steps, []);
    waits(&plan, &["user:contoso/rights", "CONTROL"]);
}

//! The network of servers: what lets in comes first, what shuts out comes last.

#![allow(clippy::unwrap_used, reason = "tests")]

mod estate;

use estate::look::{ids, in_phase, needs, step, told, waits};
use estate::whole::inside;
use estate::{Estate, at, policy, with_password};
use keyless_model::sql::Statement;
use keyless_model::{Address, Live, Severity};
use keyless_plan::{Class, Gate, Op, Phase, Undo};
use serde_json::json;

const SECRET: &str = "Wq7-canary-0002";

/// A gateway that calls from 20.0.0.1, a login to move, and an Access for it.
fn small() -> Estate {
    let mut e = Estate::small();
    e.login("sql", "app", SECRET);
    e.user_of("sql", "orders", "app", "app");
    let text = with_password("sql", "orders", "app", SECRET);
    e.resolver("contoso", "orders", "q", &policy(&text, false));
    e.access("read", "contoso", &["orders"], "sql", "orders");
    e.calls_from("contoso", "20.0.0.1");
    e.rule("sql", "gateway", "20.0.0.0", "20.0.0.9");
    e.declare_rule("sql", "gateway", "20.0.0.0", "20.0.0.9");
    e
}

#[test]
fn what_lets_in_comes_before_anything_that_needs_it() {
    let mut e = small();
    e.declare_admin("sql");
    e.declare_rule("sql", "runner", "9.9.9.9", "9.9.9.9");
    e.rule("sql", "office", "8.8.8.8", "8.8.8.8");
    e.declare_rule("sql", "office", "8.8.8.0", "8.8.8.255");
    e.declare_inside("sql", "orders", "batch", "7.7.7.7", "7.7.7.7");
    let plan = e.plan();
    assert_eq!(
        in_phase(&plan, Phase::Identify),
        [
            "identify/sql:sql/entraAdmin",
            "identify/sql:sql/db:orders/firewallRule:batch",
            "identify/sql:sql/firewallRule:office",
            "identify/sql:sql/firewallRule:runner",
        ]
    );
    assert_eq!(in_phase(&plan, Phase::Lock), [""; 0]);
    assert_eq!(
        told(&e.drift(), "sql:sql/firewallRule:runner"),
        (Class::Pending, Severity::Info)
    );
    e.run_all(&plan);
    assert!(e.plan().is_empty());
    e.truth
        .entities
        .remove(&Address::server("sql").child("firewallRule", "runner"));
    e.catalogue("sql", "orders").firewall_rules.clear();
    let found = e.drift();
    let missing = (Class::Missing, Severity::High);
    assert_eq!(told(&found, "sql:sql/firewallRule:runner"), missing);
    assert_eq!(
        told(&found, "sql:sql/db:orders/firewallRule:batch"),
        missing
    );
}

#[test]
fn a_narrower_rule_waits_for_the_end_of_the_old_path_and_for_a_person() {
    let mut e = small();
    e.declare_rule("sql", "gateway", "20.0.0.1", "20.0.0.1");
    let narrow = "lock/sql:sql/firewallRule:gateway";
    let plan = e.plan();
    needs(
        &plan,
        narrow,
        &[
            "lock/sql:sql/firewall/approved",
            "switch/apim:contoso/api:orders/resolver:q/policy",
            "disable/sql:sql/login:app",
        ],
    );
    let Op::Gate {
        gate: Gate::Approve { question },
    } = &step(&plan, "lock/sql:sql/firewall/approved").op
    else {
        panic!("nobody is asked")
    };
    assert!(
        question.contains("gateway") && question.contains("keyless too"),
        "{question}"
    );
    e.entra_only("sql");
    needs(&e.plan(), narrow, &["lock/sql:sql/entraOnly"]);
    // Something else still needs a password, so that the old path stays.
    e.login("sql", "other", SECRET);
    let plan = e.plan();
    assert_eq!(in_phase(&plan, Phase::Lock), [""; 0]);
    waits(&plan, &["firewallRule:gateway", "Entra-only"]);
}

#[test]
fn an_undeclared_rule_is_a_finding_and_all_of_azure_is_told_by_its_value() {
    let mut e = small();
    e.rule("sql", "innocent", "0.0.0.0", "0.0.0.0");
    e.rule("sql", "AllowAllWindowsAzureIps", "3.3.3.3", "3.3.3.3");
    e.catalogue("sql", "orders")
        .firewall_rules
        .push(inside("batch", "4.4.4.4", "4.4.4.4"));
    assert!(!e.drift().iter().any(|f| f.class == Class::Unmanaged));
    e.owns_firewall("sql", false);
    let found = e.drift();
    let place = |name: &str| format!("sql:sql/firewallRule:{name}");
    assert_eq!(
        told(&found, &place("innocent")),
        (Class::Unmanaged, Severity::High)
    );
    let warning = (Class::Unmanaged, Severity::Warning);
    assert_eq!(told(&found, &place("AllowAllWindowsAzureIps")), warning);
    assert_eq!(
        told(&found, "sql:sql/db:orders/firewallRule:batch"),
        warning
    );
    assert_eq!(in_phase(&e.plan(), Phase::Lock), [""; 0]);
    e.owns_firewall("sql", true);
    let plan = e.plan();
    let azure = step(&plan, &format!("lock/{}", place("innocent")));
    assert!(azure.reason.contains("all of Azure"), "{}", azure.reason);
    let named_so = step(&plan, &format!("lock/{}", place("AllowAllWindowsAzureIps")));
    assert!(
        !named_so.reason.contains("all of Azure"),
        "{}",
        named_so.reason
    );
    let body = json!({ "properties": { "startIpAddress": "3.3.3.3", "endIpAddress": "3.3.3.3" } });
    assert_eq!(named_so.undo, Undo::Put { body });
    let inside = step(&plan, "lock/sql:sql/db:orders/firewallRule:batch");
    let Op::Sql { statements, .. } = &inside.op else {
        panic!("{inside:?}")
    };
    assert!(matches!(
        statements[..],
        [Statement::DropFirewallRule { .. }]
    ));
    e.run_all(&plan);
    assert!(e.plan().is_empty());
    assert_eq!(e.drift(), []);
}

#[test]
fn a_gateway_is_not_shut_out_by_the_loss_of_the_rule_through_which_it_comes() {
    let mut e = small();
    let gateway = Address::server("sql").child("firewallRule", "gateway");
    e.truth.entities.remove(&gateway);
    e.desired.resources.remove(&gateway);
    e.rule("sql", "azure", "0.0.0.0", "0.0.0.0");
    e.owns_firewall("sql", true);
    let plan = e.plan();
    assert_eq!(in_phase(&plan, Phase::Lock), [""; 0]);
    waits(
        &plan,
        &[
            "firewallRule:azure",
            "apim:contoso comes in through it, as 20.0.0.1",
        ],
    );
    // A rule of the one database lets it in, or a private endpoint may.
    e.declare_inside("sql", "orders", "gateway", "20.0.0.1", "20.0.0.1");
    step(&e.plan(), "lock/sql:sql/firewallRule:azure");
    e.desired.database_rules.clear();
    let entity = e.truth.entities.get_mut(&Address::server("sql")).unwrap();
    entity.body["properties"]["privateEndpointConnections"] = json!([{ "id": "pe" }]);
    step(&e.plan(), "lock/sql:sql/firewallRule:azure");
}

#[test]
fn public_access_ends_last_of_all_and_only_when_a_person_says_so() {
    let mut e = small();
    e.entra_only("sql");
    e.owns_firewall("sql", true);
    e.rule("sql", "office", "9.9.9.9", "9.9.9.9");
    let properties = &mut e.desired.servers.get_mut("sql").unwrap().properties;
    properties.insert("publicNetworkAccess".into(), "Disabled".into());
    properties.insert("minimalTlsVersion".into(), "1.2".into());
    let plan = e.plan();
    let Op::Patch { body, .. } = &step(&plan, "switch/sql:sql").op else {
        panic!("no patch")
    };
    assert_eq!(
        *body,
        json!({ "properties": { "minimalTlsVersion": "1.2" } })
    );
    let shut = "lock/sql:sql";
    needs(
        &plan,
        shut,
        &[
            "lock/sql:sql/publicNetworkAccess/approved",
            "lock/sql:sql/entraOnly",
            "lock/sql:sql/firewallRule:office",
            "switch/sql:sql",
            "disable/sql:sql/login:app",
        ],
    );
    assert_eq!(*in_phase(&plan, Phase::Lock).last().unwrap(), shut);
    e.run_all(&plan);
    assert!(e.plan().is_empty());
    e.set(
        &Address::server("sql"),
        "/properties/publicNetworkAccess",
        json!("Enabled"),
    );
    assert_eq!(
        told(&e.drift(), "sql:sql"),
        (Class::Drifted, Severity::High)
    );
}

#[test]
fn nothing_shuts_while_an_access_of_the_server_is_held_up() {
    let mut e = small();
    e.owns_firewall("sql", true);
    e.rule("sql", "office", "9.9.9.9", "9.9.9.9");
    let properties = &mut e.desired.servers.get_mut("sql").unwrap().properties;
    properties.insert("publicNetworkAccess".into(), "Disabled".into());
    e.access("missing", "contoso", &["nowhere"], "sql", "orders");
    let plan = e.plan();
    assert_eq!(in_phase(&plan, Phase::Lock), [""; 0]);
    waits(
        &plan,
        &[
            "firewallRule:office",
            "the Access missing, which is held up",
        ],
    );
    waits(
        &plan,
        &["sql:sql: shut the server's public door", "missing"],
    );
}

#[test]
fn rules_that_could_not_be_read_are_neither_written_nor_pruned() {
    let mut e = small();
    e.owns_firewall("sql", true);
    let gateway = Address::server("sql").child("firewallRule", "gateway");
    e.truth.entities.remove(&gateway);
    e.truth
        .unreadable
        .insert("sql:sql/firewallRule:".into(), "forbidden".into());
    e.declare_inside("sql", "orders", "batch", "7.7.7.7", "7.7.7.7");
    let database = Address::database("sql", "orders");
    e.truth
        .databases
        .insert(database, Live::Unreadable("login failed".into()));
    let plan = e.plan();
    assert_eq!(ids(&plan), [""; 0]);
    waits(&plan, &["sql:sql/firewallRule:gateway", "forbidden"]);
    waits(&plan, &["sql:sql: delete firewall rules", "forbidden"]);
    waits(&plan, &["firewallRule:batch", "login failed"]);
}

#[test]
fn the_old_path_answers_until_the_end() {
    let mut e = small();
    e.wall("sql");
    e.declare_rule("sql", "gateway", "20.0.0.1", "20.0.0.1");
    e.rule("sql", "azure", "0.0.0.0", "0.0.0.0");
    e.owns_firewall("sql", true);
    let caller = at("contoso", "orders", "q");
    let plan = e.plan();
    for step in &plan.steps {
        e.run(step);
        assert_eq!(
            estate::callers::broken(&e, &caller),
            None,
            "after {}",
            step.id
        );
    }
    assert!(e.plan().is_empty());
    assert_eq!(
        e.truth
            .children(&Address::server("sql"), "firewallRule")
            .count(),
        1
    );
}

#[test]
fn a_rule_that_somebody_widened_has_drifted_even_while_it_cannot_be_narrowed() {
    let mut e = small();
    e.declare_rule("sql", "office", "9.9.9.9", "9.9.9.9");
    e.declare_inside("sql", "orders", "batch", "7.7.7.7", "7.7.7.7");
    e.run_all(&e.plan());
    assert_eq!(e.drift(), []);
    e.rule("sql", "office", "9.0.0.0", "9.255.255.255");
    e.catalogue("sql", "orders").firewall_rules = vec![inside("batch", "7.0.0.0", "7.255.0.0")];
    let drifted = (Class::Drifted, Severity::High);
    for held_up in [false, true] {
        if held_up {
            e.access("missing", "contoso", &["nowhere"], "sql", "orders");
        }
        assert_eq!(in_phase(&e.plan(), Phase::Lock).is_empty(), held_up);
        let found = e.drift();
        assert_eq!(told(&found, "sql:sql/firewallRule:office"), drifted);
        assert_eq!(
            told(&found, "sql:sql/db:orders/firewallRule:batch"),
            drifted
        );
    }
}

//! The whole job on Contoso: found, planned, moved, closed, dropped, and nothing left to do.

use tiberius::AuthMethod;

use crate::caller::{answers, call, identity_token, log_in, run};
use crate::estate::Estate;

const SERVICE: &str = "contoso-apim";
const WEEK: i64 = 7 * 86_400 + 60;

const CALLS: [(&str, &str); 4] = [
    ("orders", "{ order(id: 1) { id status } }"),
    ("orders", "{ orders { id status } }"),
    ("customers", "{ customer(id: 1) { id name } }"),
    ("billing", "{ invoice(id: 1) { id total } }"),
];

pub async fn everybody_is_served(estate: &Estate) {
    for (path, query) in CALLS {
        answers(estate, SERVICE, path, query).await;
    }
}

/// Two runs, until every Access is switched and soaks: the databases of the second server can be
/// read after the first, and one Access asks a person.
pub async fn switch_all(estate: &Estate) {
    estate.plan_and_apply().await;
    everybody_is_served(estate).await;
    estate.plan_and_apply().await.says("billing-read");
    let gate = "prove/apim:contoso/access:billing-read";
    estate
        .keyless(&["approve", "plan.json", gate, "--by", "tester"])
        .await
        .exits(0);
    estate.keyless(&["apply", "plan.json"]).await.exits(3);
    everybody_is_served(estate).await;
}

/// From the first plan to the last apply.
pub async fn carry_out(estate: &Estate) {
    switch_all(estate).await;
    estate.emulator.advance(WEEK);
    estate.keyless(&["apply", "plan.json"]).await.exits(3);
    everybody_is_served(estate).await;
    estate.emulator.advance(WEEK);
    estate
        .keyless(&["apply", "plan.json"])
        .await
        .exits(3)
        .says("--allow-irreversible");
    estate
        .keyless(&["approve", "plan.json", "--all", "--by", "tester"])
        .await
        .exits(0);
    estate
        .keyless(&["apply", "plan.json", "--allow-irreversible"])
        .await
        .exits(0);
    everybody_is_served(estate).await;
}

/// A part of the plan is empty as the whole is, and a finished plan asks nobody and names no apply.
async fn nothing_is_left_to_say(estate: &Estate) {
    let access = "apim:contoso/access:orders-read";
    for target in [access, "sql:orders-sql/db:orders", "apim:contoso"] {
        let said = estate.keyless(&["plan", "--target", target]).await.exits(0);
        // What is said of a part is not said of all.
        assert!(!said.out.contains("what is live"), "{}", said.out);
        said.says("No changes");
    }
    let said = estate.keyless(&["plan", "--target", "apim:contoso/acess:orders-read"]);
    let said = said.await.exits(1).says("KL0308");
    said.says(&format!("near it: {access}"));
    let all = ["approve", "plan.json", "--all", "--by", "tester"];
    for arguments in [&all[..2], &all] {
        let said = estate.keyless(arguments).await.exits(0);
        assert!(!said.err.contains("next:"), "{}", said.err);
        said.says("every step of this plan is done");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn contoso_becomes_keyless() {
    let estate = Estate::direct().await;
    let scan = estate.keyless(&["scan"]).await.exits(2);
    for rule in ["KL0401", "KL0402", "KL0404", "KL0405", "KL0406", "KL0407"] {
        assert!(scan.out.contains(rule), "{rule} is not in\n{}", scan.out);
    }
    carry_out(&estate).await;

    estate.keyless(&["plan"]).await.exits(0).says("No changes");
    nothing_is_left_to_say(&estate).await;
    // The servers' own administrator logins are left, and no server takes them: no finding to act on.
    let scan = estate.keyless(&["scan"]).await.exits(0);
    for gone in [
        "KL0401", "KL0402", "KL0403", "KL0404", "KL0406", "KL0407", "_app",
    ] {
        assert!(!scan.out.contains(gone), "{gone} is still in\n{}", scan.out);
    }
    estate.keyless(&["drift"]).await.exits(0).says("Clean");

    let old = log_in(
        &estate,
        "contoso-orders-sql",
        "orders",
        AuthMethod::sql_server("orders_app", "planted-orders-7f3a"),
    );
    assert_eq!(old.await.err(), Some(18456));

    // The identity can do what its role says, and nothing more.
    let token = || identity_token(&estate, SERVICE);
    let mut orders = log_in(&estate, "contoso-orders-sql", "orders", token())
        .await
        .unwrap();
    assert_eq!(run(&mut orders, "SELECT id FROM dbo.Orders").await, Ok(2));
    assert_eq!(
        run(&mut orders, "DELETE FROM dbo.Orders WHERE id = 1").await,
        Err(229)
    );
    let mut customers = log_in(&estate, "contoso-orders-sql", "customers", token())
        .await
        .unwrap();
    assert!(
        run(
            &mut customers,
            "UPDATE dbo.Customers SET name = 'Eve' WHERE id = 1"
        )
        .await
        .is_ok()
    );
    assert!(
        run(&mut customers, "CREATE TABLE dbo.Mine (id int)")
            .await
            .is_err()
    );
    estate.keeps_secrets();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_that_somebody_still_uses_keeps_the_soak_open() {
    let estate = Estate::direct().await;
    estate.plan_and_apply().await;
    estate.emulator.advance(WEEK);
    let how = AuthMethod::sql_server("orders_app", "planted-orders-7f3a");
    let mut batch_job = log_in(&estate, "contoso-orders-sql", "orders", how)
        .await
        .unwrap();
    let waits = estate.keyless(&["apply", "plan.json"]).await.exits(3);
    waits
        .says("confirm/apim:contoso/access:orders-read")
        .says("orders_app");
    // Its session still works: nothing was closed on it.
    assert_eq!(
        run(&mut batch_job, "SELECT id FROM dbo.Orders").await,
        Ok(2)
    );
    estate.keeps_secrets();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_reads_lists_policies_and_roots_and_nothing_twice() {
    let estate = Estate::direct().await;
    estate.emulator.reset_requests();
    estate.keyless(&["plan"]).await.exits(2);
    let requests = estate.requests();
    assert!(
        requests.iter().all(|(verb, _, _)| verb == "GET"),
        "{requests:#?}"
    );
    let mut policies = 0;
    for (_, path, count) in &requests {
        if path.ends_with("/policies/policy") {
            policies += 1;
            assert_eq!(*count, 1, "{path} was read {count} times");
        }
    }
    // Three roots, and lists by pages of two. Of the gateway: 3 named values, 3 APIs, for each API
    // its resolvers, operations and revisions, the index of 7 policies, and an empty page each of
    // backends, fragments, products, self-hosted gateways, loggers and workspaces. Of the servers:
    // 3 databases (master among them) and 2, and their firewall rules.
    let total: u64 = requests.iter().map(|(_, _, count)| count).sum();
    let pages = 2 + 2 + 3 * 3 + 4 + 6 + (2 + 1) + (1 + 1);
    assert!(
        total <= policies + 3 + pages,
        "{total} requests: {requests:#?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn equal_inputs_give_equal_plans() {
    let estate = Estate::direct().await;
    estate.keyless(&["plan", "-o", "a.json"]).await.exits(2);
    estate.keyless(&["plan", "-o", "b.json"]).await.exits(2);
    let read = |name: &str| std::fs::read(estate.path().join(name)).unwrap();
    assert_eq!(read("a.json"), read("b.json"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_path_fails_the_call_and_tells_no_password() {
    let estate = Estate::direct().await;
    let broken = "ALTER LOGIN orders_app DISABLE";
    estate
        .emulator
        .sql()
        .run_script("contoso-orders-sql", "master", broken)
        .unwrap();
    let (status, body) = call(&estate, SERVICE, "orders", CALLS[0].1).await;
    assert!(status != 200 || body.contains("errors"), "{status} {body}");
    assert!(!body.contains("planted"), "{body}");
}

//! A run is taken back: callers are served all the time, and the old path is in use again.

use serde_json::Value;
use tiberius::AuthMethod;

use crate::caller::{log_in, run};
use crate::estate::Estate;
use crate::whole_job::{everybody_is_served, switch_all};

const WEEK: i64 = 7 * 86_400 + 60;

async fn old_login_works(estate: &Estate) -> bool {
    let login = AuthMethod::sql_server("orders_app", "planted-orders-7f3a");
    log_in(estate, "contoso-orders-sql", "orders", login)
        .await
        .is_ok()
}

/// The ids of the runs, the last one first.
async fn runs(estate: &Estate) -> Vec<String> {
    let said = estate
        .keyless(&["rollback", "--format", "json"])
        .await
        .exits(0);
    let listed: Value = serde_json::from_str(&said.out).unwrap();
    let runs = listed["runs"].as_array().unwrap();
    let ids = runs.iter().map(|r| r["run"].as_str().unwrap().to_owned());
    ids.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_two_runs_did_is_taken_back_in_reverse() {
    let estate = Estate::direct().await;
    estate
        .keyless(&["rollback"])
        .await
        .exits(0)
        .says("no run is known");
    switch_all(&estate).await;
    // The old logins are closed after the soak: all of that can still be taken back.
    estate.emulator.advance(WEEK);
    estate.keyless(&["apply", "plan.json"]).await.exits(3);
    assert!(!old_login_works(&estate).await);

    let ids = runs(&estate).await;
    assert_eq!(ids.len(), 2);
    estate
        .keyless(&["rollback", &ids[1][..8], "--auto-approve"])
        .await
        .exits(1)
        .says("came after it");
    estate
        .keyless(&["rollback", "0000", "--auto-approve"])
        .await
        .exits(1)
        .says("no run is called");
    let asked = estate.keyless(&["rollback", &ids[0][..8]]).await.exits(1);
    assert!(asked.err.contains("no terminal"), "{}", asked.err);

    estate
        .keyless(&["rollback", &ids[0][..8], "-o", "back.json"])
        .await
        .exits(2)
        .says("takes back");
    assert!(!old_login_works(&estate).await);
    estate.keyless(&["apply", "back.json"]).await.exits(0);
    assert!(old_login_works(&estate).await);
    everybody_is_served(&estate).await;

    estate
        .keyless(&["rollback", &ids[1][..8], "--auto-approve"])
        .await
        .exits(0);
    everybody_is_served(&estate).await;
    // A run that was taken back has nothing left, and its plan file is no more of use.
    estate
        .keyless(&["rollback", &ids[1]])
        .await
        .exits(0)
        .says("nothing of it is left that can be taken back");
    // Nobody changed anything: what was taken back is pending.
    estate.keyless(&["drift"]).await.exits(0);
    estate
        .keyless(&["apply", "plan.json"])
        .await
        .exits(1)
        .says("KL0302");
    // What is wanted is wanted again, from the beginning.
    estate.plan_and_apply().await;
    everybody_is_served(&estate).await;
    estate.keeps_secrets();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_person_gave_to_the_user_since_is_not_taken_away() {
    let estate = Estate::direct().await;
    estate.plan_and_apply().await;
    estate.plan_and_apply().await;
    let last = runs(&estate).await[0].clone();
    let by_hand = async |statement: &str| {
        let admin = AuthMethod::sql_server("contosoadmin", "planted-admin-billing-77d0");
        let mut client = log_in(&estate, "contoso-billing-sql", "billing", admin)
            .await
            .unwrap();
        run(&mut client, statement).await.unwrap();
    };
    by_hand("GRANT VIEW DEFINITION TO [contoso-apim]").await;
    estate
        .keyless(&["rollback", &last, "--auto-approve"])
        .await
        .exits(1)
        .says("was given VIEW DEFINITION since");
    everybody_is_served(&estate).await;
    by_hand("REVOKE VIEW DEFINITION FROM [contoso-apim]").await;
    estate
        .keyless(&["rollback", &last, "--auto-approve"])
        .await
        .exits(0);
    everybody_is_served(&estate).await;
    estate.keeps_secrets();
}

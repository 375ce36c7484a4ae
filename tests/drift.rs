//! What somebody changes by hand after the job is done, drift tells.

use crate::estate::Estate;
use crate::whole_job::carry_out;

#[tokio::test(flavor = "multi_thread")]
async fn changes_by_hand_are_found_by_their_kind() {
    let estate = Estate::direct().await;
    carry_out(&estate).await;
    let sql = |server: &str, database: &str, script: &str| {
        estate
            .emulator
            .sql()
            .run_script(server, database, script)
            .unwrap();
    };
    estate.keyless(&["drift"]).await.exits(0);

    sql(
        "contoso-orders-sql",
        "orders",
        "ALTER ROLE db_owner ADD MEMBER [contoso-apim]",
    );
    estate
        .keyless(&["drift"])
        .await
        .exits(2)
        .says("KL0509")
        .says("db_owner");
    sql(
        "contoso-orders-sql",
        "orders",
        "ALTER ROLE db_owner DROP MEMBER [contoso-apim]",
    );
    estate.keyless(&["drift"]).await.exits(0);

    sql(
        "contoso-orders-sql",
        "orders",
        "REVOKE SELECT ON SCHEMA::dbo FROM [keyless_orders-read]",
    );
    estate.keyless(&["drift"]).await.exits(2).says("KL0509");
    sql(
        "contoso-orders-sql",
        "orders",
        "GRANT SELECT ON SCHEMA::dbo TO [keyless_orders-read]",
    );

    sql(
        "contoso-orders-sql",
        "customers",
        "CREATE USER intruder WITH PASSWORD = 'planted-x-31aa'",
    );
    estate
        .keyless(&["drift"])
        .await
        .exits(2)
        .says("KL0503")
        .says("intruder");
    sql("contoso-orders-sql", "customers", "DROP USER intruder");

    sql("contoso-billing-sql", "billing", "DROP USER [contoso-apim]");
    let json = estate
        .keyless(&["drift", "--format", "json"])
        .await
        .exits(2);
    let report: serde_json::Value = serde_json::from_str(&json.out).unwrap();
    let found = report["findings"].as_array().unwrap();
    assert!(
        found
            .iter()
            .any(|f| f["code"] == "KL0502" && f["severity"] == "critical"),
        "{report:#}"
    );
    estate.keeps_secrets();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_may_not_be_read_is_never_clean() {
    let estate = Estate::direct().await;
    estate.emulator.add_fault(keyless_emulator::Fault {
        verb: Some("GET".into()),
        path: "/namedValues".into(),
        times: 0,
        status: 403,
        code: "AuthorizationFailed".into(),
        ..Default::default()
    });
    estate.keyless(&["drift"]).await.exits(3).says("unreadable");
    estate
        .keyless(&["scan"])
        .await
        .exits(2)
        .says("not searched");
}

//! Arguments that do not fit: each message has a code that speaks of arguments, and a way on that the
//! command has.

use crate::estate::Estate;

#[tokio::test(flavor = "multi_thread")]
async fn without_a_terminal_each_command_names_its_own_way() {
    let estate = Estate::direct().await;
    let said = estate.keyless(&["apply"]).await.exits(1);
    said.says("error[KL0307]").says("give a plan file");
    estate.plan_and_apply().await;
    let runs = estate.keyless(&["rollback"]).await.exits(0).out;
    let run = runs.split_whitespace().next().unwrap();
    let said = estate.keyless(&["rollback", run]).await.exits(1);
    assert!(!said.err.contains("give a plan file"), "{}", said.err);
    said.says("error[KL0307]").says("-o FILE");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_is_not_written_where_manifests_are_read() {
    let estate = Estate::direct().await;
    for folder in ["manifests", "manifests/below", "environments"] {
        std::fs::create_dir_all(estate.path().join(folder)).unwrap();
        let out = format!("{folder}/plan.json");
        let said = estate.keyless(&["plan", "-o", &out]).await.exits(1);
        said.says("error[KL0309]");
        assert!(!estate.path().join(out).exists());
    }
    estate.keyless(&["validate"]).await.exits(0);
    let out = ["plan", "-o", "plan.json"];
    estate.keyless(&out).await.exits(2);
    let moved = estate.path().join("manifests/p.json");
    std::fs::rename(estate.path().join("plan.json"), moved).unwrap();
    let said = estate.keyless(&["validate"]).await.exits(1);
    assert_eq!(said.err.matches("error[").count(), 1, "{}", said.err);
    said.says("manifests/p.json is a plan file");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_emulator_or_a_demo_that_cannot_start_speaks_of_its_arguments() {
    let estate = Estate::direct().await;
    estate.write("bad.seed", "nothing: here");
    estate.write("some.seed", include_str!("direct/direct.seed"));
    let taken = estate.emulator.https_port().to_string();
    let cases: [&[&str]; 5] = [
        &["emulator", "--seed", "missing.seed"],
        &["emulator", "--seed", "bad.seed"],
        &["emulator", "--seed", "some.seed", "--https-port", &taken],
        &["demo", "--keep", "."],
        &["approve"],
    ];
    for arguments in cases {
        let said = estate.keyless(arguments).await.exits(1);
        said.says("error[KL0309]");
    }
    let said = estate.keyless(&["approve", "prove/apim:contoso/access:x"]);
    said.await.exits(1).says("approve PLAN prove/");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_usage_of_an_error_names_nothing_that_the_environment_set() {
    let estate = Estate::direct().await;
    let said = estate.keyless(&["plan", "--nosuch"]).await;
    let said = said.exits(1).says("Usage: keyless plan [OPTIONS]");
    assert!(!said.err.contains("NAME|FILE"), "{}", said.err);
    // A command without its verb shows its own help, not that of all.
    let said = estate.keyless(&["policy", "--verbose"]).await.exits(1);
    said.says("Usage: keyless policy ");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_a_message_names_has_the_flags_of_this_one() {
    let estate = Estate::direct().await;
    let said = estate.keyless(&["--env", "prod", "rollback", "zz"]).await;
    said.exits(1).says("`keyless rollback --env prod` lists");
    std::fs::create_dir(estate.path().join("my project")).unwrap();
    let said = estate.keyless(&["--project", "my project", "rollback", "zz"]);
    said.await
        .exits(1)
        .says("`keyless rollback --project 'my project'` lists");
}

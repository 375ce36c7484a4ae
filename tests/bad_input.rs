//! Bad input gets one clear message with a code and a next step, exit code 1, and changes nothing.

use crate::estate::Estate;

/// Nothing but reads reached the resource manager.
fn unchanged(estate: &Estate) {
    let requests = estate.requests();
    assert!(
        requests.iter().all(|(verb, _, _)| verb == "GET"),
        "{requests:#?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_file_that_is_cut_edited_foreign_or_missing_is_refused() {
    let estate = Estate::direct().await;
    estate.keyless(&["plan", "-o", "plan.json"]).await.exits(2);
    let plan = std::fs::read_to_string(estate.path().join("plan.json")).unwrap();
    let cut = &plan[..plan.len() / 2];
    let edited = plan.replacen("orders", "0rders", 1);
    let later = plan.replace("keyless.plan/1", "keyless.plan/2");
    for (name, text) in [
        ("cut", cut),
        ("edited", &edited),
        ("later", &later),
        ("other", "{}"),
    ] {
        estate.write(&format!("{name}.json"), text);
        let said = estate
            .keyless(&["apply", &format!("{name}.json")])
            .await
            .exits(1);
        said.says("error[KL0301]").says("keyless plan");
    }
    estate
        .keyless(&["apply", "missing.json"])
        .await
        .exits(1)
        .says("error[KL0301]");
    unchanged(&estate);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_for_another_tenant_or_another_key_is_refused() {
    let estate = Estate::direct().await;
    estate.keyless(&["plan", "-o", "plan.json"]).await.exits(2);
    let other = Estate::start(
        &include_str!("direct/direct.seed").replace(
            "0c0ffee0-0000-4000-8000-0000000000ff",
            "0c0ffee0-0000-4000-8000-0000000000fe",
        ),
        &[],
        &[],
    )
    .await;
    let plan = std::fs::read_to_string(estate.path().join("plan.json")).unwrap();
    other.write("plan.json", &plan);
    other
        .keyless(&["apply", "plan.json"])
        .await
        .exits(1)
        .says("error[KL0303]")
        .says("tenant");
    std::fs::remove_dir_all(estate.path().join(".keyless")).unwrap();
    estate
        .keyless(&["apply", "plan.json"])
        .await
        .exits(1)
        .says("error[KL0303]")
        .says("key");
    unchanged(&estate);
    unchanged(&other);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_credential_the_message_says_what_was_tried() {
    let estate = Estate::direct().await;
    let said = estate.keyless_with(&["plan"], &[]).await.exits(1);
    said.says("error[KL0201]").says("AZURE_CLIENT_ID");
    let mut wrong = estate.emulator.environment();
    for (name, value) in &mut wrong {
        if name == "AZURE_CLIENT_SECRET" {
            *value = "planted-wrong-secret-88".into();
        }
    }
    let said = estate
        .keyless_with(&["plan"], &wrong)
        .await
        .exits(1)
        .says("error[KL0201]");
    assert!(!format!("{}{}", said.out, said.err).contains("planted-wrong"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_is_not_there_not_trusted_or_not_azure_is_told_apart() {
    let estate = Estate::direct().await;
    let cloud = std::fs::read_to_string(estate.cloud()).unwrap();
    let port = format!(":{}", estate.emulator.https_port());
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let closed = format!(":{}", free.local_addr().unwrap().port());
    drop(free);
    let with_ca = |text: String| text.replace("ca.pem", "emulator/ca.pem");
    estate.write("closed.json", &with_ca(cloud.replace(&port, &closed)));
    let said = estate
        .keyless(&["plan", "--cloud", "closed.json"])
        .await
        .exits(1);
    said.says("error[KL0203]").says("cannot reach");

    let stranger = Estate::start("tenant: 0c0ffee0-0000-4000-8000-0000000000ff", &[], &[]).await;
    std::fs::copy(stranger.ca(), estate.path().join("stranger.pem")).unwrap();
    estate.write("untrusted.json", &cloud.replace("ca.pem", "stranger.pem"));
    let said = estate
        .keyless(&["plan", "--cloud", "untrusted.json"])
        .await
        .exits(1);
    said.says("error[KL0203]").says("not trusted");

    estate.emulator.add_fault(keyless_emulator::Fault {
        host: Some("management.localhost".into()),
        effect: keyless_emulator::FaultEffect::Html,
        status: 200,
        times: 0,
        ..Default::default()
    });
    estate
        .keyless(&["plan"])
        .await
        .exits(1)
        .says("error[KL0203]")
        .says("instead of JSON");
    estate
        .keyless(&["plan", "--cloud", "nowhere"])
        .await
        .exits(1)
        .says("error[KL0206]");
}

#[tokio::test(flavor = "multi_thread")]
async fn manifests_are_all_told_at_once_with_place_and_next_step() {
    let estate = Estate::direct().await;
    estate.write(
        "manifests/wrong.yaml",
        "apiVersion: keyless.dev/v1alpha1\nkind: Acces\nmetadata: { name: x }\nspec: {}\n---\n\
         apiVersion: keyless.dev/v1alpha1\nkind: SqlDatabase\nmetadata: { name: y }\n\
         spec: { server: no-such-server, nmae: y }\n",
    );
    let said = estate.keyless(&["validate"]).await.exits(1);
    let text = &said.err;
    for wanted in [
        "KL0102",
        "KL0103",
        "KL0107",
        "wrong.yaml:2:",
        "wrong.yaml:9:",
        "Access",
    ] {
        assert!(text.contains(wanted), "{wanted} is not in\n{text}");
    }
    estate.keyless(&["plan"]).await.exits(1);
    unchanged(&estate);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_large_is_refused_by_limit() {
    let estate = Estate::direct().await;
    let big = std::fs::File::create(estate.path().join("manifests").join("big.yaml")).unwrap();
    big.set_len(50 << 20).unwrap();
    estate.keyless(&["validate"]).await.exits(1).says("KL0112");
    std::fs::remove_file(estate.path().join("manifests").join("big.yaml")).unwrap();
    let policy = std::fs::File::create(estate.path().join("manifests").join("big.xml")).unwrap();
    policy.set_len(50 << 20).unwrap();
    estate.write(
        "manifests/policy.yaml",
        "apiVersion: keyless.dev/v1alpha1\nkind: Policy\nmetadata: { name: p }\n\
         spec: { gateway: contoso, scope: { api: orders }, file: big.xml }\n",
    );
    estate.keyless(&["validate"]).await.exits(1).says("KL0112");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approval_where_the_plan_was_not_made_is_refused_and_leaves_nothing() {
    let estate = Estate::direct().await;
    estate.keyless(&["plan", "-o", "plan.json"]).await.exits(2);
    std::fs::remove_dir_all(estate.path().join(".keyless")).unwrap();
    let arguments = ["approve", "plan.json", "--all", "--by", "tester"];
    estate
        .keyless(&arguments)
        .await
        .exits(1)
        .says("error[KL0303]");
    assert!(!estate.path().join(".keyless").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_project_names_what_a_newcomer_may_do() {
    let estate = Estate::direct().await.without_manifests();
    let said = estate.keyless(&["plan"]).await.exits(1);
    said.says("error[KL0114]")
        .says("keyless init --gateway ID")
        .says("keyless demo");
    std::fs::create_dir(estate.path().join("manifests")).unwrap();
    let said = estate.keyless(&["plan"]).await.exits(1);
    said.says("keyless init").says("keyless demo");
}

#[tokio::test(flavor = "multi_thread")]
async fn manifests_that_changed_since_the_plan_are_told_and_the_plan_is_applied() {
    let estate = Estate::direct().await;
    let said = estate.plan_and_apply().await;
    assert!(!said.err.contains("note:"), "{}", said.err);
    estate.write("manifests/more.yaml", "# nothing yet\n");
    let said = estate.keyless(&["apply", "plan.json"]).await.exits(3);
    said.says("the manifests have changed since this plan was made");
    estate.write("manifests/more.yaml", "kind: Nothing\n");
    let said = estate.keyless(&["apply", "plan.json"]).await.exits(3);
    said.says("are not valid");
}

#[tokio::test(flavor = "multi_thread")]
async fn gates_are_listed_with_who_approved_them_and_a_mistyped_one_gets_near_names() {
    let estate = Estate::direct().await;
    for _ in 0..2 {
        estate.plan_and_apply().await;
    }
    let gate = "prove/apim:contoso/access:billing-read";
    let listed = estate.keyless(&["approve", "plan.json"]).await.exits(0);
    let first = listed.out.lines().next();
    assert_eq!(first, Some("wait for a person now"), "{}", listed.out);
    listed.says(gate);

    let mistyped = "prove/apim:contoso/access:biling-read";
    let said = estate.keyless(&["approve", "plan.json", mistyped]).await;
    said.exits(1)
        .says("error[KL0307]")
        .says(&format!("near it: {gate}"));

    let arguments = ["approve", "plan.json", "--all", gate];
    estate.keyless(&arguments).await.exits(1);
    // Alone it is one of the plan that was applied last.
    let said = estate.keyless(&["approve", gate, "--by", "tester"]).await;
    let next = said.exits(0).err;
    let next = next
        .lines()
        .find_map(|l| l.strip_prefix("next: keyless apply "));
    let id = next.unwrap().to_owned();
    let listed = estate.keyless(&["approve", "plan.json"]).await.exits(0);
    let first = listed.out.lines().next();
    assert_eq!(
        first,
        Some("approved, for the next apply"),
        "{}",
        listed.out
    );
    listed.says("approved by tester at ");
    let last = estate.keyless(&["approve"]).await.exits(0);
    last.says("approved by tester at ")
        .says(&format!("next: keyless apply {id}"));
    estate
        .keyless(&["plan", "--brief", "--show", &id])
        .await
        .exits(2)
        .says(&id);
    let said = estate.keyless(&["plan", "--show", "00000000"]).await;
    said.exits(1).says("error[KL0301]").says("keyless rollback");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_environment_may_end_as_a_manifest_does_and_has_one_file() {
    let estate = Estate::contoso().await;
    let file = |name: &str| estate.path().join("environments").join(name);
    std::fs::rename(file("dev.yaml"), file("dev.yml")).unwrap();
    estate.keyless(&["validate"]).await.exits(0);
    estate.write("environments/dev.yaml", "");
    let said = estate.keyless(&["validate"]).await.exits(1);
    said.says("error[KL0116]").says("environments/dev.yml");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_state_is_kept_aside_and_made_again_from_the_journal() {
    let estate = Estate::direct().await;
    estate.plan_and_apply().await;
    let before = estate
        .keyless(&["state", "--format", "json"])
        .await
        .exits(0)
        .out;
    estate.write(".keyless/state.json", "{ broken");
    estate
        .keyless(&["state"])
        .await
        .exits(1)
        .says("error[KL0306]");
    estate
        .keyless(&["state", "rebuild"])
        .await
        .exits(0)
        .says("damaged");
    let after = estate
        .keyless(&["state", "--format", "json"])
        .await
        .exits(0)
        .out;
    assert_eq!(before, after);
}

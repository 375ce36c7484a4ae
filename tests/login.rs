//! Ways to log in that the other scenarios do not use.

use crate::estate::Estate;

#[tokio::test(flavor = "multi_thread")]
async fn a_managed_identity_of_the_host_reads_as_its_rights_allow() {
    let seed = include_str!("direct/direct.seed")
        .replace(
            "operator: platform-team",
            "operator: platform-team\nhostIdentity: nightly-runner",
        )
        .replace(
            "principals:\n",
            "principals:\n  - name: nightly-runner\n    kind: managedIdentity\n    \
             objectId: 0c0ffee0-0000-4000-8000-0000000000c0\n    \
             clientId: 0c0ffee0-0000-4000-8000-0000000000c1\n    groups: [sql-admins]\n",
        )
        .replace(
            "roles:\n",
            "roles:\n  - { principal: nightly-runner, role: Reader }\n",
        );
    let estate = Estate::direct_with(&seed).await;
    let identity = estate.emulator.identity_environment();
    let scan = estate.keyless_with(&["scan"], &identity).await.exits(2);
    assert!(
        scan.out.contains("KL0401") && scan.out.contains("KL0405"),
        "{}",
        scan.out
    );
    estate
        .keyless_with(&["plan", "-o", "plan.json"], &identity)
        .await
        .exits(2);
    // A Reader plans and cannot apply: the first write is refused, with Azure's own code.
    let refused = estate
        .keyless_with(&["apply", "plan.json"], &identity)
        .await
        .exits(1);
    refused.says("AuthorizationFailed");
    estate.keeps_secrets();
}

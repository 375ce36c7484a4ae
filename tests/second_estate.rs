//! Another estate with other names, numbers and shapes: nothing in the program knows Contoso.
//!
//! One login with an awkward name opens two databases, one of them through a secret named value
//! that two resolvers share; documents come with CRLF and as `xml`; a person gives the evidence.

use tiberius::AuthMethod;

use crate::caller::{answers, identity_token, log_in, run};
use crate::estate::Estate;

const GROUP: &str = "/subscriptions/11112222-3333-4444-8555-666677778888/resourceGroups/Edge_Group";
const SERVICE: &str = "fabrikam-gw-02";
const SERVER: &str = "fab-sql-7";
const PASSWORD: &str = "planted!Fab#9d2e(x)";
const SECRETS: [&str; 3] = [PASSWORD, "planted-fab-admin-1f", "planted-fab-operator-22"];

fn resource(id: &str, properties: &str) -> String {
    format!(
        "  - id: {GROUP}/providers/{id}\n    body: {{ location: eastus, properties: {properties} }}\n"
    )
}

fn apim(rest: &str, properties: &str) -> String {
    resource(
        &format!("Microsoft.ApiManagement/service/{SERVICE}{rest}"),
        properties,
    )
}

fn policy(api: &str, resolver: &str, format: &str, text: &str) -> String {
    let value = serde_json::to_string(text).unwrap();
    let path = format!("/apis/{api}/resolvers/{resolver}");
    let (kind, field) = resolver.split_once('-').unwrap();
    let kind = if kind == "q" { "Query" } else { "Mutation" };
    let named = format!("{{ displayName: {resolver}, path: {kind}/{field} }}");
    apim(&path, &named)
        + &apim(
            &format!("{path}/policies/policy"),
            &format!("{{ format: {format}, value: {value} }}"),
        )
}

fn source(connection: &str, statement: &str) -> String {
    format!(
        "<sql-data-source>\r\n  <connection-info>\r\n    <connection-string>{connection}\
         </connection-string>\r\n  </connection-info>\r\n  <request>\r\n    <sql-statement>{statement}\
         </sql-statement>\r\n  </request>\r\n</sql-data-source>"
    )
}

fn seed() -> String {
    let connection = |database: &str| {
        format!(
            "Application Name=edge;Database={database};Server={SERVER}.database.localhost,1433;\
             UID=svc]app@{SERVER};PWD={PASSWORD};MultipleActiveResultSets=False"
        )
    };
    let graphql = |path: &str| {
        format!(
            "{{ displayName: {path}, path: {path}, protocols: [https], type: graphql, subscriptionRequired: false }}"
        )
    };
    let mut resources = apim("", "{ publisherName: Fab, publisherEmail: a@fab.example }");
    resources += &resource(
        &format!("Microsoft.Sql/servers/{SERVER}"),
        "{ administratorLogin: fabroot }",
    );
    resources += &resource(
        &format!("Microsoft.Sql/servers/{SERVER}/administrators/ActiveDirectory"),
        "{ administratorType: ActiveDirectory, login: dbas, \
         sid: 99990000-0000-4000-8000-00000000000a, tenantId: 99990000-0000-4000-8000-0000000000ff }",
    );
    for database in ["Sales Data", "hr"] {
        resources += &resource(
            &format!("Microsoft.Sql/servers/{SERVER}/databases/{database}"),
            "{}",
        );
    }
    let value = serde_json::to_string(&connection("hr")).unwrap();
    let named = format!("{{ displayName: Conn.HR, secret: true, value: {value} }}");
    resources += &apim("/namedValues/conn-7", &named);
    resources += &apim("/apis/sales-v2", &graphql("sales/v2"));
    resources += &apim("/apis/people", &graphql("people"));
    let sales = source(&connection("Sales Data"), "SELECT n FROM dbo.Totals");
    resources += &policy("sales-v2", "q-totals", "xml", &sales);
    let people = source("{{Conn.HR}}", "SELECT who FROM staff.People");
    resources += &policy("people", "q-people", "rawxml", &people);
    resources += &policy("people", "q-staff", "rawxml", &people);
    format!(
        "tenant: 99990000-0000-4000-8000-0000000000ff\noperator: bot\n\
         settings: {{ pageSize: 1, reformat: false, lroPolls: 3 }}\nprincipals:\n\
         - {{ name: dbas, kind: group, objectId: 99990000-0000-4000-8000-00000000000a }}\n\
         - {{ name: bot, kind: application, objectId: 99990000-0000-4000-8000-00000000000b, \
         clientId: 99990000-0000-4000-8000-00000000000c, secret: planted-fab-operator-22, \
         groups: [dbas] }}\n\
         roles:\n- {{ principal: bot, role: Owner }}\nresources:\n{resources}\
         sql:\n- server: {SERVER}\n  adminPassword: planted-fab-admin-1f\n  databases:\n\
         \x20 - name: master\n    script: \"CREATE LOGIN [svc]]app] WITH PASSWORD = '{PASSWORD}'\"\n\
         \x20 - name: Sales Data\n    script: |\n\
         \x20     CREATE USER reader1 FOR LOGIN [svc]]app]\n      GO\n\
         \x20     GRANT SELECT TO reader1\n      GO\n\
         \x20     CREATE TABLE dbo.Totals (n int)\n      GO\n      INSERT INTO dbo.Totals (n) VALUES (7)\n\
         \x20 - name: hr\n    script: |\n\
         \x20     CREATE USER [svc]]app] FOR LOGIN [svc]]app]\n      GO\n\
         \x20     CREATE SCHEMA staff\n      GO\n\
         \x20     GRANT SELECT ON SCHEMA::staff TO [svc]]app]\n      GO\n\
         \x20     CREATE TABLE staff.People (who nvarchar(20))\n      GO\n\
         \x20     INSERT INTO staff.People (who) VALUES (N'Zoë')\n"
    )
}

fn manifests() -> String {
    let access = |name: &str, api: &str, database: &str, schema: &str| {
        format!(
            "---\napiVersion: keyless.dev/v1alpha1\nkind: Access\nmetadata: {{ name: {name} }}\nspec:\n\
             \x20 from: {{ gateway: edge, apis: [{{ name: {api} }}] }}\n\
             \x20 to: {{ server: fab, database: {database} }}\n  role: reader\n\
             \x20 schemas: [{schema}]\n  retire: {{ after: 2h, disabledFor: 90s, evidence: [approval] }}\n"
        )
    };
    format!(
        "apiVersion: keyless.dev/v1alpha1\nkind: Gateway\nmetadata: {{ name: edge }}\n\
         spec: {{ id: {GROUP}/providers/Microsoft.ApiManagement/service/{SERVICE} }}\n---\n\
         apiVersion: keyless.dev/v1alpha1\nkind: SqlServer\nmetadata: {{ name: fab }}\n\
         spec: {{ id: {GROUP}/providers/Microsoft.Sql/servers/{SERVER} }}\n{}{}",
        access("totals", "sales-v2", "Sales Data", "dbo"),
        access("people", "people", "hr", "staff"),
    )
}

async fn everybody_is_served(estate: &Estate) {
    answers(estate, SERVICE, "sales/v2", "{ totals { n } }").await;
    answers(estate, SERVICE, "people", "{ people { who } }").await;
    answers(estate, SERVICE, "people", "{ staff { who } }").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_estate_becomes_keyless() {
    let estate = Estate::start(&seed(), &[("all.yaml", &manifests())], &SECRETS).await;
    everybody_is_served(&estate).await;
    estate
        .keyless(&["scan", "--inspect-secrets"])
        .await
        .exits(2)
        .says("KL0403");
    estate
        .keyless(&["plan", "--inspect-secrets", "-o", "p.json"])
        .await
        .exits(2);
    for (wait, arguments) in [
        (0, &["apply", "p.json"][..]),
        (7_201, &["apply", "p.json"][..]),
        (91, &["apply", "p.json"][..]),
    ] {
        estate.emulator.advance(wait);
        estate.keyless(arguments).await.exits(3);
        estate
            .keyless(&["approve", "p.json", "--all", "--by", "dba"])
            .await
            .exits(0);
        estate.keyless(arguments).await;
        everybody_is_served(&estate).await;
    }
    estate
        .keyless(&["apply", "p.json", "--allow-irreversible"])
        .await
        .exits(0);
    everybody_is_served(&estate).await;
    estate.keyless(&["plan"]).await.exits(0).says("No changes");
    estate.keyless(&["drift"]).await.exits(0);
    // Passwords stay possible on this server: no document asks for Entra-only.
    let scan = estate
        .keyless(&["scan", "--inspect-secrets"])
        .await
        .exits(2);
    for gone in ["KL0401", "KL0402", "KL0403", "KL0404", "KL0406", "svc]app"] {
        assert!(!scan.out.contains(gone), "{gone} is still in\n{}", scan.out);
    }
    let how = AuthMethod::sql_server("svc]app", PASSWORD);
    assert_eq!(log_in(&estate, SERVER, "hr", how).await.err(), Some(18456));
    let token = identity_token(&estate, SERVICE);
    let mut hr = log_in(&estate, SERVER, "hr", token).await.unwrap();
    assert_eq!(run(&mut hr, "SELECT who FROM staff.People").await, Ok(1));
    assert!(run(&mut hr, "DELETE FROM staff.People").await.is_err());
    estate.keeps_secrets();
}

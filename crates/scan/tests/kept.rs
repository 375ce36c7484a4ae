//! What a gateway and a server keep and show to nobody: that it is there, what it opens, and how
//! much it matters.

mod estate;

use estate::{Estate, gateway};
use keyless_model::Address;
use keyless_scan::{Confidence, Finding};
use serde_json::{Value, json};

/// `rule address severity` of each finding.
fn told(estate: &Estate) -> Vec<String> {
    let told = |f: &Finding| format!("{} {} {}", f.rule, f.address, f.severity.word());
    estate.scan().iter().map(told).collect()
}

fn at(word: &str, properties: Value) -> Vec<Finding> {
    let address = gateway().child(word, "x");
    Estate::default().put(address, properties).scan()
}

fn one(word: &str, properties: Value) -> String {
    let found = at(word, properties);
    let told = found
        .iter()
        .map(|f| format!("{} {}", f.rule, f.severity.word()));
    told.collect::<Vec<_>>().join(", ")
}

#[test]
fn all_subscriptions_are_one_note() {
    let subscription = |name: &str| gateway().child("subscription", name);
    let scope = |rest: &str| json!({ "scope": format!("/subscriptions/s/service/c{rest}"), "state": "active" });
    let estate = Estate::default()
        .put(gateway(), json!({}))
        .put(subscription("a"), scope("/products/p"))
        .put(subscription("b"), scope("/apis/orders"))
        .put(subscription("c"), scope("/apis"))
        .put(subscription("master"), scope("/"))
        .put(subscription("old"), json!({ "state": "cancelled" }));
    let found = estate.scan();
    assert_eq!(told(&estate), ["KL0426 apim:contoso/subscriptions info"]);
    assert_eq!(
        found[0].what,
        "4 subscriptions hold two keys each, and 2 of them for every API"
    );
    assert!(!found[0].counts());
    let alone = Estate::default()
        .put(gateway(), json!({}))
        .put(subscription("master"), scope("/"));
    let what = "one subscription holds two keys, for every API";
    assert_eq!(alone.scan()[0].what, what);
    let none = Estate::default()
        .put(gateway(), json!({}))
        .put(subscription("old"), json!({ "state": "cancelled" }));
    assert_eq!(told(&none), Vec::<String>::new());
}

#[test]
fn management_by_a_key_counts_only_while_it_is_on() {
    assert_eq!(
        one("tenantAccess", json!({ "enabled": true })),
        "KL0427 warning"
    );
    assert_eq!(one("tenantAccess", json!({ "enabled": false })), "");
    assert_eq!(one("gateway", json!({})), "KL0428 info");
}

#[test]
fn a_delegated_portal_signs_with_a_key() {
    let delegation = gateway().child("portalSetting", "delegation");
    let with = |on: bool| {
        let properties = json!({ "url": "https://Shop.contoso.net/sign", "userRegistration": { "enabled": on } });
        Estate::default().put(delegation.clone(), properties).scan()
    };
    let found = with(true);
    assert_eq!(
        (found[0].rule, &*found[0].opens.as_ref().unwrap().server),
        ("KL0431", "shop.contoso.net")
    );
    assert!(with(false).is_empty());
}

#[test]
fn certificates_and_host_names_from_key_vault_are_clean() {
    assert_eq!(
        one("certificate", json!({ "subject": "CN=x" })),
        "KL0429 info"
    );
    let vault =
        json!({ "keyVault": { "secretIdentifier": "https://v.vault.azure.net/secrets/x" } });
    assert_eq!(one("certificate", vault), "");
    let hosts = json!({ "hostnameConfigurations": [
        { "hostName": "c.azure-api.net", "certificateSource": "BuiltIn" },
        { "hostName": "Api.contoso.net", "certificateSource": "Custom", "certificate": {} },
        { "hostName": "old.contoso.net", "certificate": {} },
        { "hostName": "v.contoso.net", "certificate": {}, "keyVaultId": "https://v/secrets/x" },
    ] });
    let found = Estate::default().put(gateway(), hosts).scan();
    let places: Vec<_> = found.iter().map(|f| f.place.as_str()).collect();
    let pointer = |i: usize| format!("/properties/hostnameConfigurations/{i}");
    assert_eq!(places, [pointer(1), pointer(2)]);
    assert!(
        found[0].what.contains("Api.contoso.net"),
        "{}",
        found[0].what
    );
}

#[test]
fn clients_with_a_hidden_secret_are_told_with_what_they_open() {
    let server = |grants: Value| json!({ "grantTypes": grants, "clientId": "app", "tokenEndpoint": "https://login.port.net/t" });
    assert_eq!(one("authorizationServer", server(json!(["implicit"]))), "");
    let person = server(json!(["resourceOwnerPassword"]));
    assert_eq!(one("authorizationServer", person), "KL0425 warning");
    let found = at("authorizationServer", server(json!(["authorizationCode"])));
    let opens = found[0].opens.as_ref().unwrap();
    assert_eq!(
        (opens.server.as_str(), opens.login.as_deref()),
        ("login.port.net", Some("app"))
    );
    assert_eq!(found[0].confidence, Confidence::Likely);
    assert_eq!(one("openidConnectProvider", json!({})), "KL0425 info");
    assert_eq!(one("identityProvider", json!({})), "KL0425 info");
    let portal = json!({ "authority": "login.windows.net", "clientId": "portal" });
    let found = at("identityProvider", portal);
    assert_eq!(found[0].opens.as_ref().unwrap().server, "login.windows.net");
}

#[test]
fn a_connection_to_entra_could_be_the_identity() {
    let estate = |provider: &str| {
        let address = gateway().child("authorizationProvider", "p");
        let grants = json!({ "clientCredentials": { "resourceUri": "https://graph.contoso.net" } });
        Estate::default()
            .put(
                address.clone(),
                json!({ "identityProvider": provider, "oauth2": { "grantTypes": grants } }),
            )
            .put(
                address.child("authorization", "c"),
                json!({ "oauth2grantType": "ClientCredentials" }),
            )
    };
    let prefix = "KL0425 apim:contoso/authorizationProvider:p";
    for (provider, severity) in [("aad", "warning"), ("github", "info")] {
        assert_eq!(
            told(&estate(provider)),
            [
                format!("{prefix} {severity}"),
                format!("{prefix}/authorization:c {severity}"),
            ]
        );
    }
    let found = estate("aad").scan();
    assert_eq!(found[0].opens.as_ref().unwrap().server, "graph.contoso.net");
    assert!(found[1].what.contains("client secret"), "{}", found[1].what);
}

#[test]
fn headers_with_credentials_do_not_belong_into_a_log() {
    let logged = json!({
        "frontend": {
            "request": {
                "headers": ["X-Region", "Authorization", "x-functions-key"],
                "dataMasking": { "headers": [{ "value": "X-Functions-Key", "mode": "Mask" }] },
            },
            "response": { "headers": ["Set-Cookie", "Content-Type"] },
        },
        "backend": { "request": {
            "headers": ["authorization"],
            "dataMasking": { "headers": [{ "value": "Authorization", "mode": "Hide" }] },
        } },
    });
    let found = at("diagnostic", logged);
    let told: Vec<_> = found
        .iter()
        .map(|f| format!("{} {} {}", f.rule, f.place, f.severity.word()))
        .collect();
    assert_eq!(
        told,
        [
            "KL0430 /properties/frontend/request/headers/1 warning",
            "KL0430 /properties/frontend/response/headers/0 warning",
        ]
    );
    assert_eq!(one("diagnostic", json!({ "frontend": null })), "");
}

#[test]
fn schemas_and_wikis_are_searched_like_operations() {
    const KEY: &str = "Zx81kTq0LmW4vRb7YcNd";
    let places = |word: &str, properties: Value| -> Vec<String> {
        let told = |f: &Finding| format!("{} {}", f.rule, f.place);
        at(word, properties).iter().map(told).collect()
    };
    let components = json!({ "document": { "components": { "schemas": { "Order": {
        "properties": {
            "api-key": { "type": "string", "example": KEY },
            "region": { "type": "string", "default": "westeurope" },
            "connection": { "examples": ["Server=s;Database=d;Uid=u;Pwd=hunter22"] },
        },
    } } } } });
    let order = "KL0416 /properties/document/components/schemas/Order/properties";
    assert_eq!(
        places("schema", components),
        [
            format!("{order}/api-key/example"),
            format!("{order}/connection/examples/0"),
        ]
    );
    let text = json!({ "document": { "value": "type Q { a: Int } # Server=s;Database=d;Uid=u;Pwd=hunter22" } });
    assert_eq!(
        places("schema", text),
        ["KL0416 /properties/document/value"]
    );
    let page = format!("# Start\n\n    curl -H 'Authorization: Bearer {KEY}{KEY}' https://x\n");
    assert_eq!(
        places("documentation", json!({ "content": page })),
        ["KL0416 /properties/content"]
    );
    for clean in [
        "# Start\n\n    curl -H 'Authorization: Bearer <token>' https://x\n",
        "Ask the team for the password. The api-key goes into the header x-functions-key.",
        "Server=s;Database=d;Authentication=Active Directory Default",
    ] {
        assert!(at("documentation", json!({ "content": clean })).is_empty());
    }
}

#[test]
fn what_a_server_keeps_for_its_helpers_is_told() {
    let server = Address::server("s");
    let database = Address::database("s", "d");
    let storage = "https://Audit.blob.core.windows.net";
    let estate = Estate::default()
        .put(
            server.clone(),
            json!({ "fullyQualifiedDomainName": "S.database.windows.net",
                "administrators": { "azureADOnlyAuthentication": true, "sid": "x" } }),
        )
        .put(
            server.part("supportAuditing"),
            json!({ "state": "Enabled", "storageEndpoint": storage }),
        )
        .put(
            database.part("auditing"),
            json!({ "state": "Enabled", "storageEndpoint": storage, "isManagedIdentityInUse": true }),
        )
        .put(
            server.part("alerts"),
            json!({ "state": "Enabled", "storageEndpoint": storage }),
        )
        .put(database.part("alerts"), json!({ "state": "Disabled", "storageEndpoint": storage }))
        .put(
            database.part("assessment"),
            json!({ "storageContainerPath": format!("{storage}/va") }),
        )
        .put(server.part("assessment"), json!({ "storageContainerPath": "" }))
        .put(
            server.child("jobAgent", "nightly").child("credential", "runner"),
            json!({ "username": "job_runner" }),
        )
        .put(server.child("syncAgent", "quay"), json!({}))
        .put(
            database.child("syncGroup", "ports"),
            json!({ "hubDatabaseUserName": "hub" }),
        )
        .put(
            database.child("syncGroup", "ports").child("syncMember", "south"),
            json!({ "serverName": "South.database.windows.net", "databaseName": "charts", "userName": "south" }),
        )
        .put(database.child("syncGroup", "identity"), json!({ "hubDatabaseUserName": "" }));
    assert_eq!(
        told(&estate),
        [
            "KL0432 sql:s/alerts warning",
            "KL0432 sql:s/db:d/assessment warning",
            "KL0434 sql:s/db:d/syncGroup:ports warning",
            "KL0434 sql:s/db:d/syncGroup:ports/syncMember:south warning",
            "KL0433 sql:s/jobAgent:nightly/credential:runner warning",
            "KL0420 sql:s/supportAuditing warning",
            "KL0434 sql:s/syncAgent:quay warning",
        ]
    );
    let found = estate.scan();
    let opens = |i: usize| {
        let opens = found[i].opens.as_ref().unwrap();
        let parts = [
            Some(&opens.server),
            opens.database.as_ref(),
            opens.login.as_ref(),
        ];
        parts.map(|p| p.map_or("", String::as_str)).join(" ")
    };
    assert_eq!(opens(0), "audit.blob.core.windows.net  ");
    assert_eq!(opens(2), "s.database.windows.net d hub");
    assert_eq!(opens(3), "south.database.windows.net charts south");
    assert!(found[4].what.contains("job_runner"));
}

//! Credentials that stand outside of policies: in named values, backends, APIs, loggers, caches,
//! OAuth servers, descriptions and logs (azure-facts B.5 rows 1 to 10, 17, 20, 21, 31 to 33).

use keyless_model::Address;
use serde_json::{Value, json};

use super::Dice;
use super::secrets::{Secret, authorization, human, machine, sql, telling, url};

/// Something of a gateway with a credential in it.
pub struct Held {
    pub row: &'static str,
    pub address: Address,
    pub properties: Value,
    /// The credential, if the thing shows it and not only a reference.
    pub secret: Option<String>,
    pub opens: Option<String>,
}

const NAMES: [&str; 5] = ["orders", "crm-main", "stock2", "hr.eu", "billing_v2"];

/// What each row puts somewhere: the word of the address, the body, the credential.
type Row = (
    &'static str,
    fn(&mut Dice) -> (&'static str, Value, Option<Secret>),
);

const ROWS: [Row; 28] = [
    ("named value, plain, SQL", |d| {
        let of = sql(d);
        (
            "namedValue",
            json!({ "displayName": "db", "value": of.text }),
            Some(of),
        )
    }),
    ("named value, plain, telling", |d| {
        let of = telling(d);
        (
            "namedValue",
            json!({ "displayName": "setting", "value": of.text }),
            Some(of),
        )
    }),
    ("named value, plain, by name", |d| {
        let name = d.pick(&[
            "crm-password",
            "client-secret",
            "ApiKey",
            "partner_token",
            "sas-key",
        ]);
        let of = Secret::bare(machine(d));
        (
            "namedValue",
            json!({ "displayName": name, "value": of.text }),
            Some(of),
        )
    }),
    ("named value, plain, a password", |d| {
        let name = d.pick(&["crm-password", "stock-pwd", "partner-secret"]);
        let of = Secret::bare(human(d));
        (
            "namedValue",
            json!({ "displayName": name, "value": of.text }),
            Some(of),
        )
    }),
    ("named value, secret, read", |d| {
        let of = sql(d);
        let body = json!({ "displayName": "db", "secret": true, "value": of.text });
        ("namedValue", body, Some(of))
    }),
    ("backend, header", |d| {
        let of = Secret::bare(machine(d));
        let name = d.pick(&["x-functions-key", "api-key", "x-partner"]);
        let header = json!({ name: [of.text] });
        (
            "backend",
            json!({ "url": "https://b.invalid", "credentials": { "header": header } }),
            Some(of),
        )
    }),
    ("backend, query", |d| {
        let of = Secret::bare(machine(d));
        let name = d.pick(&["code", "sig", "token2"]);
        let query = json!({ name: [of.text] });
        (
            "backend",
            json!({ "url": "https://b.invalid", "credentials": { "query": query } }),
            Some(of),
        )
    }),
    ("backend, authorization", |d| {
        let of = Secret::bare(machine(d));
        let authorization = json!({ "scheme": "Bearer", "parameter": of.text });
        (
            "backend",
            json!({ "url": "https://b.invalid", "credentials": { "authorization": authorization } }),
            Some(of),
        )
    }),
    ("backend, proxy", |d| {
        let of = Secret::bare(human(d));
        let proxy = json!({ "url": "http://p.invalid", "username": "u", "password": of.text });
        (
            "backend",
            json!({ "url": "https://b.invalid", "proxy": proxy }),
            Some(of),
        )
    }),
    ("backend, URL", |d| {
        let of = url(d);
        ("backend", json!({ "url": of.text }), Some(of))
    }),
    ("API, URL", |d| {
        let of = url(d);
        ("api", json!({ "serviceUrl": of.text }), Some(of))
    }),
    ("old revision, URL", |d| {
        let of = url(d);
        ("api;rev", json!({ "serviceUrl": of.text }), Some(of))
    }),
    ("logger, Event Hubs", |_| {
        let credentials = json!({ "name": "h", "connectionString": "{{Logger-Credentials--65}}" });
        (
            "logger",
            json!({ "loggerType": "azureEventHub", "credentials": credentials }),
            None,
        )
    }),
    ("logger, Application Insights", |_| {
        let credentials = json!({ "instrumentationKey": "{{Logger-Credentials--66}}" });
        (
            "logger",
            json!({ "loggerType": "applicationInsights", "credentials": credentials }),
            None,
        )
    }),
    ("external cache", |d| {
        let of = Secret::bare(format!("c.invalid:6380,password={},ssl=True", machine(d)));
        ("cache", json!({ "connectionString": of.text }), Some(of))
    }),
    ("OAuth server, secret", |d| {
        let of = Secret::bare(human(d));
        (
            "authorizationServer",
            json!({ "clientId": "x", "clientSecret": of.text }),
            Some(of),
        )
    }),
    ("OAuth server, body parameter", |d| {
        let of = Secret::bare(human(d));
        let parameters = json!([{ "name": "resource", "value": "api://x" }, { "name": "client_secret", "value": of.text }]);
        (
            "authorizationServer",
            json!({ "tokenBodyParameters": parameters }),
            Some(of),
        )
    }),
    ("operation, default of a header", |d| {
        let of = authorization(d);
        let headers =
            json!([{ "name": "Authorization", "type": "string", "defaultValue": of.text }]);
        (
            "operation",
            json!({ "request": { "headers": headers } }),
            Some(of),
        )
    }),
    ("operation, default of a parameter", |d| {
        let of = Secret::bare(machine(d));
        let name = d.pick(&["code", "api_key", "subscription-key"]);
        let parameters = json!([{ "name": name, "values": [of.text] }]);
        (
            "operation",
            json!({ "request": { "queryParameters": parameters } }),
            Some(of),
        )
    }),
    ("operation, default in the template", |d| {
        let of = Secret::bare(machine(d));
        let parameters = json!([{ "name": "apikey", "defaultValue": of.text }]);
        (
            "operation",
            json!({ "templateParameters": parameters }),
            Some(of),
        )
    }),
    ("operation, example", |d| {
        let of = telling(d);
        let examples = json!({ "default": { "value": { "login": of.text, "id": 7 } } });
        let responses =
            json!([{ "statusCode": 200, "representations": [{ "examples": examples }] }]);
        ("operation", json!({ "responses": responses }), Some(of))
    }),
    ("schema, example of a property", |d| {
        let of = Secret::bare(machine(d));
        let name = d.pick(&["x-api-key", "client_secret", "apikey"]);
        let shown = d.pick(&["example", "default"]);
        let properties = json!({ name: { "type": "string", shown: of.text } });
        let schemas = json!({ "Order": { "type": "object", "properties": properties } });
        let document = json!({ "components": { "schemas": schemas } });
        ("schema", json!({ "document": document }), Some(of))
    }),
    ("schema, text", |d| {
        let of = telling(d);
        let text = format!("type Query {{ orders: [Order] }}\n# {}\n", of.text);
        let document = json!({ "value": text });
        ("schema", json!({ "document": document }), Some(of))
    }),
    ("wiki", |d| {
        let of = telling(d);
        let content = format!("# Start\n\nLog in so:\n\n    {}\n\nThen call.", of.text);
        ("documentation", json!({ "content": content }), Some(of))
    }),
    ("logged header", |d| {
        let header = d.pick(&[
            "Authorization",
            "x-functions-key",
            "Ocp-Apim-Subscription-Key",
        ]);
        let message = d.pick(&["frontend", "backend"]);
        let request = json!({ "headers": ["x-region", header] });
        (
            "diagnostic",
            json!({ message: { "request": request } }),
            None,
        )
    }),
    ("management by a key", |_| {
        ("tenantAccess", json!({ "enabled": true }), None)
    }),
    ("OAuth server, password of a person", |_| {
        let grants = json!(["resourceOwnerPassword"]);
        ("authorizationServer", json!({ "grantTypes": grants }), None)
    }),
    ("credential manager, Entra", |_| {
        (
            "authorizationProvider",
            json!({ "identityProvider": "aad" }),
            None,
        )
    }),
];

/// So many of each row, in a gateway of their own each.
pub fn held(dice: &mut Dice, each: usize) -> Vec<Held> {
    let mut out = Vec::new();
    for (row, make) in ROWS {
        for _ in 0..each {
            let (word, properties, of) = make(dice);
            let name = dice.pick(&NAMES);
            let gateway = Address::gateway("contoso");
            let address = match word {
                "operation" => gateway.child("api", "orders").child("operation", name),
                "api;rev" => gateway.child("api", &format!("{name};rev=3")),
                word => gateway.child(word, name),
            };
            out.push(Held {
                row,
                address,
                properties,
                opens: of.as_ref().and_then(|o| o.opens.clone()),
                secret: of.map(|o| o.value),
            });
        }
    }
    out
}

/// What stands in the same fields and is none, in a gateway of its own.
pub fn clean() -> Vec<(Address, Value)> {
    let gateway = Address::gateway("clean");
    let at = |word: &str, name: &str| gateway.child(word, name);
    let id = "3f2504e0-4f89-41d3-9a0c-0305e82c3301";
    vec![
        (
            at("schema", "a"),
            json!({ "document": { "components": { "schemas": { "Key": { "properties": {
                "api-key": { "type": "string", "example": "<your key>" },
                "password": { "type": "string", "format": "password", "example": "string" },
                "token": { "type": "string", "description": "A bearer token of Entra" },
                "code": { "type": "string", "enum": ["NL", "DE"] },
            } } } } } }),
        ),
        (
            at("documentation", "a"),
            json!({ "content": "Send `Authorization: Bearer <token>`; the key goes into \
                `Ocp-Apim-Subscription-Key: {key}`. Passwords are never sent. \
                Server=s;Database=d;Authentication=Active Directory Default" }),
        ),
        (
            at("diagnostic", "a"),
            json!({ "frontend": { "request": { "headers": ["Authorization", "x-region"],
                "dataMasking": { "headers": [{ "value": "authorization", "mode": "Hide" }] } } } }),
        ),
        (at("tenantAccess", "a"), json!({ "enabled": false })),
        (
            at("certificate", "a"),
            json!({ "keyVault": { "secretIdentifier": "https://v.vault.azure.net/secrets/c" } }),
        ),
        (
            at("namedValue", "a"),
            json!({ "displayName": "region", "value": "westeurope" }),
        ),
        (
            at("namedValue", "b"),
            json!({ "displayName": "client-secret-id", "value": id }),
        ),
        (
            at("namedValue", "c"),
            json!({ "displayName": "api-key-header", "value": "Ocp-Apim-Subscription-Key" }),
        ),
        (
            at("namedValue", "d"),
            json!({ "displayName": "token-url", "value": "https://login.microsoftonline.com/x/oauth2/v2.0/token" }),
        ),
        (
            at("namedValue", "e"),
            json!({ "displayName": "db", "value": "Server=s;Database=d;Authentication=Active Directory Managed Identity" }),
        ),
        (
            at("namedValue", "f"),
            json!({ "displayName": "unused", "secret": true }),
        ),
        (
            at("backend", "a"),
            json!({ "url": "https://b.invalid/api?api-version=2024-05-01", "credentials": { "managedIdentity": { "resource": "api://x" } } }),
        ),
        (
            at("backend", "b"),
            json!({ "url": "https://b.invalid", "credentials": { "certificateIds": [id] }, "tls": { "validateCertificateChain": true } }),
        ),
        (
            at("api", "a"),
            json!({ "serviceUrl": "https://b.invalid/a?code={code}", "subscriptionRequired": true, "subscriptionKeyParameterNames": { "header": "Ocp-Apim-Subscription-Key", "query": "subscription-key" } }),
        ),
        (
            at("logger", "a"),
            json!({ "loggerType": "azureEventHub", "credentials": { "name": "h", "endpointAddress": "n.servicebus.windows.net", "identityClientId": "SystemAssigned" } }),
        ),
        (
            at("logger", "b"),
            json!({ "loggerType": "applicationInsights", "credentials": { "connectionString": "{{Logger-Credentials--7}}", "identityClientId": id } }),
        ),
        (
            at("authorizationServer", "a"),
            json!({ "clientId": id, "tokenEndpoint": "https://login.invalid/token", "tokenBodyParameters": [{ "name": "resource", "value": "api://x" }] }),
        ),
        (
            at("api", "a").child("operation", "o"),
            json!({ "request": { "headers": [{ "name": "Authorization", "defaultValue": "Bearer <token>" }, { "name": "x-api-key", "defaultValue": "string" }],
            "representations": [{ "examples": { "default": { "value": { "password": "string", "token": "null", "id": id } } } }] } }),
        ),
    ]
}

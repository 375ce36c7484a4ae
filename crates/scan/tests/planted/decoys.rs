//! What stands beside credentials in real policies and is none.

use super::{Dice, Spelling};

/// Pieces of policy without a credential, as `xml`.
pub const DECOYS: [&str; 44] = [
    r#"<authentication-managed-identity resource="https://database.windows.net/" output-token-variable-name="msi" />"#,
    r#"<authentication-managed-identity resource="api://orders" client-id="3f2504e0-4f89-41d3-9a0c-0305e82c3301" />"#,
    r#"<set-header name="Authorization"><value>@("Bearer " + (string)context.Variables["msi"])</value></set-header>"#,
    r#"<set-header name="Authorization"><value>Bearer {{partner-token}}</value></set-header>"#,
    r#"<set-header name="Authorization"><value>@(context.Request.Headers.GetValueOrDefault("Authorization", ""))</value></set-header>"#,
    r#"<set-header name="Authorization" exists-action="delete" />"#,
    r#"<set-header name="x-functions-key"><value>{{orders-function-key}}</value></set-header>"#,
    r#"<set-header name="api-key"><value>&lt;your-api-key&gt;</value></set-header>"#,
    r#"<set-header name="x-api-key"><value>YOUR_API_KEY</value></set-header>"#,
    r#"<set-header name="api-key"><value>undefined</value></set-header>"#,
    r#"<set-header name="X-Secret-Name"><value>orders-db-password</value></set-header>"#,
    r#"<set-header name="x-key-vault"><value>kv-contoso-prod-01</value></set-header>"#,
    r#"<set-header name="X-Token-Type"><value>urn:ietf:params:oauth:token-type:access_token</value></set-header>"#,
    r#"<set-header name="x-auth-mode"><value>managed-identity</value></set-header>"#,
    r#"<set-header name="x-secret-id"><value>3f2504e0-4f89-41d3-9a0c-0305e82c3301</value></set-header>"#,
    r#"<set-header name="x-password-policy"><value>https://contoso.example/policies/Password2024</value></set-header>"#,
    r#"<set-header name="x-partner-secret"><value>{{partner-secret}}</value></set-header>"#,
    r#"<set-header name="x-secret-version"><value>2024-05-01-preview</value></set-header>"#,
    r#"<set-header name="x-correlation-id"><value>9f1c2d3e-aaaa-4bbb-8ccc-1234567890ab</value></set-header>"#,
    r#"<set-header name="x-build"><value>da39a3ee5e6b4b0d3255bfef95601890afd80709</value></set-header>"#,
    r#"<set-header name="Content-Security-Policy"><value>script-src 'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='</value></set-header>"#,
    r#"<set-header name="ETag"><value>"33a64df551425fcc55e4d42a148795d9f25f89d4"</value></set-header>"#,
    r#"<set-header name="WWW-Authenticate"><value>Bearer error="invalid_token", realm="contoso"</value></set-header>"#,
    r#"<set-query-parameter name="code"><value>NL</value></set-query-parameter>"#,
    r#"<set-query-parameter name="api-version"><value>2024-05-01-preview</value></set-query-parameter>"#,
    r#"<set-query-parameter name="key"><value>{{maps-key}}</value></set-query-parameter>"#,
    r#"<rewrite-uri template="/orders/{id}?code={code}&amp;key={{maps-key}}" />"#,
    r#"<set-backend-service base-url="https://orders.contoso.example/api?api-version=2024-05-01" />"#,
    r#"<authentication-certificate thumbprint="CA06F56B258B7A0D4F2B05470939478651151984" />"#,
    r#"<authentication-basic username="app" password="{{crm-password}}" />"#,
    r#"<authentication-basic username="app" password="@((string)context.Variables[&quot;pw&quot;])" />"#,
    r#"<set-variable name="token-url" value="https://login.microsoftonline.com/contoso/oauth2/v2.0/token" />"#,
    r#"<set-variable name="apiKeyHeader" value="Ocp-Apim-Subscription-Key" />"#,
    r#"<set-variable name="secretName" value="crm-client-secret-2024" />"#,
    r#"<set-variable name="has-key" value="@(context.Request.Headers.ContainsKey(&quot;Ocp-Apim-Subscription-Key&quot;))" />"#,
    r#"<set-variable name="etag" value="0x8DC3A1B2C4D5E6F" />"#,
    r#"<set-body>grant_type=client_credentials&amp;client_id=3f2504e0-4f89-41d3-9a0c-0305e82c3301&amp;client_secret={{client-secret}}</set-body>"#,
    r#"<set-body>{"password": "{{body.password}}", "type": "string", "required": ["password", "token"]}</set-body>"#,
    r#"<set-body>@("client_secret=" + (string)context.Variables["secret"] + "&amp;scope=x")</set-body>"#,
    r#"<trace source="orders"><message>the password= field is required; send a Bearer token or Basic credentials</message></trace>"#,
    r#"<validate-jwt header-name="Authorization"><openid-config url="https://login.microsoftonline.com/x/.well-known/openid-configuration" /><audiences><audience>api://3f2504e0-4f89-41d3-9a0c-0305e82c3301</audience></audiences></validate-jwt>"#,
    r#"<check-header name="x-region" failed-check-httpcode="400" failed-check-error-message="no" ignore-case="true"><value>westeurope</value></check-header>"#,
    r#"<cache-store-value key="token-@(context.Subscription.Id)" value="@((string)context.Variables[&quot;msi&quot;])" duration="3000" />"#,
    r#"<!-- client_secret={{client-secret}} is kept in Key Vault; Password=&lt;your password&gt; in the tests -->"#,
];

/// So many decoys, one a line.
pub fn some(dice: &mut Dice, spelling: Spelling, count: usize) -> String {
    let lines = (0..count).map(|_| format!("{}\n", dice.pick(&DECOYS)));
    let lines: String = lines.collect();
    match spelling {
        Spelling::Xml => lines,
        Spelling::Raw => lines.replace("&quot;", "\""),
    }
}

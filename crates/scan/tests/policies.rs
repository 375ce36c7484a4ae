//! What the scan finds in policy documents, and what it must not.

mod estate;

use estate::{Estate, gateway};
use keyless_model::{FingerprintKey, Severity};
use keyless_scan::Confidence;

fn rules(xml: &str) -> Vec<&'static str> {
    Estate::default()
        .inbound(xml)
        .scan()
        .iter()
        .map(|f| f.rule)
        .collect()
}

#[test]
fn a_literal_connection_string_says_where_it_leads_and_where_it_stands() {
    let estate = Estate::default().resolver(
        "q",
        false,
        "Server=tcp:Orders.database.windows.net,1433;Initial Catalog=orders;User ID=app@orders;Password=\"a<&b\"",
    );
    let found = estate.scan();
    assert_eq!(found.len(), 1);
    let f = &found[0];
    assert_eq!((f.rule, f.severity), ("KL0401", Severity::Critical));
    assert_eq!(
        f.place,
        "/sql-data-source/connection-info/connection-string"
    );
    assert_eq!(f.line, Some((2, 3)));
    let opens = f.opens.as_ref().unwrap();
    assert_eq!(opens.server, "orders.database.windows.net");
    assert_eq!(opens.database.as_deref(), Some("orders"));
    assert_eq!(opens.login.as_deref(), Some("app"));
    assert_eq!(f.fingerprint, Some(estate::key().of("a<&b")));
}

#[test]
fn a_password_next_to_the_identity_is_still_a_password() {
    let text = "Server=s;Database=d;User ID=u;Password=p";
    assert_eq!(
        Estate::default().resolver("q", true, text).scan()[0].rule,
        "KL0401"
    );
}

#[test]
fn a_connection_without_a_password_is_clean() {
    for text in [
        "Server=s;Database=d",
        "Server={{s}};Database={{d}};Encrypt=True",
        "",
    ] {
        for identity in [true, false] {
            let estate = Estate::default()
                .resolver("q", identity, text)
                .plain("s", "x.db.net");
            assert_eq!(estate.told(), Vec::<String>::new(), "{text}");
        }
    }
}

#[test]
fn a_literal_password_in_a_string_of_references_tells_what_it_opens() {
    let estate = Estate::default()
        .resolver(
            "q",
            false,
            "Server={{s}};Database={{hidden}};User ID=u;Password=lit3ral",
        )
        .plain("s", "x.db.net")
        .secret("hidden", None);
    let found = estate.scan();
    assert_eq!(found.len(), 1);
    let opens = found[0].opens.as_ref().unwrap();
    assert_eq!(
        (opens.server.as_str(), opens.database.as_deref()),
        ("x.db.net", None)
    );
}

#[test]
fn a_password_that_a_reference_completes_is_told_here_and_there() {
    let estate = Estate::default()
        .resolver(
            "q",
            false,
            "Server=s;Database=d;User ID=u;Password=hun{{rest}}",
        )
        .plain("rest", "ter22");
    let place = "/sql-data-source/connection-info/connection-string";
    let told = [
        format!("KL0401 {place}"),
        "KL0402 /properties/value".to_owned(),
    ];
    assert_eq!(estate.told(), told);
}

#[test]
fn credentials_in_policies_are_found() {
    for (xml, rule) in [
        (
            r#"<authentication-basic username="u" password="hunter22" />"#,
            "KL0408",
        ),
        (
            r#"<authentication-basic username="u" password="@("hun" + "ter22")" />"#,
            "KL0408",
        ),
        (
            r#"<proxy url="http://p:8080" username="u" password="x" />"#,
            "KL0408",
        ),
        (
            r#"<set-header name="Authorization"><value>Bearer 0123456789abcdef</value></set-header>"#,
            "KL0409",
        ),
        (
            r#"<set-header name="authorization"><value>Basic dXNlcjpwYXNz</value></set-header>"#,
            "KL0409",
        ),
        (
            r#"<set-header name="Authorization"><value>@("Basic " + Convert.ToBase64String(Encoding.UTF8.GetBytes("user:pass")))</value></set-header>"#,
            "KL0409",
        ),
        (
            r#"<set-header name="Authorization"><value>@("Bearer" + " " + "Zx81kTq0LmW4vRb7YcNd")</value></set-header>"#,
            "KL0409",
        ),
        (
            r#"<set-header name="X-Functions-Key"><value>abcdefgh</value></set-header>"#,
            "KL0409",
        ),
        (
            r#"<set-header name="api-key"><value>@(a ? "3f2504e04f8911d39a0c0305e82c3301" : "")</value></set-header>"#,
            "KL0409",
        ),
        (
            r#"<set-header name="Ocp-Apim-Subscription-Key"><value>3f2504e04f8911d39a0c0305e82c3301</value></set-header>"#,
            "KL0409",
        ),
        (
            r#"<set-header name="x-partner-secret"><value>3f2504e04f8911d39a0c0305e82c3301</value></set-header>"#,
            "KL0409",
        ),
        (
            r#"<set-query-parameter name="code"><value>abcdef0123456789</value></set-query-parameter>"#,
            "KL0409",
        ),
        (
            r#"<set-query-parameter name="sig"><value>abcdef0123456789</value></set-query-parameter>"#,
            "KL0409",
        ),
        (
            r#"<set-url>https://f.azurewebsites.net/api?code=abcDEF0123456789abcDEF==</set-url>"#,
            "KL0409",
        ),
        (
            r#"<set-backend-service base-url="https://u:p4ssw0rd@host" />"#,
            "KL0409",
        ),
        (
            r#"<set-body>grant_type=client_credentials&amp;client_secret=s3cr3t</set-body>"#,
            "KL0409",
        ),
        (
            r#"<set-body>@("grant_type=client_credentials&client_" + "secret=" + "s3cr3t")</set-body>"#,
            "KL0409",
        ),
        (
            r#"<set-body>@(new JObject(new JProperty("password", "s3cr3t")).ToString())</set-body>"#,
            "KL0409",
        ),
        (
            r#"<set-variable name="c" value="@("Server=s;Uid=u;Pass" + "word=x1y2")" />"#,
            "KL0401",
        ),
        (
            r#"<set-variable name="c" value="Server=s;Uid=u;Password=x1y2" />"#,
            "KL0401",
        ),
        (
            r#"<set-variable name="c" value="AccountEndpoint=https://c;AccountKey=x1y2z3w4==" />"#,
            "KL0409",
        ),
        (
            r#"<cosmosdb-data-source><connection-info><connection-string>AccountEndpoint=https://c;AccountKey=x1y2z3w4==;Database=d</connection-string></connection-info></cosmosdb-data-source>"#,
            "KL0409",
        ),
        (
            r#"<validate-jwt><issuer-signing-keys><key>c2lnbmluZyBrZXk=</key></issuer-signing-keys></validate-jwt>"#,
            "KL0409",
        ),
        (
            r#"<authentication-certificate body="@(context.X)" password="cert-pw" />"#,
            "KL0409",
        ),
        (
            r#"<!-- <connection-string>Server=s;Initial Catalog=d;Password=x1y2;</connection-string> -->"#,
            "KL0401",
        ),
        (
            r#"<set-variable name="crmAuth" value="dXNlcjpodW50ZXIyMg==" />"#,
            "KL0409",
        ),
        (
            r#"<rewrite-uri template="/orders?code=abcDEF0123456789" />"#,
            "KL0409",
        ),
        (
            r#"<check-header name="x-api-key"><value>hunter22-key</value></check-header>"#,
            "KL0409",
        ),
        (
            r#"<set-header name="X-Partner-Secret"><value>hunter22</value></set-header>"#,
            "KL0409",
        ),
        (
            r#"<set-body>@{ var p = "Pass"; return p + "word=s3cr3t"; }</set-body>"#,
            "KL0409",
        ),
    ] {
        assert_eq!(rules(xml), [rule], "{xml}");
    }
}

#[test]
fn what_is_no_credential_is_not_found() {
    for xml in [
        r#"<authentication-basic username="u" password="{{pw}}" />"#,
        r#"<authentication-basic username="u" password="@((string)context.Variables["pw"])" />"#,
        r#"<authentication-basic username="u" password="" />"#,
        r#"<authentication-managed-identity resource="https://database.windows.net/" output-token-variable-name="token" />"#,
        r#"<set-header name="Authorization"><value>Bearer @((string)context.Variables["token"])</value></set-header>"#,
        r#"<set-header name="Authorization"><value>@("Bearer " + (string)context.Variables["access-token-of-backend"])</value></set-header>"#,
        r#"<set-header name="Authorization"><value>@($"Bearer {(string)context.Variables["token"]}")</value></set-header>"#,
        r#"<set-header name="Authorization"><value>Bearer {{token}}</value></set-header>"#,
        r#"<set-header name="Authorization"><value>@(context.Request.Headers.GetValueOrDefault("Ocp-Apim-Subscription-Key", ""))</value></set-header>"#,
        r#"<set-header name="Authorization" exists-action="delete" />"#,
        r#"<set-header name="api-key"><value>{{key}}</value></set-header>"#,
        r#"<set-header name="api-key"><value>&lt;your key&gt;</value></set-header>"#,
        r#"<set-header name="WWW-Authenticate"><value>Bearer error="invalid_token"</value></set-header>"#,
        r#"<set-header name="x-api-key-id"><value>orders-frontend-key</value></set-header>"#,
        r#"<set-query-parameter name="api-version"><value>2024-05-01-preview</value></set-query-parameter>"#,
        r#"<set-query-parameter name="code"><value>DE</value></set-query-parameter>"#,
        r#"<set-body>grant_type=client_credentials&amp;client_secret={{cs}}</set-body>"#,
        r#"<set-body>@("client_secret=" + (string)context.Variables["cs"])</set-body>"#,
        r#"<set-body>{"password": "{{body.password}}", "type": "string"}</set-body>"#,
        r#"<validate-jwt header-name="Authorization"><openid-config url="https://login.microsoftonline.com/x/.well-known/openid-configuration" /></validate-jwt>"#,
        r#"<validate-jwt><issuer-signing-keys><key>{{jwt-key}}</key></issuer-signing-keys></validate-jwt>"#,
        r#"<return-response><set-body>The password= field is required, send Bearer tokens</set-body></return-response>"#,
        r#"<!-- set the client_secret={{cs}} here -->"#,
    ] {
        assert_eq!(rules(xml), Vec::<&str>::new(), "{xml}");
    }
}

#[test]
fn attributes_are_named_and_located() {
    let xml = "<base />\n  <authentication-basic username=\"u\" password=\"hunter22\" />";
    let found = Estate::default().inbound(xml).scan();
    assert_eq!(
        found[0].place,
        "/policies/inbound/authentication-basic/@password"
    );
    assert_eq!(found[0].line, Some((3, 48)));
    assert_eq!(found[0].confidence, Confidence::Certain);
    assert_eq!(found[0].address, gateway().part("policy"));
}

#[test]
fn the_id_tells_the_place_and_nothing_of_the_credential() {
    let basic = |before: &str, password: &str| {
        let xml = format!("{before}<authentication-basic username=\"u\" password=\"{password}\"/>");
        Estate::default().inbound(&xml)
    };
    let id = |estate: &Estate| estate.scan()[0].id.clone();
    let here = basic("", "hunter22");
    assert!(id(&here).starts_with("KL0408-"));
    assert_eq!(id(&here), id(&basic("\n\n<base/>", "hunter23")));
    let other = FingerprintKey::new([9; 32]);
    assert_eq!(id(&here), keyless_scan::scan(&here.0, &other)[0].id);
    let deeper = Estate::default()
        .inbound("<wait><authentication-basic username=\"u\" password=\"hunter22\" /></wait>");
    assert_ne!(id(&here), id(&deeper));
}

#[test]
fn two_credentials_in_one_place_have_ids_of_their_own() {
    let xml = r#"<set-body>{"password": "hunter22", "client_secret": "hunter23"}</set-body>"#;
    let found = Estate::default().inbound(xml).scan();
    let [first, second] = found.as_slice() else {
        panic!("{found:?}");
    };
    assert_eq!(second.id, format!("{}-2", first.id));
}

#[test]
fn one_credential_in_one_place_is_told_once() {
    let xml = r#"<set-body>@("password=s3cr3t" + "&password=s3cr3t")</set-body>"#;
    assert_eq!(rules(xml), ["KL0409"]);
    let twice = format!("{xml}{xml}");
    assert_eq!(rules(&twice), ["KL0409", "KL0409"]);
}

#[test]
fn a_policy_that_does_not_parse_is_listed_as_unsearched() {
    let estate = Estate::default().inbound("<set-body>@(open</set-body>");
    assert!(estate.scan().is_empty());
    let unsearched = keyless_scan::unsearched(&estate.0);
    assert_eq!(unsearched.len(), 1);
    assert_eq!(unsearched[0].address, "apim:contoso/policy");
}

//! Which elements of a policy send a credential over HTTP, and what of it can be parked.

use keyless_policy::Document;
use keyless_scan::{Confidence, HttpCredential, HttpKind, Place, Section, http_credentials};

fn of(text: &str) -> Vec<HttpCredential> {
    http_credentials(&Document::parse(text).expect("a policy of a test parses"))
}

fn inbound(xml: &str) -> Vec<HttpCredential> {
    of(&format!("<policies><inbound>\n{xml}</inbound></policies>"))
}

/// `element [literals, “!” before one that cannot be parked] [references]`
fn told(xml: &str) -> Vec<String> {
    let literals = |c: &HttpCredential| -> Vec<String> {
        let mark = |u: Option<&str>| if u.is_some() { "!" } else { "" };
        let values = c.values.iter();
        values
            .map(|v| format!("{}{}", mark(v.unparkable), v.text.expose().trim()))
            .collect()
    };
    let one = |c: &HttpCredential| {
        let name = c.path.rsplit('/').next().unwrap_or_default();
        format!("{name} {:?} {:?}", literals(c), c.references)
    };
    inbound(xml).iter().map(one).collect()
}

#[test]
fn each_way_to_send_a_credential_is_found() {
    for (xml, wanted) in [
        (
            r#"<authentication-basic username="u" password="hunter22" />"#,
            r#"authentication-basic ["hunter22"] []"#,
        ),
        (
            r#"<authentication-basic username="{{u}}" password="{{p}}" />"#,
            r#"authentication-basic [] ["p"]"#,
        ),
        (
            r#"<authentication-basic username="u" password="@((string)context.Variables["p"])" />"#,
            "authentication-basic [] []",
        ),
        (
            r#"<set-header name="x-functions-key"><value>abcdefgh</value></set-header>"#,
            r#"set-header ["abcdefgh"] []"#,
        ),
        (
            r#"<set-header name="X-Functions-Key"><value>{{orders-key}}</value></set-header>"#,
            r#"set-header [] ["orders-key"]"#,
        ),
        (
            r#"<set-header name="api-key"><value>@(context.Api.Id == "a" ? "{{key-a}}" : "{{key-b}}")</value></set-header>"#,
            r#"set-header [] ["key-a", "key-b"]"#,
        ),
        (
            r#"<set-header name="Authorization"><value>Bearer 0123456789abcdef</value></set-header>"#,
            r#"set-header ["Bearer 0123456789abcdef"] []"#,
        ),
        (
            r#"<set-header name="Authorization"><value>@("Basic " + Convert.ToBase64String(Encoding.UTF8.GetBytes("{{u}}:{{p}}")))</value></set-header>"#,
            r#"set-header [] ["p"]"#,
        ),
        (
            r#"<set-header name="Authorization"><value>@("Basic " + Convert.ToBase64String(Encoding.UTF8.GetBytes("u:pass")))</value></set-header>"#,
            r#"set-header ["!@(\"Basic \" + Convert.ToBase64String(Encoding.UTF8.GetBytes(\"u:pass\")))"] []"#,
        ),
        (
            r#"<set-header name="x-orders"><value>3f2504e04f8911d39a0c0305e82c3301</value></set-header>
               <set-header name="x-partner-secret"><value>3f2504e04f8911d39a0c0305e82c3301</value></set-header>"#,
            r#"set-header[2] ["3f2504e04f8911d39a0c0305e82c3301"] []"#,
        ),
        (
            r#"<set-header name="x-trace"><value>Basic dXNlcjpwYXNz</value></set-header>"#,
            r#"set-header ["Basic dXNlcjpwYXNz"] []"#,
        ),
        (
            r#"<set-query-parameter name="code"><value>abc&amp;def0123456789</value></set-query-parameter>"#,
            r#"set-query-parameter ["!abc&def0123456789"] []"#,
        ),
        (
            r#"<set-query-parameter name="sig"><value>{{sas}}</value></set-query-parameter>"#,
            r#"set-query-parameter [] ["sas"]"#,
        ),
        (
            r#"<set-variable name="k" value="{{orders-key}}" />
               <set-header name="api-key"><value>@((string)context.Variables["k"])</value></set-header>"#,
            r#"set-header [] ["orders-key"]"#,
        ),
        (
            r#"<set-variable name="k" value="Zx81kTq0LmW4vRb7YcNd" />
               <set-header name="Authorization"><value>@("Bearer " + context.Variables["k"])</value></set-header>"#,
            r#"set-header ["Zx81kTq0LmW4vRb7YcNd"] []"#,
        ),
        (
            r#"<set-variable name="u" value="{{user}}" /><set-variable name="p" value="{{pass}}" />
               <set-header name="Authorization"><value>@{ var u = context.Variables["u"]; var p = context.Variables["p"];
               return "Basic " + Convert.ToBase64String(Encoding.UTF8.GetBytes($"{u}:{p}")); }</value></set-header>"#,
            r#"set-header [] ["pass"]"#,
        ),
        (
            r#"<set-header name="Authorization"><value>@{ var u = "{{user}}"; var p = "{{pass}}";
               return "Basic " + Convert.ToBase64String(Encoding.UTF8.GetBytes(u + ":" + p)); }</value></set-header>"#,
            r#"set-header [] ["pass"]"#,
        ),
    ] {
        assert_eq!(told(xml), [wanted], "{xml}");
    }
}

#[test]
fn tokens_of_an_identity_or_of_the_caller_do_not_count() {
    for xml in [
        r#"<authentication-managed-identity resource="api://orders" output-token-variable-name="token" />
           <set-header name="Authorization"><value>Bearer @((string)context.Variables["token"])</value></set-header>"#,
        r#"<authentication-managed-identity resource="api://orders" output-token-variable-name="token" />
           <set-header name="Authorization"><value>@("Bearer " + (string)context.Variables["token"])</value></set-header>"#,
        r#"<set-header name="Authorization"><value>@(context.Request.Headers.GetValueOrDefault("Authorization", ""))</value></set-header>"#,
        r#"<set-header name="Authorization" exists-action="delete" />"#,
        r#"<set-header name="api-key"><value>&lt;your key&gt;</value></set-header>"#,
        r#"<set-header name="x-region"><value>{{region}}</value></set-header>"#,
        r#"<set-query-parameter name="code"><value>DE</value></set-query-parameter>"#,
        r#"<return-response><set-header name="x-api-key"><value>abcdefgh12</value></set-header></return-response>"#,
        r#"<set-variable name="k" value="-none-of-it-yet-" /><cache-lookup-value key="c" variable-name="k" />
           <set-header name="Authorization"><value>@("Bearer " + context.Variables["k"])</value></set-header>"#,
    ] {
        assert_eq!(told(xml), Vec::<String>::new(), "{xml}");
    }
}

#[test]
fn a_variable_goes_with_its_only_reader() {
    let set = r#"<set-variable name="k" value="{{key}}" />"#;
    let send = r#"<set-header name="api-key"><value>@((string)context.Variables["k"])</value></set-header>"#;
    let log = r#"<trace source="x">@((string)context.Variables["k"])</trace>"#;
    let variables = |xml: &str| inbound(xml)[0].variables.clone();
    assert_eq!(
        variables(&format!("{set}{send}")),
        ["/policies/inbound/set-variable"]
    );
    assert!(variables(&format!("{set}{send}{log}")).is_empty());
    assert!(variables(&format!("{set}{send}{send}")).is_empty());
}

#[test]
fn what_only_sounds_like_a_credential_is_told_as_possible() {
    for (xml, references) in [
        (
            r#"<set-header name="x-partner-key"><value>{{partner}}</value></set-header>"#,
            vec!["partner"],
        ),
        (
            r#"<set-header name="Ocp-Apim-Subscription-Key"><value>@(context.Subscription.Key)</value></set-header>"#,
            vec![],
        ),
    ] {
        let found = inbound(xml);
        assert_eq!(found.len(), 1, "{xml}");
        assert_eq!(found[0].confidence, Confidence::Possible);
        assert_eq!(found[0].references, references);
        assert!(found[0].values.is_empty());
    }
}

#[test]
fn a_credential_says_where_it_stands() {
    let found = of(r#"<policies><inbound><base />
        <authentication-basic username="u" password="hunter22" /></inbound><outbound>
        <send-one-way-request><set-url>https://log.net/x</set-url>
        <set-header name="api-key"><value>abcdefgh</value></set-header></send-one-way-request></outbound></policies>"#);
    assert_eq!(found.len(), 2);
    let password = Place::Attribute {
        path: "/policies/inbound/authentication-basic".into(),
        name: "password".into(),
    };
    assert_eq!(found[0].values[0].place, password);
    assert_eq!((found[0].section, found[0].line), (Section::Inbound, 2));
    assert_eq!(found[0].within_send_request, None);
    assert_eq!(found[1].section, Section::Outbound);
    let request = found[1].within_send_request.as_ref().unwrap();
    assert_eq!(request.path, "/policies/outbound/send-one-way-request");
    assert_eq!(request.url.as_deref(), Some("https://log.net/x"));
    let shown = format!("{found:?}");
    assert!(
        !shown.contains("hunter22") && !shown.contains("log.net"),
        "{shown}"
    );
}

#[test]
fn fragments_and_resolvers_have_their_own_section() {
    let header = r#"<set-header name="api-key"><value>{{k}}</value></set-header>"#;
    assert_eq!(
        of(&format!("<fragment>{header}</fragment>"))[0].section,
        Section::Fragment
    );
    let resolver = format!(
        "<http-data-source><http-request><set-method>GET</set-method>\
         <set-url>https://o.net/a</set-url>{header}</http-request></http-data-source>"
    );
    let found = of(&resolver);
    assert_eq!(found[0].section, Section::Resolver);
    let request = found[0].within_send_request.as_ref().unwrap();
    assert_eq!(request.path, "/http-data-source/http-request");
}

const FLOW: &str = r#"<send-request response-variable-name="answer"><set-url>https://login/token</set-url>
    <set-body>@{ return "grant_type=client_credentials&client_id={{id}}&client_secret={{cs}}"; }</set-body></send-request>
    <set-variable name="t" value="@((string)((IResponse)context.Variables["answer"]).Body.As<JObject>()["access_token"])" />"#;

#[test]
fn a_client_secret_whose_token_is_sent_is_one_credential() {
    let send = r#"<set-header name="Authorization"><value>@("Bearer " + (string)context.Variables["t"])</value></set-header>"#;
    let found = inbound(&format!("{FLOW}{send}"));
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].path, "/policies/inbound/send-request");
    assert_eq!(found[0].references, ["cs"]);
    let kind = HttpKind::ClientSecretBody {
        authorization: vec!["/policies/inbound/set-header".into()],
        between: vec!["/policies/inbound/set-variable".into()],
    };
    assert_eq!(found[0].kind, kind);
}

#[test]
fn a_client_secret_whose_token_is_not_sent_is_none_of_this() {
    assert!(inbound(FLOW).is_empty());
}

#[test]
fn a_login_at_a_token_endpoint_is_found_too() {
    let xml = r#"<send-request response-variable-name="answer"><set-url>https://login/token</set-url>
        <set-header name="Authorization"><value>Basic {{u}}:{{p}}</value></set-header>
        <set-body>grant_type=client_credentials</set-body></send-request>
        <set-header name="Authorization"><value>@("Bearer " + ((IResponse)context.Variables["answer"]).Body.As<JObject>()["access_token"])</value></set-header>"#;
    let found = inbound(xml);
    let kinds: Vec<_> = found.iter().map(|c| &c.kind).collect();
    assert!(
        matches!(
            kinds.as_slice(),
            [HttpKind::ClientSecretBody { .. }, HttpKind::Header { .. }]
        ),
        "{kinds:?}"
    );
}

#[test]
fn what_cannot_be_parked_says_why() {
    use keyless_scan::unparkable;
    for text in [
        "",
        " ",
        "a\"b",
        "a'b",
        "a<b",
        "a&b",
        "a{{b}}",
        "@(x)",
        "Bearer @(x)",
        "@x",
        &"x".repeat(4097),
    ] {
        assert!(unparkable(text).is_some(), "{text}");
    }
    for text in ["a", "a b>c", "me@contoso", &"x".repeat(4096)] {
        assert_eq!(unparkable(text), None);
    }
}

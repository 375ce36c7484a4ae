//! Named values: told once, with what uses them.

mod estate;

use estate::{Estate, gateway, resolver};
use keyless_model::Severity;
use keyless_scan::Confidence;
use serde_json::json;

const WITH_PASSWORD: &str =
    "Server=tcp:s.db.net,1433;Initial Catalog=d;User ID=app;Password=hunter22;";

#[test]
fn a_plain_one_behind_two_resolvers_is_one_finding_with_both() {
    let estate = Estate::default()
        .resolver("a", false, "{{orders-db}}")
        .resolver("b", false, " {{ orders-db }} ")
        .plain("orders-db", WITH_PASSWORD);
    let found = estate.scan();
    assert_eq!(found.len(), 1);
    let f = &found[0];
    assert_eq!((f.rule, f.severity), ("KL0402", Severity::Critical));
    assert_eq!(f.address.as_str(), "apim:contoso/namedValue:orders-db-id");
    assert_eq!(f.place, "/properties/value");
    assert_eq!(f.through.as_deref(), Some("orders-db"));
    assert_eq!(f.users, [resolver("a"), resolver("b")]);
    assert_eq!(f.opens.as_ref().unwrap().login.as_deref(), Some("app"));
    assert_eq!(f.fingerprint, Some(estate::key().of("hunter22")));
}

#[test]
fn a_secret_one_is_told_by_its_place_until_it_is_read() {
    let estate = |value| {
        Estate::default()
            .resolver("a", false, "{{orders-db}}")
            .secret("orders-db", value)
            .scan()
    };
    let hidden = estate(None);
    assert_eq!(
        (hidden[0].rule, hidden[0].severity),
        ("KL0404", Severity::High)
    );
    assert_eq!(hidden[0].confidence, Confidence::Likely);
    assert!(hidden[0].fingerprint.is_none() && hidden[0].opens.is_none());
    let read = estate(Some(WITH_PASSWORD));
    assert_eq!(read[0].rule, "KL0403");
    assert_eq!(read[0].opens.as_ref().unwrap().server, "s.db.net");
    assert!(estate(Some("Server=s;Database=d")).is_empty());
}

#[test]
fn a_hidden_string_behind_an_identity_is_only_possible() {
    let estate = Estate::default()
        .resolver("a", true, "{{db}}")
        .secret("db", None);
    assert_eq!(estate.scan()[0].confidence, Confidence::Possible);
    let both = estate.resolver("b", false, "{{db}}");
    assert_eq!(both.scan()[0].confidence, Confidence::Likely);
}

#[test]
fn one_that_holds_the_password_alone_opens_what_its_place_says() {
    let text = "Server=s.db.net;Database=d;User ID=app;Password={{pw}}";
    for (estate, rule) in [
        (Estate::default().plain("pw", "hunter22"), "KL0402"),
        (Estate::default().secret("pw", Some("hunter22")), "KL0403"),
        (Estate::default().secret("pw", None), "KL0403"),
    ] {
        let found = estate.resolver("a", false, text).scan();
        assert_eq!(found.iter().map(|f| f.rule).collect::<Vec<_>>(), [rule]);
        let opens = found[0].opens.as_ref().unwrap();
        assert_eq!(opens.server, "s.db.net");
        assert_eq!(opens.login.as_deref(), Some("app"));
        assert_eq!(found[0].users, [resolver("a")]);
    }
}

#[test]
fn plain_ones_that_look_like_credentials_are_found_without_users() {
    for (name, value, rule) in [
        ("orders", WITH_PASSWORD, "KL0402"),
        ("cache", "h:6380,password=abcdef,ssl=True", "KL0410"),
        ("backend-password", "hunter22", "KL0410"),
        (
            "client-secret",
            "abC8Q~3fGh7JkL9mNpQrS2tUvWxYz4.aBcDeF5g",
            "KL0410",
        ),
        ("function-key", "3f2504e04f8911d39a0c0305e82c3301", "KL0410"),
        ("auth", "Basic dXNlcjpwYXNz", "KL0410"),
        ("expression", "@(\"Pass\" + \"word=s3cr3t\")", "KL0410"),
        (
            "x",
            "TORKKWjY2ZM3KPRxJXBs0MMAp5uF/qK17jJ+sicwA9uy0YtsoXBhQJL9AbhkAgo5lxjXXPQlFtW3HlWxCaRb4w==",
            "KL0410",
        ),
    ] {
        let found = Estate::default().plain(name, value).scan();
        assert_eq!(
            found.iter().map(|f| f.rule).collect::<Vec<_>>(),
            [rule],
            "{name}"
        );
        assert!(found[0].users.is_empty());
    }
}

#[test]
fn other_plain_ones_are_clean() {
    for (name, value) in [
        ("region", "westeurope"),
        ("tenant-id", "3f2504e0-4f89-11d3-9a0c-0305e82c3301"),
        ("client-secret-id", "3f2504e0-4f89-11d3-9a0c-0305e82c3301"),
        (
            "token-url",
            "https://login.microsoftonline.com/x/oauth2/v2.0/token",
        ),
        (
            "token-issuer",
            "https://sts.windows.net/3f2504e0-4f89-11d3-9a0c-0305e82c3301/",
        ),
        ("api-key-header-name", "Ocp-Apim-Subscription-Key"),
        ("password", "{{vault}}"),
        ("secret-length", "32"),
        (
            "orders-db",
            "Server=s;Database=d;Authentication=Active Directory Managed Identity",
        ),
        ("password-policy", "@(context.Variables.ContainsKey(\"p\"))"),
        ("empty-secret", ""),
        (
            "Logger-Credentials--5f",
            "3f2504e0-4f89-11d3-9a0c-0305e82c3301",
        ),
    ] {
        let told = Estate::default().plain(name, value).told();
        assert!(told.is_empty(), "{name}: {told:?}");
    }
}

#[test]
fn one_in_a_place_for_keys_is_found_and_weighs_as_it_is_kept() {
    for xml in [
        r#"<authentication-basic username="u" password="{{v}}" />"#,
        r#"<set-header name="api-key"><value>{{v}}</value></set-header>"#,
        r#"<set-header name="Authorization"><value>Bearer {{v}}</value></set-header>"#,
        r#"<set-header name="Authorization"><value>@("Bearer " + "{{v}}")</value></set-header>"#,
        r#"<set-header name="Authorization"><value>@("Basic " + Convert.ToBase64String(Encoding.UTF8.GetBytes("me:{{v}}")))</value></set-header>"#,
        r#"<set-body>grant_type=x&amp;client_secret={{v}}</set-body>"#,
    ] {
        let plain = Estate::default().inbound(xml).plain("v", "abcdefgh");
        assert_eq!(plain.told(), ["KL0410 /properties/value"], "{xml}");
        assert_eq!(plain.scan()[0].users.len(), 1, "{xml}");
        for value in [None, Some("abcdefgh")] {
            let secret = Estate::default().inbound(xml).secret("v", value).scan();
            assert_eq!(secret.len(), 1, "{xml}");
            let f = &secret[0];
            assert_eq!((f.rule, f.severity), ("KL0413", Severity::Warning), "{xml}");
            assert!(f.counts() && f.users.len() == 1);
            assert_eq!(f.fingerprint, value.map(|v| estate::key().of(v)));
        }
        let vault = json!({ "displayName": "v", "secret": true,
            "keyVault": { "secretIdentifier": "https://kv.vault.azure.net/secrets/v" } });
        let address = gateway().child("namedValue", "v-id");
        let kept = Estate::default().inbound(xml).put(address, vault).scan();
        assert_eq!((kept[0].rule, kept[0].severity), ("KL0413", Severity::Info));
        assert!(!kept[0].counts());
    }
}

#[test]
fn a_secret_one_that_shows_itself_to_be_a_key_is_found_once_it_is_read() {
    let read = |value: &str| Estate::default().secret("x", Some(value)).told();
    let key = "DefaultEndpointsProtocol=https;AccountName=a;AccountKey=abcdefgh12==";
    assert_eq!(read(key), ["KL0413 /properties/value"]);
    assert!(read("westeurope").is_empty());
}

#[test]
fn names_that_may_not_be_listed_are_told_at_the_place() {
    let mut estate = Estate::default().resolver("a", false, "{{orders-db}}");
    assert!(
        estate.scan().is_empty(),
        "a name that is not there opens nothing"
    );
    estate
        .0
        .unreadable
        .insert("apim:contoso/namedValue:".into(), "no right to list".into());
    let found = estate.scan();
    assert_eq!(found.len(), 1);
    assert_eq!(
        (found[0].rule, &found[0].address),
        ("KL0404", &resolver("a"))
    );
    assert_eq!(found[0].through.as_deref(), Some("orders-db"));
    assert_eq!(keyless_scan::unsearched(&estate.0).len(), 1);
}

#[test]
fn the_worst_comes_first() {
    let estate = Estate::default()
        .plain("x-db", WITH_PASSWORD)
        .secret("a-db", None)
        .resolver("z", false, "{{a-db}}")
        .plain("a-password", "hunter22");
    let severities: Vec<Severity> = estate.scan().iter().map(|f| f.severity).collect();
    assert_eq!(
        severities,
        [Severity::Critical, Severity::High, Severity::High]
    );
}

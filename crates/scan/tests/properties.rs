//! What holds for any connection string, password and document.

mod estate;

use estate::{Estate, gateway};
use keyless_model::Live;
use keyless_policy::Document;
use keyless_scan::{
    ConnectionString, Leads, http_credentials, leads_to, targets, unsearched, url_credentials,
};
use proptest::prelude::*;
use serde_json::json;

const SERVER: [&str; 4] = ["Server", "data source", "ADDR", "Network Address"];
const USER: [&str; 3] = ["User ID", "uid", "User"];
const PASSWORD: [&str; 3] = ["Password", "PWD", "pwd "];
const OTHER: [&str; 4] = [
    "Encrypt=True",
    "Connect Timeout = 30",
    "Initial Catalog='a;b'",
    "Persist Security Info=False",
];

/// Quoted so that any character may stand in it.
fn quoted(password: &str, style: usize) -> String {
    match style {
        0 => format!("\"{}\"", password.replace('"', "\"\"")),
        1 => format!("'{}'", password.replace('\'', "''")),
        _ => format!("{{{}}}", password.replace('}', "}}")),
    }
}

fn secret() -> impl Strategy<Value = String> {
    // A canary that stands for itself in JSON, XML and Debug, with hard characters around it.
    "[;=' \"&<>a-z]{0,6}CANARY[0-9]{8}[;=' \"&<>}a-z]{0,6}"
}

fn canary(password: &str) -> &str {
    let at = password.find("CANARY").expect("the strategy puts one in");
    &password[at..at + 14]
}

prop_compose! {
    fn connection()(
        password in secret(),
        style in 0..3usize,
        server in proptest::sample::select(SERVER.as_slice()),
        user in proptest::sample::select(USER.as_slice()),
        pass in proptest::sample::select(PASSWORD.as_slice()),
        others in proptest::sample::subsequence(OTHER.as_slice(), 0..=OTHER.len()),
        turn in 0..6usize,
        gap in "[ \n]{0,2}",
    ) -> (String, String) {
        let mut pairs = vec![
            format!("{server}={gap}tcp:x.database.windows.net,1433"),
            format!("{user}{gap}=app"),
            format!("{pass}={}", quoted(&password, style)),
        ];
        pairs.extend(others.iter().map(|o| (*o).to_owned()));
        let turn = turn % pairs.len();
        pairs.rotate_left(turn);
        (pairs.join(&format!(";{gap}")), password)
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_quoted_password_is_read_back((text, password) in connection()) {
        let parsed = ConnectionString::parse(&text).expect("it is one");
        let read = parsed.password().expect("it has one");
        prop_assert_eq!(read.expose(), password.as_str());
        let server = parsed.server();
        prop_assert_eq!(server.as_deref(), Some("x.database.windows.net"));
        let user = parsed.user();
        prop_assert_eq!(user.as_deref(), Some("app"));
    }

    #[test]
    fn without_credentials_only_takes_away((text, password) in connection()) {
        let clean = ConnectionString::parse(&text).expect("it is one").without_credentials();
        prop_assert!(!clean.contains(canary(&password)) && !clean.contains("=app"));
        for other in OTHER {
            prop_assert_eq!(clean.contains(other), text.contains(other));
        }
        if let Some(again) = ConnectionString::parse(&clean) {
            prop_assert_eq!(again.without_credentials(), clean);
        }
    }

    #[test]
    fn no_finding_shows_the_value((text, password) in connection(), place in 0..10usize) {
        let xml = text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;");
        let csharp = text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        let estate = match place {
            0 => Estate::default().resolver("q", false, &text),
            1 => Estate::default().resolver("q", true, "{{db}}").plain("db", &text),
            2 => Estate::default().resolver("q", false, "{{db}}").secret("db", Some(&text)),
            3 => Estate::default().inbound(&format!("<set-variable name=\"c\" value=\"{xml}\" />")),
            4 => Estate::default().inbound(&format!("<set-body>@(\"{csharp}\")</set-body>")),
            5 => Estate::default().inbound(&format!("<!-- {} -->", xml.replace("--", "-"))),
            6 => Estate::default().put(gateway().child("backend", "b"), json!({
                "credentials": { "header": { "x-functions-key": [text] } },
            })),
            7 => Estate::default().put(gateway().child("operation", "o"), json!({
                "request": { "headers": [{ "name": "x", "defaultValue": text }] },
            })),
            8 => Estate::default().put(gateway().child("cache", "c"), json!({
                "connectionString": text,
            })),
            _ => Estate::default().inbound(&format!("<set-body>{xml}</set-body>")),
        };
        prop_assert!(unsearched(&estate.0).is_empty());
        let found = estate.scan();
        prop_assert!(!found.is_empty(), "missed at place {}", place);
        let shown = format!("{found:?}{}", serde_json::to_string(&found).expect("it serialises"));
        prop_assert!(!shown.contains(canary(&password)), "{}", shown);
    }

    #[test]
    fn no_http_credential_shows_the_value(password in secret(), place in 0..4usize) {
        let xml = password.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;");
        let xml = match place {
            0 => format!("<authentication-basic username=\"u\" password=\"{xml}\" />"),
            1 => format!(
                "<set-header name=\"Authorization\"><value>SharedAccessSignature {xml}</value></set-header>"
            ),
            2 => format!(
                "<set-variable name=\"p\" value=\"{xml}\" /><authentication-basic username=\"u\" \
                 password=\"@((string)context.Variables[&quot;p&quot;])\" />"
            ),
            _ => format!(
                "<send-request><set-url>https://h?code={xml}</set-url><set-header \
                 name=\"Authorization\"><value>SharedAccessSignature {xml}</value></set-header></send-request>"
            ),
        };
        let text = format!("<policies><inbound>{xml}</inbound></policies>");
        let document = Document::parse(&text).expect("it is well-formed");
        let found = http_credentials(&document);
        prop_assert_eq!(found.len(), 1);
        prop_assert_eq!(found[0].values.len(), 1);
        prop_assert!(found[0].values[0].text.expose().contains(canary(&password)));
        let shown = format!("{found:?}{:?}", targets(&document));
        prop_assert!(!shown.contains(canary(&password)), "{}", shown);
    }

    #[test]
    fn a_url_without_its_credentials_has_none_and_leads_to_the_same(
        login in "[a-z]{1,5}:[A-Za-z0-9]{8,12}@",
        key in "[A-Za-z0-9]{8,30}",
        path in "(/[a-z]{1,4}){0,3}",
        other in "[a-z]{1,3}=[0-9]{1,3}",
        turn in any::<bool>(),
    ) {
        let query = match turn {
            true => format!("{other}&sig={key}"),
            false => format!("code={key}&{other}"),
        };
        let url = format!("https://{login}h.net{path}?{query}");
        let found = url_credentials(&url).expect("it has two");
        prop_assert_eq!(&found.clean, &format!("https://h.net{path}?{other}"));
        prop_assert_eq!(url_credentials(&found.clean), None);
        let nothing = |_: &str| Live::Absent;
        prop_assert_eq!(leads_to(&url, &found.clean, nothing), Leads::Yes);
        let below = format!("https://h.net{path}/x");
        prop_assert_eq!(leads_to(&below, &url, nothing), Leads::Yes);
        let beside = format!("https://h.net{path}x");
        prop_assert_eq!(leads_to(&beside, &url, nothing), Leads::No);
    }

    #[test]
    fn arbitrary_urls_do_not_panic(
        pieces in proptest::collection::vec(
            proptest::sample::select(vec![
                "https", "://", ":", "/", "?", "#", "@", "@(", "@{", "{{x}}", "{{", "}}", "[", "]",
                "h.net", "code=", "&", "abcdefgh1", ";", " ", "ü", "%",
            ]),
            0..12,
        ),
        target in "\\PC{0,20}",
    ) {
        let url = pieces.concat();
        let _ = leads_to(&url, &target, |_| Live::Present(target.clone()));
        let _ = leads_to(&target, &url, |_| Live::Absent);
        if let Some(found) = url_credentials(&url) {
            prop_assert!(found.clean.len() < url.len());
        }
    }

    #[test]
    fn arbitrary_text_neither_panics_nor_changes_on_a_second_scan(text in "\\PC{0,200}") {
        let estate = Estate::default()
            .put(gateway().part("policy"), json!({ "value": text }))
            .resolver("q", false, &text.replace(|c: char| c.is_control(), ""))
            .plain("v", &text);
        prop_assert_eq!(estate.scan(), estate.scan());
        if let Some(parsed) = ConnectionString::parse(&text) {
            parsed.without_credentials();
        }
    }

    #[test]
    fn arbitrary_code_does_not_panic(
        pieces in proptest::collection::vec(
            proptest::sample::select(vec![
                "@(", "@{", "(", ")", "{", "}", "[", "]", "\"", "\"\"\"", "$\"", "@\"", "$$\"\"\"",
                "+", "=", ";", ",", ".", "a", "x=", "Concat", "Format(\"{0}\"", "'", "\\", "//",
                "/*", "*/", "{{v}}", "ü", "\n", "password=", "Basic ", "ToBase64String", ":",
            ]),
            0..40,
        ),
    ) {
        let text = pieces.concat();
        let _ = Estate::default().plain("v", &text).scan();
    }
}

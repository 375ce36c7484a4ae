//! What holds for every input: examples load, no text makes a load panic, places
//! lie inside the text.

use std::collections::BTreeSet;

use keyless_manifest::{Environment, MAX_MANIFEST_BYTES, ReadError, Source};
use keyless_model::{Desired, Evidence, KINDS, Replaces, Selection, UserSid};
use proptest::prelude::*;

fn source(path: &str, text: impl Into<String>) -> Source {
    Source {
        path: path.to_owned(),
        text: text.into(),
    }
}

/// As [`keyless_manifest::load`], without an environment.
fn load(
    sources: &[Source],
    read: keyless_manifest::Read<'_>,
) -> Result<Desired, Vec<keyless_model::Diagnostic>> {
    keyless_manifest::load(sources, read, &Environment::default())
}

fn nothing(_: &str) -> Result<String, ReadError> {
    Err(ReadError::Missing)
}

fn load_text(text: &str) -> Result<Desired, Vec<keyless_model::Diagnostic>> {
    load(&[source("a.yaml", text)], &nothing)
}

fn examples() -> Vec<Source> {
    KINDS
        .iter()
        .map(|k| source(&format!("{}.yaml", k.name), k.example))
        .collect()
}

#[test]
fn the_examples_of_all_kinds_load_together() {
    let desired = load(&examples(), &nothing).unwrap();
    let access = &desired.accesses["orders-read"];
    let apis = access.apis.as_ref().unwrap();
    assert_eq!(apis[0].resolvers, Selection::All);
    assert_eq!(apis[0].operations, Selection::All);
    assert_eq!(access.schemas, ["dbo"]);
    assert_eq!(access.replaces, Replaces::Derive);
    let retire = access.retire.as_ref().unwrap();
    assert_eq!((retire.after, retire.disabled_for), (604_800, 604_800));
    assert_eq!(retire.evidence, BTreeSet::from([Evidence::Sessions]));
    assert!(retire.drop);
    assert_eq!(desired.gateways["contoso"].span.line, 3);
    assert!(matches!(
        desired.users["drift-reader"].sid,
        UserSid::Known(_)
    ));
    assert_eq!(desired.servers["orders-sql"].entra_only, Some(true));
    assert!(
        desired.policies["orders-api"]
            .text
            .starts_with("<policies>")
    );
}

#[test]
fn one_of_resolvers_and_operations_left_out_is_none_of_it() {
    let access = "apiVersion: keyless.dev/v1alpha1
kind: Access
metadata: { name: a }
spec:
  from: { gateway: contoso, apis: [{ name: x, operations: \"*\" }, { name: y, resolvers: [q] }] }
  to: { server: orders-sql, database: orders }
  role: custom
  grants: [{ permission: select, on: \"object::dbo.[a.b]\" }]
";
    let mut sources = examples();
    sources.push(source("a.yaml", access));
    let access = load(&sources, &nothing).unwrap().accesses["a"].clone();
    let apis = access.apis.unwrap();
    assert_eq!(apis[0].operations, Selection::All);
    assert_eq!(apis[0].resolvers, Selection::Named(BTreeSet::new()));
    assert_eq!(apis[1].operations, Selection::Named(BTreeSet::new()));
    assert!(apis[1].resolvers.holds("q"));
    assert!(access.schemas.is_empty());
    assert_eq!(access.grants[0].permission, "SELECT");
    assert!(access.retire.is_none());
}

#[test]
fn files_without_a_document_are_an_error() {
    for sources in [vec![], vec![source("a.yaml", "# nothing\n---\n")]] {
        let found = load(&sources, &nothing).unwrap_err();
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].code, "KL0114");
    }
}

#[test]
fn a_manifest_over_the_limit_is_refused_unread() {
    let text = format!("# {}\n- [", "x".repeat(MAX_MANIFEST_BYTES as usize));
    let found = load_text(&text).unwrap_err();
    assert_eq!(found.iter().map(|d| d.code).collect::<Vec<_>>(), ["KL0112"]);
}

#[test]
fn a_policy_over_the_limit_is_refused_wherever_the_limit_is_met() {
    let policy = KINDS.iter().find(|k| k.name == "Policy").unwrap().example;
    let (head, _) = policy.split_once("  inline:").unwrap();
    let text = format!("{head}  file: big.xml\n");
    let gateway = KINDS[0].example;
    let sources = [source("gateway.yaml", gateway), source("a.yaml", text)];
    let refusing = |_: &str| Err(ReadError::TooLarge(50 << 20));
    let giving = |_: &str| Ok(format!("<policies>{}</policies>", " ".repeat(1 << 20)));
    for read in [&refusing as keyless_manifest::Read<'_>, &giving] {
        let found = load(&sources, read).unwrap_err();
        assert_eq!(found.iter().map(|d| d.code).collect::<Vec<_>>(), ["KL0112"]);
    }
}

#[test]
fn a_reader_is_asked_for_normalised_paths_only() {
    let policy = KINDS.iter().find(|k| k.name == "Policy").unwrap().example;
    let (head, _) = policy.split_once("  inline:").unwrap();
    let text = format!("{head}  file: ./../policies//a.xml\n");
    let sources = [
        source("g.yaml", KINDS[0].example),
        source("manifests/a.yaml", text),
    ];
    let read = |path: &str| {
        assert_eq!(path, "policies/a.xml");
        Ok("<policies/>".to_owned())
    };
    let desired = load(&sources, &read).unwrap();
    assert_eq!(desired.policies["orders-api"].text, "<policies/>");
}

#[test]
fn a_thousand_documents_and_a_wide_file_are_no_work() {
    let mut sources = examples();
    for i in 0..1000 {
        let text = format!(
            "apiVersion: keyless.dev/v1alpha1\nkind: NamedValue\nmetadata: {{ name: nv-{i} }}\n\
             spec:\n  gateway: contoso\n  properties: {{ displayName: nv-{i}, value: v }}\n"
        );
        sources.push(source(&format!("nv-{i}.yaml"), text));
    }
    assert_eq!(load(&sources, &nothing).unwrap().named_values.len(), 1001);
    let keys: String = (0..20_000)
        .map(|i| format!(", \"é{i}\": \"password=x\""))
        .collect();
    let found = load_text(&format!("{{\"é\": 1{keys}}}")).unwrap_err();
    assert_eq!(found.iter().filter(|d| d.code == "KL0103").count(), 20_001);
    assert_eq!(found.iter().filter(|d| d.code == "KL0110").count(), 20_000);
    let wide = format!("- [{}]", "0,".repeat(600_000));
    assert_eq!(load_text(&wide).unwrap_err()[0].code, "KL0101");
}

/// Text that is YAML now and then.
fn yamlish() -> impl Strategy<Value = String> {
    let word = prop_oneof![
        Just("apiVersion: keyless.dev/v1alpha1\n".to_owned()),
        Just("kind: Access\n".to_owned()),
        Just("kind: Policy\n".to_owned()),
        Just("metadata: { name: a }\n".to_owned()),
        Just("spec:\n".to_owned()),
        Just("  gateway: contoso\n".to_owned()),
        Just("  scope: {}\n".to_owned()),
        Just("  inline: |\n".to_owned()),
        Just("    <policies a=\"@(1\">ü</policies>\n".to_owned()),
        Just("  apis: [{ name: *x }]\n".to_owned()),
        Just("---\n".to_owned()),
        Just("a: x\n".to_owned()),
        Just("  name: \"-${{ var.a }}é${{var.b\"\n".to_owned()),
        Just("  k: ${{ var.a }}\n".to_owned()),
        Just("\u{feff}".to_owned()),
        "[ \\-:?,{}\\[\\]&*!|>'\"%@`#\t\r\nae0é😀~.]{0,12}",
        "(?s).{0,8}",
    ];
    proptest::collection::vec(word, 0..24).prop_map(|words| words.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, ..ProptestConfig::default() })]

    #[test]
    fn no_text_panics_and_every_place_lies_in_it(text in yamlish()) {
        if let Err(found) = load_text(&text) {
            for span in found.into_iter().filter_map(|d| d.span) {
                prop_assert!(text.get(span.start..span.end).is_some(), "{span:?}");
            }
        }
    }

    #[test]
    fn no_environment_panics_and_every_place_lies_in_its_file(text in yamlish(), set in yamlish()) {
        let environment = Environment {
            chosen: Some(source("e.yaml", set.clone())),
            ..Environment::default()
        };
        let sources = [source("a.yaml", text.clone())];
        let Err(found) = keyless_manifest::load(&sources, &nothing, &environment) else {
            return Ok(());
        };
        for span in found.into_iter().filter_map(|d| d.span) {
            let text = if span.file == "e.yaml" { &set } else { &text };
            prop_assert!(text.get(span.start..span.end).is_some(), "{span:?}");
        }
    }

    #[test]
    fn a_scalar_is_marked_where_it_stands(before in "[äé€😀a-z ]{0,12}", word in "[a-zäö😀]{1,8}") {
        let text = format!("# {before}\n{{ kind: \"{before}\", apiVersion: {word}x }}");
        let found = load_text(&text).unwrap_err();
        let version = found.iter().find(|d| d.message.contains("apiVersion")).unwrap();
        let span = version.span.clone().unwrap();
        prop_assert_eq!(&text[span.start..span.end], format!("{word}x"));
        prop_assert_eq!(span.line, 2);
        let column = text.lines().nth(1).unwrap().find("apiVersion: ").unwrap() + 12;
        let column = text.lines().nth(1).unwrap()[..column].chars().count() + 1;
        prop_assert_eq!(span.column, column);
    }
}

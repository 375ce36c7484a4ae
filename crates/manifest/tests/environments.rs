//! Environments: one set of manifests for several of them, and where each value came from.

use keyless_manifest::{Environment, Read, ReadError, Source, load, render, unknown_environment};
use keyless_model::{Desired, Diagnostics};

const MANIFEST: &str = "apiVersion: keyless.dev/v1alpha1
kind: SqlServer
metadata: { name: orders-sql }
spec:
  id: ${{ var.sql.id }}
  entraOnly: ${{ var.sql.only }}
  properties: { minimalTlsVersion: \"${{ var.tls }}\" }
---
apiVersion: keyless.dev/v1alpha1
kind: SqlDatabase
metadata: { name: orders }
spec:
  server: orders-sql
  name: orders-${{ var.stage }}-${{var.number}}
  owns: \"${{ var.owned }}\"
";

const DEV: &str = "sql:
  id: /subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/rg/providers/Microsoft.Sql/servers/dev
  only: true
tls: \"1.2\"
stage: dev
number: 7
owned: false
";

fn source(path: &str, text: &str) -> Source {
    Source {
        path: path.to_owned(),
        text: text.to_owned(),
    }
}

fn missing(_: &str) -> Result<String, ReadError> {
    Err(ReadError::Missing)
}

const NO_FILES: Read<'static> = &missing;

fn environment(text: &str) -> Environment {
    Environment {
        chosen: Some(source("environments/dev.yaml", text)),
        known: vec!["dev".to_owned(), "prod".to_owned()],
        partial: false,
    }
}

fn loaded(environment: &Environment) -> Result<Desired, Diagnostics> {
    load(&[source("a.yaml", MANIFEST)], NO_FILES, environment)
}

#[test]
fn a_value_that_is_one_variable_keeps_its_type_and_a_part_of_a_text_is_text() {
    let dev = loaded(&environment(DEV)).unwrap();
    let server = &dev.servers["orders-sql"];
    assert_eq!(server.id.name, "dev");
    assert_eq!(server.entra_only, Some(true));
    assert_eq!(server.properties["minimalTlsVersion"], "1.2");
    assert_eq!(dev.databases["orders"].name, "orders-dev-7");
    assert!(!dev.databases["orders"].owns);
    let prod = DEV
        .replace("/dev", "/prod")
        .replace("stage: dev", "stage: prod");
    let prod = loaded(&environment(&prod)).unwrap();
    assert_eq!(prod.servers["orders-sql"].id.name, "prod");
    assert_eq!(prod.databases["orders"].name, "orders-prod-7");
}

#[test]
fn a_reference_without_an_environment_names_those_that_there_are() {
    let mut none = Environment {
        known: vec!["dev".to_owned(), "prod".to_owned()],
        ..Environment::default()
    };
    let found = loaded(&none).unwrap_err();
    let [error] = &found[..] else {
        panic!("one choice sets all of them: {found:?}")
    };
    assert_eq!(error.code, "KL0116");
    let span = error.span.as_ref().unwrap();
    assert_eq!(&MANIFEST[span.start..span.end], "${{ var.sql.id }}");
    let help = error.help.as_deref().unwrap();
    assert_eq!(
        help,
        "choose one with `--env`: dev, prod (5 more places need it)"
    );
    none.known.clear();
    let found = loaded(&none).unwrap_err();
    assert!(
        found[0]
            .help
            .as_ref()
            .unwrap()
            .contains("environments/<name>.yaml")
    );
    let known = ["dev".to_owned(), "prod".to_owned()];
    let help = |name| unknown_environment(name, &known).help.unwrap();
    assert_eq!(help("prd"), "did you mean `prod`?");
    assert_eq!(help("test-2"), "choose one with `--env`: dev, prod");
}

#[test]
fn a_variable_that_is_not_set_is_said_once_where_it_is_first() {
    let manifest = format!("{MANIFEST}  keep: [\"{0}{0}\", \"{0}\"]\n", "${{ var.x }}");
    let found = load(
        &[source("a.yaml", &manifest)],
        NO_FILES,
        &environment(&DEV.replace("number: 7\n", "")),
    );
    let found = found.unwrap_err();
    let said: Vec<_> = found
        .iter()
        .map(|d| {
            let span = d.span.as_ref().unwrap();
            (&manifest[span.start..span.end], d.help.as_deref().unwrap())
        })
        .collect();
    let wanted = [
        (
            "${{var.number}}",
            "add `number: …` to environments/dev.yaml",
        ),
        (
            "${{ var.x }}",
            "add `x: …` to environments/dev.yaml (2 more places need it)",
        ),
    ];
    assert_eq!(said, wanted);
}

#[test]
fn an_error_about_a_value_tells_where_its_variable_is_set() {
    let found = loaded(&environment(&DEV.replace("only: true", "only: 2"))).unwrap_err();
    let [error] = &found[..] else {
        panic!("{found:?}")
    };
    assert_eq!(error.span.as_ref().unwrap().file, "a.yaml");
    let help = error.help.as_ref().unwrap();
    assert!(
        help.ends_with("; the variable sql.only is set at environments/dev.yaml:3"),
        "{help}"
    );
}

#[test]
fn what_nothing_uses_is_an_error_unless_only_a_part_is_read() {
    let mut dev = environment(&format!("{DEV}left-over: 1\n"));
    let found = loaded(&dev).unwrap_err();
    let [error] = &found[..] else {
        panic!("{found:?}")
    };
    let span = error.span.as_ref().unwrap();
    assert_eq!(
        (span.file.as_str(), span.line),
        ("environments/dev.yaml", 8)
    );
    dev.partial = true;
    assert!(loaded(&dev).is_ok());
}

#[test]
fn a_rendered_manifest_shows_each_value_and_where_it_was_set() {
    let dev = environment(DEV);
    let text = render(&[source("a.yaml", MANIFEST)], NO_FILES, &dev).unwrap();
    let wanted = "# a.yaml:1
apiVersion: keyless.dev/v1alpha1
kind: SqlServer
metadata:
  name: orders-sql
spec:
  id: /subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/rg/providers/Microsoft.Sql/servers/dev  # sql.id: environments/dev.yaml:2
  entraOnly: true  # sql.only: environments/dev.yaml:3
  properties:
    minimalTlsVersion: \"1.2\"  # tls: environments/dev.yaml:4
---
# a.yaml:9
apiVersion: keyless.dev/v1alpha1
kind: SqlDatabase
metadata:
  name: orders
spec:
  server: orders-sql
  name: orders-dev-7  # stage: environments/dev.yaml:5, number: environments/dev.yaml:6
  owns: false  # owned: environments/dev.yaml:7
";
    assert_eq!(text, wanted);
}

/// The model of rendered text, and of what it was rendered from, but for their places.
fn shapes(desired: &Desired) -> String {
    let text = format!("{desired:?}");
    let mut rest = text.as_str();
    let mut out = String::new();
    while let Some((before, after)) = rest.split_once("span: Span {") {
        out.push_str(before);
        rest = after.split_once('}').map_or("", |(_, rest)| rest);
    }
    out + rest
}

#[test]
fn what_is_rendered_loads_and_means_the_same() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let read =
        |path: &str| std::fs::read_to_string(folder.join(path)).map_err(|_| ReadError::Missing);
    let mut names: Vec<_> = std::fs::read_dir(folder.join("valid"))
        .unwrap()
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    for name in names {
        let path = format!("valid/{name}");
        let sources = ["common.yaml", &path].map(|p| source(p, &read(p).unwrap()));
        let chosen = read(&format!("environments/{name}"));
        let environment = Environment {
            chosen: chosen.ok().map(|text| source("environments/e.yaml", &text)),
            ..Environment::default()
        };
        let desired = load(&sources, &read, &environment).unwrap();
        let text = render(&sources, &read, &environment).unwrap();
        let again = source("valid/again.yaml", &text);
        let again = load(&[again], &read, &Environment::default());
        let again = again.unwrap_or_else(|e| panic!("{name}: {e:?}\n{text}"));
        assert_eq!(shapes(&again), shapes(&desired), "{text}");
    }
}

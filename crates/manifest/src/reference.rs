//! The reference page of manifests, from the descriptors.

use std::fmt::Write;

use keyless_model::{Form, KINDS, Kind, Property, Shape};

use crate::check::expected;
use crate::schema::only_later;

/// The page as Markdown.
pub fn reference() -> String {
    let mut page = String::from(HEAD);
    for kind in KINDS {
        let anchor = kind.name.to_lowercase();
        line(
            &mut page,
            &format!("- [{}](#{anchor}) ({})", kind.name, kind.level.word()),
        );
    }
    for kind in KINDS {
        describe(&mut page, kind);
    }
    page
}

const HEAD: &str = "# Manifests

Generated from the descriptors of the kinds; do not edit.

A manifest is YAML 1.2 or JSON. Every document has the same envelope:

```yaml
apiVersion: keyless.dev/v1alpha1
kind: Gateway
metadata: { name: contoso }  # a-z, 0-9 and “-”, at most 63, unique for each kind
spec: {}
```

- What is left out is unmanaged: never compared, never overwritten. Inside `properties`, `null` asks
  for a field to be absent.
- Unknown fields are errors, and so are those of a later version.
- Anchors, aliases, tags and keys that stand twice are refused.
- `true` and `false` are the only booleans; a number or a boolean that is meant as text stands in
  quotes.
- A duration is a whole number and one of `s`, `m`, `h`, `d`.
- A path is relative to the manifest that names it, and stays inside the project.
- A literal that looks like a credential is an error.
- `${{ var.name }}` stands for a variable of the environment that `--env` chooses. A value that is one
  reference takes the variable's type; inside a text it is text. Keys and policy files hold none.

An environment is a file `environments/<name>.yaml`: one mapping from names to values, in which
mappings make dotted names. A variable that is not set, or that no manifest uses, is an error.

```yaml
region: westeurope
sql: { only: true }          # ${{ var.sql.only }}
```

## Kinds

";

fn describe(page: &mut String, kind: &Kind) {
    line(page, &format!("\n## {}\n", kind.name));
    line(page, kind.summary);
    if let Some(arm) = kind.arm {
        line(
            page,
            &format!(
                "\nIn Azure: `{}`, api-version {}.",
                arm.resource_type, arm.api_version
            ),
        );
    }
    line(page, "\n| field | value | required | default | about |");
    line(page, "|---|---|---|---|---|");
    let mut later = Vec::new();
    rows(page, kind.spec, "", &mut later);
    if !later.is_empty() {
        line(
            page,
            &format!("\nNot in this version: {}.", later.join(", ")),
        );
    }
    line(page, &format!("\n```yaml\n{}```", kind.example));
    live(page, kind);
}

fn live(page: &mut String, kind: &Kind) {
    if kind.fields.is_empty() {
        return;
    }
    line(
        page,
        "\nCompared with what is live:\n\n| field | compared | severity |\n|---|---|---|",
    );
    for field in kind.fields {
        let secret = if field.sensitive {
            "; shown only as a fingerprint"
        } else {
            ""
        };
        let form = form(field.form);
        line(
            page,
            &format!(
                "| `{}` | {form}{secret} | {} |",
                field.path,
                field.severity.word()
            ),
        );
    }
}

/// One row for each field; what is nested has a dotted path.
fn rows(page: &mut String, properties: &[Property], prefix: &str, later: &mut Vec<String>) {
    for property in properties {
        let path = format!("{prefix}{}", property.name);
        if let Shape::Later(_) = property.shape {
            later.push(format!("`{path}`"));
            continue;
        }
        let default = match property.default {
            "" => String::new(),
            default => format!("`{default}`"),
        };
        let required = if property.required { "yes" } else { "" };
        let about = property.about.replace('|', "\\|");
        let value = value(&property.shape);
        line(
            page,
            &format!("| `{path}` | {value} | {required} | {default} | {about} |"),
        );
        nested(page, &property.shape, &path, later);
    }
}

fn nested(page: &mut String, shape: &Shape, path: &str, later: &mut Vec<String>) {
    match shape {
        Shape::Object(properties) => rows(page, properties, &format!("{path}."), later),
        Shape::List(Shape::Object(properties)) => {
            rows(page, properties, &format!("{path}[]."), later);
        }
        Shape::Either(shapes) => {
            for shape in *shapes {
                nested(page, shape, path, later);
            }
        }
        _ => {}
    }
}

fn value(shape: &Shape) -> String {
    let text = match shape {
        Shape::Word(["true"]) => "`true`".to_owned(),
        Shape::Either(shapes) => {
            let now = shapes.iter().filter(|s| !only_later(s));
            now.map(value).collect::<Vec<_>>().join(" or ")
        }
        shape => expected(shape),
    };
    text.replace('|', "\\|")
}

fn form(form: Form) -> &'static str {
    match form {
        Form::Exact => "as JSON values",
        Form::Folded => "without case",
        Form::Policy => "by meaning",
        Form::Set => "as a set, without case",
        Form::Words => "as a set of words, without case",
    }
}

fn line(page: &mut String, text: &str) {
    // Writing to a String cannot fail.
    let _ = writeln!(page, "{text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_has_one_row_and_every_table_line_the_same_columns() {
        let page = reference();
        assert_eq!(page.matches("| `from.apis[].resolvers` |").count(), 1);
        assert!(page.contains("Not in this version: `from.workload`, `rowLevel`"));
        for kind in KINDS {
            assert!(page.contains(kind.example), "{}", kind.name);
            for property in kind.spec {
                assert!(
                    page.contains(&format!("`{}`", property.name)),
                    "{}",
                    property.name
                );
            }
        }
        for row in page.lines().filter(|l| l.starts_with('|')) {
            let columns = row.replace("\\|", "").matches('|').count();
            assert!(columns == 6 || columns == 4, "{row}");
        }
    }
}

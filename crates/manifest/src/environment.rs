//! Environments: the files that set variables.
//!
//! A file is one mapping; mappings in it make dotted names (`sql: { id: … }` is `var.sql.id`). Its
//! values are scalars, and none of them a credential.

use std::collections::BTreeMap;
use std::ops::Range;

use keyless_model::{Diagnostic, Span};

use crate::credential::{self, Context};
use crate::node::{Entry, File, Node, Value};
use crate::place::Places;
use crate::scalar::{Meaning, Scalar, shown};
use crate::source::Source;
use crate::suggest::nearest;
use crate::variables::OPEN;

/// Which environment a run is for.
#[derive(Default)]
pub struct Environment {
    /// The file that was chosen, `environments/<name>.yaml`; without one a reference is an error.
    pub chosen: Option<Source>,
    /// The names of all environments, for messages.
    pub known: Vec<String>,
    /// Not every manifest of the project is read, so a variable that none of them uses is no error.
    pub partial: bool,
}

/// “There is no environment …”, for a name that no file has.
pub fn unknown_environment(name: &str, known: &[String]) -> Diagnostic {
    let help = match nearest(name, known.iter().map(String::as_str)) {
        Some(near) => format!("did you mean `{near}`?"),
        None => choose(known),
    };
    let message = format!("there is no environment {}", shown(name));
    Diagnostic::error("KL0116", message).help(help)
}

/// What to do where no environment is chosen, or another one is needed.
pub(crate) fn choose(known: &[String]) -> String {
    match known {
        [] => "make a file environments/<name>.yaml with a line for each variable, and choose it \
               with `--env <name>`"
            .to_owned(),
        known => format!("choose one with `--env`: {}", known.join(", ")),
    }
}

/// What a variable is.
pub(crate) struct Variable {
    /// `None` when it is reported already.
    pub(crate) scalar: Option<Scalar>,
    pub(crate) span: Span,
}

/// Every variable that a file sets; `None` when it is not such a file.
pub(crate) fn read(
    file: &File,
    places: &Places<'_>,
    found: &mut Vec<Diagnostic>,
) -> Option<BTreeMap<String, Variable>> {
    let mut values = BTreeMap::new();
    let mut reader = Reader {
        places,
        found,
        values: &mut values,
    };
    for (index, document) in file.documents.iter().enumerate() {
        if index > 0 || !matches!(document.value, Value::Map(_)) {
            let message = "an environment is one mapping from names to values";
            let help = "write `name: value` lines, and no `---`";
            reader.fail("KL0102", message, &document.range, "not that", help);
            return None;
        }
        reader.all(document, "");
    }
    Some(values)
}

/// Reads an environment file.
struct Reader<'r> {
    places: &'r Places<'r>,
    found: &'r mut Vec<Diagnostic>,
    values: &'r mut BTreeMap<String, Variable>,
}

impl Reader<'_> {
    fn fail(
        &mut self,
        code: &'static str,
        message: impl Into<String>,
        at: &Range<usize>,
        label: &str,
        help: &str,
    ) {
        let span = self.places.span(at);
        self.found
            .push(Diagnostic::error(code, message).at(&span, label).help(help));
    }

    fn all(&mut self, map: &Node, prefix: &str) {
        for entry in map.entries() {
            let name = format!("{prefix}{}", entry.key);
            if !is_name(&entry.key) {
                let message = format!("{} cannot be the name of a variable", shown(&entry.key));
                let help = "a name starts with a letter and holds letters, digits, “_” and “-”";
                self.fail("KL0109", message, &entry.at, "bad name", help);
                continue;
            }
            match &entry.node.value {
                Value::Map(_) => self.all(&entry.node, &format!("{name}.")),
                Value::Scalar(scalar) => {
                    let good = self.good(scalar, entry, &name);
                    self.set(name, entry, good.then(|| scalar.clone()));
                }
                Value::Refused => self.set(name, entry, None),
                Value::List(_) => {
                    let message = format!("the variable {} is a list", shown(&name));
                    let help = "write one variable for each value, and the list in the manifest";
                    self.fail("KL0104", message, &entry.node.range, "a list", help);
                    self.set(name, entry, None);
                }
            }
        }
    }

    fn set(&mut self, name: String, entry: &Entry, scalar: Option<Scalar>) {
        let span = self.places.span(&entry.at);
        self.values.insert(name, Variable { scalar, span });
    }

    /// Whether a value can be used; if not, that is reported.
    fn good(&mut self, scalar: &Scalar, entry: &Entry, name: &str) -> bool {
        let at = &entry.node.range;
        let hit = credential::find(&scalar.text, Context::Text);
        let named = names_secret(&entry.key) && credential::written_out(&scalar.text);
        let user = credential::user_in_url(&scalar.text).then_some("a user in a URL");
        let what = hit.first().map(|hit| hit.what).or(user);
        if let Some(what) = what.or(named.then_some("a secret by its name")) {
            let message = format!("the environment holds {what}");
            let help = "take it out and replace it with a new one: use `valueFrom` or a Key Vault \
                        reference in the manifest";
            self.fail("KL0110", message, at, "looks like a credential", help);
            return false;
        }
        if scalar.meaning() == Meaning::Unclear {
            let message = format!(
                "the variable {} is a value that YAML and JSON read differently",
                shown(name)
            );
            let help = "put it in quotes if it is text; else write it as JSON does";
            self.fail("KL0104", message, at, "unclear", help);
            return false;
        }
        if scalar.text.contains(OPEN) {
            let message = format!("the variable {} uses another", shown(name));
            let help = "write the value itself";
            self.fail("KL0116", message, at, "a reference", help);
            return false;
        }
        true
    }
}

pub(crate) fn is_name(key: &str) -> bool {
    let more = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    key.starts_with(|c: char| c.is_ascii_alphabetic()) && key.chars().all(more)
}

/// Names whose value is a secret whatever it looks like.
fn names_secret(key: &str) -> bool {
    let name: String = key
        .to_lowercase()
        .chars()
        .filter(|c| c.is_alphanumeric())
        .collect();
    let ends = [
        "password",
        "pwd",
        "clientsecret",
        "accountkey",
        "apikey",
        "accesskey",
    ];
    ends.iter().any(|end| name.ends_with(end))
}

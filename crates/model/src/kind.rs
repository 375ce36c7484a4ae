//! Kinds as descriptors: what a document of a kind may say, and how its live fields compare.
//!
//! One file of `kinds/` declares each kind. Reading and checking manifests, the JSON Schema, the
//! reference page, diff, drift, rendering and redaction all follow these tables.

use crate::severity::Severity;

/// The three levels of documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// A service that is ours.
    Root,
    /// One entity.
    Resource,
    /// What is wanted; it compiles into resources and steps.
    Intent,
}

impl Level {
    pub fn word(self) -> &'static str {
        match self {
            Self::Root => "root",
            Self::Resource => "resource",
            Self::Intent => "intent",
        }
    }
}

/// One kind of document.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    pub name: &'static str,
    pub level: Level,
    /// One or two sentences for the reference page.
    pub summary: &'static str,
    /// The Azure resource behind it; T-SQL kinds and intents have none.
    pub arm: Option<Arm>,
    pub spec: &'static [Property],
    /// The live fields that are compared.
    pub fields: &'static [Field],
    /// A whole document that is valid together with the other kinds' examples.
    pub example: &'static str,
}

/// Where a kind lives in Azure Resource Manager.
#[derive(Clone, Copy, Debug)]
pub struct Arm {
    /// Such as `Microsoft.ApiManagement/service/namedValues`.
    pub resource_type: &'static str,
    pub api_version: &'static str,
    /// The list that brings every instance back, relative to the parent.
    pub list: &'static str,
}

/// One key of `spec` or of an object in it.
#[derive(Clone, Copy, Debug)]
pub struct Property {
    pub name: &'static str,
    pub shape: Shape,
    pub required: bool,
    /// As a manifest would write it; empty when leaving it out means unmanaged.
    pub default: &'static str,
    pub about: &'static str,
}

/// The shape of a value in a manifest.
#[derive(Clone, Copy, Debug)]
pub enum Shape {
    Text,
    /// A name of Azure or of a database (see [`crate::check_azure_name`]).
    Name,
    /// The name of a document of this kind.
    Document(&'static str),
    Guid,
    /// The id of a resource of this ARM type.
    Id(&'static str),
    Bool,
    Integer {
        min: i64,
        max: i64,
    },
    Word(&'static [&'static str]),
    /// `90s 30m 24h 7d`.
    Duration,
    /// A path relative to the document, inside the project.
    File,
    List(&'static Shape),
    Object(&'static [Property]),
    /// The first that fits the value's YAML type is taken.
    Either(&'static [Shape]),
    /// ARM's own field names: any JSON object.
    Body,
    /// Known to keyless, and not in this version: refused with this reason.
    Later(&'static str),
}

/// One live field of a resource.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// A JSON pointer into the ARM body, or a word for what T-SQL shows.
    pub path: &'static str,
    pub form: Form,
    /// It and what lies below it are shown only as fingerprints.
    pub sensitive: bool,
    /// How much a drift of it matters.
    pub severity: Severity,
    /// It cannot be changed in place.
    pub replace: bool,
}

/// The canonical form in which two values of a field are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// As JSON values.
    Exact,
    /// Texts, without case.
    Folded,
    /// Policy documents, by meaning.
    Policy,
    /// Lists of texts, without order and case.
    Set,
    /// Words with commas between, without order, case and space.
    Words,
}

/// Every kind of this version, in the order of the reference page.
pub const KINDS: &[Kind] = &[
    crate::kinds::gateway::KIND,
    crate::kinds::sql_server::KIND,
    crate::kinds::sql_database::KIND,
    crate::kinds::managed_identity::KIND,
    crate::kinds::named_value::KIND,
    crate::kinds::backend::KIND,
    crate::kinds::api::KIND,
    crate::kinds::operation::KIND,
    crate::kinds::policy::KIND,
    crate::kinds::policy_fragment::KIND,
    crate::kinds::resolver::KIND,
    crate::kinds::product::KIND,
    crate::kinds::role_assignment::KIND,
    crate::kinds::firewall_rule::KIND,
    crate::kinds::sql_user::KIND,
    crate::kinds::sql_role::KIND,
    crate::kinds::sql_grant::KIND,
    crate::kinds::access::KIND,
];

/// Kinds that the design names and this version does not have.
pub const LATER_KINDS: &[&str] = &[
    "Acceptance",
    "Diagnostic",
    "DiagnosticSetting",
    "Logger",
    "Observability",
    "SecurityPolicy",
    "Workload",
];

/// The descriptor of the kind with this name.
pub fn kind(name: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|k| k.name == name)
}

/// A required property.
pub(crate) const fn must(name: &'static str, shape: Shape, about: &'static str) -> Property {
    Property {
        name,
        shape,
        required: true,
        default: "",
        about,
    }
}

/// A property that may be left out.
pub(crate) const fn may(
    name: &'static str,
    shape: Shape,
    default: &'static str,
    about: &'static str,
) -> Property {
    Property {
        name,
        shape,
        required: false,
        default,
        about,
    }
}

/// A plain field of an ARM body.
pub(crate) const fn field(path: &'static str, form: Form, severity: Severity) -> Field {
    Field {
        path,
        form,
        sensitive: false,
        severity,
        replace: false,
    }
}

/// A field that is shown only as a fingerprint, with all that lies below it.
pub(crate) const fn sensitive(path: &'static str, form: Form, severity: Severity) -> Field {
    Field {
        sensitive: true,
        ..field(path, form, severity)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_no_kind_is_both_here_and_later() {
        for (i, kind) in KINDS.iter().enumerate() {
            assert!(
                KINDS[..i].iter().all(|k| k.name != kind.name),
                "{}",
                kind.name
            );
            assert!(!LATER_KINDS.contains(&kind.name), "{}", kind.name);
            assert!(
                kind.example.contains(&format!("kind: {}", kind.name)),
                "{}",
                kind.name
            );
        }
    }
}

//! The codes of every diagnostic, error and scan rule: permanent, and described by
//! `keyless explain`.

/// One code and what there is to know about it.
#[derive(Clone, Copy, Debug)]
pub struct Code {
    pub code: &'static str,
    pub title: &'static str,
    /// What it means and what to do.
    pub about: &'static str,
}

/// All codes, in order.
pub const CODES: &[Code] = &[
    code(
        "KL0101",
        "malformed YAML",
        "The file is not YAML 1.2, or uses what manifests do not: anchors, aliases, tags, a key twice, more than 32 levels. Mend it at the place that the message shows.",
    ),
    code(
        "KL0102",
        "unknown apiVersion or kind",
        "Each document starts with `apiVersion: keyless.dev/v1alpha1` and a `kind` of the reference (docs/reference.md).",
    ),
    code(
        "KL0103",
        "unknown field",
        "The field is not one of this kind. `keyless schema` prints what each kind may hold.",
    ),
    code(
        "KL0104",
        "wrong type or value",
        "The value does not fit the field. The message says what is expected.",
    ),
    code("KL0105", "missing field", "A required field is not there."),
    code(
        "KL0106",
        "duplicate name",
        "Two documents of one kind have the same `metadata.name`, or two describe the same thing in Azure; or a list names one thing twice.",
    ),
    code(
        "KL0107",
        "dangling reference",
        "The document refers to another that no file declares.",
    ),
    code(
        "KL0108",
        "not in this version",
        "keyless knows the field or kind and cannot carry it out yet, so it refuses it instead of ignoring it.",
    ),
    code(
        "KL0109",
        "bad name",
        "The name could not stand in a path, an address or a statement.",
    ),
    code(
        "KL0110",
        "a credential in a manifest",
        "A literal that looks like a credential must not stand in a manifest. Use `valueFrom`, a Key Vault reference, or an Access.",
    ),
    code(
        "KL0111",
        "policy file",
        "The policy file is missing, outside the project, too large or malformed.",
    ),
    code(
        "KL0112",
        "too large",
        "The file is over its limit and was not read: 4 MiB for a manifest, 512 KiB for a policy.",
    ),
    code(
        "KL0113",
        "contradiction",
        "Two fields or documents cannot both hold.",
    ),
    code(
        "KL0114",
        "no manifests",
        "No document was found where keyless looked.",
    ),
    code(
        "KL0115",
        "a cycle",
        "Documents refer to one another in a circle, or a role is a member of itself.",
    ),
    code(
        "KL0201",
        "no credential",
        "No way to log in to Entra was found. The message lists what was tried.",
    ),
    code(
        "KL0202",
        "Azure refused",
        "Azure Resource Manager answered with an error; its code and message are shown.",
    ),
    code(
        "KL0203",
        "Azure cannot be reached",
        "The endpoint did not answer, or not as Azure does.",
    ),
    code(
        "KL0204",
        "the database refused",
        "The database refused the login or the statement; its error number is shown.",
    ),
    code(
        "KL0205",
        "the database cannot be reached",
        "The server did not answer. Firewall rules and private endpoints are the usual reasons.",
    ),
    code(
        "KL0206",
        "the clouds file",
        "The file given with --cloud is not a file of endpoints.",
    ),
    code(
        "KL0301",
        "the plan file",
        "The file is not a plan of this version, was cut short, or was edited.",
    ),
    code(
        "KL0302",
        "the plan is stale",
        "What is live has changed since the plan was made or since a step of it was done, or another plan was applied in between. Plan again.",
    ),
    code(
        "KL0303",
        "another tenant",
        "The plan was made for another tenant, or under another fingerprint key.",
    ),
    code(
        "KL0304",
        "irreversible steps",
        "The plan holds steps that cannot be undone; `--allow-irreversible` lets them run.",
    ),
    code(
        "KL0305",
        "a step failed",
        "A step failed. What depends on it was not started; run again to go on from there.",
    ),
    code(
        "KL0306",
        "the state",
        "The state or the journal cannot be read or written.",
    ),
    code(
        "KL0307",
        "approval",
        "The gate that was named does not wait for a person, or not yet: a soak asks only when its time is over, and a gate behind others only when those are open.",
    ),
    code(
        "KL0401",
        "SQL password in a policy",
        "A connection string in a policy or resolver holds a password. Declare an Access for its database.",
    ),
    code(
        "KL0402",
        "SQL password in a plain named value",
        "Everybody who may read the gateway can read it. Declare an Access for its database.",
    ),
    code(
        "KL0403",
        "SQL password in a secret named value",
        "Its value is hidden and still a password. Declare an Access for its database.",
    ),
    code(
        "KL0404",
        "a connection string that cannot be read",
        "A secret named value stands where a connection string is expected; its value was not read. `--inspect-secrets` reads it in memory.",
    ),
    code(
        "KL0405",
        "SQL login",
        "The server has a login with a password.",
    ),
    code(
        "KL0406",
        "user with a password",
        "The database has a user that logs in with a password.",
    ),
    code(
        "KL0407",
        "password authentication is on",
        "The server accepts passwords: Entra-only authentication is off.",
    ),
    code(
        "KL0408",
        "password in a policy",
        "`authentication-basic` or `proxy` holds a password.",
    ),
    code(
        "KL0409",
        "key or token in a policy",
        "A header, a query parameter or an expression holds a literal credential.",
    ),
    code(
        "KL0410",
        "credential in a named value",
        "A plain named value looks like a credential.",
    ),
    code(
        "KL0501",
        "drifted",
        "A declared field has another value than the manifest gives it.",
    ),
    code("KL0502", "missing", "A declared thing is not there."),
    code(
        "KL0503",
        "unmanaged",
        "A thing in an owned scope is declared by no document.",
    ),
    code(
        "KL0504",
        "unreadable",
        "A thing could not be read, so nothing is known about it.",
    ),
    code(
        "KL0505",
        "a credential is back",
        "A path that an Access moved to an identity uses a credential again.",
    ),
    code(
        "KL0506",
        "a stale SID",
        "The database user has another SID than its identity: the identity was made anew.",
    ),
    code(
        "KL0507",
        "password authentication is back",
        "Entra-only authentication was turned off.",
    ),
    code(
        "KL0508",
        "an old way in is open again",
        "A login or user that was disabled or dropped can log in again.",
    ),
    code(
        "KL0509",
        "a right that nobody declared",
        "A role of keyless or an identity can do more, or less, than its Access says.",
    ),
];

const fn code(code: &'static str, title: &'static str, about: &'static str) -> Code {
    Code { code, title, about }
}

/// The entry for a code, whatever its case.
pub fn find(text: &str) -> Option<&'static Code> {
    CODES
        .iter()
        .find(|c| c.code.eq_ignore_ascii_case(text.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_in_order_and_unique() {
        assert!(CODES.windows(2).all(|w| w[0].code < w[1].code));
        assert_eq!(find("kl0101").map(|c| c.title), Some("malformed YAML"));
        assert!(find("KL9999").is_none());
    }
}

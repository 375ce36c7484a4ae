//! The rules for named values: what they hold, and what the places that use them say they hold.
//!
//! Invariant: a named value makes at most one finding, however many policies use it.

use keyless_model::{Address, Entity, FingerprintKey, Severity};

use crate::connection_string::ConnectionString;
use crate::constants::{Part, parts};
use crate::credentials::{Hit, Sort, find, opens};
use crate::finding::{Confidence, Finding, Opens, USE_ACCESS, USE_IDENTITY};
use crate::looks;
use crate::names::is_about;
use crate::policy::{Role, Use};

/// What is known of one named value.
pub(crate) struct Known<'a> {
    pub address: &'a Address,
    pub entity: &'a Entity,
    /// Each policy that uses it as a credential, and how.
    pub uses: &'a [(Address, Use)],
}

const POINTER: &str = "/properties/value";

/// The finding that a named value makes, if any.
pub(crate) fn judge(known: &Known, key: &FingerprintKey) -> Option<Finding> {
    let secret = known.entity.flag("/properties/secret") == Some(true);
    let finding = match known.entity.text(POINTER) {
        Some(value) if !value.trim().is_empty() => readable(known, value, secret, key)?,
        _ => hidden(known)?,
    };
    let name = known.entity.text("/properties/displayName");
    let mut users: Vec<Address> = known.uses.iter().map(|(a, _)| a.clone()).collect();
    users.sort();
    users.dedup();
    Some(Finding {
        place: POINTER.into(),
        through: name.map(str::to_owned),
        users,
        ..finding
    })
}

fn roles<'a>(known: &'a Known) -> impl Iterator<Item = &'a Role> {
    known.uses.iter().map(|(_, u)| &u.role)
}

/// What it opens, and that it is a SQL password, if a place says so.
fn sql_password(known: &Known) -> Option<Option<Opens>> {
    let said = roles(known).filter_map(|r| match r {
        Role::SqlPassword(opens) => Some(opens.clone()),
        _ => None,
    });
    said.max_by_key(Option::is_some)
}

fn readable(known: &Known, value: &str, secret: bool, key: &FingerprintKey) -> Option<Finding> {
    let print = |text: &str| Some(key.of(text));
    let sql = |opens, password: &str, what: &str| {
        let (rule, severity, kind) = match secret {
            true => ("KL0403", Severity::High, "secret"),
            false => ("KL0402", Severity::Critical, "plain"),
        };
        Finding {
            opens,
            severity,
            replacement: USE_ACCESS.into(),
            fingerprint: print(password),
            ..Finding::new(
                rule,
                known.address,
                format!("this {kind} named value holds {what}"),
            )
        }
    };
    if let Some(parsed) = ConnectionString::parse(value)
        && let Some(password) = parsed.password()
        && looks::is_literal(password.expose())
    {
        let what = "a connection string with a password";
        return Some(sql(opens(&parsed), password.expose(), what));
    }
    if let Some(opens) = sql_password(known)
        && looks::is_literal(value)
    {
        return Some(sql(opens, value, "the password of a connection string"));
    }
    let hits = contents(value);
    if let Some(hit) = hits.iter().find(|h| matches!(h.sort, Sort::Sql(_))) {
        let Sort::Sql(opens) = hit.sort.clone() else {
            return None;
        };
        let found = sql(
            opens,
            hit.value.expose(),
            "a connection string with a password",
        );
        return Some(Finding {
            confidence: hit.confidence,
            ..found
        });
    }
    if secret {
        let finding = hidden_key(known).or_else(|| held_key(known, hits.first()?))?;
        return Some(Finding {
            fingerprint: print(value.trim()),
            ..finding
        });
    }
    let name = known
        .entity
        .text("/properties/displayName")
        .unwrap_or_default();
    let hit = hits.into_iter().next();
    let hit = hit
        .or_else(|| by_place(known, value))
        .or_else(|| by_name(name, value))?;
    Some(Finding {
        confidence: hit.confidence,
        severity: match hit.confidence {
            Confidence::Possible => Severity::Warning,
            _ => Severity::High,
        },
        opens: match &hit.sort {
            Sort::Sql(opens) | Sort::Key(opens) => opens.clone(),
        },
        replacement: USE_IDENTITY.into(),
        fingerprint: print(hit.value.expose()),
        ..Finding::new(
            "KL0410",
            known.address,
            format!("this plain named value holds {}", hit.what),
        )
    })
}

/// Literal credentials that show themselves. A value may be or hold an expression.
fn contents(value: &str) -> Vec<Hit> {
    let mut out = Vec::new();
    for part in parts(value) {
        match part {
            Part::Literal(text) => out.extend(find(text)),
            Part::Expression(found) => out.extend(found.strings.iter().flat_map(|s| find(s))),
        }
    }
    out.retain(|h| looks::is_literal(h.value.expose()));
    out
}

/// A value that stands where policies expect a credential.
fn by_place(known: &Known, value: &str) -> Option<Hit> {
    let confidence = key_confidence(known)?;
    let value = value.trim();
    let key = value.len() >= 6 && looks::is_literal(value) && !looks::is_stand_in(value);
    let word = ["bearer", "basic", "negotiate"]
        .iter()
        .any(|w| value.eq_ignore_ascii_case(w));
    (key && !word).then(|| Hit::key(value, "what a policy sends as a credential", confidence))
}

/// A value that its own name calls a credential, and a key of a form that is nothing else.
fn by_name(name: &str, value: &str) -> Option<Hit> {
    let value = value.trim();
    let lower = name.to_lowercase();
    let one = looks::is_literal(value)
        && !value.contains(char::is_whitespace)
        && !value.contains("://")
        && !looks::is_stand_in(value);
    if !one {
        return None;
    }
    let said = |words: &[&str]| words.iter().any(|w| lower.contains(w));
    // `password-reset-url`, `token-issuer` and the like name something else.
    let about = is_about(name);
    let random = looks::is_random(value);
    let password = said(&["password", "passwd", "pwd", "secret"]) && value.len() >= 6;
    let key = said(&["key", "token", "credential", "sas", "apikey"]) && random;
    let hidden = lower.starts_with("logger-credentials");
    if !about && !hidden && (password && !looks::is_guid(value) || key) {
        let confidence = if random {
            Confidence::Certain
        } else {
            Confidence::Likely
        };
        return Some(Hit::key(
            value,
            "what its name calls a credential",
            confidence,
        ));
    }
    // Storage, Event Hubs, Cosmos and Functions keys: base64 of 32 or 64 bytes.
    let machine = random && value.ends_with('=') && matches!(value.len(), 44 | 56 | 88);
    machine.then(|| Hit::key(value, "what looks like a key", Confidence::Possible))
}

/// A secret that policies or backends send as a credential (azure-facts B.5 row 2). One that Key
/// Vault keeps is what there is to do where no identity is taken.
fn hidden_key(known: &Known) -> Option<Finding> {
    let confidence = key_confidence(known).filter(|c| *c > Confidence::Possible)?;
    let in_vault = known
        .entity
        .text("/properties/keyVault/secretIdentifier")
        .is_some();
    let (severity, what) = match in_vault {
        true => (
            Severity::Info,
            "a key from Key Vault is sent as a credential",
        ),
        false => (
            Severity::Warning,
            "this secret named value is sent as a credential",
        ),
    };
    Some(Finding {
        confidence,
        severity,
        replacement: USE_IDENTITY.into(),
        ..Finding::new("KL0413", known.address, what.into())
    })
}

/// A secret that shows itself to be a key, once it was read.
fn held_key(known: &Known, hit: &Hit) -> Option<Finding> {
    let what = format!("this secret named value holds {}", hit.what);
    (hit.confidence > Confidence::Possible).then(|| Finding {
        confidence: hit.confidence,
        severity: Severity::Warning,
        replacement: USE_IDENTITY.into(),
        ..Finding::new("KL0413", known.address, what)
    })
}

/// How sure a place is that the named value is a key, if one is.
fn key_confidence(known: &Known) -> Option<Confidence> {
    let said = roles(known).filter_map(|r| match r {
        Role::Key(confidence) => Some(*confidence),
        _ => None,
    });
    said.max()
}

/// A value that was not read: a secret, or a reference to Key Vault.
fn hidden(known: &Known) -> Option<Finding> {
    if let Some(opens) = sql_password(known) {
        let what = "this secret named value is the password of a connection string".to_owned();
        return Some(Finding {
            opens,
            replacement: USE_ACCESS.into(),
            ..Finding::new("KL0403", known.address, what)
        });
    }
    let mut identities = roles(known).filter_map(|r| match r {
        Role::ConnectionString { identity } => Some(*identity),
        _ => None,
    });
    let Some(first) = identities.next() else {
        return hidden_key(known);
    };
    // With `use-managed-identity` everywhere, the string need not hold a password any more.
    let identity = first && identities.all(|i| i);
    let what = "this secret named value stands for a connection string, and its value was not \
                read: --inspect-secrets reads it in memory";
    Some(Finding {
        confidence: if identity {
            Confidence::Possible
        } else {
            Confidence::Likely
        },
        replacement: USE_ACCESS.into(),
        ..Finding::new("KL0404", known.address, what.into())
    })
}
